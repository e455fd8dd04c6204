// Training, validation and prediction of one network.
#pragma once

#include "team.h"
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

// The training of a network by one thread or several.
class Training {
  public:
    virtual ~Training() = default;

    // Take steps `first` up to `last` of an epoch, as one of the threads. Thread 0 adds
    // the mean losses of the batches, weighted by their shares of the rows, to `loss`.
    virtual void work(Index thread, Index first, Index last, double* loss) = 0;

    // Write the state back to Python's tensors.
    virtual void finish() = 0;
};

template <class T> class TrainingOf final : public Training {
  public:
    TrainingOf(const Plan& plan, Index model, Index n_threads)
        : plan_(plan), settings_(plan.models[model]), n_threads_(n_threads),
          network_(plan, model, largest_batch(plan, settings_), Use::training),
          optimizer_(network_), barrier_(n_threads),
          losses_(largest_batch(plan, settings_) / network_.rows_together() + 1) {
        for (Index i = 0; i < n_threads; ++i) workers_.push_back(network_.worker());
    }

    void work(Index thread, Index first, Index last, double* loss) override {
        Index together = network_.rows_together();
        for (Index step = first; step < last; ++step) {
            Index start = step * plan_.batch_size;
            Index n = batch_end(plan_, settings_, step) - start;
            for (Index i = thread * together; i < n; i += n_threads_ * together)
                losses_[i / together] =
                    network_.differentiate(workers_[thread], settings_.order, start, i,
                                           std::min(together, n - i), n);
            barrier_.wait();
            if (thread == 0) {
                double value = 0;
                for (Index i = 0; i * together < n; ++i) value += losses_[i];
                *loss += value * n / settings_.n_rows;
            }
            Share share{thread, n_threads_};
            network_.template write_gradients<false>(n, share);
            optimizer_.step(settings_.n_steps + step + 1, share);
            barrier_.wait();
        }
    }

    void finish() override { optimizer_.write(); }

  private:
    const Plan& plan_;
    const ModelSettings& settings_;
    Index n_threads_;
    Network<T> network_;
    Optimizer<T> optimizer_;
    Barrier barrier_;
    Buffer<double> losses_;
    std::vector<Worker<T>> workers_;
};

// Rows that are computed together outside of training.
inline Index chunk(Index n_rows) { return std::min<Index>(n_rows, 2 * rows_at_a_time); }

// Return the mean loss over all rows of a model, as in prediction.
template <class T> double evaluate(const Plan& plan, Index model) {
    const ModelSettings& s = plan.models[model];
    Network<T> network(plan, model, chunk(s.n_rows), Use::prediction);
    Worker<T> worker = network.worker();
    double total = 0;
    for (Index start = 0; start < s.n_rows; start += chunk(s.n_rows)) {
        Index n = std::min(chunk(s.n_rows), s.n_rows - start);
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
    Network<T> network(plan, model, most, is_random ? Use::training : Use::objective);
    Worker<T> worker = network.worker();
    const std::int64_t* order = is_random ? s.order : s.rows;
    double total = 0;
    for (Index i = 0; i < n_steps; ++i) {
        Index start = i * step, n = (i + 1 == n_steps ? s.n_rows : start + step) - start;
        Index together = network.rows_together();
        for (Index first = 0; first < n; first += together)
            total += network.differentiate(worker, order, start, first,
                                           std::min(together, n - first), s.n_rows);
        network.template write_gradients<true>(n, {0, 1});
    }
    for (const Matrix<T>& m : network.matrices) m.write_gradient();
    return total;
}

// Write the raw outputs of n rows from number `first` on: an array of shape
// (n, n_outputs).
template <class T> void predict(const Plan& plan, Index model, Index first, Index n, T* out) {
    Network<T> network(plan, model, chunk(n), Use::prediction);
    Worker<T> worker = network.worker();
    Index n_outputs = plan.sizes[plan.n_hidden + 1];
    for (Index start = 0; start < n; start += chunk(n)) {
        Index count = std::min(chunk(n), n - start);
        network.predict(worker, nullptr, first + start, count, 1);
        for (Index i = 0; i < count; ++i)
            for (Index l = 0; l < n_outputs; ++l) *out++ = network.score(i, l);
    }
}

}  // namespace skreg
