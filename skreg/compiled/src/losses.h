// Losses of raw outputs. Scores, targets and gradients lie by outputs: output l of row i
// is number ``l * stride + i``, so that the rows make up vectors.
#pragma once

#include "functions.h"
#include "plan.h"

namespace skreg {

template <class T> struct Outputs {
    Index n_outputs, stride;
    T* score;         // overwritten by the gradient, if it is wanted
    const T* target;
    const T* share;   // weights of rows, or of outputs of rows
    Index share_stride;  // 0 if all outputs of a row have one weight
    const double* parameters;  // of each output
};

// log(1 + exp(x)) where x <= 0.
template <class T> inline Vec<T> log_1_exp(Vec<T> x) {
    return each<T>(exponential<T>(x), [](T z) { return std::log1p(z); });
}

template <class T> struct LossAt {
    Vec<T> value, slope;
};

// The loss of an output that does not depend on others.
template <class T, bool wants_value>
inline LossAt<T> loss_at(std::int64_t kind, Vec<T> z, Vec<T> t, T parameter) {
    const Vec<T> zero = all<T>(T(0));
    Vec<T> r = z - t, value = zero;
    switch (kind) {
    case binary_log_loss:
        if (wants_value)
            value = log_1_exp<T>(-absolute<T>(z)) + (z < 0 ? zero : z) - t * z;
        return {value, logistic<T>(z) - t};
    case squared:
        return {r * r * T(0.5), r};
    case absolute_:
        return {absolute<T>(r), r > 0 ? all<T>(T(1)) : r < 0 ? all<T>(T(-1)) : r};
    case huber: {
        Vec<T> d = all<T>(parameter), clipped = at_most<T>(at_least<T>(r, -d), d);
        return {clipped * (r - clipped * T(0.5)), clipped};
    }
    case poisson: {
        Vec<T> mean = exponential<T>(z);
        if (wants_value)
            value = mean - t * z - t + each<T>(t, [](T s) {
                        return s > 0 ? s * std::log(s) : s * 0;
                    });
        return {value, mean - t};
    }
    default: {
        // The slope is q - 1 or q below and above the target, and 0 at it.
        Vec<T> above = -parameter * r, below = (1 - parameter) * r;
        Vec<T> slope = r > 0 ? all<T>(1 - parameter) : r < 0 ? all<T>(-parameter) : r;
        return {above > below ? above : below, slope};
    }
    }
}

template <class T> inline Vec<T> highest_score(const Outputs<T>& o, Index i) {
    Vec<T> highest = load(o.score + i);
    for (Index l = 1; l < o.n_outputs; ++l)
        highest = at_least<T>(load(o.score + l * o.stride + i), highest);
    return highest;
}

template <class T, bool wants_value, bool wants_gradient>
inline Vec<T> softmax_loss(const Outputs<T>& o, Index i) {
    Vec<T> highest = highest_score(o, i), sum = all<T>(T(0)), dot = sum, weight = sum;
    for (Index l = 0; l < o.n_outputs; ++l) {
        T* score = o.score + l * o.stride + i;
        Vec<T> z = load(score) - highest, e = exponential<T>(z);
        if (wants_value) {
            Vec<T> t = load(o.target + l * o.stride + i);
            dot += t * z, weight += t;
        }
        sum += e;
        if (wants_gradient) store(score, e);
    }
    if (wants_gradient) {
        Vec<T> share = load(o.share + i), inverse = 1 / sum;
        for (Index l = 0; l < o.n_outputs; ++l) {
            T* score = o.score + l * o.stride + i;
            store(score,
                  (load(score) * inverse - load(o.target + l * o.stride + i)) * share);
        }
    }
    if (!wants_value) return sum;
    return weight * each<T>(sum, [](T s) { return std::log(s); }) - dot;
}

// Write the weighted sum of the losses of each vector of rows, and replace scores by the
// gradient of all. Rows beyond `n_rows`, up to a whole vector, are treated as well.
template <class T, bool wants_value, bool wants_gradient>
void loss_of(std::int64_t kind, const Outputs<T>& o, Index n_rows, double* sums) {
    for (Index i = 0; i < n_rows; i += lanes<T>) {
        double sum = 0;
        auto add = [&](Vec<T> value, const T* share) {
            for (Index r = 0; r < lanes<T> && i + r < n_rows; ++r)
                sum += static_cast<double>(value[r]) * share[r];
        };
        if (kind == log_loss) {
            Vec<T> value = softmax_loss<T, wants_value, wants_gradient>(o, i);
            if (wants_value) add(value, o.share + i);
        }
        for (Index l = 0; kind != log_loss && l < o.n_outputs; ++l) {
            T* score = o.score + l * o.stride + i;
            const T* share = o.share + l * o.share_stride + i;
            LossAt<T> at = loss_at<T, wants_value>(
                kind, load(score), load(o.target + l * o.stride + i),
                static_cast<T>(o.parameters[l]));
            if (wants_gradient) store(score, at.slope * load(share));
            if (wants_value) add(at.value, share);
        }
        if (wants_value) sums[i / lanes<T>] = sum;
    }
}

// Replace scores by what they predict: means, probabilities or quantiles, where those of
// several levels are not sorted.
template <class T>
void inverse_link(std::int64_t kind, const Outputs<T>& o, Index n_rows) {
    for (Index i = 0; i < n_rows; i += lanes<T>) {
        Vec<T> highest = highest_score(o, i), sum = all<T>(T(0));
        auto replace = [&](auto function) {
            for (Index l = 0; l < o.n_outputs; ++l) {
                T* score = o.score + l * o.stride + i;
                store(score, function(load(score)));
            }
        };
        if (kind == log_loss) {
            replace([&](Vec<T> z) {
                Vec<T> e = exponential<T>(z - highest);
                sum += e;
                return e;
            });
            replace([&](Vec<T> e) { return e / sum; });
        }
        if (kind == binary_log_loss) replace([](Vec<T> z) { return logistic<T>(z); });
        if (kind == poisson) replace([](Vec<T> z) { return exponential<T>(z); });
    }
}

}  // namespace skreg
