// The two passes that everything with a softmax in it makes over a row of logits: its maximum m, and e_j = e^(x_j - m)
// with the sum of them. Subtracting m keeps every e_j in [0, 1]: nothing overflows, and the sum is at least 1.
#pragma once

#include "core/simd.hpp"
#include "linalg/vector_functions.hpp"
#include "nn/row_sums.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace mlcore::nn {

inline constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

/// The largest of x (n); -infinity for n = 0. NaNs may or may not be found.
inline float row_max(const float* x, std::size_t n) {
    using simd::Floats, simd::lanes;
    constexpr std::size_t chains = 4;
    Floats most[chains];
    for (Floats& m : most) m = simd::broadcast(minus_infinity);
    std::size_t j = 0;
    for (; j + chains * lanes <= n; j += chains * lanes)
#pragma GCC unroll 4
        for (std::size_t c = 0; c < chains; ++c) most[c] = vf::max(simd::load(x + j + c * lanes), most[c]);
    for (; j + lanes <= n; j += lanes) most[0] = vf::max(simd::load(x + j), most[0]);
    const Floats all = vf::max(vf::max(most[0], most[1]), vf::max(most[2], most[3]));
    float result = all[0];
    for (std::size_t l = 1; l < lanes; ++l) result = std::max(result, all[l]);
    for (; j < n; ++j) result = std::max(result, x[j]);
    return result;
}

/// What a row gets whose row_max is infinite: NaN if there is one in it, else `value`.
inline float empty_row_value(const float* x, std::size_t n, float value) {
    for (std::size_t j = 0; j < n; ++j)
        if (x[j] != x[j]) return x[j];
    return value;
}

/// The sum of f(j, e^(x_j - m)) over vectors: f may store what it gets and returns it, or what else shall be summed.
template <class F>
[[gnu::always_inline]] inline double sum_exp(const float* x, std::size_t n, float m, F&& f) {
    using simd::Floats, simd::lanes;
    constexpr std::size_t chains = 4;
    double total = 0;
    for (std::size_t begin = 0; begin < n; begin += sum_block) {
        const std::size_t end = std::min(begin + sum_block, n);
        Floats sums[chains] = {};
        std::size_t j = begin;
        for (; j + chains * lanes <= end; j += chains * lanes)
#pragma GCC unroll 4
            for (std::size_t c = 0; c < chains; ++c) {
                const std::size_t at = j + c * lanes;
                sums[c] += f(at, simd::exp_negative(simd::load(x + at) - m), lanes);
            }
        for_vectors(j, end, [&](std::size_t at, auto count) {
            const Floats v = load_count(x + at, count) - m;
            const Floats here = count == lanes ? v : simd::first_lanes(count, v, simd::broadcast(minus_infinity));
            sums[0] += f(at, simd::exp_negative(here), count);
        });
        total += static_cast<double>(sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3])));
    }
    return total;
}

} // namespace mlcore::nn
