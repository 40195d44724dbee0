// BLEU (Papineni et al., 2002) as sacreBLEU 2.6 computes it: from counts that are added up over the segments,
//     score = BP exp(mean of log p_n, n = 1 .. N),    p_n = 100 matched n-grams / n-grams of the hypotheses,
//     BP = 1, or exp(1 - r / c) where the hypotheses have c words, fewer than the r of the references nearest in
//     length.
// The smoothing methods are those of Chen and Cherry, "A systematic comparison of smoothing techniques for
// sentence-level BLEU" (WMT 2014).
#pragma once

#include "core/context.hpp"
#include "metrics/translation/segments.hpp"
#include "metrics/translation/token_classes.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::metrics {

enum class Smoothing {
    none,
    floor, // method 1: `value` matches in place of none
    add_k, // method 2: `value` is added to matches and n-grams of n > 1
    exp,   // method 3: 1/2, 1/4 ... matches for the first, second ... order that has none
};

struct BleuOptions {
    Smoothing smoothing = Smoothing::exp;
    double smooth_value = 0;
    bool effective_order = false; // leave out orders that the hypothesis is too short for
};

/// Columns of a row of statistics: words of the hypothesis, words of the reference nearest in length (the shorter one
/// of two), then max_order matches, then max_order n-grams of the hypothesis.
inline std::size_t bleu_columns(std::size_t max_order) { return 2 + 2 * max_order; }

/// Statistics (n_segments, bleu_columns). Each segment must have a reference.
std::vector<std::int64_t> bleu_statistics(const RunContext& ctx, const Segments& segments, const TokenClasses& classes,
                                          std::size_t max_order);

struct BleuScore {
    double score = 0;
    double brevity_penalty = 0;
    std::vector<double> precisions; // in percent
};

/// Of a row of statistics, or a sum of such rows.
BleuScore bleu_score(std::span<const std::int64_t> statistics, const BleuOptions& options);

} // namespace mlcore::metrics
