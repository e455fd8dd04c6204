// Threads of one call of the library. They begin and end with it, so that an interrupt,
// which waits for the end of a call, finds none.
#pragma once

#include <exception>
#include <thread>

#include "subnormals.h"
#include "team.h"

namespace skreg {

// Call a function with each number below `n`, in threads of which this is the first. If
// one cannot start, `abandon` is called, so that others do not wait for it.
template <class F, class G> void in_threads(Index n, F function, G abandon) {
    std::vector<std::exception_ptr> errors(n);
    std::vector<std::thread> threads;
    auto work = [&](Index number) {
        [[maybe_unused]] FlushedSubnormals flushed;
        try {
            function(number);
        } catch (...) {
            errors[number] = std::current_exception();
        }
    };
    try {
        for (Index i = 1; i < n; ++i) threads.emplace_back(work, i);
        work(0);
    } catch (...) {
        errors[0] = std::current_exception();
        abandon();
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& error : errors)
        if (error) std::rethrow_exception(error);
}

// Teams that take one model after another.
class Crew {
  public:
    Crew(const Plan& plan, Index n_teams, Index n_threads, Task task) : n_threads_(n_threads) {
        for (Index i = 0; i < n_teams; ++i) teams_.push_back(team_of(plan, n_threads, task));
    }

    // Go over the rows of all models, see `Team::work`, or go on with it. Return whether
    // the time is up.
    bool work(bool begins, double seconds, double* losses) {
        if (begins) next_model_ = 0;
        std::atomic<bool> is_up{false};
        auto work_in_team = [&](Index i) {
            Team& team = *teams_[i / n_threads_];
            if (team.work(i % n_threads_, next_model_, seconds, losses)) is_up = true;
        };
        in_threads(n_threads_ * static_cast<Index>(teams_.size()), work_in_team, [&] {
            for (const std::unique_ptr<Team>& team : teams_) team->abandon();
        });
        return is_up;
    }

  private:
    Index n_threads_;  // of each team
    std::vector<std::unique_ptr<Team>> teams_;
    std::atomic<std::int64_t> next_model_{0};
};

}  // namespace skreg
