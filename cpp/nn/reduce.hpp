// Sums along one axis of an array, whatever its length: float in, double on the way, rounded once. A sum of 20 million
// entries in float stops growing where an entry is less than half a unit of the sum.
//
// Entries are cut into fixed blocks whose sums are added in block order, and within a block into fixed lanes: the bits
// depend on the shape alone, neither on the number of threads nor on the width of vectors.
#pragma once

#include "core/context.hpp"

#include <cstddef>

namespace mlcore::nn {

/// out (outer, inner) = factor times the sums of x (outer, n, inner) over n; 0 for n = 0. The factor is applied before
/// rounding: a mean does not overflow where its sum would.
void sum_axis(const RunContext& ctx, const float* x, std::size_t outer, std::size_t n, std::size_t inner, double factor,
              float* out);

/// out (outer, n, inner): out_k = x_0 + ... + x_k along n, or x_k + ... + x_(n-1) if backwards.
void cumulate(const RunContext& ctx, const float* x, std::size_t outer, std::size_t n, std::size_t inner,
              bool backwards, float* out);

} // namespace mlcore::nn
