// Softmax, its logarithm, and log-sum-exp over rows. x, y, dy, dx (m, n) in C order; lse, dlse (m).
//   m = max_j x_j,  s = sum_j e^(x_j - m)
//   softmax      y_j = e^(x_j - m) / s        dx_j = y_j (dy_j - sum_k dy_k y_k)
//   log_softmax  y_j = (x_j - m) - log s      dx_j = dy_j - e^y_j sum_k dy_k
//   logsumexp    lse = m + log s              dx_j = dlse e^(x_j - m) / s: m + log s has lost log s where m is large
// A row of nothing but -infinity has softmax 0, log-softmax and log-sum-exp -infinity. Milakov and Gimelshein, "Online
// normalizer calculation for softmax" (2018), save one pass over a row that does not stay in cache; rows here do.
#pragma once

#include "core/context.hpp"

#include <cstddef>

namespace mlcore::nn {

void softmax(const RunContext& ctx, const float* x, std::size_t m, std::size_t n, float* y);
void softmax_backward(const RunContext& ctx, const float* y, const float* dy, std::size_t m, std::size_t n, float* dx);

void log_softmax(const RunContext& ctx, const float* x, std::size_t m, std::size_t n, float* y);
void log_softmax_backward(const RunContext& ctx, const float* y, const float* dy, std::size_t m, std::size_t n,
                          float* dx);

void logsumexp(const RunContext& ctx, const float* x, std::size_t m, std::size_t n, float* lse);
void logsumexp_backward(const RunContext& ctx, const float* x, const float* dlse, std::size_t m, std::size_t n,
                        float* dx);

} // namespace mlcore::nn
