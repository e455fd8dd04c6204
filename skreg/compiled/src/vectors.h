// Vectors of numbers, as wide as the registers that the compiler may use.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#if defined(__AVX512F__)
#define SKREG_BYTES 64
#elif defined(__AVX__)
#define SKREG_BYTES 32
#else
#define SKREG_BYTES 16
#endif

// GCC has them from version 12 on.
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SKREG_HAS_SHUFFLES 1
#endif
#endif

namespace skreg {

using Index = std::ptrdiff_t;

inline double as_double(std::int64_t n) { return static_cast<double>(n); }

// The vector types of a number type: V of numbers, I of whole numbers of the same size.
// "Loose" vectors may start at any number.
template <class T> struct Types;
template <> struct Types<float> {
    typedef float V __attribute__((vector_size(SKREG_BYTES)));
    typedef float Loose __attribute__((vector_size(SKREG_BYTES), aligned(4), may_alias));
    typedef std::uint32_t I __attribute__((vector_size(SKREG_BYTES)));
};
template <> struct Types<double> {
    typedef double V __attribute__((vector_size(SKREG_BYTES)));
    typedef double Loose __attribute__((vector_size(SKREG_BYTES), aligned(8), may_alias));
    typedef std::uint64_t I __attribute__((vector_size(SKREG_BYTES)));
};
template <class T> using Vec = typename Types<T>::V;
template <class T> using Ints = typename Types<T>::I;

// Numbers in a vector.
template <class T> constexpr Index lanes = SKREG_BYTES / sizeof(T);

// The least multiple of the lanes that is not less than n.
template <class T> constexpr Index padded(Index n) {
    return (n + lanes<T> - 1) / lanes<T> * lanes<T>;
}

template <class T> inline Vec<T> load(const T* from) {
    return *reinterpret_cast<const typename Types<T>::Loose*>(from);
}
template <class T> inline void store(T* to, Vec<T> v) {
    *reinterpret_cast<typename Types<T>::Loose*>(to) = v;
}
template <class T> inline Vec<T> all(T value) { return value - Vec<T>{}; }

// Like those of torch, these return nan where `a` is nan.
template <class T> inline Vec<T> at_least(Vec<T> a, Vec<T> low) {
    return a < low ? low : a;
}
template <class T> inline Vec<T> at_most(Vec<T> a, Vec<T> high) {
    return a > high ? high : a;
}

template <class T> inline Vec<T> absolute(Vec<T> a) { return a < 0 ? -a : a; }

// The same bits, read as whole numbers and as numbers.
template <class T> inline Ints<T> bits_of(Vec<T> v) { return (Ints<T>)v; }
template <class T> inline Vec<T> of_bits(Ints<T> bits) { return (Vec<T>)bits; }

template <class T> inline Vec<T> root(Vec<T> a) {
    Vec<T> result = a;
    for (Index i = 0; i < lanes<T>; ++i) result[i] = std::sqrt(a[i]);
    return result;
}

// The sum of the numbers of a vector, in an order that depends on its width only.
#if SKREG_HAS_SHUFFLES
template <class T, class W, std::size_t... i>
inline T halved_sum(W v, std::index_sequence<i...>) {
    if constexpr (sizeof...(i) == 1) {
        return v[0] + v[1];
    } else {
        auto half = __builtin_shufflevector(v, v, i...) +
                    __builtin_shufflevector(v, v, (i + sizeof...(i))...);
        return halved_sum<T>(half, std::make_index_sequence<sizeof...(i) / 2>{});
    }
}
template <class T> inline T total(Vec<T> v) {
    return halved_sum<T>(v, std::make_index_sequence<lanes<T> / 2>{});
}
#else
template <class T> inline T total(Vec<T> v) {
    for (Index half = lanes<T> / 2; half > 0; half /= 2)
        for (Index i = 0; i < half; ++i) v[i] += v[i + half];
    return v[0];
}
#endif

// The sums of the numbers of as many vectors as there are lanes, each in the order of
// `total`: number i of the result is that of vector i.
#if SKREG_HAS_SHUFFLES
template <class T, Index n, std::size_t... i>
inline Vec<T> halves_added(Vec<T> a, Vec<T> b, std::index_sequence<i...>) {
    // Each vector has n / 2 parts, whose halves are added, and n parts result.
    constexpr std::size_t half = lanes<T> / n;
    return __builtin_shufflevector(a, b, (i / half * 2 * half + i % half)...) +
           __builtin_shufflevector(a, b, (i / half * 2 * half + half + i % half)...);
}
template <class T, Index n = lanes<T>> inline Vec<T> totals(const Vec<T>* v) {
    if constexpr (n == 1)
        return v[0];
    else
        return halves_added<T, n>(totals<T, n / 2>(v), totals<T, n / 2>(v + n / 2),
                                  std::make_index_sequence<lanes<T>>{});
}
#else
template <class T> inline Vec<T> totals(const Vec<T>* v) {
    Vec<T> result{};
    for (Index i = 0; i < lanes<T>; ++i) result[i] = total<T>(v[i]);
    return result;
}
#endif

}  // namespace skreg
