// Losses that are sums over entries, together with their gradients with respect to x, in one pass. x prediction, t
// target, d = x - t.
//   squared          d^2                                        (mean squared error)
//   absolute         |d|
//   smooth_absolute  d^2 / (2 beta) for |d| < beta, else |d| - beta / 2            (Girshick 2015)
//   huber            d^2 / 2 for |d| < beta, else beta (|d| - beta / 2)            (Huber 1964)
//   logistic         (1 - t) log(1 + e^x) + c t log(1 + e^-x), c positive_weight   (binary cross-entropy of logits)
//   focal            a m^gamma times logistic, m = p (1 - t) + (1 - p) t, p = 1 / (1 + e^-x),
//                    a = alpha t + (1 - alpha) (1 - t) (Lin, Goyal, Girshick, He and Dollar 2017)
//   divergence       t (log t - x), x a log-probability, 0 where t is 0            (Kullback-Leibler)
//   log_divergence   e^t (t - x)
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <string>

namespace mlcore::nn {

enum class Loss { squared, absolute, smooth_absolute, huber, logistic, focal, divergence, log_divergence };

/// "squared", "absolute", ... Throws ValueError.
Loss parse_loss(const std::string& name);

struct PointwiseLoss {
    Loss kind = Loss::squared;
    std::size_t n = 0;
    const float* x = nullptr;               // (n)
    const float* target = nullptr;          // (n)
    const float* weight = nullptr;          // (n): of each entry, or 1
    const float* positive_weight = nullptr; // (n): logistic alone; or 1
    float beta = 1;
    float gamma = 2;
    float alpha = -1; // negative: no weights by class
};

/// Returns the sum of the losses. Either output (n) may be nullptr: loss; and gradient times factor, and times dy (n)
/// where given.
double pointwise_loss(const RunContext& ctx, const PointwiseLoss& problem, float factor, const float* dy, float* loss,
                      float* gradient);

} // namespace mlcore::nn
