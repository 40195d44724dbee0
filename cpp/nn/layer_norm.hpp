// Layer norm (Ba, Kiros and Hinton 2016) and RMS norm (Zhang and Sennrich 2019) of rows x (m, n).
//   h = (x - mean) rstd, rstd = 1 / sqrt(variance + epsilon)     RMS: mean 0, rstd = 1 / sqrt(mean of x^2 + epsilon)
//   y = h w + b
//   g = dy w,  dx = rstd (g - mean(g) - h mean(g h))             RMS: without mean(g)
//   dw = sum of dy h over rows, db = sum of dy over rows
// dw and db are summed over fixed blocks of rows, in the pass that makes dx.
#pragma once

#include "core/context.hpp"

#include <cstddef>

namespace mlcore::nn {

/// x, y (m, n); w, b (n) or nullptr; rstd (m) out; mean (m) out, or nullptr for RMS norm.
void layer_norm(const RunContext& ctx, const float* x, std::size_t m, std::size_t n, float epsilon, const float* w,
                const float* b, float* y, float* mean, float* rstd);

/// mean and rstd as layer_norm left them. dx (m, n), dw (n), db (n): nullptr for those that are not wanted.
void layer_norm_backward(const RunContext& ctx, const float* x, const float* dy, const float* mean, const float* rstd,
                         const float* w, std::size_t m, std::size_t n, float* dx, float* dw, float* db);

} // namespace mlcore::nn
