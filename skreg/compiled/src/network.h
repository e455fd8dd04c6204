// One network: its parameters, and the forward and backward pass of a batch.
#pragma once

#include <vector>

#include "activations.h"
#include "batch.h"
#include "losses.h"
#include "norm.h"
#include "products.h"

namespace skreg {

// Rows that pass through the layers together, so that they stay in the nearest cache.
constexpr Index rows_at_a_time = 32;
constexpr Index large_weights = 1 << 18;  // in bytes

// The activation of a unit, with its derivative, takes as long as so many multiplications.
constexpr Index products_of_unit = 512;

// Rows of a part, whose outputs fit a cache. There are fewer in a large network, because
// an interrupt waits for the end of a part.
inline Index rows_of_part(const Plan& plan) {
    Index products = 0;  // of a row
    for (Index i = 0; i < plan.n_parameters; ++i) {
        const Parameter& source = plan.parameters[i];
        if (source.is_weight) products += source.n_rows * source.n_columns;
    }
    for (Index l = 1; l <= plan.n_hidden; ++l) products += products_of_unit * plan.sizes[l];
    Index n_blocks = (Index(1) << 31) / products / rows_at_a_time;
    return std::clamp<Index>(n_blocks, 2, 16) * rows_at_a_time;
}

// Rows of an epoch that are in memory together. Without rows, there is nothing to do.
struct Part {
    const std::int64_t* order;  // of the epoch's rows
    Index start, n;
    Index n_batch;            // of the rows whose mean loss they are part of
    bool is_first, is_last;   // whether they begin, and end, these rows
    bool ends_model;          // whether the epoch ends with them
    double n_steps;           // including that of the batch
};

// What each thread needs of its own.
template <class T> struct Worker {
    Gatherer<T> gatherer;
    std::vector<Masks> masks;  // of the hidden layers
    Buffer<T> scratch;         // rows of the widest layer
};

template <class T> class Network {
  public:
    // There is room for `n_rows` rows, and nothing to compute before `open`.
    Network(const Plan& of, Index n_rows, Use use)
        : plan(of), use_(use), n_rows_(n_rows), rows(plan, n_rows),
          score_(rows.n_outputs * rows.row_stride), losses_(rows.row_stride / lanes<T>) {
        for (Index i = 0; i < plan.n_parameters; ++i) {
            bool is_first = i == 0 && plan.n_hidden > 0;
            const Parameter& source = plan.parameters[i];
            matrices.emplace_back(source, source.is_weight && !is_first);
            if (use != Use::prediction) matrices.back().add_gradient();
        }
        add_layers();
    }

    const Plan& plan;
    std::vector<Matrix<T>> matrices;

    const ModelSettings& settings() const { return plan.models[model_]; }

    // Go over to a model.
    void open(Index model) {
        model_ = model;
        for (Matrix<T>& m : matrices) m.open(model);
        each_statistic([](T* to, const T* from, T*, Index n) {
            std::memcpy(to, from, n * sizeof(T));
        });
    }

    Worker<T> worker() const {
        Worker<T> own{Gatherer<T>(plan, use_), {}, {}};
        Index widest = 0;
        for (const Layer& layer : layers_) {
            own.masks.emplace_back(layer.width);
            widest = std::max(widest, layer.stride);
        }
        if (use_ != Use::prediction) own.scratch = Buffer<T>(rows_together() * widest);
        return own;
    }

    // Let a thread go over to the model.
    void open(Worker<T>& worker) const {
        const ModelSettings& s = settings();
        worker.gatherer.open(model_, rows_together());
        for (Index l = 0; use_ == Use::training && l < n_hidden(); ++l) {
            Masks& masks = worker.masks[l];
            masks.open({s.key, s.epoch, DROPOUT + static_cast<Word>(l)}, s.layers[l].dropout);
            if (drops(l)) masks.reserve(rows_together());
        }
    }

    // Rows of a batch that pass through the network together. Large weights do not fit a
    // cache, and are read less often if there are more of them.
    Index rows_together() const {
        if (!norms_.empty()) return n_rows_;
        Index bytes = 0;
        for (const Matrix<T>& m : matrices) bytes += m.size() * sizeof(T);
        return bytes < large_weights ? rows_at_a_time : 4 * rows_at_a_time;
    }

    // Pass `n` rows of a part, from its row number `first` on, through the network, and
    // their gradients back.
    void pass(Worker<T>& worker, const Part& part, const Share& share, Index first, Index n) {
        worker.gatherer.gather(part.order, part.start + first, n, first, part.n_batch, rows);
        forward(worker, part, share, first, n);
        double* losses = losses_ + first / lanes<T>;
        if (use_ == Use::prediction) {
            loss_of<T, true, false>(plan.loss, outputs(first), n, losses);
        } else {
            loss_of<T, true, true>(plan.loss, outputs(first), n, losses);
            backward(worker, part, share, first, n);
        }
    }

    // The sum of the weighted losses of the first `n` rows in memory, and those before.
    // Its order does not depend on which rows passed through the network together.
    double loss(Index n, double sum) const {
        for (Index i = 0; i * lanes<T> < n; ++i) sum += losses_[i];
        return sum;
    }

    // Write the gradients of part of the units, or add to them, after `pass` of all `n`
    // rows in memory.
    void write_gradients(Index n, const Share& share, bool adds) {
        if (adds)
            write_gradients<true>(n, share);
        else
            write_gradients<false>(n, share);
    }
    template <bool adds> void write_gradients(Index n, const Share& share) {
        constexpr Start start = adds ? Start::sum : Start::zero;
        for (Index l = 0; l <= n_hidden(); ++l) {
            Matrix<T>& w = weight(l);
            Range part = w.part(share), of_bias = bias(l).part(share);
            if (l == n_hidden()) {
                const T* score = score_ + part.first_row * rows.row_stride;
                Strided<T> g{score, rows.row_stride, 1};
                multiply<start>(w, part, n, g, inputs(l, 0), input_stride(l));
                if (plan.has_skip)
                    multiply<start>(skip(), skip().part(share), n, g, rows.raw, rows.raw_stride);
                if (!bias(l).is_fixed()) add_outputs<adds>(n, of_bias, bias(l).gradient);
                continue;
            }
            Layer& layer = layers_[l];
            if (l == 0)
                multiply<start>(w, part, n, {inputs(0, 0), 1, input_stride(0)},
                                layer.slope + part.first_column, layer.stride);
            else
                multiply<start>(w, part, n, {layer.slope + part.first_row, 1, layer.stride},
                                inputs(l, 0), input_stride(l));
            if (!bias(l).is_fixed()) add_rows<adds>(layer, n, of_bias, bias(l).gradient);
        }
    }

    // Compute the raw outputs of `n` rows of the data from `start` on, for `score`.
    void predict(Worker<T>& worker, Index start, Index n) {
        Part part{nullptr, start, n, 1, true, true, true, 0};
        Barrier nobody(1);
        worker.gatherer.gather(nullptr, start, n, 0, 1, rows);
        forward(worker, part, {0, 1, nobody}, 0, n);
    }
    // Replace the raw outputs of `n` rows by what they predict.
    void link(Index n) { inverse_link<T>(plan.loss, outputs(0), n); }
    T score(Index row, Index output) const {
        return score_[output * rows.row_stride + row];
    }

    // Call a function with the running statistics of each layer, what Python has of them
    // and of their averages, and the number of units.
    template <class F> void each_statistic(F function) const {
        for (std::size_t l = 0; l < norms_.size(); ++l) {
            Index n = layers_[l].width;
            auto own = [&](void* const* tensors) {
                return tensors ? static_cast<T*>(tensors[l]) + model_ * n : nullptr;
            };
            function(layers_[l].mean, own(plan.means), own(plan.average_means), n);
            function(layers_[l].variance, own(plan.variances), own(plan.average_variances), n);
        }
    }

  private:
    struct Layer {
        Index width, stride;
        Buffer<T> output, slope;  // the slope becomes the gradient of what is activated
        Buffer<T> mean, variance;
        // Only where normalisation comes between slope and mask. The mask becomes the
        // gradient of what is normalised.
        Buffer<T> mask;
    };

    Index model_ = 0;
    Use use_;
    Index n_rows_;
    Rows<T> rows;
    Buffer<T> score_;
    Buffer<double> losses_;
    std::vector<Layer> layers_;
    std::vector<BatchNorm<T>> norms_;

    Index n_hidden() const { return plan.n_hidden; }
    Matrix<T>& weight(Index l) { return matrices[l]; }
    Matrix<T>& skip() { return matrices[n_hidden() + 1]; }
    Matrix<T>& bias(Index l) { return matrices[n_hidden() + 1 + plan.has_skip + l]; }
    Matrix<T>& norm_part(Index part, Index l) {
        return matrices[2 * n_hidden() + 2 + plan.has_skip + part * n_hidden() + l];
    }

    void add_layers() {
        for (Index l = 0; l < n_hidden(); ++l) {
            Index width = plan.sizes[l + 1], stride = padded<T>(width);
            bool keeps_mask = use_ != Use::prediction && plan.norm == norm_after;
            layers_.push_back({width, stride, Buffer<T>(n_rows_ * stride),
                               Buffer<T>(use_ == Use::prediction ? 0 : n_rows_ * stride),
                               Buffer<T>(plan.norm ? stride : 0),
                               Buffer<T>(plan.norm ? stride : 0),
                               Buffer<T>(keeps_mask ? n_rows_ * stride : 0)});
        }
        for (Index l = 0; plan.norm && l < n_hidden(); ++l)
            norms_.emplace_back(norm_part(0, l), norm_part(1, l), layers_[l].mean,
                                layers_[l].variance, n_rows_);
    }

    // Whether units of a layer are dropped.
    bool drops(Index l) const {
        return use_ == Use::training && settings().layers[l].dropout != 0;
    }

    Outputs<T> outputs(Index first) {
        bool by_output = plan.n_weights > 1;
        return {rows.n_outputs, rows.row_stride, score_ + first, rows.target + first,
                rows.share + first, by_output ? rows.row_stride : 0,
                plan.loss_parameters};
    }

    // The inputs of a layer, from a row on, and the distance of rows.
    const T* inputs(Index l, Index first) const {
        return l == 0 ? rows.x() + first * input_stride(0)
                      : layers_[l - 1].output + first * input_stride(l);
    }
    Index input_stride(Index l) const {
        if (l > 0) return layers_[l - 1].stride;
        return rows.embedded ? rows.stride : rows.raw_stride;
    }

    void forward(Worker<T>& worker, const Part& part, const Share& share, Index first,
                 Index n) {
        for (Index l = 0; l < n_hidden(); ++l) {
            Layer& layer = layers_[l];
            T* out = layer.output + first * layer.stride;
            const T* x = inputs(l, first);
            if (l == 0)
                product<T, Start::row>(n, layer.stride, weight(0).n_rows,
                                       {x, input_stride(0), 1}, weight(0).value, layer.stride,
                                       out, layer.stride, bias(0).value);
            else
                dots<T, Start::row>(n, layer.width, weight(l).stride, x, input_stride(l),
                                    weight(l).value, weight(l).stride,
                                    {out, layer.stride, 1}, bias(l).value);
            if (plan.norm == norm_before) normalise(l, part, share, out, n);
            activate<T>(plan.activation, out,
                        layer.slope ? layer.slope + first * layer.stride : nullptr,
                        n * layer.stride);
            if (plan.norm == norm_after) normalise(l, part, share, out, n);
            finish(layer, drops(l) ? &worker.masks[l] : nullptr, first, n, part.start + first);
        }
        Index last = n_hidden();
        Target<T> score{score_ + first, 1, rows.row_stride};
        dots<T, Start::row>(n, rows.n_outputs, weight(last).stride, inputs(last, first),
                            input_stride(last), weight(last).value, weight(last).stride, score,
                            bias(last).value);
        if (plan.has_skip)
            dots<T, Start::sum>(n, rows.n_outputs, skip().stride,
                                rows.raw + first * rows.raw_stride, rows.raw_stride,
                                skip().value, skip().stride, score);
    }

    // Normalise `n` rows of a layer, or all rows of a batch by all threads together.
    void normalise(Index l, const Part& part, const Share& share, T* x, Index n) {
        if (use_ == Use::prediction) {
            norms_[l].predict(x, n);
            return;
        }
        share.barrier.wait();
        norms_[l].forward(layers_[l].output, part.n, rows.share_of_row, share);
        share.barrier.wait();
    }

    // The same for the gradients of all rows.
    void normalise_back(Index l, const Part& part, const Share& share, T* gradient) {
        share.barrier.wait();
        norms_[l].backward(gradient, part.n, rows.share_of_row, share, !part.is_first);
        share.barrier.wait();
    }

    // Drop units, unless `masks` is null, and keep the ends of rows at zero.
    void finish(Layer& layer, Masks* masks, Index first, Index n, Index place) {
        if (masks) masks->draw(place, n);
        for (Index i = first; i < first + n; ++i) {
            T* out = layer.output + i * layer.stride;
            // Not zero of some activations, and nan beside inputs that are infinite.
            Index n_spare = layer.stride - layer.width;
            std::fill_n(out + layer.width, n_spare, T(0));
            if (layer.slope)
                std::fill_n(layer.slope + i * layer.stride + layer.width, n_spare, T(0));
            if (layer.mask)
                std::fill_n(layer.mask + i * layer.stride, layer.stride, T(1));
            const Buffer<T>& other = layer.mask ? layer.mask : layer.slope;
            if (masks) masks->apply<T>(i - first, out, other + i * layer.stride);
        }
    }

    // Replace the slopes of layers by the gradients of what is activated.
    void backward(Worker<T>& worker, const Part& part, const Share& share, Index first,
                  Index n) {
        T* scratch = worker.scratch;
        for (Index l = n_hidden(); l > 0; --l) {
            Layer& below = layers_[l - 1];
            Strided<T> above{score_ + first, 1, rows.row_stride};
            Index depth = rows.n_outputs;
            if (l < n_hidden()) {
                depth = layers_[l].width;
                above = {layers_[l].slope + first * layers_[l].stride, layers_[l].stride, 1};
            }
            product<T, Start::zero>(n, below.stride, depth, above, weight(l).value,
                                    weight(l).stride, scratch, below.stride);
            Index at = first * below.stride, size = n * below.stride;
            if (plan.norm == norm_after) {
                scale(below.mask + at, scratch, size);
                normalise_back(l - 1, part, share, below.mask);
                scale(below.slope + at, below.mask + at, size);
                continue;
            }
            scale(below.slope + at, scratch, size);
            if (plan.norm == norm_before) normalise_back(l - 1, part, share, below.slope);
        }
    }

    static void scale(T* to, const T* by, Index n) {
        for (Index i = 0; i < n; i += lanes<T>) store(to + i, load(to + i) * load(by + i));
    }

    // The gradient of part of a matrix: the product of `left`, with a row for each row of
    // the part, and `right`.
    template <Start start>
    static void multiply(Matrix<T>& m, Range part, Index n, Strided<T> left, const T* right,
                         Index stride) {
        T* to = m.gradient + part.first_row * m.stride + part.first_column;
        product<T, start>(part.last_row - part.first_row, part.last_column - part.first_column,
                          n, left, right, stride, to, m.stride);
    }

    template <bool adds>
    static void add_rows(const Layer& layer, Index n, Range part, T* sum) {
        for (Index j = part.first_column; j < part.last_column; j += lanes<T>) {
            Vec<T> value = adds ? load(sum + j) : Vec<T>{};
            for (Index i = 0; i < n; ++i) value += load(layer.slope + i * layer.stride + j);
            store(sum + j, value);
        }
    }

    template <bool adds> void add_outputs(Index n, Range part, T* sum) const {
        Index last = std::min(part.last_column, rows.n_outputs);
        for (Index l = part.first_column; l < last; ++l) {
            T value = adds ? sum[l] : T(0);
            for (Index i = 0; i < n; ++i) value += score_[l * rows.row_stride + i];
            sum[l] = value;
        }
    }
};

}  // namespace skreg
