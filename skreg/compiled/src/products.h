// Products of small matrices, in blocks whose sums stay in registers.
//
// Each number of a result is summed in the same order whatever the block that it lies
// in, so that results do not depend on how rows or columns are shared out.
#pragma once

#include "vectors.h"

namespace skreg {

// What a product is added to: nothing, a row (a bias), or what the result holds.
enum class Start { zero, row, sum };

constexpr int block_vectors = 3;
constexpr int block_rows = SKREG_BYTES == 64 ? 8 : 4;

// A matrix of any layout, of which single numbers are read.
template <class T> struct Strided {
    const T* data;
    Index row, column;  // distance between neighbours of a column, and of a row
};

// R rows of A times N vectors of columns of B.
template <class T, int R, int N, Start start>
inline void product_block(Strided<T> a, const T* b, Index ldb, T* c, Index ldc, Index depth,
                          const T* bias) {
    Vec<T> sum[R][N];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 3
        for (int j = 0; j < N; ++j) {
            if constexpr (start == Start::zero) sum[i][j] = Vec<T>{};
            if constexpr (start == Start::row) sum[i][j] = load(bias + j * lanes<T>);
            if constexpr (start == Start::sum) sum[i][j] = load(c + i * ldc + j * lanes<T>);
        }
    for (Index k = 0; k < depth; ++k) {
        const T* column = a.data + k * a.column;
        Vec<T> row[N];
#pragma GCC unroll 3
        for (int j = 0; j < N; ++j) row[j] = load(b + k * ldb + j * lanes<T>);
#pragma GCC unroll 8
        for (int i = 0; i < R; ++i) {
            Vec<T> factor = all<T>(column[i * a.row]);
#pragma GCC unroll 3
            for (int j = 0; j < N; ++j) sum[i][j] += factor * row[j];
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 3
        for (int j = 0; j < N; ++j) store(c + i * ldc + j * lanes<T>, sum[i][j]);
}

template <class T, int R, int N, Start start>
inline void last_rows(Index n, Strided<T> a, const T* b, Index ldb, T* c, Index ldc,
                      Index depth, const T* bias) {
    if constexpr (R > 0) {
        if (n == R) {
            product_block<T, R, N, start>(a, b, ldb, c, ldc, depth, bias);
        } else {
            last_rows<T, R - 1, N, start>(n, a, b, ldb, c, ldc, depth, bias);
        }
    }
}

template <class T, int N, Start start>
inline void product_columns(Index n_rows, Strided<T> a, const T* b, Index ldb, T* c,
                            Index ldc, Index depth, const T* bias) {
    Index i = 0;
    for (; i + block_rows <= n_rows; i += block_rows) {
        Strided<T> rows{a.data + i * a.row, a.row, a.column};
        product_block<T, block_rows, N, start>(rows, b, ldb, c + i * ldc, ldc, depth, bias);
    }
    Strided<T> rows{a.data + i * a.row, a.row, a.column};
    last_rows<T, block_rows - 1, N, start>(n_rows - i, rows, b, ldb, c + i * ldc, ldc, depth,
                                           bias);
}

// C = start + A B. The rows of B and C are whole vectors, `width` numbers long.
template <class T, Start start>
void product(Index n_rows, Index width, Index depth, Strided<T> a, const T* b, Index ldb,
             T* c, Index ldc, const T* bias = nullptr) {
    // Blocks of about equal width: a narrow one at the end would wait for its loads.
    Index left = width / lanes<T>, blocks = (left + block_vectors - 1) / block_vectors;
    for (Index at = 0; left > 0; --blocks) {
        Index vectors = (left + blocks - 1) / blocks;
        const T* own = start == Start::row ? bias + at : nullptr;
        if (vectors == 3)
            product_columns<T, 3, start>(n_rows, a, b + at, ldb, c + at, ldc, depth, own);
        else if (vectors == 2)
            product_columns<T, 2, start>(n_rows, a, b + at, ldb, c + at, ldc, depth, own);
        else
            product_columns<T, 1, start>(n_rows, a, b + at, ldb, c + at, ldc, depth, own);
        left -= vectors, at += vectors * lanes<T>;
    }
}

// A result of which single numbers are written.
template <class T> struct Target {
    T* data;
    Index row, column;
};

template <class T, int R, int N, Start start>
inline void dots_block(const T* a, Index lda, const T* b, Index ldb, Target<T> c,
                       Index depth, const T* bias) {
    Vec<T> sum[R * N] = {};
    for (Index k = 0; k < depth; k += lanes<T>) {
        Vec<T> right[N];
#pragma GCC unroll 4
        for (int j = 0; j < N; ++j) right[j] = load(b + j * ldb + k);
#pragma GCC unroll 4
        for (int i = 0; i < R; ++i) {
            Vec<T> left = load(a + i * lda + k);
#pragma GCC unroll 4
            for (int j = 0; j < N; ++j) sum[i * N + j] += left * right[j];
        }
    }
    alignas(SKREG_BYTES) T totals_[R * N];
    if constexpr (R * N % lanes<T> == 0) {
#pragma GCC unroll 8
        for (int i = 0; i < R * N; i += lanes<T>) store(totals_ + i, totals<T>(sum + i));
    } else {
#pragma GCC unroll 16
        for (int i = 0; i < R * N; ++i) totals_[i] = total<T>(sum[i]);
    }
    for (int i = 0; i < R; ++i)
        for (int j = 0; j < N; ++j) {
            T &to = c.data[i * c.row + j * c.column], value = totals_[i * N + j];
            if constexpr (start == Start::zero) to = value;
            if constexpr (start == Start::row) to = bias[j] + value;
            if constexpr (start == Start::sum) to += value;
        }
}

template <class T, int N, Start start>
inline void dots_columns(Index n_rows, const T* a, Index lda, const T* b, Index ldb,
                         Target<T> c, Index depth, const T* bias) {
    Index i = 0;
    for (; i + 4 <= n_rows; i += 4)
        dots_block<T, 4, N, start>(a + i * lda, lda, b, ldb,
                                   {c.data + i * c.row, c.row, c.column}, depth, bias);
    for (; i < n_rows; ++i)
        dots_block<T, 1, N, start>(a + i * lda, lda, b, ldb,
                                   {c.data + i * c.row, c.row, c.column}, depth, bias);
}

// C = start + A B.T. The rows of A and B are whole vectors, `depth` numbers long, and
// end in zeros.
template <class T, Start start>
void dots(Index n_rows, Index n_columns, Index depth, const T* a, Index lda, const T* b,
          Index ldb, Target<T> c, const T* bias = nullptr) {
    constexpr int step = SKREG_BYTES == 64 ? 4 : 2;
    Index j = 0;
    for (; j + step <= n_columns; j += step)
        dots_columns<T, step, start>(n_rows, a, lda, b + j * ldb, ldb,
                                     {c.data + j * c.column, c.row, c.column}, depth,
                                     start == Start::row ? bias + j : nullptr);
    for (; j < n_columns; ++j)
        dots_columns<T, 1, start>(n_rows, a, lda, b + j * ldb, ldb,
                                  {c.data + j * c.column, c.row, c.column}, depth,
                                  start == Start::row ? bias + j : nullptr);
}

}  // namespace skreg
