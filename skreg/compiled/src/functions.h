// The exponential function and others made of it, for vectors.
//
// exp(x) is 2^n exp(r) with |r| <= log(2) / 2, and exp(r) - 1 is its Taylor polynomial,
// whose remainder is less than half a unit in the last place.
#pragma once

#include "vectors.h"

namespace skreg {

template <class T> struct Exponent;
template <> struct Exponent<double> {
    // Adding `magic` rounds to a whole number, whose bits come last in the sum.
    static constexpr double magic = 6755399441055744.0;
    static constexpr double log2_high = 6.93147180369123816490e-01;
    static constexpr double log2_low = 1.90821492927058770002e-10;
    static constexpr double highest = 709.782712893384, lowest = -708.0;
    static constexpr int shift = 52, terms = 13;
    static constexpr std::uint64_t bias = 1023;
};
template <> struct Exponent<float> {
    static constexpr float magic = 12582912.0f;
    static constexpr float log2_high = 6.93145752e-1f;
    static constexpr float log2_low = 1.42860677e-6f;
    static constexpr float highest = 88.72283f, lowest = -87.0f;
    static constexpr int shift = 23, terms = 7;
    static constexpr std::uint32_t bias = 127;
};

template <class T> constexpr T inverse_factorial(int k) {
    double result = 1;
    for (int i = 2; i <= k; ++i) result /= i;
    return static_cast<T>(result);
}

// What exp and expm1 share: exp(r) - 1, and 2^(n - 1).
template <class T> struct Reduced {
    Vec<T> rest, half_scale;
};

template <class T> inline Reduced<T> reduced(Vec<T> x) {
    using E = Exponent<T>;
    Vec<T> t = x * T(1.4426950408889634074) + E::magic;
    Vec<T> n = t - E::magic;
    Vec<T> r = x - n * E::log2_high - n * E::log2_low;
    Vec<T> sum = all<T>(inverse_factorial<T>(E::terms));
#pragma GCC unroll 16
    for (int k = E::terms - 1; k > 1; --k) sum = sum * r + inverse_factorial<T>(k);
    Ints<T> bits = (bits_of<T>(t) + (E::bias - 1)) << E::shift;
    return {r + sum * r * r, of_bits<T>(bits)};
}

template <class T> inline Vec<T> exponential(Vec<T> x) {
    using E = Exponent<T>;
    Reduced<T> parts = reduced<T>(x);
    Vec<T> value = (parts.rest + 1) * parts.half_scale * 2;
    value = x > E::highest ? all<T>(std::numeric_limits<T>::infinity()) : value;
    return x < E::lowest ? all<T>(T(0)) : value;
}

template <class T> inline Vec<T> exponential_minus_1(Vec<T> x) {
    using E = Exponent<T>;
    Reduced<T> parts = reduced<T>(x);
    Vec<T> half = parts.half_scale;
    Vec<T> value = (parts.rest * half + (half - T(0.5))) * 2;
    value = x > E::highest ? all<T>(std::numeric_limits<T>::infinity()) : value;
    return x < E::lowest ? all<T>(T(-1)) : value;
}

template <class T> inline Vec<T> logistic(Vec<T> x) {
    return 1 / (1 + exponential<T>(-x));
}

template <class T> inline Vec<T> hyperbolic_tangent(Vec<T> x) {
    // From 20 on, the result rounds to 1.
    Vec<T> e = exponential_minus_1<T>(2 * at_most<T>(absolute<T>(x), all<T>(T(20))));
    Vec<T> t = e / (e + 2);
    return x < 0 ? -t : t;
}

// A function of single numbers, where a vector is not worth its code.
template <class T, class F> inline Vec<T> each(Vec<T> x, F function) {
    Vec<T> result = x;
    for (Index i = 0; i < lanes<T>; ++i) result[i] = function(x[i]);
    return result;
}

}  // namespace skreg
