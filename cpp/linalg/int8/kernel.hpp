// The innermost part of products of 8-bit integers: one tile of exact 32-bit sums in registers.
//
// Processors with VNNI multiply four bytes by four bytes and add the products to a 32-bit sum in one instruction, for
// an unsigned left factor: the kernels that use it read the left factor plus 128, and start their sums at -128 times
// those of the right factor. All others ("plain") multiply pairs of 16-bit integers. Sums are exact, so that all
// kernels give the same ones.
//
// This header is a part of objects with their own compiler flags. Nothing in it, or in tile.hpp, may be a function that
// such an object shares with others: the linker would choose one copy of it for all, and run it on any processor.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlcore::linalg::int8 {

/// A tile of sums: a panel of m rows of the left factor by one or several panels of columns of the right one.
struct Tile {
    const std::int32_t* left; // left[w * m + i]: word w of row i, `terms` terms of the sums
    const std::int8_t* right; // right[(w * cols + j) * terms + t]: term t of word w of column j
    std::size_t n_words;
    std::size_t panel_step;    // bytes from one panel of columns to the next
    const std::int32_t* start; // one a column: what the sums begin with
    std::int32_t* sums;        // (m, columns), rows `stride` apart
    std::size_t stride;
};

using TileKernel = void (*)(const Tile&);

struct Kernel {
    const char* name;
    std::size_t terms;        // of a word: 4 bytes, or 2 integers of 16 bits
    std::int32_t offset;      // of what it reads as left factor
    std::size_t rows, cols;   // of the largest tile with one panel of columns
    const TileKernel* narrow; // [m - 1] for m rows and one panel
    const TileKernel* wide;   // [m - 1] for m rows and panels_at_once(rows, m) panels, m <= rows / 2
};

/// Panels that a tile of m rows takes side by side, if the largest has so many rows: a tile of few rows has few sums,
/// which would wait for each other. static: each object has its own.
static constexpr std::size_t panels_at_once(std::size_t rows, std::size_t m) {
    const std::size_t fit = rows / m;
    return fit > 4 ? 4 : fit < 1 ? 1 : fit;
}

extern const Kernel plain;
extern const Kernel vnni; // of the levels v3 and v4 alone

/// The one for this processor, unless the environment variable MLCORE_INT8 says "plain". Throws ValueError for other
/// values of it.
const Kernel& kernel();

} // namespace mlcore::linalg::int8
