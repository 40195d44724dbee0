// Precision, recall, F-beta, Jaccard and their averages from counts, and the coefficients of agreement.
// Averages are taken as NumPy takes them, in its order of additions, so that a printed report has the same digits.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace mlcore::metrics {

/// NumPy's sum of values that lie side by side: the same additions in the same order, so the same bits.
double numpy_sum(const double* x, std::size_t n);

enum class Average { none, micro, macro, weighted, samples };

/// What is asked of counts. For `samples` an entry of the counts is a row instead of a label.
struct ScoreOptions {
    Average average = Average::none;
    double beta = 1;          // of F-beta: 0 is precision, infinity recall
    double zero_division = 0; // stands for 0 / 0; NaN leaves it out of averages
};

/// Values a label, or one where they are averaged, and whether one of them was 0 / 0.
struct Scores {
    std::vector<double> precision, recall, f, jaccard;
    bool precision_undefined = false, recall_undefined = false, f_undefined = false, jaccard_undefined = false;
};

/// Counts tp + fn, tp + fp and tp of the labels (or rows) asked about; row_weight: of rows, for `samples`, or empty.
Scores label_scores(std::span<const double> true_sums, std::span<const double> predicted_sums,
                    std::span<const double> hits, std::span<const double> row_weight, const ScoreOptions& options);

/// Matthews' correlation coefficient; 0 where one column is constant.
double matthews(std::span<const double> true_sums, std::span<const double> predicted_sums,
                std::span<const double> hits);

/// Cohen's kappa is 1 - disagreement / expected; it is undefined where total or expected is 0.
struct Disagreement {
    double disagreement, expected, total;
};

/// Every disagreement counts alike.
Disagreement disagreement(std::span<const double> true_sums, std::span<const double> predicted_sums,
                          std::span<const double> hits);

/// A disagreement between the labels at i and j of C (k, k) counts |i - j|, or its square.
Disagreement weighted_disagreement(const double* confusion, std::size_t k, bool quadratic);

} // namespace mlcore::metrics
