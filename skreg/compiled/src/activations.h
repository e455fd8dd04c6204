// Activation functions and their derivatives.
#pragma once

#include "functions.h"
#include "plan.h"

namespace skreg {

template <class T> struct Activated {
    Vec<T> value, slope;
};

template <class T, Activation kind> inline Activated<T> activated(Vec<T> x) {
    constexpr double alpha = 1.6732632423543772, scale = 1.0507009873554805;
    const Vec<T> one = all<T>(T(1)), zero = all<T>(T(0));
    switch (kind) {  // at compile time
    case relu:
        return {x < 0 ? zero : x, x <= 0 ? zero : one};
    case tanh_: {
        Vec<T> y = hyperbolic_tangent<T>(x);
        return {y, 1 - y * y};
    }
    case logistic_: {
        Vec<T> y = logistic<T>(x);
        return {y, y * (1 - y)};
    }
    case elu: {
        Vec<T> e = exponential_minus_1<T>(x);
        return {x > 0 ? x : e, x > 0 ? one : e + 1};
    }
    case selu: {
        Vec<T> e = exponential_minus_1<T>(x) * T(alpha);
        return {T(scale) * (x > 0 ? x : e), T(scale) * (x > 0 ? one : e + T(alpha))};
    }
    case gelu: {
        Vec<T> below = each<T>(x, [](T z) {
            return T(0.5) * std::erfc(z * T(-0.70710678118654752440));
        });
        Vec<T> density = exponential<T>(x * x * T(-0.5)) * T(0.39894228040143267794);
        return {x * below, below + x * density};
    }
    case silu: {
        Vec<T> s = logistic<T>(x);
        return {x * s, s * (1 + x * (1 - s))};
    }
    case mish: {
        // tanh(log(1 + e)) is n / (n + 2) with n = e (e + 2).
        Vec<T> e = exponential<T>(at_most<T>(x, all<T>(T(40))));
        Vec<T> n = e * (e + 2), t = n / (n + 2), s = e / (1 + e);
        return {x * t, t + x * s * (1 - t * t)};
    }
    case leaky_relu:
        return {x > 0 ? x : x * T(0.01), x > 0 ? one : all<T>(T(0.01))};
    default:
        return {x, one};
    }
}

template <class T, Activation kind> void activate_with(T* x, T* slope, Index n) {
    for (Index i = 0; i < n; i += lanes<T>) {
        Activated<T> found = activated<T, kind>(load(x + i));
        store(x + i, found.value);
        if (slope) store(slope + i, found.slope);
    }
}

// Apply the function to whole vectors, in place; write derivatives unless it is null.
template <class T> inline void activate(std::int64_t kind, T* x, T* slope, Index n) {
    static constexpr void (*functions[])(T*, T*, Index) = {
        activate_with<T, identity>, activate_with<T, relu>, activate_with<T, tanh_>,
        activate_with<T, logistic_>, activate_with<T, elu>, activate_with<T, selu>,
        activate_with<T, gelu>, activate_with<T, silu>, activate_with<T, mish>,
        activate_with<T, leaky_relu>};
    functions[kind](x, slope, n);
}

}  // namespace skreg
