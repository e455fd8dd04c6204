// Batch normalisation (Ioffe and Szegedy 2015) of the units of one layer.
#pragma once

#include "memory.h"

namespace skreg {

template <class T> class BatchNorm {
  public:
    static constexpr double momentum = 0.1, epsilon = 1e-5;

    BatchNorm(Matrix<T>& gamma, Matrix<T>& beta, T* mean, T* variance, Index n_rows)
        : gamma_(gamma), beta_(beta), running_mean_(mean), running_variance_(variance),
          stride_(gamma.stride), normed_(n_rows * stride_), scale_(stride_) {}

    // Normalise rows in place with the statistics of all of them, weighted by `weight`.
    // Each thread takes some of the units.
    void forward(T* x, Index n_rows, const T* weight, const Share& share) {
        T sum = 0;
        for (Index i = 0; i < n_rows; ++i) sum += weight[i];
        Range part = gamma_.part(share);
        for (Index j = part.first_column; j < part.last_column; j += lanes<T>) {
            Vec<T> mean = all<T>(T(0)), variance = mean;
            for (Index i = 0; i < n_rows; ++i)
                mean += load(x + i * stride_ + j) * (weight[i] / sum);
            for (Index i = 0; i < n_rows; ++i) {
                Vec<T> centred = load(x + i * stride_ + j) - mean;
                variance += centred * centred * (weight[i] / sum);
                store(normed_ + i * stride_ + j, centred);
            }
            Vec<T> scale = 1 / root<T>(variance + T(epsilon));
            store(scale_ + j, scale);
            approach(running_mean_ + j, mean);
            approach(running_variance_ + j, variance);
            Vec<T> gamma = load(gamma_.value + j), beta = load(beta_.value + j);
            for (Index i = 0; i < n_rows; ++i) {
                Vec<T> normed = load(normed_ + i * stride_ + j) * scale;
                store(normed_ + i * stride_ + j, normed);
                store(x + i * stride_ + j, beta + normed * gamma);
            }
        }
    }

    // Replace the gradient of the outputs by that of the inputs. Write, or add to, those
    // of gamma and beta.
    void backward(T* g, Index n_rows, const T* weight, const Share& share, bool adds) {
        T sum = 0;
        for (Index i = 0; i < n_rows; ++i) sum += weight[i];
        Range part = gamma_.part(share);
        for (Index j = part.first_column; j < part.last_column; j += lanes<T>) {
            Vec<T> of_beta = all<T>(T(0)), of_gamma = of_beta;
            for (Index i = 0; i < n_rows; ++i) {
                Vec<T> gradient = load(g + i * stride_ + j);
                of_beta += gradient;
                of_gamma += gradient * load(normed_ + i * stride_ + j);
            }
            Vec<T> beta_before = load(beta_.gradient + j), zero = all<T>(T(0));
            Vec<T> gamma_before = load(gamma_.gradient + j);
            store(beta_.gradient + j, of_beta + (adds ? beta_before : zero));
            store(gamma_.gradient + j, of_gamma + (adds ? gamma_before : zero));
            Vec<T> factor = load(gamma_.value + j) * load(scale_ + j);
            for (Index i = 0; i < n_rows; ++i) {
                Vec<T> normed = load(normed_ + i * stride_ + j);
                Vec<T> common = (of_beta + normed * of_gamma) * (weight[i] / sum);
                store(g + i * stride_ + j, (load(g + i * stride_ + j) - common) * factor);
            }
        }
    }

    // Normalise rows in place with the running statistics.
    void predict(T* x, Index n_rows) const {
        for (Index j = 0; j < stride_; j += lanes<T>) {
            Vec<T> scale = 1 / root<T>(load(running_variance_ + j) + T(epsilon));
            Vec<T> gamma = load(gamma_.value + j) * scale, beta = load(beta_.value + j);
            Vec<T> mean = load(running_mean_ + j);
            for (Index i = 0; i < n_rows; ++i) {
                Vec<T> centred = load(x + i * stride_ + j) - mean;
                store(x + i * stride_ + j, beta + centred * gamma);
            }
        }
    }

  private:
    Matrix<T>&gamma_, &beta_;
    T *running_mean_, *running_variance_;
    Index stride_;
    Buffer<T> normed_, scale_;

    static void approach(T* running, Vec<T> now) {
        store(running, load(running) + (now - load(running)) * T(momentum));
    }
};

}  // namespace skreg
