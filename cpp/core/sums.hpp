// Sums whose order of additions is fixed by the data alone, so that rounding gives the same bits for any number of
// threads and any width of vectors.
#pragma once

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"

#include <algorithm>
#include <cstddef>

namespace mlcore {

/// term(0) + ... + term(n - 1) in n_lanes sums, a power of two, which are then added in pairs.
template <std::size_t n_lanes, class Term>
[[gnu::always_inline]] inline auto sum_in_lanes(std::size_t n, Term&& term) {
    decltype(term(n)) lane[n_lanes] = {};
    std::size_t i = 0;
    for (; i + n_lanes <= n; i += n_lanes)
        for (std::size_t l = 0; l < n_lanes; ++l) lane[l] += term(i + l);
    for (std::size_t l = 0; i < n; ++i, ++l) lane[l] += term(i);
    for (std::size_t width = n_lanes / 2; width > 0; width /= 2)
        for (std::size_t l = 0; l < width; ++l) lane[l] += lane[l + width];
    return lane[0];
}

/// out (size) += what f(part, sum, thread) adds to sum (size), part after part. How the work is cut into parts decides
/// the bits, so n_parts must not depend on the number of threads. Each part has memory of its own for its sums, but
/// where there is one part alone, which adds to out.
template <class F>
void parallel_sums(const RunContext& ctx, std::size_t n_parts, double ns_per_part, std::size_t size, double* out,
                   F&& f) {
    if (n_parts == 1) return parallel_tasks(ctx, 1, ns_per_part, [&](std::size_t, int thread) { f(0, out, thread); });
    const std::size_t stride = simd::round_up(size, cache_line / sizeof(double));
    Scratch<double> sums(n_parts * stride);
    parallel_tasks(ctx, n_parts, ns_per_part, [&](std::size_t part, int thread) {
        double* sum = sums.data() + part * stride;
        std::fill_n(sum, size, 0.0);
        f(part, sum, thread);
    });
    parallel_ranges(ctx, size, 0.3 * static_cast<double>(n_parts), [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t part = 0; part < n_parts; ++part)
            for (std::size_t k = begin; k < end; ++k) out[k] += sums[part * stride + k];
    });
}

/// The same over n items, cut into n_parts of equal size: f(begin, end, sum, thread).
template <class F>
void parallel_sums_over(const RunContext& ctx, std::size_t n, std::size_t n_parts, double ns_per_item, std::size_t size,
                        double* out, F&& f) {
    const std::size_t each = (n + n_parts - 1) / n_parts;
    parallel_sums(ctx, n_parts, ns_per_item * static_cast<double>(each), size, out,
                  [&](std::size_t part, double* sum, int thread) {
                      f(std::min(part * each, n), std::min((part + 1) * each, n), sum, thread);
                  });
}

} // namespace mlcore
