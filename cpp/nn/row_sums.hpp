// Sums along a row, in an order that depends on its length alone: lanes and chains of one block in float, blocks in
// double. And vectors of which only the first entries belong to the row.
#pragma once

#include "core/simd.hpp"
#include "linalg/vector_functions.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

namespace mlcore::nn {

/// Entries whose sum is kept in float.
inline constexpr std::size_t sum_block = 1024;

/// Sum of the lanes, in a fixed order.
[[gnu::always_inline]] inline float sum_lanes(simd::Floats v) {
    const simd::Floats4 s = simd::sums(v, simd::Floats{}, simd::Floats{}, simd::Floats{});
    return s[0];
}

/// The count of a whole vector, as a constant: loops over whole vectors have no branch for the last one.
using AllLanes = std::integral_constant<std::size_t, simd::lanes>;

/// The first `count` <= lanes entries at p, then zeros.
[[gnu::always_inline]] inline simd::Floats load_count(const float* p, AllLanes) { return simd::load(p); }
[[gnu::always_inline]] inline simd::Floats load_count(const float* p, std::size_t count) {
    return count == simd::lanes ? simd::load(p) : simd::load_first(p, count);
}
[[gnu::always_inline]] inline void store_count(float* p, simd::Floats v, AllLanes) { simd::store(p, v); }
[[gnu::always_inline]] inline void store_count(float* p, simd::Floats v, std::size_t count) {
    if (count == simd::lanes)
        simd::store(p, v);
    else
        simd::store_first(p, v, count);
}

/// f(j, count) for the vectors of [begin, end), in order; count < lanes for the last one at most, AllLanes otherwise.
template <class F>
[[gnu::always_inline]] inline void for_vectors(std::size_t begin, std::size_t end, F&& f) {
    std::size_t j = begin;
    for (; j + simd::lanes <= end; j += simd::lanes) f(j, AllLanes{});
    const std::size_t left = end - j;
    if (left >= simd::lanes) __builtin_unreachable(); // so that loads of the last vector need not ask
    if (left > 0) f(j, left);
}

/// K sums over [0, n) of the vectors that f(j, count) returns; what lies beyond count must be 0.
template <std::size_t K, class F>
[[gnu::always_inline]] inline std::array<double, K> row_sums(std::size_t n, F&& f) {
    using simd::Floats, simd::lanes;
    std::array<double, K> totals{};
    for (std::size_t begin = 0; begin < n; begin += sum_block) {
        const std::size_t end = std::min(begin + sum_block, n);
        std::array<Floats, K> even{}, odd{};
        const auto add = [](std::array<Floats, K>& sums, const std::array<Floats, K>& terms) {
            for (std::size_t k = 0; k < K; ++k) sums[k] += terms[k];
        };
        std::size_t j = begin;
        for (; j + 2 * lanes <= end; j += 2 * lanes) {
            add(even, f(j, lanes));
            add(odd, f(j + lanes, lanes));
        }
        for_vectors(j, end, [&](std::size_t at, std::size_t count) { add(even, f(at, count)); });
        for (std::size_t k = 0; k < K; ++k) totals[k] += static_cast<double>(sum_lanes(even[k] + odd[k]));
    }
    return totals;
}

} // namespace mlcore::nn
