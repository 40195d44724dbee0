// Tiles of products of bfloat16 with sums in float32: terms in pairs, of each the second first, one rounding a term.
//
// That is what the instruction for it does ("native"), which also takes numbers below 2^-126 for 0, in factors and in
// sums. All other processors ("plain") do the same in float32: the product of two bfloat16 is exact there. The bits are
// equal where the level has fused multiply-add (v3, v4), and on v2 unless a product is below 2^-126 or above 2^128,
// which is then rounded once more.
//
// A part of objects with their own compiler flags: see linalg/words/kernel.hpp.
#pragma once

#include "linalg/words/kernel.hpp"

namespace mlcore::linalg::bf16 {

/// Words of the left factor: pairs of bfloat16, or (plain) one number that is no longer than one, as float32. Words of
/// the right factor: pairs, or one bfloat16. The entries of a pair change places where a word is but one of them.
using Kernel = words::Kernel<float>;
using Tile = words::Tile<float>;

extern const Kernel plain;
extern const Kernel native; // of the level v4 alone

/// The one for this processor, unless the environment variable MLCORE_BF16 says "plain". Throws ValueError for other
/// values of it.
const Kernel& kernel();

} // namespace mlcore::linalg::bf16
