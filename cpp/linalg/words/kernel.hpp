// The innermost part of products whose factors are narrower than float32: one tile of sums in registers. Terms that an
// instruction multiplies and adds in one go lie side by side in a word: four bytes, two 16-bit integers, two bfloat16.
//
// This header is a part of objects with their own compiler flags. Nothing in it, or in tile.hpp, may be a function that
// such an object shares with others: the linker would choose one copy of it for all, and run it on any processor.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlcore::linalg::words {

/// A tile of sums: a panel of m rows of the left factor by one or several panels of columns of the right one.
template <class Sum> // std::int32_t, float
struct Tile {
    const std::int32_t* left; // left[w * m + i]: word w of row i
    const void* right;        // word w of column j stands at w * cols + j
    std::size_t n_words;
    std::size_t panel_step; // bytes from one panel of columns to the next
    const Sum* start;       // one a column: what the sums begin with; nullptr for zeros
    Sum* sums;              // (m, columns), rows `stride` apart
    std::size_t stride;
};

template <class Sum>
using TileKernel = void (*)(const Tile<Sum>&);

template <class Sum>
struct Kernel {
    const char* name;
    std::size_t terms;             // of a word
    std::size_t word_bytes;        // of the right factor; words of the left one have four
    std::size_t rows, cols;        // of the largest tile with one panel of columns
    const TileKernel<Sum>* narrow; // [m - 1] for m rows and one panel
    const TileKernel<Sum>* wide;   // [m - 1] for m rows and panels_at_once(rows, m) panels, m <= rows / 2
};

/// Panels that a tile of m rows takes side by side, if the largest has so many rows: a tile of few rows has few sums,
/// which would wait for each other. static: each object has its own.
static constexpr std::size_t panels_at_once(std::size_t rows, std::size_t m) {
    const std::size_t fit = rows / m;
    return fit > 4 ? 4 : fit < 1 ? 1 : fit;
}

} // namespace mlcore::linalg::words
