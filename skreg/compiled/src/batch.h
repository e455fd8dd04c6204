// The rows of a batch: gathered, scaled, with noise, embedded.
#pragma once

#include "functions.h"
#include "memory.h"
#include "philox.h"

namespace skreg {

// The purposes of `skreg.data.random_streams`.
enum Purpose : Word { ORDER = 2, INPUT_NOISE = 3, INPUT_DROPOUT = 4, DROPOUT = 6 };

// Rates of dropout are multiples of 2^-16.
constexpr std::int64_t mask_levels = 65536;

// Zeros and scales from sixteen random bits for each unit; each row has its own words.
class Masks {
  public:
    explicit Masks(Index width) : width_(width), n_words_((width + 3) / 4) {}

    // Go over to another model, of `mask_levels` units of which some are dropped.
    void open(Stream stream, std::int64_t n_dropped) {
        stream_ = stream;
        bound_ = static_cast<int>(n_dropped - 32768);
        scale_ = as_double(mask_levels) / as_double(mask_levels - n_dropped);
    }

    // Make room for the masks of `n` rows. Whole vectors of bits are read, beyond the last
    // unit.
    void reserve(Index n) {
        Index size = n * n_words_ + SKREG_BYTES / static_cast<Index>(sizeof(Word));
        if (size > size_) words_ = Buffer<Word>(size_ = size);
    }

    // Draw the masks of `n` rows, the first of which has the given place in the epoch.
    void draw(Index place, Index n) {
        stream_.words(static_cast<Word>(place) * n_words_, n * n_words_, words_);
    }

    // Multiply the whole vectors of a row, and others unless they are null, by its mask.
    template <class T> void apply(Index row, T* one, T* other) const {
        typedef std::int16_t Bits __attribute__((vector_size(2 * lanes<T>)));
        using Signed = decltype(Vec<T>{} < Vec<T>{});
        const auto* bits = reinterpret_cast<const char*>(words_ + row * n_words_);
        const Vec<T> zero = all<T>(T(0)), scale = all<T>(static_cast<T>(scale_));
        for (Index j = 0; j < width_; j += lanes<T>) {
            Bits drawn;
            std::memcpy(&drawn, bits + 2 * j, sizeof(drawn));
            Vec<T> mask = __builtin_convertvector(drawn, Signed) < bound_ ? zero : scale;
            store(one + j, load(one + j) * mask);
            if (other) store(other + j, load(other + j) * mask);
        }
    }

