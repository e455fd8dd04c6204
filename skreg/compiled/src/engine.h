// Training, validation and prediction of one network.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "update.h"

namespace skreg {

// The last batch of an epoch may have fewer rows, or one more.
inline Index batch_end(const Plan& plan, const ModelSettings& s, Index step) {
    return step + 1 == s.n_batches ? s.n_rows : (step + 1) * plan.batch_size;
}

inline Index largest_batch(const Plan& plan, const ModelSettings& s) {
    Index last = s.n_rows - (s.n_batches - 1) * plan.batch_size;
    return s.n_batches > 1 ? std::max<Index>(last, plan.batch_size) : last;
}

// The most rows of a batch of any model.
inline Index largest_batch(const Plan& plan) {
    Index most = 0;
    for (Index model = 0; model < plan.n_models; ++model)
        most = std::max(most, largest_batch(plan, plan.models[model]));
    return most;
}

// The training of networks, one after another, by one thread or several.
class Training {
  public:
    virtual ~Training() = default;

    // Go over to a model.
    virtual void open(Index model) = 0;

    // The penalties of the model.
    virtual double penalty() const = 0;

    // Take steps `first` up to `last` of an epoch, as one of the threads. Thread 0 adds
    // the mean losses of the batches, weighted by their shares of the rows, to `loss`.
    virtual void work(Index thread, Index first, Index last, double& loss) = 0;

    // Write the state of the model back to Python's tensors, unless it was abandoned.
    virtual void close() = 0;

