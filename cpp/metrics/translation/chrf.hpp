// chrF (Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015) and chrF++ (Popović, WMT
// 2017), which has n-grams of words too, as sacreBLEU 2.6 computes them: precision and recall of the n-grams of each
// order are averaged over the orders, then joined,
//     F = (1 + beta^2) P R / (beta^2 P + R).
#pragma once

#include "core/context.hpp"
#include "metrics/translation/segments.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::metrics {

struct ChrfOptions {
    std::size_t char_order = 6;
    std::size_t word_order = 0; // 2 for chrF++
    double beta = 2;            // recall counts beta^2 times as much as precision
    bool whitespace = false;    // is part of the characters
    bool eps_smoothing = false; // average the F-scores of the orders, in the place of effective orders

    /// Of a row of statistics: for each order, characters first, n-grams of the hypothesis (0 where the reference has
    /// none of the order), of the reference, and matches.
    std::size_t columns() const { return 3 * (char_order + word_order); }
};

/// Statistics (n_segments, columns), each against the reference with the best score. Each segment must have one.
std::vector<std::int64_t> chrf_statistics(const RunContext& ctx, const Segments& segments, const ChrfOptions& options);

/// Of a row of statistics, or a sum of such rows; in percent.
double chrf_score(std::span<const std::int64_t> statistics, const ChrfOptions& options);

} // namespace mlcore::metrics
