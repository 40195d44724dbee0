// The tile of linalg/words/kernel.hpp, written once for all instruction sets. What it needs of one is a class with
//   Vector, lanes     a register of sums
//   Sum               one of them
//   word_bytes        of the right factor
//   right(bytes)      the words of `lanes` columns
//   left(word)        a word, once a lane
//   add(sum, l, r)    sum + products of the words
// which must stand in an unnamed namespace: the instances then belong to their object alone.
#pragma once

#include "linalg/words/kernel.hpp"

namespace mlcore::linalg::words {

// By way of one variable: an array whose address is taken would stay in memory.
template <class Sum, class Vector>
[[gnu::always_inline]] inline void store(Sum* to, Vector v) {
    __builtin_memcpy(to, &v, sizeof v);
}

template <class Isa, std::size_t M, std::size_t P>
void multiply(const Tile<typename Isa::Sum>& tile) {
    using Vector = typename Isa::Vector;
    constexpr std::size_t lanes = Isa::lanes, vector_bytes = lanes * Isa::word_bytes, ahead = 16; // steps
    Vector sums[M][2 * P];
    if (tile.start) {
#pragma GCC unroll 14
        for (std::size_t i = 0; i < M; ++i)
#pragma GCC unroll 8
            for (std::size_t j = 0; j < 2 * P; ++j)
                __builtin_memcpy(&sums[i][j], tile.start + j * lanes, sizeof(Vector));
    } else {
#pragma GCC unroll 14
        for (std::size_t i = 0; i < M; ++i)
#pragma GCC unroll 8
            for (std::size_t j = 0; j < 2 * P; ++j) sums[i][j] = Vector{};
    }
    const std::int32_t* left = tile.left;
    const char* right = static_cast<const char*>(tile.right);
    const std::size_t n_words = tile.n_words, panel_step = tile.panel_step, stride = tile.stride;
    typename Isa::Sum* out = tile.sums;
    for (std::size_t w = 0; w < n_words; ++w, left += M, right += 2 * vector_bytes) {
#pragma GCC unroll 4
        for (std::size_t p = 0; p < P; ++p) {
            const char* panel = right + p * panel_step;
            __builtin_prefetch(panel + ahead * 2 * vector_bytes);
            if constexpr (2 * vector_bytes > 64) __builtin_prefetch(panel + ahead * 2 * vector_bytes + vector_bytes);
            const auto first = Isa::right(panel), second = Isa::right(panel + vector_bytes);
#pragma GCC unroll 14
            for (std::size_t i = 0; i < M; ++i) {
                const auto x = Isa::left(left[i]);
                sums[i][2 * p] = Isa::add(sums[i][2 * p], x, first);
                sums[i][2 * p + 1] = Isa::add(sums[i][2 * p + 1], x, second);
            }
        }
    }
#pragma GCC unroll 14
    for (std::size_t i = 0; i < M; ++i)
#pragma GCC unroll 8
        for (std::size_t j = 0; j < 2 * P; ++j) store(out + i * stride + j * lanes, sums[i][j]);
}

/// Instances for 1 .. Rows rows.
template <class Isa, std::size_t Rows>
struct Tiles {
    using TileKernel = words::TileKernel<typename Isa::Sum>;

    template <std::size_t M = 1>
    static constexpr void fill(TileKernel* narrow, TileKernel* wide) {
        narrow[M - 1] = &multiply<Isa, M, 1>;
        if constexpr (M <= Rows / 2) wide[M - 1] = &multiply<Isa, M, panels_at_once(Rows, M)>;
        if constexpr (M < Rows) fill<M + 1>(narrow, wide);
    }

    TileKernel narrow[Rows]{}, wide[Rows / 2]{};
    constexpr Tiles() { fill(narrow, wide); }
};

} // namespace mlcore::linalg::words
