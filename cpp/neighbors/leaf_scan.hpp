// Distances of the points of a leaf (kd_tree.hpp), several at a time: to one point, and to a box. The sums are those of
// distance.hpp, to the bit.
#pragma once

#include "core/simd.hpp"
#include "neighbors/bits.hpp"
#include "neighbors/distance.hpp"

#include <cstddef>

namespace mlcore::neighbors {

/// What the width of a leaf is a multiple of: doubles in the widest vector of all ISA levels.
inline constexpr std::size_t lane_unit = 8;

/// The reduced distances of a point, whose coordinates lie `stride` apart, to n vectors of points of a leaf (d, width)
/// from `points` on.
template <class Sum, std::size_t n>
[[gnu::always_inline]] inline void distances_to(const double* point, std::size_t stride, const double* points,
                                                std::size_t width, std::size_t d, simd::Doubles* sums) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < n; ++v) sums[v] = simd::Doubles{};
    for (std::size_t j = 0; j < d; ++j, points += width) {
        const simd::Doubles x = simd::broadcast(point[j * stride]);
#pragma GCC unroll 16
        for (std::size_t v = 0; v < n; ++v)
            sums[v] = Sum::add(sums[v], x - simd::load(points + v * simd::lanes_of<double>));
    }
}

/// near(first, bits) with a bit for each point `first + bit` of a leaf (d, width) whose distance to a point is at most
/// `bound`, where there is one. Its distance is then in `distances` (width), unless that is a null pointer.
template <class Sum, class Near>
[[gnu::always_inline]] inline void scan(const double* point, std::size_t stride, const double* leaf, std::size_t width,
                                        std::size_t d, double bound, double* distances, Near&& near) {
    constexpr std::size_t lanes = simd::lanes_of<double>;
    const auto step = [&]<std::size_t points>(std::size_t i) {
        constexpr std::size_t n = points / lanes;
        simd::Doubles sums[n];
        distances_to<Sum, n>(point, stride, leaf + i, width, d, sums);
        Bits bits = 0;
#pragma GCC unroll 16
        for (std::size_t v = 0; v < n; ++v) bits |= at_most(sums[v], simd::broadcast(bound)) << (v * lanes);
        if (bits == 0) return;
        if (distances)
#pragma GCC unroll 16
            for (std::size_t v = 0; v < n; ++v) simd::store(distances + i + v * lanes, sums[v]);
        near(i, bits);
    };
    std::size_t i = 0;
    for (; i + 4 * lane_unit <= width; i += 4 * lane_unit) step.template operator()<4 * lane_unit>(i);
    for (; i < width; i += lane_unit) step.template operator()<lane_unit>(i);
}

/// near(first, bits) with a bit for each point `first + bit` of a leaf (d, width) whose distance to a box is at most
/// bounds(first + bit ...), a vector of them, where there is one.
template <class Sum, class Bounds, class Near>
[[gnu::always_inline]] inline void near_box(const double* leaf, std::size_t width, std::size_t d, const double* lower,
                                            const double* upper, Bounds&& bounds, Near&& near) {
    constexpr std::size_t lanes = simd::lanes_of<double>, n = lane_unit / lanes;
    for (std::size_t i = 0; i < width; i += lane_unit) {
        simd::Doubles sums[n] = {};
        for (std::size_t j = 0; j < d; ++j)
#pragma GCC unroll 4
            for (std::size_t v = 0; v < n; ++v) {
                const simd::Doubles x = simd::load(leaf + j * width + i + v * lanes);
                const simd::Doubles below = lower[j] - x, above = x - upper[j];
                const simd::Doubles outside = below > above ? below : above;
                sums[v] = Sum::add(sums[v], outside > 0 ? outside : simd::Doubles{});
            }
        Bits bits = 0;
#pragma GCC unroll 4
        for (std::size_t v = 0; v < n; ++v) bits |= at_most(sums[v], bounds(i + v * lanes)) << (v * lanes);
        if (bits != 0) near(i, bits);
    }
}

} // namespace mlcore::neighbors
