// Where threads that compute one network together wait for one another.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "vectors.h"

namespace skreg {

// One of the threads will not come.
struct Abandoned {};

// First a loop, and then asleep, because on a busy machine threads do not run at the same
// time.
class Barrier {
  public:
    explicit Barrier(Index n_threads) : n_threads_(n_threads) {}

    // Return when all have come, or throw `Abandoned`.
    void wait() {
        if (n_threads_ > 1) meet();
        if (is_abandoned()) throw Abandoned();
    }

    // Let the others go on, who wait for a thread that will not come.
    void abandon() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            is_abandoned_ = true;
        }
        next_round_.notify_all();
    }
    bool is_abandoned() const { return is_abandoned_.load(std::memory_order_acquire); }

  private:
    Index n_threads_;
    std::atomic<Index> n_waiting_{0}, round_{0};
    std::atomic<bool> is_abandoned_{false};
    // `wait` of an atomic number is not to be had on older versions of macOS.
    std::mutex mutex_;
    std::condition_variable next_round_;

    void meet() {
        Index round = round_.load(std::memory_order_acquire);
        if (n_waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == n_threads_) {
            n_waiting_.store(0, std::memory_order_relaxed);
            {
                std::lock_guard<std::mutex> lock(mutex_);
                round_.store(round + 1, std::memory_order_release);
            }
            next_round_.notify_all();
            return;
        }
        auto is_over = [&] {
            return is_abandoned() || round_.load(std::memory_order_acquire) != round;
        };
        for (int tries = 0; tries < 4000; ++tries)
            if (is_over()) return;
        std::unique_lock<std::mutex> lock(mutex_);
        next_round_.wait(lock, is_over);
    }
};

// One of the threads that share some work, and where they wait for one another.
struct Share {
    Index number, of;
    Barrier& barrier;
};

}  // namespace skreg
