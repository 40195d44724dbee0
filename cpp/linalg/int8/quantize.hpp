// Rows of floats as 8-bit integers times a scale: q = round(127 x / max |x|), scale = max |x| / 127. Symmetric: 0 stays
// 0, and -128 is not used. The scale is relative to the row, so that no unit is special; the smallest numbers there are
// keep their digits. Roundings are those of float32 in a fixed order: all ISA levels give the same integers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlcore::linalg::int8 {

/// q (n) = integers + offset, modulo the range of Out; returns the scale. A row of zeros has scale 0; one that holds a
/// NaN or an infinity has no scale: it gets NaN, and its integers are 0.
template <class Out> // std::int8_t, std::int16_t
float quantize_row(const float* x, std::size_t n, std::int32_t offset, Out* q);

} // namespace mlcore::linalg::int8
