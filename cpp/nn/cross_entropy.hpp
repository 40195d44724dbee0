// Cross-entropy of logits against classes or class probabilities, together with its gradient: the logits are read from
// memory once, the gradient is written once.
//   p   softmax of a row x (n), w class weights (1 without them)
//   q   (1 - a) target + a / n, a label smoothing; the target is one class t or a distribution over all
//   L   = -sum_j q_j w_j log p_j          dL/dx_j = p_j sum_k q_k w_k - q_j w_j
// With gamma > 0 (one class, no smoothing) the focal loss of Lin, Goyal, Girshick, He and Dollar, "Focal loss for dense
// object detection" (2017), for more than two classes:
//   L   = -(1 - p_t)^gamma w_t log p_t
//   dL/dx_j = w_t (p_j - [j = t]) ((1 - p_t)^gamma - gamma p_t (1 - p_t)^(gamma - 1) log p_t)
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::nn {

struct CrossEntropy {
    const float* x = nullptr;             // logits (m, n)
    std::size_t m = 0, n = 0;             // rows, classes
    const std::int64_t* target = nullptr; // (m): the class, or ignore_index
    const float* distribution = nullptr;  // (m, n) in place of target
    const float* class_weight = nullptr;  // w (n), or 1
    std::int64_t ignore_index = -100;     // a row with this target has loss and gradient 0
    float label_smoothing = 0;            // a
    float gamma = 0;
};

/// Throws ValueError for a target that is neither a class nor ignore_index.
void check_targets(const CrossEntropy& problem);

/// What the mean of the losses is divided by: the weights of the targets (m for distributions).
double total_weight(const RunContext& ctx, const CrossEntropy& problem);

/// Returns the sum of the losses. Either output may be nullptr: loss (m), and the gradient (m, n) times `factor`, and
/// times row_factor (m) where given. The gradient may take the place of the logits.
double cross_entropy(const RunContext& ctx, const CrossEntropy& problem, float factor, const float* row_factor,
                     float* loss, float* gradient);

} // namespace mlcore::nn
