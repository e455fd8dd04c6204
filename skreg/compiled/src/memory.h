// Memory of one model: buffers, and copies of the parameters in the layout of products.
#pragma once

#include <stdlib.h>  // posix_memalign

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "barrier.h"
#include "plan.h"

namespace skreg {

// Zeros that begin at a multiple of 64 bytes.
template <class T> class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(Index n) {
        if (n == 0) return;
        std::size_t bytes = static_cast<std::size_t>(n) * sizeof(T);
        void* found = nullptr;
        if (posix_memalign(&found, 64, bytes)) throw std::bad_alloc();
        data_.reset(static_cast<T*>(std::memset(found, 0, bytes)));
    }
    operator T*() const { return data_.get(); }

  private:
    struct Free {
        void operator()(T* p) const { free(p); }
    };
    std::unique_ptr<T, Free> data_;
};

// Part of the rows and columns of a matrix.
struct Range {
    Index first_row, last_row, first_column, last_column;
};

// A parameter of one model. Each row ends in zeros, up to whole vectors.
//
// Weights are stored with a row for each unit, so that the products of the backward pass
// read rows. The first weights of a network with hidden layers have no such product, and
// are stored with a row for each input.
template <class T> class Matrix {
  public:
    Matrix(const Parameter& source, bool transposed)
        : is_transposed(transposed),
          n_rows(is_transposed ? source.n_columns : source.n_rows),
          n_columns(is_transposed ? source.n_rows : source.n_columns),
          stride(padded<T>(n_columns)),
          value(size()),
          source_(source) {}

    bool is_transposed;
    Index n_rows, n_columns, stride;
    Buffer<T> value, gradient, first_moment, second_moment, average, mask;

    // Make room for the gradient, and for what optimisers and averages need.
    void add_gradient() { gradient = Buffer<T>(size()); }
    void add_state(bool has_second, bool has_average) {
        first_moment = Buffer<T>(size());
        if (has_second) second_moment = Buffer<T>(size());
        if (has_average) average = Buffer<T>(size());
        if (source_.mask) mask = Buffer<T>(size());
    }

    Index size() const { return n_rows * stride; }
    bool is_weight() const { return source_.is_weight; }
    bool is_fixed() const { return source_.is_fixed; }

    // The share of a thread: some of the units.
    Range part(const Share& share) const {
        Index n = is_transposed ? n_rows : stride / lanes<T>;
        Index first = n * share.number / share.of, last = n * (share.number + 1) / share.of;
        if (is_transposed) return {first, last, 0, stride};
        return {0, n_rows, first * lanes<T>, last * lanes<T>};
    }

    // Go over to a model, and read what there is room for.
    void open(Index model) {
        offset_ = model * source_.n_rows * source_.n_columns;
        read(value, source_.value);
        if (first_moment) read(first_moment, source_.first_moment);
        if (second_moment) read(second_moment, source_.second_moment);
        if (average) read(average, source_.average);
        if (mask) read(mask, source_.mask);
    }
    void write_state() const {
        write(value, source_.value);
        write(first_moment, source_.first_moment);
        if (second_moment) write(second_moment, source_.second_moment);
        if (average) write(average, source_.average);
    }
    void write_gradient() const { write(gradient, source_.gradient); }

    // The place of an element of the parameter, as Python sees it.
    Index place(Index row, Index column) const {
        return is_transposed ? column * stride + row : row * stride + column;
    }

  private:
    const Parameter& source_;
    Index offset_ = 0;

    void read(const Buffer<T>& to, const void* tensor) const {
        const T* from = static_cast<const T*>(tensor) + offset_;
        if (is_transposed)
            in_tiles([&](Index i, Index j) { to[place(i, j)] = from[i * source_.n_columns + j]; });
        for (Index i = 0; !is_transposed && i < n_rows; ++i)
            std::memcpy(to + i * stride, from + i * n_columns, n_columns * sizeof(T));
    }
    void write(const Buffer<T>& from, void* tensor) const {
        T* to = static_cast<T*>(tensor) + offset_;
        if (is_transposed)
            in_tiles([&](Index i, Index j) { to[i * source_.n_columns + j] = from[place(i, j)]; });
        for (Index i = 0; !is_transposed && i < n_rows; ++i)
            std::memcpy(to + i * n_columns, from + i * stride, n_columns * sizeof(T));
    }

    // Call a function with each row and column, those of a small square together, so that
    // neither the matrix nor its transpose is read from afar again and again.
    template <class F> void in_tiles(F function) const {
        // What fits a cache needs no squares, and is read from afar row by row.
        bool is_small = size() * sizeof(T) <= 1 << 15;
        const Index side = is_small ? std::max(n_rows, n_columns) : 16;
        for (Index i0 = 0; i0 < source_.n_rows; i0 += side)
            for (Index j0 = 0; j0 < source_.n_columns; j0 += side)
                for (Index i = i0; i < std::min<Index>(i0 + side, source_.n_rows); ++i)
                    for (Index j = j0; j < std::min<Index>(j0 + side, source_.n_columns); ++j)
                        function(i, j);
    }
};

}  // namespace skreg
