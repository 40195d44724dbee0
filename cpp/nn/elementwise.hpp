// Arithmetic of whole arrays by all threads: what is bound by memory bandwidth and so wants few passes. Letters as in
// linalg/activation.hpp; sums of rows go over fixed blocks of rows, added in block order.
#pragma once

#include "core/context.hpp"
#include "linalg/activation.hpp"

#include <cstddef>

namespace mlcore::nn {

/// y (n) = f(x (n)); y may be x.
void activate(const RunContext& ctx, linalg::Activation activation, const float* x, float* y, std::size_t n,
              float slope);

/// dx (n) = f'(x) dy from what gradient_needs_input says; dx may be dy.
void activate_backward(const RunContext& ctx, linalg::Activation activation, const float* saved, const float* dy,
                       float* dx, std::size_t n, float slope);

/// out (n) = a (n) + b (period), b repeated; period divides n. out may be a.
void add(const RunContext& ctx, const float* a, const float* b, float* out, std::size_t n, std::size_t period);

/// out (n) = a (n) b (period)
void multiply(const RunContext& ctx, const float* a, const float* b, float* out, std::size_t n, std::size_t period);

/// out (n) = factor a (n)
void scale(const RunContext& ctx, const float* a, float factor, float* out, std::size_t n);

/// out (n) = the sum of the rows of x (m, n).
void sum_rows(const RunContext& ctx, const float* x, std::size_t m, std::size_t n, float* out);

/// out (n) = the sum of partials (n_blocks, n) over the blocks, in their order, in double.
void sum_partials(const RunContext& ctx, const float* partials, std::size_t n_blocks, std::size_t n, float* out);

} // namespace mlcore::nn
