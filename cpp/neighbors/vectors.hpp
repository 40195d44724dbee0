// Distances of one point to many that lie by dimension, several at a time: to the points of a leaf, and of queries to a
// box. The sums are those of distance.hpp, to the bit.
#pragma once

#include "core/simd.hpp"
#include "neighbors/distance.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::neighbors {

/// Points that are looked at in one step: a bit each in a mask.
inline constexpr std::size_t lane_unit = 8;

/// One bit for each of the lane_unit entries with a[i] <= b[i].
[[gnu::always_inline]] inline std::uint32_t at_most(const simd::Doubles* a, const simd::Doubles* b) {
    std::uint32_t mask = 0;
    constexpr std::size_t lanes = simd::lanes_of<double>;
#pragma GCC unroll 4
    for (std::size_t v = 0; v < lane_unit / lanes; ++v) {
#if defined(__AVX512F__)
        mask |= static_cast<std::uint32_t>(_mm512_cmp_pd_mask(a[v], b[v], _CMP_LE_OQ)) << (v * lanes);
#elif defined(__AVX__) && defined(__FMA__)
        mask |= static_cast<std::uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(a[v], b[v], _CMP_LE_OQ))) << (v * lanes);
#else
        for (std::size_t l = 0; l < lanes; ++l)
            mask |= static_cast<std::uint32_t>(a[v][l] <= b[v][l]) << (v * lanes + l);
#endif
    }
    return mask;
}

/// distances[i] of a query (d) to the points of a block (d, width), width a multiple of lane_unit. Calls near(first,
/// mask) with a bit for each point `first + bit` whose distance is at most `bound`, where there is one.
template <class Sum, class Near>
[[gnu::always_inline]] inline void scan(const double* query, std::size_t query_stride, const double* block,
                                        std::size_t width, std::size_t d, double bound, double* distances,
                                        Near&& near) {
    constexpr std::size_t lanes = simd::lanes_of<double>, n_vectors = lane_unit / lanes;
    const auto step = [&]<std::size_t groups>(std::size_t i) { // groups of lane_unit points
        simd::Doubles sums[groups * n_vectors] = {};
        for (std::size_t j = 0; j < d; ++j) {
            const simd::Doubles x = simd::broadcast(query[j * query_stride]);
#pragma GCC unroll 16
            for (std::size_t v = 0; v < groups * n_vectors; ++v)
                sums[v] = Sum::add(sums[v], x - simd::load(block + j * width + i + v * lanes));
        }
        simd::Doubles bounds[n_vectors];
#pragma GCC unroll 4
        for (std::size_t v = 0; v < n_vectors; ++v) bounds[v] = simd::broadcast(bound);
        std::uint32_t mask = 0;
#pragma GCC unroll 4
        for (std::size_t g = 0; g < groups; ++g) mask |= at_most(sums + g * n_vectors, bounds) << (g * lane_unit);
        if (mask == 0) return;
#pragma GCC unroll 16
        for (std::size_t v = 0; v < groups * n_vectors; ++v) simd::store(distances + i + v * lanes, sums[v]);
        near(i, mask);
    };
    std::size_t i = 0;
    for (; i + 4 * lane_unit <= width; i += 4 * lane_unit) step.template operator()<4>(i);
    for (; i < width; i += lane_unit) step.template operator()<1>(i);
}

/// Calls near(first, mask) with a bit for each query `first + bit` of a block (d, width) whose distance to the box is
/// at most its own bound.
template <class Sum, class Near>
[[gnu::always_inline]] inline void near_box(const double* queries, std::size_t width, std::size_t d,
                                            const double* lower, const double* upper, const double* bounds,
                                            Near&& near) {
    constexpr std::size_t lanes = simd::lanes_of<double>, n_vectors = lane_unit / lanes;
    for (std::size_t i = 0; i < width; i += lane_unit) {
        simd::Doubles sums[n_vectors] = {}, most[n_vectors];
        for (std::size_t j = 0; j < d; ++j)
#pragma GCC unroll 4
            for (std::size_t v = 0; v < n_vectors; ++v) {
                const simd::Doubles x = simd::load(queries + j * width + i + v * lanes);
                const simd::Doubles below = lower[j] - x, above = x - upper[j];
                const simd::Doubles outside = below > above ? below : above;
                sums[v] = Sum::add(sums[v], outside > 0 ? outside : simd::Doubles{});
            }
#pragma GCC unroll 4
        for (std::size_t v = 0; v < n_vectors; ++v) most[v] = simd::load(bounds + i + v * lanes);
        if (const std::uint32_t mask = at_most(sums, most)) near(i, mask);
    }
}

} // namespace mlcore::neighbors