    // Let other threads return from `work` at once: one of them will not come.
    virtual void abandon() = 0;
};

template <class T> class TrainingOf final : public Training {
  public:
    TrainingOf(const Plan& plan, Index n_threads)
        : plan_(plan), n_threads_(n_threads), n_rows_(rows_in_memory(plan)),
          network_(plan, n_rows_, Use::training), optimizer_(network_), barrier_(n_threads) {
        for (Index i = 0; i < n_threads; ++i) workers_.push_back(network_.worker());
    }

    void open(Index model) override {
        network_.open(model);
        for (Worker<T>& worker : workers_) network_.open(worker);
    }

    void work(Index thread, Index first, Index last, double& loss) override {
        const ModelSettings& s = network_.settings();
        Share share{thread, n_threads_};
        for (Index step = first; step < last; ++step) {
            Index start = step * plan_.batch_size, n = batch_end(plan_, s, step) - start;
            double value = 0;
            for (Index first_row = 0; first_row < n; first_row += n_rows_) {
                Index count = std::min(n_rows_, n - first_row);
                differentiate(thread, start + first_row, count, n);
                if (!barrier_.wait()) return;
                value += network_.loss(count);
                network_.write_gradients(count, share, first_row > 0);
                bool is_last = first_row + n_rows_ >= n;
                if (!is_last && !barrier_.wait()) return;
            }
            if (thread == 0) loss += value * as_double(n) / as_double(s.n_rows);
            optimizer_.step(s.n_steps + as_double(step + 1), share, barrier_);
            if (!barrier_.wait()) return;
        }
    }

    double penalty() const override { return optimizer_.penalty(); }
    void close() override {
        if (!barrier_.is_abandoned()) optimizer_.write();
    }
    void abandon() override { barrier_.abandon(); }

  private:
    const Plan& plan_;
    Index n_threads_, n_rows_;
    Network<T> network_;
    Optimizer<T> optimizer_;
    Barrier barrier_;
    std::vector<Worker<T>> workers_;

    // Parts of a large batch add to the gradient one after another, so that they stay in
    // a cache. Normalisation needs all rows.
    static Index rows_in_memory(const Plan& plan) {
        Index most = largest_batch(plan);
        return plan.norm == no_norm ? std::min<Index>(most, 16 * rows_at_a_time) : most;
    }

    // The thread's share of `n` rows of a batch of `n_batch`.
    void differentiate(Index thread, Index start, Index n, Index n_batch) {
        Index share = (n + n_threads_ - 1) / n_threads_;
        Index together = std::min(network_.rows_together(), padded_rows(share));
        const std::int64_t* order = network_.settings().order;
        for (Index i = thread * together; i < n; i += n_threads_ * together)
            network_.differentiate(workers_[thread], order, start, i,
                                   std::min(together, n - i), n_batch, false);
    }

    // The least multiple of `rows_at_a_time` that is not less.
    static Index padded_rows(Index n) {
        return (n + rows_at_a_time - 1) / rows_at_a_time * rows_at_a_time;
    }
};

inline std::unique_ptr<Training> training_of(const Plan& plan, Index n_threads) {
    if (plan.is_double) return std::make_unique<TrainingOf<double>>(plan, n_threads);
    return std::make_unique<TrainingOf<float>>(plan, n_threads);
}

// Write the rows of a model in the order of its epoch.
inline void shuffle(const Plan& plan, Index model) {
    const ModelSettings& s = plan.models[model];
    if (s.order == s.rows) return;
    random_order({s.key, s.epoch, ORDER}, s.n_rows, s.order);
    for (Index i = 0; i < s.n_rows; ++i) s.order[i] = s.rows[s.order[i]];
}

// Train models for an epoch, as `skreg_epoch`. Return whether no model is left.
inline bool train(const Plan& plan, std::atomic<std::int64_t>& next_model, std::int64_t* mine,
                  double seconds, double* losses) {
    using Clock = std::chrono::steady_clock;
    auto end = Clock::now() + std::chrono::duration<double>(seconds);
    std::unique_ptr<Training> training = training_of(plan, 1);
    std::int64_t &model = mine[0], &step = mine[1];
    while (true) {
        if (model < 0) {
            model = next_model.fetch_add(1), step = 0;
            if (model >= plan.n_models) return true;
            shuffle(plan, model);
        }
        training->open(model);
        if (step == 0) losses[model] = training->penalty();
        bool has_time = true;
        for (; step < plan.models[model].n_batches && has_time; ++step) {
            training->work(0, step, step + 1, losses[model]);
            has_time = Clock::now() < end;
        }
        training->close();
        if (step == plan.models[model].n_batches) model = -1;
        if (!has_time) return false;
    }
}

// Rows that are computed together outside of training.
inline Index chunk(Index n_rows) { return std::min<Index>(n_rows, 2 * rows_at_a_time); }

// Let a network go over to a model, and return what a thread needs.
template <class T> Worker<T> opened(Network<T>& network, Index model) {
    Worker<T> worker = network.worker();
    network.open(model);
    network.open(worker);
    return worker;
}

// Return the mean loss over all rows of a model, as in prediction.
template <class T> double evaluate(const Plan& plan, Index model) {
    const ModelSettings& s = plan.models[model];
    Network<T> network(plan, chunk(s.n_rows), Use::prediction);
    Worker<T> worker = opened(network, model);
    double total = 0;
    for (Index start = 0; start < s.n_rows; start += chunk(s.n_rows)) {
        Index n = std::min<Index>(chunk(s.n_rows), s.n_rows - start);
        total += network.evaluate(worker, s.rows, start, n, s.n_rows);
    }
    return total;
}

// Return the mean loss over all rows of a model, and write its gradient. With random
// changes, they are those of the batches of an epoch.
template <class T> double differentiate(const Plan& plan, Index model, bool is_random) {
    const ModelSettings& s = plan.models[model];
    Index step = chunk(s.n_rows), most = step, n_steps = (s.n_rows + step - 1) / step;
    if (is_random) step = plan.batch_size, most = largest_batch(plan, s), n_steps = s.n_batches;
    Network<T> network(plan, most, is_random ? Use::training : Use::objective);
    Worker<T> worker = opened(network, model);
    const std::int64_t* order = is_random ? s.order : s.rows;
    double total = 0;
    for (Index i = 0; i < n_steps; ++i) {
        Index start = i * step, n = (i + 1 == n_steps ? s.n_rows : start + step) - start;
        Index together = network.rows_together();
        for (Index first = 0; first < n; first += together)
            network.differentiate(worker, order, start, first,
                                  std::min<Index>(together, n - first), s.n_rows, i > 0);
        total += network.loss(n);
        network.write_gradients(n, {0, 1}, i > 0);
    }
    for (const Matrix<T>& m : network.matrices) m.write_gradient();
    return total;
}

// Write the raw outputs of n rows from number `first` on: an array of shape
// (n, n_outputs).
template <class T> void predict(const Plan& plan, Index model, Index first, Index n, T* out) {
    Network<T> network(plan, chunk(n), Use::prediction);
    Worker<T> worker = opened(network, model);
    Index n_outputs = plan.sizes[plan.n_hidden + 1];
    for (Index start = 0; start < n; start += chunk(n)) {
        Index count = std::min(chunk(n), n - start);
        network.predict(worker, nullptr, first + start, count, 1);
        for (Index i = 0; i < count; ++i)
            for (Index l = 0; l < n_outputs; ++l) *out++ = network.score(i, l);
    }
}

}  // namespace skreg
