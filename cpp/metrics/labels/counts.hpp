// How often each label occurs, is predicted, and is predicted where it occurs: what all metrics of labels are made of.
//   C (k, k)      rows whose label is i and whose prediction is j, counted or weighted
//   true_i        sum_j C_ij, rows of label i           (tp + fn, the support)
//   predicted_j   sum_i C_ij, rows with prediction j    (tp + fp)
//   hits_i        C_ii                                  (tp)
// C is kept for up to `most_cells` labels; for more the codes of the rows are, so that 100,000 labels take no square.
// Rows are cut into parts that depend on the data alone, and sums of weights are taken part by part: the bits of a
// result do not depend on threads. Counts are doubles, exact up to 2^53.
#pragma once

#include "metrics/labels/encode.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mlcore::metrics {

/// Labels for which C is kept.
inline constexpr std::size_t most_cells = 256;

struct LabelCounts {
    std::vector<std::int64_t> labels; // those that occur in either column, sorted; positions in a list for strings
    std::vector<std::uint8_t> occurs; // whether the label occurs in y_true (else in y_pred alone)
    std::vector<double> true_sums, predicted_sums, hits;    // (k)
    std::vector<double> cells;                              // C (k, k), for up to most_cells labels
    std::vector<std::uint32_t> true_codes, predicted_codes; // (n), for more
    bool any_hit = false;                                   // some prediction is right, whatever its weight
};

/// Counts of two columns of n rows, weighted by `weight` (n) unless it is empty. Nothing if a label is no whole number
/// (see label_range).
std::optional<LabelCounts> count_numbers(const RunContext& ctx, const LabelColumn& y_true, const LabelColumn& y_pred,
                                         std::span<const double> weight);

/// The same of codes in [0, n_labels); each of them occurs.
LabelCounts count_codes(const RunContext& ctx, std::vector<std::uint32_t> y_true, std::vector<std::uint32_t> y_pred,
                        std::size_t n_labels, std::span<const double> weight);

/// out (k, k) = C, however many labels there are.
void confusion(const LabelCounts& counts, std::span<const double> weight, double* out);

/// Sum of the weights, in fixed blocks; NaN or infinite if one is.
double weight_sum(const RunContext& ctx, std::span<const double> weight);

} // namespace mlcore::metrics
