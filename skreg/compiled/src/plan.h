// What Python hands over: where the tensors of a stack are, and the numbers of each
// model. `skreg/compiled/structures.py` declares the same structures.
#pragma once

#include <cstdint>

extern "C" {

// A parameter of all models. The tensors have the shape (n_models, n_rows, n_columns).
struct Parameter {
    std::int64_t n_rows, n_columns;
    std::int64_t is_weight;  // weights are penalised, and transposed but in one layer
    std::int64_t is_fixed;   // whether it is not trained
    void *value, *gradient, *first_moment, *second_moment, *average, *mask;
};

// A model's strengths of the penalties of a layer, and its dropout.
struct LayerSettings {
    double l1, l2, group_l1, max_norm;
    std::int64_t positive;
    std::int64_t dropout;  // of 65536 units, how many are dropped
};

struct ModelSettings {
    double lr, beta_1, beta_2, epsilon, momentum, weight_decay, clip_norm;
    double n_steps;    // taken before the present epoch
    double ema_decay;  // 0 for no moving average
    double n_averaged;
    double input_noise, label_smoothing;
    std::int64_t input_dropout;
    std::uint64_t key[2], epoch;
    std::int64_t n_rows;
    std::int64_t n_batches;
    const std::int64_t* rows;  // the positions of its rows in the pool, or null for all
    std::int64_t* order;       // the same in the order of the present epoch
    LayerSettings* layers;     // one for each weight
};

enum Activation : std::int64_t {
    identity, relu, tanh_, logistic_, elu, selu, gelu, silu, mish, leaky_relu
};
enum LossKind : std::int64_t {
    log_loss, binary_log_loss, squared, absolute_, huber, poisson, quantile
};
enum ColumnKind : std::int64_t { number = -1, marked_number = -2 };
enum Slot : std::int64_t { no_input = -1, unknown = -2 };
enum Norm : std::int64_t { no_norm, norm_before, norm_after };

struct Plan {
    std::int64_t is_double, n_models, n_hidden;
    std::int64_t n_inputs;      // before the embedding
    std::int64_t n_columns;     // of the data
    const std::int64_t* sizes;  // of the layers, n_hidden + 2 of them
    std::int64_t activation, loss, norm, has_skip, is_adam, has_nesterov;
    const double* loss_parameters;  // of each output
    // Weights, skip weights, biases, then gamma and beta of each normalisation.
    const Parameter* parameters;
    std::int64_t n_parameters;
    void* const* means;  // running statistics of each normalisation
    void* const* variances;
    void* const* average_means;  // those of the averaged networks, or null
    void* const* average_variances;
    // The rows of the pool.
    std::int64_t x_is_double;
    const void* x;  // (n_pool, n_columns), or the elements of a CSR matrix
    const void *row_ends, *columns;  // of a CSR matrix, or null
    std::int64_t has_long_indices;   // whether they have 64 bits and not 32
    // How columns become inputs, or null if they are the same. Column j becomes the inputs
    // from first_inputs[j] to first_inputs[j + 1]. `code_starts` has the first code of a
    // category, and a `ColumnKind` for numbers. Models may share one row of the others:
    // `slots` (n_models, n_codes) has the input of each code or a `Slot`; `marks` (n_models,
    // n_marks) and `fill` (n_models, n_inputs) have the precision of x.
    const std::int64_t *first_inputs, *code_starts, *column_of_input, *slots;
    const void *marks, *fill;
    std::int64_t n_codes, n_marks, shares_encoding;
    // (n_models, n_inputs) in the precision of x, or null. Models may share one row.
    const void *offset, *scale;
    std::int64_t shares_scaling;
    std::int64_t clips;
    const void* y;       // (n_pool, n_outputs), or null for predictions
    const void* weight;  // (n_pool, n_weights), or null
    std::int64_t n_weights;
    const void* mean_weight;  // (n_models, n_weights)
    // The piecewise linear embedding: (n_models, n_embedded), and the input of each.
    const void *low, *width, *lower, *upper;
    const std::int64_t* embedded_inputs;  // null without embedding
    std::int64_t batch_size;
    std::int64_t group_rows;              // rows of the first weights for each input
    const ModelSettings* models;
};

}  // extern "C"
