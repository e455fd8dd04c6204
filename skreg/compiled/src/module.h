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

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, SKREG_NAME(SKREG_MODULE)};
PyMODINIT_FUNC SKREG_INIT(SKREG_MODULE)() { return PyModule_Create(&definition); }

using namespace skreg;

namespace {

// Return 0, or 1 if the memory does not suffice.
template <class F> int guarded(F function) {
    FlushedSubnormals flushed;
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

// Write the rows of a model in the order of its epoch.
SKREG_EXPORT int skreg_order(const Plan* plan, std::int64_t model) {
    return guarded([&] {
        const ModelSettings& s = plan->models[model];
        random_order({s.key, s.epoch, ORDER}, s.n_rows, s.order);
        for (Index i = 0; i < s.n_rows; ++i) s.order[i] = s.rows[s.order[i]];
    });
}

// Begin the training of a model by some threads, or return null.
SKREG_EXPORT Training* skreg_begin(const Plan* plan, std::int64_t model,
                                   std::int64_t n_threads) {
    Training* training = nullptr;
    guarded([&] {
        if (plan->is_double)
            training = new TrainingOf<double>(*plan, model, n_threads);
        else
            training = new TrainingOf<float>(*plan, model, n_threads);
    });
    return training;
}

SKREG_EXPORT int skreg_work(Training* training, std::int64_t first, std::int64_t last,
                            double* loss, std::int64_t thread) {
    return guarded([&] { training->work(thread, first, last, loss); });
}

SKREG_EXPORT void skreg_end(Training* training) {
    training->finish();
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
