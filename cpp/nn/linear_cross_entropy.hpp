// A linear layer and the cross-entropy of its logits as one operation, with all gradients:
//   z = x W^T + b  (m, n)     L_i = -sum_j q_ij log softmax(z_i)_j     (q and dL/dz as in nn/cross_entropy.hpp)
//   dx = dz W     dW = dz^T x     db = sum_i dz_i
// The logits of a whole batch are by far the largest array of a language model (4,000 tokens of 9,000 words are 144
// MB), and nobody wants to see them. They are made for a chunk of rows at a time, which stays in cache while its losses
// are summed and its gradients multiplied on. Wijmans, Huval, Hertzberg, Koltun and Kraehenbuehl, "Cut your losses in
// large-vocabulary language models" (2025), make them twice instead, for accelerators with little memory; here once.
//
// Rows whose target is ignore_index are left out of all products. Chunks depend on n alone, so results have the same
// bits for any number of threads. Class weights and distributions as targets are left out: see nn/cross_entropy.hpp.
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::nn {

struct LinearCrossEntropy {
    const float* x = nullptr;             // (m, k)
    const float* weight = nullptr;        // W (n, k)
    const float* bias = nullptr;          // b (n), or 0
    const std::int64_t* target = nullptr; // (m): the class, or ignore_index
    std::size_t m = 0, n = 0, k = 0;      // rows, classes, features
    std::int64_t ignore_index = -100;     // a row with this target has loss and gradient 0
    float label_smoothing = 0;            // in [0, 1]
};

/// Where gradients go; nullptr where one is not wanted.
struct LinearCrossEntropyGradients {
    float* x = nullptr;      // (m, k)
    float* weight = nullptr; // (n, k)
    float* bias = nullptr;   // (n)
};

/// Throws ValueError for a target that is neither a class nor ignore_index. Returns the number of the others.
std::size_t count_targets(const LinearCrossEntropy& problem);

/// Returns the sum of the losses. loss (m) may be nullptr. The gradients are those of the sum of all losses times
/// `factor`, or of the losses times factor and row_factor (m) where given.
double linear_cross_entropy(const RunContext& ctx, const LinearCrossEntropy& problem, float factor,
                            const float* row_factor, float* loss, const LinearCrossEntropyGradients& gradients);

} // namespace mlcore::nn
