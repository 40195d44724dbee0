// The innermost part of an assignment: a panel of points against a tile of centers, and for each point the least and
// the second least of |c|^2 - 2 x.c so far, while both are in registers. No matrix of points times centers is written.
//
// Lanes are points, so that minima need no sums over lanes; centers are broadcast. A tile holds up to tile_centers
// centers, interleaved and multiplied by -2: centers[k * M + j].
#pragma once

#include "core/simd.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace mlcore::kmeans {

inline constexpr std::size_t panel_points = 2 * simd::lanes;
/// Sums of tile_centers x 2 vectors fill the registers of the level but three.
inline constexpr std::size_t tile_centers = simd::lanes == 16 ? 14 : simd::lanes == 8 ? 6 : 4;

/// What is known of the points of a panel.
struct alignas(64) PanelNearest {
    float best[panel_points], second[panel_points]; // of |c|^2 - 2 x.c
    std::int32_t center[panel_points];              // of the best; of equal ones the first

    void start() {
        for (std::size_t i = 0; i < panel_points; ++i) {
            best[i] = second[i] = std::numeric_limits<float>::infinity();
            center[i] = 0;
        }
    }
};

namespace detail {

[[gnu::always_inline]] inline simd::Floats least(simd::Floats a, simd::Floats b) {
#if defined(__AVX512F__)
    return _mm512_min_ps(a, b);
#else
    return a < b ? a : b;
#endif
}
[[gnu::always_inline]] inline simd::Floats most(simd::Floats a, simd::Floats b) {
#if defined(__AVX512F__)
    return _mm512_max_ps(a, b);
#else
    return a > b ? a : b;
#endif
}

/// Takes the values of one more center into account.
[[gnu::always_inline]] inline void offer(simd::Floats value, const std::int32_t* center, simd::Floats& best,
                                         simd::Floats& second, simd::Integers& nearest) {
    second = least(most(best, value), second);
#if defined(__AVX512F__)
    const __mmask16 less = _mm512_cmp_ps_mask(value, best, _CMP_LT_OQ);
    nearest = (simd::Integers)_mm512_mask_set1_epi32((__m512i)nearest, less, *center);
#else
    nearest = value < best ? *center - simd::Integers{} : nearest;
#endif
    best = least(value, best);
}

/// sums[j]: |c_j|^2 - 2 x.c_j of the points of a panel.
template <std::size_t M>
[[gnu::always_inline]] inline void values_of(const float* centers, const float* norms, const float* points,
                                             std::size_t d, simd::Floats (&sums)[M][2]) {
    using simd::Floats, simd::lanes;
#pragma GCC unroll 14
    for (std::size_t j = 0; j < M; ++j) sums[j][0] = sums[j][1] = simd::broadcast(norms[j]);
    for (std::size_t k = 0; k < d; ++k, centers += M, points += panel_points) {
        const Floats left = simd::load(points), right = simd::load(points + lanes);
#pragma GCC unroll 14
        for (std::size_t j = 0; j < M; ++j) {
            const Floats c = simd::broadcast(centers[j]);
            sums[j][0] = simd::fma(c, left, sums[j][0]);
            sums[j][1] = simd::fma(c, right, sums[j][1]);
        }
    }
}

} // namespace detail

/// Offers M centers to the points of a panel; numbers (M): which centers they are.
template <std::size_t M>
void nearest_tile(const float* centers, const float* norms, const std::int32_t* numbers, const float* points,
                  std::size_t d, PanelNearest& out) {
    using simd::Floats, simd::Integers, simd::lanes;
    Floats sums[M][2];
    detail::values_of<M>(centers, norms, points, d, sums);
#pragma GCC unroll 2
    for (std::size_t h = 0; h < 2; ++h) {
        Floats best = simd::load(out.best + h * lanes), second = simd::load(out.second + h * lanes);
        Integers nearest;
        std::memcpy(&nearest, out.center + h * lanes, sizeof nearest);
#pragma GCC unroll 14
        for (std::size_t j = 0; j < M; ++j) detail::offer(sums[j][h], numbers + j, best, second, nearest);
        simd::store(out.best + h * lanes, best);
        simd::store(out.second + h * lanes, second);
        std::memcpy(out.center + h * lanes, &nearest, sizeof nearest);
    }
}

/// values[j * panel_points + i] = |c_j|^2 - 2 x_i.c_j for M centers.
template <std::size_t M>
void values_tile(const float* centers, const float* norms, const float* points, std::size_t d, float* values) {
    using simd::Floats, simd::lanes;
    Floats sums[M][2];
    detail::values_of<M>(centers, norms, points, d, sums);
#pragma GCC unroll 14
    for (std::size_t j = 0; j < M; ++j) {
        simd::store(values + j * panel_points, sums[j][0]);
        simd::store(values + j * panel_points + lanes, sums[j][1]);
    }
}

using NearestTile = void (*)(const float* centers, const float* norms, const std::int32_t* numbers, const float* points,
                             std::size_t d, PanelNearest& out);
using ValuesTile = void (*)(const float* centers, const float* norms, const float* points, std::size_t d,
                            float* values);

/// The kernels for tiles of m centers, 1 <= m <= tile_centers.
NearestTile nearest_tile_of(std::size_t m);
ValuesTile values_tile_of(std::size_t m);

} // namespace mlcore::kmeans
