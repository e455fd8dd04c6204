// An extension module without contents, whose file ctypes opens: Python's import finds
// it, and its functions need nothing of Python. So one file serves all versions, and
// every call releases the interpreter's lock.
#pragma once

#include <Python.h>

#include <system_error>

#include "predict.h"

#define SKREG_JOIN(a, b) a##b
#define SKREG_INIT(name) SKREG_JOIN(PyInit_, name)
#define SKREG_TEXT(name) #name
#define SKREG_NAME(name) SKREG_TEXT(name)
#define SKREG_EXPORT extern "C" __attribute__((visibility("default")))

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, SKREG_NAME(SKREG_MODULE),
                                 nullptr, 0, nullptr, nullptr, nullptr, nullptr, nullptr};
PyMODINIT_FUNC SKREG_INIT(SKREG_MODULE)() { return PyModule_Create(&definition); }

using namespace skreg;

namespace {

// What calls return.
enum Code : int { done, time_is_up, no_memory, no_thread };

// Call a function that returns whether the time is up.
template <class F> int guarded(F function) {
    try {
        return function() ? time_is_up : done;
    } catch (const std::bad_alloc&) {
        return no_memory;
    } catch (const std::system_error&) {
        return no_thread;
    }
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

// Make a crew, or return null if the memory does not suffice.
SKREG_EXPORT Crew* skreg_begin(const Plan* plan, std::int64_t n_teams, std::int64_t n_threads,
                               Task task) {
    Crew* crew = nullptr;
    guarded([&] {
        crew = new Crew(*plan, n_teams, n_threads, task);
        return false;
    });
    return crew;
}

SKREG_EXPORT int skreg_work(Crew* crew, std::int64_t begins, double seconds, double* losses) {
    return guarded([&] { return crew->work(begins, seconds, losses); });
}

SKREG_EXPORT void skreg_end(Crew* crew) { delete crew; }

// See `predict`. Unless it is null, the rows are those of the array `x` in place of the
// plan's.
SKREG_EXPORT int skreg_predict(const Plan* plan, const void* x, std::int64_t x_is_double,
                               std::int64_t n, std::int64_t links, std::int64_t n_threads,
                               std::int64_t* next, double seconds, void* out) {
    Plan own = *plan;
    if (x) own.x = x, own.x_is_double = x_is_double;
    return guarded([&] {
        if (plan->is_double)
            return predict(own, n, links, n_threads, *next, seconds, static_cast<double*>(out));
        return predict(own, n, links, n_threads, *next, seconds, static_cast<float*>(out));
    });
}
