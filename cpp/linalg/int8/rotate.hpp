// Rotations of the factors of a product before they are rounded: (A R)(R^T B) = A B, but where some features are far
// larger than the others, as in a Transformer, each entry of A R holds a share of them, and the scale of a row, which
// the largest entry decides, leaves all entries more digits. Ashkboos et al., "QuaRot" (NeurIPS 2024); R is a Hadamard
// matrix there too.
//
// Here R mixes groups of up to 16 entries that lie far apart, by sums and differences of whole vectors. These have one
// order: all ISA levels give the same bits.
#pragma once

#include <cstddef>

namespace mlcore::linalg::int8 {

/// P, entries that are mixed of a row of n: the largest power of two up to 16 that divides n.
std::size_t rotated_together(std::size_t n);

/// y[q s + j] = sum over p of (+-1) x[p s + j] / P, s = n / P: it cannot overflow. The product of two rows that are
/// rotated so is 1 / P of that of the rows. NaN and infinities stay such.
void rotate_row(const float* x, std::size_t n, float* y);

} // namespace mlcore::linalg::int8
