// Tiles of products of 8-bit integers with exact 32-bit sums.
//
// Processors with VNNI multiply four bytes by four bytes and add the products to a 32-bit sum in one instruction, for
// an unsigned left factor: the kernels that use it read the left factor plus 128, and start their sums at -128 times
// those of the right factor. All others ("plain") multiply pairs of 16-bit integers. Sums are exact, so that all
// kernels give the same ones.
//
// A part of objects with their own compiler flags: see linalg/words/kernel.hpp.
#pragma once

#include "linalg/words/kernel.hpp"

namespace mlcore::linalg::int8 {

using Tile = words::Tile<std::int32_t>;

struct Kernel : words::Kernel<std::int32_t> {
    std::int32_t offset; // of what it reads as left factor
};

extern const Kernel plain;
extern const Kernel vnni; // of the levels v3 and v4 alone

/// The one for this processor, unless the environment variable MLCORE_INT8 says "plain". Throws ValueError for other
/// values of it.
const Kernel& kernel();

} // namespace mlcore::linalg::int8
