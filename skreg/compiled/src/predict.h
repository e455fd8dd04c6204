// Prediction of rows by networks.
#pragma once

#include "network.h"

namespace skreg {

// Write the raw outputs of `n` rows from number `first` on: an array of shape
// (n_models, n, n_outputs) for as many models from number `model` on.
template <class T>
void predict(const Plan& plan, Index model, Index n_models, Index first, Index n, T* out) {
    Index step = std::min<Index>(n, 2 * rows_at_a_time);
    Index n_outputs = plan.sizes[plan.n_hidden + 1];
    Network<T> network(plan, step, Use::prediction);
    Worker<T> worker = network.worker();
    for (Index last = model + n_models; model < last; ++model) {
        network.open(model);
        network.open(worker);
        for (Index start = 0; start < n; start += step) {
            Index count = std::min(step, n - start);
            network.predict(worker, first + start, count);
            for (Index i = 0; i < count; ++i)
                for (Index l = 0; l < n_outputs; ++l) *out++ = network.score(i, l);
        }
    }
}

}  // namespace skreg