  private:
    Stream stream_;
    Index width_, n_words_, size_ = 0;
    int bound_ = 0;
    double scale_ = 1;
    Buffer<Word> words_;
};

// What rows are for. Random changes are for training alone, label smoothing is not for
// validation and prediction.
enum class Use { training, objective, prediction };

// Where the rows of a batch are written.
template <class T> struct Rows {
    Rows(const Plan& plan, Index n_rows)
        : n_inputs(plan.n_inputs), n_embedded(plan.sizes[0]),
          n_outputs(plan.sizes[plan.n_hidden + 1]),
          raw_stride(padded<T>(n_inputs)), stride(padded<T>(n_embedded)),
          row_stride(padded<T>(n_rows)), raw(n_rows * raw_stride),
          embedded(plan.embedded_inputs ? n_rows * stride : 0),
          target(n_outputs * row_stride), share(std::max<Index>(1, plan.n_weights) * row_stride),
          share_of_row(row_stride) {}

    Index n_inputs, n_embedded, n_outputs, raw_stride, stride, row_stride;
    Buffer<T> raw, embedded, target, share, share_of_row;

    const T* x() const { return embedded ? embedded : raw; }
};

template <class T> class Gatherer {
  public:
    Gatherer(const Plan& plan, Use use)
        : plan_(plan), use_(use), masks_(plan.n_columns),
          dense_(plan.row_ends || plan.first_inputs ? plan.n_inputs : 0),
          mask_(plan.first_inputs ? padded<T>(plan.n_columns) : 0) {}

    // Go over to a model, whose rows are gathered by `n_rows` at most. All memory is
    // taken here: a thread that failed later would leave others waiting for it.
    void open(Index model, Index n_rows) {
        model_ = model;
        const ModelSettings& s = settings();
        noise_ = {s.key, s.epoch, INPUT_NOISE};
        masks_.open({s.key, s.epoch, INPUT_DROPOUT}, s.input_dropout);
        Index size = n_rows * plan_.n_inputs;
        if (has_noise() && size > n_words_) words_ = Buffer<Word>(n_words_ = size);
        if (has_masks()) masks_.reserve(n_rows);
    }

    // Gather `n` rows from number `start` of `order` on, into rows from `to` on.
    // `n_batch` is the number of rows whose weights give a mean.
    void gather(const std::int64_t* order, Index start, Index n, Index to, Index n_batch,
                Rows<T>& rows) {
        draw(start, n);
        for (Index i = 0; i < n; ++i) {
            Index row = start + i, place = order ? order[row] : row;
            T* x = rows.raw + (to + i) * rows.raw_stride;
            if (plan_.x_is_double)
                scale(row_of<double>(place), x);
            else
                scale(row_of<float>(place), x);
            if (use_ == Use::training) disturb(i, x);
            if (plan_.embedded_inputs) embed(x, rows.embedded + (to + i) * rows.stride);
            if (plan_.y) take_target(place, to + i, n_batch, rows);
        }
    }

  private:
    const Plan& plan_;
    Index model_ = 0;
    Use use_;
    Stream noise_;
    Masks masks_;
    Index n_words_ = 0;
    Buffer<Word> words_;
    Buffer<double> dense_;
    Buffer<T> mask_;  // of the columns of a row

    // The inputs of a row of the data.
    template <class S> const S* row_of(Index place) {
        const S* x = static_cast<const S*>(plan_.x);
        if (!plan_.row_ends && !plan_.first_inputs) return x + place * plan_.n_columns;
        S* row = reinterpret_cast<S*>(&dense_[0]);
        std::memset(row, 0, plan_.n_inputs * sizeof(S));
        if (plan_.first_inputs)
            encode(x + place * plan_.n_columns, row);
        else if (plan_.has_long_indices)
            scatter<std::int64_t>(x, place, row);
        else
            scatter<std::int32_t>(x, place, row);
        return row;
    }

    template <class I, class S> void scatter(const S* x, Index place, S* row) const {
        const I* ends = static_cast<const I*>(plan_.row_ends);
        const I* columns = static_cast<const I*>(plan_.columns);
        for (I k = ends[place]; k < ends[place + 1]; ++k) row[columns[k]] += x[k];
    }

    // Write the inputs of a row, which are zero so far: numbers with the missing ones
    // filled, what says that they are missing, and the slots of levels.
    template <class S> void encode(const S* x, S* row) const {
        const Index model = plan_.shares_encoding ? 0 : model_;
        const S* fill = static_cast<const S*>(plan_.fill) + model * plan_.n_inputs;
        const S* mark = static_cast<const S*>(plan_.marks) + model * plan_.n_marks;
        for (Index j = 0; j < plan_.n_columns; ++j) {
            const Index first = plan_.first_inputs[j], start = plan_.code_starts[j];
            if (start < 0) {
                bool is_missing = std::isnan(x[j]);
                row[first] = is_missing ? fill[first] : x[j];
                if (start == marked_number) row[first + 1] = is_missing ? *mark : S(0);
                if (start == marked_number) ++mark;
                continue;
            }
            const Index code = start + static_cast<Index>(x[j]);
            const Index slot = plan_.slots[model * plan_.n_codes + code];
            if (slot >= 0) row[slot] = S(1);
            for (Index i = first; slot == unknown && i < plan_.first_inputs[j + 1]; ++i)
                row[i] = fill[i];
        }
    }

    // Centre and scale a row, in the precision of the data.
    template <class S> void scale(const S* from, T* x) const {
        Index own = plan_.shares_scaling ? 0 : model_ * plan_.n_inputs;
        const S* offset = static_cast<const S*>(plan_.offset);
        const S* scale = static_cast<const S*>(plan_.scale);
        if (offset) offset += own;
        if (scale) scale += own;
        if (plan_.clips)
            each_input<S>(from, x, [=](Index j, S value) {
                if (offset) value -= offset[j];
                if (scale) value /= scale[j];
                value = std::min(std::max(value, S(-1e9)), S(1e9));
                return value / std::sqrt(value * value / 9 + 1);
            });
        else if (offset && scale)
            each_input<S>(from, x, [=](Index j, S value) {
                return (value - offset[j]) / scale[j];
            });
        else if (offset)
            each_input<S>(from, x, [=](Index j, S value) { return value - offset[j]; });
        else if (scale)
            each_input<S>(from, x, [=](Index j, S value) { return value / scale[j]; });
        else
            each_input<S>(from, x, [](Index, S value) { return value; });
    }

    template <class S, class F>
    void each_input(const S* __restrict from, T* __restrict x, F function) const {
        for (Index j = 0; j < plan_.n_inputs; ++j) x[j] = static_cast<T>(function(j, from[j]));
    }

    const ModelSettings& settings() const { return plan_.models[model_]; }
    bool has_noise() const { return use_ == Use::training && settings().input_noise != 0; }
    bool has_masks() const { return use_ == Use::training && settings().input_dropout != 0; }

    void draw(Index place, Index n) {
        Word first = static_cast<Word>(place) * static_cast<Word>(plan_.n_inputs);
        if (has_noise()) noise_.words(first, n * plan_.n_inputs, words_);
        if (has_masks()) masks_.draw(place, n);
    }

    // Change row number i of those that were drawn.
    void disturb(Index i, T* x) {
        for (Index j = 0; has_noise() && j < plan_.n_inputs; ++j) {
            Word word = words_[i * plan_.n_inputs + j];
            x[j] += static_cast<T>(normal(word) * settings().input_noise);
        }
        if (!has_masks()) return;
        if (!plan_.first_inputs) return masks_.apply<T>(i, x, nullptr);
        for (Index j = 0; j < plan_.n_columns; ++j) mask_[j] = 1;
        masks_.apply<T>(i, mask_, nullptr);
        for (Index j = 0; j < plan_.n_inputs; ++j) x[j] *= mask_[plan_.column_of_input[j]];
    }

    void embed(const T* x, T* __restrict out) const {
        Index n = plan_.sizes[0];
        const T* low = static_cast<const T*>(plan_.low) + model_ * n;
        const T* width = static_cast<const T*>(plan_.width) + model_ * n;
        const T* lower = static_cast<const T*>(plan_.lower) + model_ * n;
        const T* upper = static_cast<const T*>(plan_.upper) + model_ * n;
        for (Index j = 0; j < n; ++j) out[j] = x[plan_.embedded_inputs[j]];
        // Whole vectors but the last, which would read beyond the bounds.
        Index j = 0;
        for (; j + lanes<T> <= n; j += lanes<T>) {
            Vec<T> value = (load(out + j) - load(low + j)) / load(width + j);
            store(out + j, at_most<T>(at_least<T>(value, load(lower + j)), load(upper + j)));
        }
        for (; j < n; ++j) {
            T value = (out[j] - low[j]) / width[j];
            value = value < lower[j] ? lower[j] : value;
            out[j] = value > upper[j] ? upper[j] : value;
        }
    }

    void take_target(Index place, Index to, Index n_batch, Rows<T>& rows) const {
        const T* y = static_cast<const T*>(plan_.y) + place * rows.n_outputs;
        const T smoothing =
            use_ == Use::prediction ? T(0) : static_cast<T>(settings().label_smoothing);
        const T uniform =
            plan_.loss == log_loss ? T(1) / T(rows.n_outputs) : static_cast<T>(0.5);
        for (Index l = 0; l < rows.n_outputs; ++l) {
            T t = y[l];
            if (smoothing != 0) t += smoothing * (uniform - t);
            rows.target[l * rows.row_stride + to] = t;
        }
        T mean = 0;
        for (Index l = 0; l < plan_.n_weights; ++l) {
            T w = static_cast<const T*>(plan_.weight)[place * plan_.n_weights + l];
            T of = static_cast<const T*>(plan_.mean_weight)[model_ * plan_.n_weights + l];
            rows.share[l * rows.row_stride + to] = w / (T(n_batch) * of);
            mean += rows.share[l * rows.row_stride + to];
        }
        if (plan_.n_weights == 0) rows.share[to] = mean = T(1) / T(n_batch);
        rows.share_of_row[to] = mean / T(std::max<std::int64_t>(1, plan_.n_weights));
    }
};

}  // namespace skreg
