// Threads that go over the rows of networks: to train them for an epoch, to find the
// gradient of their mean loss, or the loss alone.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "update.h"

namespace skreg {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

inline Time time_after(double seconds) {
    std::chrono::duration<double> duration(seconds);
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(duration);
}

// What a team does. `differentiate_epoch` changes the rows at random, as `train` does.
enum class Task : std::int64_t { train, differentiate, differentiate_epoch, evaluate };

inline Use use_of(Task task) {
    if (task == Task::differentiate) return Use::objective;
    return task == Task::evaluate ? Use::prediction : Use::training;
}

// The last batch of an epoch may have fewer rows, or one more.
inline Index batch_end(const Plan& plan, const ModelSettings& s, Index step) {
    return step + 1 == s.n_batches ? s.n_rows : (step + 1) * plan.batch_size;
}

// The most rows of any model, or of any batch.
inline Index most_rows(const Plan& plan, bool of_batch) {
    Index most = 0;
    for (Index model = 0; model < plan.n_models; ++model) {
        const ModelSettings& s = plan.models[model];
        Index last = s.n_rows - (s.n_batches - 1) * plan.batch_size;
        Index largest = s.n_batches > 1 ? std::max<Index>(last, plan.batch_size) : last;
        most = std::max<Index>(most, of_batch ? largest : s.n_rows);
    }
    return most;
}

// Write the rows of a model in the order of its epoch.
inline void shuffle(const ModelSettings& s) {
    if (s.order == s.rows) return;
    random_order({s.key, s.epoch, ORDER}, s.n_rows, s.order);
    for (Index i = 0; i < s.n_rows; ++i) s.order[i] = s.rows[s.order[i]];
}

// Threads that compute each network together.
class Team {
  public:
    virtual ~Team() = default;

    // Go over the rows of models that no other team has claimed, as one of the threads,
    // until no model is left, or the time is up, which it returns. All threads make the
    // same calls. Write the mean loss of each model; `train` adds the penalties that it
    // began with.
    virtual bool work(Index thread, std::atomic<std::int64_t>& next_model, double seconds,
                      double* losses) = 0;

    // Let all threads return from `work` at once, for good.
    virtual void abandon() = 0;
};

template <class T> class TeamOf final : public Team {
  public:
    TeamOf(const Plan& plan, Index n_threads, Task task)
        : plan_(plan), task_(task), n_threads_(n_threads), n_rows_(rows_in_memory()),
          network_(plan, n_rows_, use_of(task)), barrier_(n_threads) {
        if (takes_steps()) optimizer_.emplace(network_);
        for (Index i = 0; i < n_threads; ++i) workers_.push_back(network_.worker());
    }

    bool work(Index thread, std::atomic<std::int64_t>& next_model, double seconds,
              double* losses) override {
        const Time end = time_after(seconds);
        try {
            while (true) {
                if (thread == 0) part_ = next_part(next_model, end, losses);
                barrier_.wait();
                const Part part = part_;
                pass(thread, part, losses);
                if (part.n > 0 && !part.ends_model) continue;
                barrier_.wait();
                if (part.n == 0) return model_ >= 0;
                if (thread == 0) close();
            }
        } catch (const Abandoned&) {
            return false;
        } catch (...) {
            abandon();
            throw;
        }
    }

    void abandon() override { barrier_.abandon(); }

  private:
    const Plan& plan_;
    Task task_;
    Index n_threads_, n_rows_;
    Network<T> network_;
    std::optional<Optimizer<T>> optimizer_;
    Barrier barrier_;
    std::vector<Worker<T>> workers_;
    // What thread 0 sets for all: the part to compute, without rows if there is none.
    Part part_{};
    // What is next: a model, or -1, a row of its epoch and the batch that it is in. And
    // the loss of the rows before it.
    Index model_ = -1, row_ = 0, step_ = 0;
    double loss_ = 0;

    bool takes_steps() const { return task_ == Task::train; }
    bool normalises() const { return plan_.norm != no_norm && task_ != Task::evaluate; }

    // Parts of a large batch add to the gradient one after another, so that they stay in
    // a cache. Normalisation needs all rows.
    Index rows_in_memory() const {
        if (normalises()) return most_rows(plan_, true);
        return std::min(most_rows(plan_, takes_steps()), rows_of_part(plan_));
    }

    Part next_part(std::atomic<std::int64_t>& next_model, Time end, double* losses) {
        if (model_ < 0 && !open(next_model.fetch_add(1), losses)) return {};
        if (Clock::now() >= end) return {};
        const ModelSettings& s = network_.settings();
        Index batch_stop = batch_end(plan_, s, step_);
        // The rows of which there is one mean loss, and one gradient.
        Index first = takes_steps() ? step_ * plan_.batch_size : 0;
        Index last = takes_steps() ? batch_stop : s.n_rows;
        Index start = row_;
        row_ = std::min(start + n_rows_, normalises() ? batch_stop : last);
        if (row_ >= batch_stop) ++step_;
        const std::int64_t* order = use_of(task_) == Use::training ? s.order : s.rows;
        return {order, start, row_ - start, last - first, start == first, row_ == last,
                row_ == s.n_rows, s.n_steps + as_double(step_)};
    }

    // Go over to a model, if there is one.
    bool open(Index model, double* losses) {
        if (model >= plan_.n_models) return false;
        if (use_of(task_) == Use::training) shuffle(plan_.models[model]);
        network_.open(model);
        for (Worker<T>& worker : workers_) network_.open(worker);
        losses[model] = takes_steps() ? optimizer_->penalty() : 0;
        model_ = model, row_ = step_ = 0;
        return true;
    }

    // Write what was computed to Python's tensors.
    void close() {
        if (takes_steps()) optimizer_->write();
        if (use_of(task_) != Use::prediction && !takes_steps())
            for (const Matrix<T>& m : network_.matrices) m.write_gradient();
        model_ = -1;
    }

    void pass(Index thread, const Part& part, double* losses) {
        if (part.n == 0) return;
        Share share{thread, n_threads_, barrier_};
        forward_and_backward(workers_[thread], part, share);
        barrier_.wait();
        if (thread == 0) note_loss(part, losses);
        if (task_ == Task::evaluate) return;
        network_.write_gradients(part.n, share, !part.is_first);
        if (takes_steps() && part.is_last) optimizer_->step(part.n_steps, share);
    }

    // The thread's share of the rows. Normalisation needs all threads, even without rows.
    void forward_and_backward(Worker<T>& worker, const Part& part,
                              const Share& share) {
        Index each = (part.n + n_threads_ - 1) / n_threads_;
        each = (each + rows_at_a_time - 1) / rows_at_a_time * rows_at_a_time;
        if (normalises()) {
            Index first = std::min(share.number * each, part.n);
            network_.pass(worker, part, share, first, std::min(each, part.n - first));
            return;
        }
        Index together = std::min(network_.rows_together(), each);
        for (Index i = share.number * together; i < part.n; i += n_threads_ * together)
            network_.pass(worker, part, share, i, std::min(together, part.n - i));
    }

    void note_loss(const Part& part, double* losses) {
        loss_ = network_.loss(part.n, part.is_first ? 0 : loss_);
        double rows = as_double(network_.settings().n_rows);
        if (part.is_last) losses[model_] += loss_ * as_double(part.n_batch) / rows;
    }
};

inline std::unique_ptr<Team> team_of(const Plan& plan, Index n_threads, Task task) {
    if (plan.is_double) return std::make_unique<TeamOf<double>>(plan, n_threads, task);
    return std::make_unique<TeamOf<float>>(plan, n_threads, task);
}

}  // namespace skreg
