// The steps of the optimisers of `skreg.training.optimizers`: Adam and stochastic
// gradient descent, with weight decay and the proximal operators of the penalties.
#pragma once

#include "network.h"

namespace skreg {

// The numbers of one step of a model.
template <class T> struct StepNumbers {
    StepNumbers(const Plan& plan, const ModelSettings& s, double n_steps) {
        rate = T(s.lr);
        decay = T(1 - s.weight_decay * s.lr);
        if (plan.is_adam) {
            root = T(std::sqrt(1 - std::pow(s.beta_2, n_steps)));
            length = T(s.lr / (1 - std::pow(s.beta_1, n_steps)));
            keep_1 = T(s.beta_1), keep_2 = T(s.beta_2), epsilon = T(s.epsilon);
        } else {
            keep_1 = T(s.momentum);
            ahead = plan.has_nesterov && s.momentum > 0;
            double t = n_steps + (plan.has_nesterov ? 1 : 0);
            metric = T((1 - s.momentum) / (1 - std::pow(s.momentum, t)));
        }
    }

    T rate, decay, clip = 1;
    T keep_1;                                         // beta_1, or the momentum
    T root = 1, length = 0, keep_2 = 0, epsilon = 0;  // of Adam
    T metric = 1;                                     // of stochastic gradient descent
    bool ahead = false;                               // Nesterov
};

template <class T> inline Vec<T> clamped(Vec<T> a, Vec<T> bound) {
    return at_most<T>(at_least<T>(a, -bound), bound);
}

// Call a function with the place of each vector of part of a matrix.
template <class T, class F>
inline void each_vector(const Matrix<T>& m, Range part, F function) {
    for (Index i = part.first_row; i < part.last_row; ++i)
        for (Index j = part.first_column; j < part.last_column; j += lanes<T>)
            function(i * m.stride + j);
}

// The elements of a parameter, one by one. `own` are the penalties of weights.
template <class T, bool is_adam>
void update_elements(Matrix<T>& m, Range part, const StepNumbers<T>& step,
                     const LayerSettings* own) {
    const T l1 = T(own ? own->l1 : 0), twice_l2 = T(own ? 2 * own->l2 : 0);
    const T decay = own ? step.decay : 1, inverse_root = 1 / step.root;
    const bool is_positive = own && own->positive;
    const Vec<T> zero = all<T>(T(0));
    each_vector(m, part, [&](Index i) {
        Vec<T> w = load(m.value + i), g = load(m.gradient + i);
        g = (g + twice_l2 * w) * step.clip;
        w *= decay;
        Vec<T> first = load(m.first_moment + i), threshold;
        if constexpr (is_adam) {
            Vec<T> second = load(m.second_moment + i);
            first += (g - first) * (1 - step.keep_1);
            second = step.keep_2 * second + (1 - step.keep_2) * g * g;
            store(m.second_moment + i, second);
            Vec<T> inverse = 1 / (root<T>(second) * inverse_root + step.epsilon);
            w -= step.length * first * inverse;
            threshold = step.rate * l1 * inverse;
        } else {
            first = step.keep_1 * first + g;
            w -= step.rate * (step.ahead ? g + step.keep_1 * first : first);
            threshold = all<T>(step.rate * l1 / step.metric);
        }
        // With no momentum there is no velocity to keep.
        if (is_adam || step.keep_1 != 0) store(m.first_moment + i, first);
        if (l1 != 0) w -= clamped<T>(w, threshold);
        if (is_positive) w = w < 0 ? zero : w;
        store(m.value + i, w);
    });
}

// Some rows of a parameter, as Python sees it: groups of `size` rows, for each input.
struct Groups {
    Index first, last, size, n_columns;
};

// Weights under group_l1, whose second moment is the mean of each group.
template <class T>
void update_groups(Matrix<T>& m, const Groups& groups, const StepNumbers<T>& step,
                   const LayerSettings& own) {
    const Index group = groups.size, n_columns = groups.n_columns;
    for (Index start = groups.first; start < groups.last; start += group) {
        T squares = 0;
        auto each_element = [&](auto function) {
            for (Index i = start; i < start + group; ++i)
                for (Index j = 0; j < n_columns; ++j) function(m.place(i, j));
        };
        each_element([&](Index at) {
            T g = (m.gradient[at] + 2 * static_cast<T>(own.l2) * m.value[at]) * step.clip;
            m.gradient[at] = g;
            squares += g * g;
        });
        T mean = squares / T(group * n_columns);
        T second = step.keep_2 * m.second_moment[m.place(start, 0)] + (1 - step.keep_2) * mean;
        T inverse = 1 / (std::sqrt(second) / step.root + step.epsilon);
        T threshold = step.rate * static_cast<T>(own.l1) * inverse;
        each_element([&](Index at) {
            T& first = m.first_moment[at];
            first += (m.gradient[at] - first) * (1 - step.keep_1);
            m.second_moment[at] = second;
            T w = m.value[at] * step.decay - step.length * first * inverse;
            w -= std::min(std::max(w, -threshold), threshold);
            m.value[at] = own.positive && w < 0 ? T(0) : w;
        });
    }
}

// The proximal operator of the group lasso, whose step is constant within each group.
template <class T>
void shrink_groups(Matrix<T>& m, const Groups& groups, const StepNumbers<T>& step,
                   const LayerSettings& own, bool is_adam) {
    const Index group = groups.size, n_columns = groups.n_columns;
    for (Index start = groups.first; start < groups.last; start += group) {
        T squares = 0;
        for (Index i = start; i < start + group; ++i)
            for (Index j = 0; j < n_columns; ++j) {
                T w = m.value[m.place(i, j)];
                squares += w * w;
            }
        T metric = step.metric, norm = std::sqrt(squares);
        if (is_adam)
            metric = std::sqrt(m.second_moment[m.place(start, 0)]) / step.root + step.epsilon;
        T threshold = step.rate * static_cast<T>(own.group_l1) / metric;
        T factor = norm > threshold ? 1 - threshold / norm : T(0);
        for (Index i = start; i < start + group; ++i)
            for (Index j = 0; j < n_columns; ++j) m.value[m.place(i, j)] *= factor;
    }
}

// Scale the weights that lead to units down to a norm of at most `max_norm`.
template <class T> void clip_units(Matrix<T>& m, Range part, T max_norm) {
    if (m.is_transposed) {
        for (Index i = part.first_row; i < part.last_row; ++i) {
            T* row = m.value + i * m.stride;
            Vec<T> squares = all<T>(T(0));
            for (Index j = 0; j < m.stride; j += lanes<T>)
                squares += load(row + j) * load(row + j);
            T norm = std::sqrt(total<T>(squares));
            if (!(norm > max_norm)) continue;
            for (Index j = 0; j < m.stride; ++j) row[j] *= max_norm / norm;
        }
        return;
    }
    for (Index j = part.first_column; j < part.last_column; j += lanes<T>) {
        Vec<T> squares = all<T>(T(0)), one = all<T>(T(1));
        for (Index i = 0; i < m.n_rows; ++i) {
            Vec<T> w = load(m.value + i * m.stride + j);
            squares += w * w;
        }
        Vec<T> norm = root<T>(squares), factor = norm > max_norm ? max_norm / norm : one;
        for (Index i = 0; i < m.n_rows; ++i) {
            T* at = m.value + i * m.stride + j;
            store(at, load(at) * factor);
        }
    }
}

// The sum of the norms of groups of rows, and of absolute and squared elements.
template <class T>
double penalty_of(const Matrix<T>& m, const LayerSettings& own, Index n_rows, Index n_columns,
                  Index group) {
    double absolute_sum = 0, squares = 0, norms = 0;
    for (Index i = 0; i < m.size(); i += lanes<T>) {
        Vec<T> w = load(m.value + i);
        absolute_sum += total<T>(absolute<T>(w));
        squares += total<T>(w * w);
    }
    for (Index start = 0; own.group_l1 != 0 && start < n_rows; start += group) {
        double sum = 0;
        for (Index i = start; i < start + group; ++i)
            for (Index j = 0; j < n_columns; ++j) {
                double w = m.value[m.place(i, j)];
                sum += w * w;
            }
        norms += std::sqrt(sum);
    }
    // An infinite strength does not make zeros nan.
    auto scaled = [](double strength, double sum) { return sum != 0 ? strength * sum : 0; };
    return scaled(own.l1, absolute_sum) + scaled(own.l2, squares) +
           scaled(own.group_l1, norms);
}

template <class T> class Optimizer {
  public:
    explicit Optimizer(Network<T>& network) : network_(network), plan_(network.plan) {
        Index n_units = 0;
        for (Matrix<T>& m : network_.matrices) {
            m.add_state(plan_.is_adam, plan_.parameters[0].average != nullptr);
            n_units += m.is_transposed ? m.n_rows : m.stride / lanes<T>;
        }
        squares_ = Buffer<T>(n_units);
    }

    // Take step number `n_steps`, counted from 1, with the gradients of the network. Each
    // thread updates its share of the units.
    void step(double n_steps, const Share& share) {
        const ModelSettings& s = network_.settings();
        StepNumbers<T> numbers(plan_, s, n_steps);
        mask_gradients(share);
        if (std::isfinite(s.clip_norm)) numbers.clip = clip_factor(s, share);
        const bool groups = has_groups(s);
        if (groups) share.barrier.wait();
        for (Index i = 0; i < plan_.n_parameters; ++i) {
            Matrix<T>& m = network_.matrices[i];
            const LayerSettings* own = m.is_weight() ? &s.layers[i] : nullptr;
            if (!m.is_fixed()) update(m, numbers, own, i, share);
        }
        if (groups) share.barrier.wait();
        if (s.ema_decay > 0) average(s, n_steps, share);
    }

    // The penalties at the present weights.
    double penalty() const {
        double sum = 0;
        for (Index i = 0; i < plan_.n_parameters; ++i) {
            const Matrix<T>& m = network_.matrices[i];
            const Parameter& source = plan_.parameters[i];
            if (m.is_weight())
                sum += penalty_of(m, network_.settings().layers[i], source.n_rows,
                                  source.n_columns, group_rows(i));
        }
        return sum;
    }

    void write() const {
        for (const Matrix<T>& m : network_.matrices) m.write_state();
        network_.each_statistic([](const T* from, T* to, T*, Index n) {
            std::memcpy(to, from, n * sizeof(T));
        });
    }

  private:
    Network<T>& network_;
    const Plan& plan_;
    Buffer<T> squares_;  // of the gradients of units, for clipping

    // Rows of a layer's weights that belong to one input.
    Index group_rows(Index layer) const { return layer == 0 ? plan_.group_rows : 1; }

    // Whether groups, which have weights of all units, are penalised.
    bool has_groups(const ModelSettings& s) const {
        for (Index i = 0; i < plan_.n_parameters; ++i)
            if (plan_.parameters[i].is_weight && s.layers[i].group_l1 != 0) return true;
        return false;
    }

    void update(Matrix<T>& m, const StepNumbers<T>& step, const LayerSettings* own, Index i,
                const Share& share) {
        bool has_groups = own && own->group_l1 != 0;
        Groups groups = groups_of(i, share);
        if (has_groups && plan_.is_adam)
            update_groups<T>(m, groups, step, *own);
        else if (plan_.is_adam)
            update_elements<T, true>(m, m.part(share), step, own);
        else
            update_elements<T, false>(m, m.part(share), step, own);
        if (has_groups) {
            if (!plan_.is_adam) share.barrier.wait();
            shrink_groups<T>(m, groups, step, *own, plan_.is_adam);
        }
        if (own && std::isfinite(own->max_norm)) {
            if (has_groups) share.barrier.wait();
            clip_units<T>(m, m.part(share), T(own->max_norm));
        }
    }

    // The thread's share of the groups of a parameter.
    Groups groups_of(Index i, const Share& share) const {
        const Parameter& source = plan_.parameters[i];
        Index size = group_rows(i), n = source.n_rows / size;
        return {n * share.number / share.of * size, n * (share.number + 1) / share.of * size,
                size, source.n_columns};
    }

    void mask_gradients(const Share& share) {
        for (Matrix<T>& m : network_.matrices)
            if (m.mask)
                each_vector(m, m.part(share), [&](Index i) {
                    store(m.gradient + i, load(m.gradient + i) * load(m.mask + i));
                });
    }

    // Return what scales the gradient, with that of the smooth penalties, to `clip_norm`.
    // Threads sum up their units, and then all units in the same order.
    T clip_factor(const ModelSettings& s, const Share& share) {
        Index at = 0;
        for (Index i = 0; i < plan_.n_parameters; ++i) {
            const Matrix<T>& m = network_.matrices[i];
            sum_squares(m, T(m.is_weight() ? 2 * s.layers[i].l2 : 0), m.part(share), at);
            at += m.is_transposed ? m.n_rows : m.stride / lanes<T>;
        }
        share.barrier.wait();
        T squares = 0;
        for (Index i = 0; i < at; ++i) squares += squares_[i];
        T factor = static_cast<T>(s.clip_norm) / (std::sqrt(squares) + T(1e-6));
        return factor > 1 ? T(1) : factor;
    }

    // Write the sum of squares of each row, or of each vector of columns, of a gradient.
    void sum_squares(const Matrix<T>& m, T twice_l2, Range part, Index at) {
        auto square = [&](Index i) {
            Vec<T> g = load(m.gradient + i) + twice_l2 * load(m.value + i);
            return g * g;
        };
        for (Index i = part.first_row; m.is_transposed && i < part.last_row; ++i) {
            Vec<T> sum = all<T>(T(0));
            for (Index j = 0; j < m.stride; j += lanes<T>) sum += square(i * m.stride + j);
            squares_[at + i] = total<T>(sum);
        }
        for (Index j = part.first_column; !m.is_transposed && j < part.last_column;
             j += lanes<T>) {
            Vec<T> sum = all<T>(T(0));
            for (Index i = 0; i < m.n_rows; ++i) sum += square(i * m.stride + j);
            squares_[at + j / lanes<T>] = total<T>(sum);
        }
    }

    void average(const ModelSettings& s, double n_steps, const Share& share) {
        double d = s.ema_decay, t = s.n_averaged + n_steps - s.n_steps;
        const T weight = T((1 - d) / (1 - std::pow(d, t)));
        for (Matrix<T>& m : network_.matrices)
            each_vector(m, m.part(share), [&](Index i) {
                Vec<T> a = load(m.average + i);
                store(m.average + i, a + (load(m.value + i) - a) * weight);
            });
        if (share.number > 0) return;
        network_.each_statistic([weight](const T* now, T*, T* average, Index n) {
            for (Index j = 0; j < n; ++j) average[j] += (now[j] - average[j]) * weight;
        });
    }
};

}  // namespace skreg
