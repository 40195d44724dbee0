// Pooling over windows of planes: x (planes, rows, columns) becomes y (planes, rows out, columns out), in C order; a
// plane is a channel of an image. dx, dy: gradients of the loss. Along one axis: the case of one row.
//   max      y = the largest entry of the window, places of the padding left out; NaN if one is NaN
//   average  y = the sum of the window's entries / a divisor; windows of any lengths: of one size, or adaptive
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace mlcore::nn {

struct PoolingAxis {
    std::size_t n_in, n_kernel, n_out;
    std::size_t stride, dilation;
    std::size_t padding; // places before the first entry
};

/// y and where: the place of the largest entry (of equal ones the first) within its plane. Each window must meet at
/// least one entry.
void max_pool(const RunContext& ctx, std::size_t n_planes, const PoolingAxis& rows, const PoolingAxis& cols,
              const float* x, float* y, std::int32_t* where);

/// Entries [begin, end) of an axis; the divisor of a window of average_pool is the product of its two.
struct PoolingSpan {
    std::size_t begin, end;
    float divisor;
};

/// As max_pool, for windows of any lengths, none empty: the spans are those of the rows and of the columns of y.
void max_pool_spans(const RunContext& ctx, std::size_t n_planes, std::size_t in_rows, std::size_t in_cols,
                    std::span<const PoolingSpan> rows, std::span<const PoolingSpan> cols, const float* x, float* y,
                    std::int32_t* where);

/// dx from dy: overwritten. n_in, n_out: entries of a plane of x and of y.
void max_pool_backward(const RunContext& ctx, std::size_t n_planes, std::size_t n_in, std::size_t n_out,
                       const float* dy, const std::int32_t* where, float* dx);

/// in_rows, in_cols: size of a plane of x; the spans are those of the rows and of the columns of y.
void average_pool(const RunContext& ctx, std::size_t n_planes, std::size_t in_rows, std::size_t in_cols,
                  std::span<const PoolingSpan> rows, std::span<const PoolingSpan> cols, const float* x, float* y);

/// dx from dy: overwritten.
void average_pool_backward(const RunContext& ctx, std::size_t n_planes, std::size_t in_rows, std::size_t in_cols,
                           std::span<const PoolingSpan> rows, std::span<const PoolingSpan> cols, const float* dy,
                           float* dx);

} // namespace mlcore::nn
