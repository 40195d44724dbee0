// float32 as bfloat16, its upper half: 8 digits instead of 24 in the same range.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlcore::linalg::bf16 {

/// The nearest bfloat16, of two the one whose last bit is 0; NaN stays NaN, and what is too large becomes infinite.
void round_row(const float* x, std::size_t n, std::uint16_t* y);

/// The same numbers as float32, those of each pair of neighbours in the other order; n is even.
void round_row_swapped(const float* x, std::size_t n, float* y);

} // namespace mlcore::linalg::bf16
