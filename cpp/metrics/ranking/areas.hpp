// Numbers that sum up a column of scores: area under the receiver operating characteristic, average precision, and the
// statistic of Kolmogorov and Smirnov. Without weights the area is a ratio of whole numbers, exact but for one
// rounding.
#pragma once

#include "core/context.hpp"
#include "metrics/ranking/cuts.hpp"

namespace mlcore::metrics {

/// NaN where a class has no weight.
struct Area {
    double value = 0;
    ClassTotals totals;
    bool descends = false; // negative weights made the false positives decrease: there is no area
};

/// By trapezoids over (fp / negative, tp / positive).
template <class Row>
Area roc_area(const RunContext& ctx, const SortedScores<Row>& sorted);

/// The same up to a rate of false positives in (0, 1), scaled so that 0.5 is a random order and 1 the best (McClish,
/// "Analyzing a portion of the ROC curve", 1989).
template <class Row>
Area partial_roc_area(const SortedScores<Row>& sorted, double max_fpr);

/// Sum over cuts of (tp - tp of the cut above) / positive * tp / (tp + fp); 0 without positive rows.
template <class Row>
Area average_precision(const RunContext& ctx, const SortedScores<Row>& sorted);

/// Largest difference between tp / positive and fp / negative.
template <class Row>
Area ks_statistic(const SortedScores<Row>& sorted);

} // namespace mlcore::metrics
