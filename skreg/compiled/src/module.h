// An extension module without contents, whose file ctypes opens: Python's import finds
// it, and its functions need nothing of Python. So one file serves all versions, and
// every call releases the interpreter's lock.
#pragma once

#include <Python.h>

#include "engine.h"
#include "subnormals.h"

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

// Train models that no other thread has claimed, for an epoch each, until none is left
// or the time is up. Write their penalties before the epoch plus the mean losses of its
// batches. Return 0 in the first case, 1 in the second, and 2 if the memory
// does not suffice. `mine` are a model and its next step, and go from call to call.
SKREG_EXPORT int skreg_epoch(const Plan* plan, std::atomic<std::int64_t>* next_model,
                             std::int64_t* mine, double seconds, double* losses) {
    bool is_over = false;
    int code = guarded([&] { is_over = train(*plan, *next_model, mine, seconds, losses); });
    return code ? 2 : !is_over;
}

// Begin the training of a model by some threads that take each step together, or return
// null. Write its penalties, to which `skreg_work` adds. Each thread calls `skreg_work` with the same steps.
SKREG_EXPORT Training* skreg_begin(const Plan* plan, std::int64_t n_threads, double* loss) {
    std::unique_ptr<Training> training;
    int code = guarded([&] {
        training = training_of(*plan, n_threads);
        shuffle(*plan, 0);
        training->open(0);
        *loss = training->penalty();
    });
    return code ? nullptr : training.release();
}

SKREG_EXPORT int skreg_work(Training* training, std::int64_t first, std::int64_t last,
                            double* loss, std::int64_t thread) {
    return guarded([&] { training->work(thread, first, last, *loss); });
}

SKREG_EXPORT void skreg_abandon(Training* training) { training->abandon(); }

SKREG_EXPORT void skreg_end(Training* training) {
    training->close();
    delete training;
}

SKREG_EXPORT int skreg_evaluate(const Plan* plan, std::int64_t model, double* loss) {
    return guarded([&] {
        *loss = plan->is_double ? evaluate<double>(*plan, model) : evaluate<float>(*plan, model);
    });
}

SKREG_EXPORT int skreg_differentiate(const Plan* plan, std::int64_t model,
                                     std::int64_t is_random, double* loss) {
    return guarded([&] {
        if (is_random) shuffle(*plan, model);
        *loss = plan->is_double ? differentiate<double>(*plan, model, is_random)
                                : differentiate<float>(*plan, model, is_random);
    });
}

SKREG_EXPORT int skreg_predict(const Plan* plan, std::int64_t model, std::int64_t first,
                               std::int64_t n, void* out) {
    return guarded([&] {
        if (plan->is_double)
            predict<double>(*plan, model, first, n, static_cast<double*>(out));
        else
            predict<float>(*plan, model, first, n, static_cast<float*>(out));
    });
}
