// An extension module without contents, whose file ctypes opens: Python's import finds
// it, and its functions need nothing of Python. So one file serves all versions, and
// every call releases the interpreter's lock.
#pragma once

#include <Python.h>

#include "predict.h"
#include "subnormals.h"
#include "team.h"

#define SKREG_JOIN(a, b) a##b
#define SKREG_INIT(name) SKREG_JOIN(PyInit_, name)
#define SKREG_TEXT(name) #name
#define SKREG_NAME(name) SKREG_TEXT(name)
#if defined(_WIN32)
#define SKREG_EXPORT extern "C" __declspec(dllexport)
#else
#define SKREG_EXPORT extern "C" __attribute__((visibility("default")))
#endif

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, SKREG_NAME(SKREG_MODULE),
                                 nullptr, 0, nullptr, nullptr, nullptr, nullptr, nullptr};
PyMODINIT_FUNC SKREG_INIT(SKREG_MODULE)() { return PyModule_Create(&definition); }

using namespace skreg;

namespace {

// Return 0, or 1 if the memory does not suffice.
template <class F> int guarded(F function) {
    [[maybe_unused]] FlushedSubnormals flushed;
    try {
        function();
    } catch (const std::bad_alloc&) {
        return 1;
    }
    return 0;
}

}  // namespace

// The sizes of the structures, which Python compares with its own.
SKREG_EXPORT void skreg_sizes(std::int64_t* out) {
    out[0] = sizeof(Parameter), out[1] = sizeof(LayerSettings);
    out[2] = sizeof(ModelSettings), out[3] = sizeof(Plan);
}

SKREG_EXPORT void skreg_words(const Word* key, Word epoch, Word purpose, Word first,
                              std::int64_t n, Word* out) {
    Stream(key, epoch, purpose).words(first, n, out);
}

// Make a team, or return null if the memory does not suffice.
SKREG_EXPORT Team* skreg_begin(const Plan* plan, std::int64_t n_threads, Task task) {
    std::unique_ptr<Team> team;
    int code = guarded([&] { team = team_of(*plan, n_threads, task); });
    return code ? nullptr : team.release();
}

// Work as one of the threads of a team, see `Team::work`. Return 0 if no model is left, 1
// if the time is up, and 2 if the memory does not suffice.
SKREG_EXPORT int skreg_work(Team* team, std::int64_t thread,
                            std::atomic<std::int64_t>* next_model, double seconds,
                            double* losses) {
    bool is_up = false;
    int code = guarded([&] { is_up = team->work(thread, *next_model, seconds, losses); });
    return code ? 2 : is_up;
}

SKREG_EXPORT void skreg_abandon(Team* team) { team->abandon(); }

SKREG_EXPORT void skreg_end(Team* team) { delete team; }

// See `predict`. Unless it is null, the rows are those of the array `x` in place of the
// plan's.
SKREG_EXPORT int skreg_predict(const Plan* plan, const void* x, std::int64_t x_is_double,
                               std::int64_t model, std::int64_t n_models,
                               std::int64_t first, std::int64_t n, void* out) {
    Plan own = *plan;
    if (x) own.x = x, own.x_is_double = x_is_double;
    return guarded([&] {
        if (plan->is_double)
            predict<double>(own, model, n_models, first, n, static_cast<double*>(out));
        else
            predict<float>(own, model, n_models, first, n, static_cast<float*>(out));
    });
}
