// Prediction of rows by networks.
#pragma once

#include "crew.h"

namespace skreg {

// Write the raw outputs of `n` rows, or what they predict: an array of shape
// (n_models, n, n_outputs). Begin with number `next` of the parts of all models, each of
// which one thread computes. Return whether the time is up, and which part is next.
template <class T>
bool predict(const Plan& plan, Index n, bool links, Index n_threads, std::int64_t& next,
             double seconds, T* out) {
    const Index n_rows = rows_of_part(plan), n_parts = (n + n_rows - 1) / n_rows;
    const Index all = n_parts * plan.n_models;
    const Index step = std::min<Index>(n, 2 * rows_at_a_time);
    const Index n_outputs = plan.sizes[plan.n_hidden + 1];
    const Time end = time_after(seconds);
    std::atomic<std::int64_t> next_part{next};
    in_threads(std::clamp<Index>(all - next, 1, n_threads), [&](Index) {
        Network<T> network(plan, step, Use::prediction);
        Worker<T> worker = network.worker();
        Index opened = -1;
        // One part at least: copies of large weights may take all the time.
        do {
            Index number = next_part.fetch_add(1);
            if (number >= all) return;
            Index model = number / n_parts, start = number % n_parts * n_rows;
            if (model != opened) {
                network.open(model);
                network.open(worker);
                opened = model;
            }
            T* to = out + (model * n + start) * n_outputs;
            for (Index last = std::min(start + n_rows, n); start < last; start += step) {
                Index count = std::min(step, last - start);
                network.predict(worker, start, count);
                if (links) network.link(count);
                for (Index i = 0; i < count; ++i)
                    for (Index l = 0; l < n_outputs; ++l) *to++ = network.score(i, l);
            }
        } while (Clock::now() < end);
    }, [&] { next_part = all; });
    next = next_part;
    return next < all;
}

}  // namespace skreg
