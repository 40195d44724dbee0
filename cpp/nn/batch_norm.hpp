// Batch normalisation: Ioffe, Szegedy, "Batch normalization" (2015). Letters: x (n, channels, length), length the
// pixels of an image or 1; m = n length values a channel; all in C order.
//   mean, variance   of a channel's m values (the variance with 1 / m)
//   x^ = (x - mean) r,  r = 1 / sqrt(variance + epsilon)
//   y  = w x^ + b
//   db = sum dy,  dw = sum dy x^
//   dx = w r (dy - db / m - x^ dw / m)     with the batch's own statistics
//   dx = w r dy                            with given ones
// Statistics are taken by blocks, mean first, then squares about it, and joined in double in the order of the blocks
// (Chan, Golub, LeVeque 1983): no cancellation, one pass over memory, the same bits for any number of threads.
#pragma once

#include "core/context.hpp"

#include <cstddef>

namespace mlcore::nn {

struct BatchShape {
    std::size_t n, channels, length;

    std::size_t size() const { return n * channels * length; }
    std::size_t values() const { return n * length; } // of a channel
};

/// mean and variance (channels).
void batch_statistics(const RunContext& ctx, const BatchShape& shape, const float* x, float* mean, float* variance);

/// y from x; w and b may be nullptr: 1 and 0. inverse (channels): r.
void batch_normalize(const RunContext& ctx, const BatchShape& shape, const float* x, const float* mean,
                     const float* inverse, const float* w, const float* b, float* y);

/// dx (nullptr: not wanted), dw, db. of_batch: mean and inverse are the batch's own.
void batch_norm_backward(const RunContext& ctx, const BatchShape& shape, const float* dy, const float* x,
                         const float* mean, const float* inverse, const float* w, bool of_batch, float* dx, float* dw,
                         float* db);

} // namespace mlcore::nn
