// Metrics of resamples: n rows drawn with replacement from n. A resample is told by how often each row was drawn, so
// that scores are sorted once and a resample is one pass over counts of 8 bits (a count of 256 has a chance of less
// than 1 in 256!, and a resample that had one would only count it as 0).
//
// Resample i draws from a random stream of its own, so that it does not matter which thread makes it.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "metrics/ranking/score_sort.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace mlcore::metrics {

enum class ResampledMetric { roc_auc, average_precision, ks_statistic };

/// Which rows are drawn in the place of which.
struct Strata {
    std::span<const std::uint8_t> of_row; // 0 or 1; empty: any row in the place of any
};

/// How often each of n rows is in resample number `resample` of a seed. The functions below draw the same counts.
void draw_counts(std::uint64_t seed, std::uint64_t resample, std::size_t n, const Strata& strata, std::uint8_t* counts);

/// out: the metric of each resample of the sorted rows, NaN where it lacks a class. stratified: as many rows of each
/// class as there are.
template <class Row>
void resample_metric(const RunContext& ctx, ResampledMetric metric, const SortedScores<Row>& sorted, bool stratified,
                     std::span<double> out);

/// out[resample * n_cells + c]: sum of the weights of the rows of cell c in each resample, in the rows' order. weights:
/// one a row, or none.
void resample_cells(const RunContext& ctx, std::span<const std::uint8_t> cells, std::size_t n_cells,
                    std::span<const double> weights, const Strata& strata, std::span<double> out);

/// out: weighted mean of a value a row, of each resample; NaN where it has no weight.
void resample_means(const RunContext& ctx, std::span<const double> values, std::span<const double> weights,
                    const Strata& strata, std::span<double> out);

} // namespace mlcore::metrics
