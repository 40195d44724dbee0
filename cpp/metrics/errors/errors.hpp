// Errors of predicted numbers p against true ones t, weighted by w (1 where there are no weights). All sums are taken
// in float64, in blocks of fixed size and order, whatever the threads.
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <span>

namespace mlcore::metrics {

enum class Error {
    absolute,    // |t - p|
    squared,     // (t - p)^2
    percentage,  // |t - p| / max(|t|, eps)
    squared_log, // (log(1 + t) - log(1 + p))^2
    pinball,     // parameter alpha: alpha (t - p) where t >= p, else (1 - alpha) (p - t)
    tweedie,     // parameter p: the unit deviance of the Tweedie distribution of this power
};

/// A column of numbers; strides in items. A stride of 0 is a constant.
struct Numbers {
    const void* data;
    std::size_t size;
    std::ptrdiff_t stride;
    bool is_double; // else float
};

struct ErrorSum {
    double sum = 0;                               // sum_i w_i error_i
    double lowest_true = 0, lowest_predicted = 0; // for squared_log and tweedie: what they may not be
    bool finite = true;                           // all t and p, for tweedie; the sums of the others show it themselves
};

ErrorSum error_sum(const RunContext& ctx, Error error, double parameter, const Numbers& y_true, const Numbers& y_pred,
                   std::span<const double> weight);

/// max_i |t_i - p_i|; NaN if one is.
double largest_error(const RunContext& ctx, const Numbers& y_true, const Numbers& y_pred);

/// Sums for R^2 and the explained variance, with d = t - p and weighted means of t and d.
struct VarianceSums {
    double weight;      // sum w
    double squared;     // sum w d^2
    double total;       // sum w (t - mean t)^2
    double unexplained; // sum w (d - mean d)^2
    double mean_true;
};

VarianceSums variance_sums(const RunContext& ctx, const Numbers& y_true, const Numbers& y_pred,
                           std::span<const double> weight);

/// The quantile of the given level in (0, 1): the lowest value up to which there is at least this share of the weight;
/// where there is exactly that share, the mean with the next value of weight. Reorders nothing; no NaN may be among
/// them.
double weighted_quantile(std::span<const double> values, std::span<const double> weight, double level);

/// Median of |t - p|, by weight if there are weights.
double median_error(const RunContext& ctx, const Numbers& y_true, const Numbers& y_pred,
                    std::span<const double> weight);

/// Values as doubles side by side.
void copy_numbers(const Numbers& numbers, std::size_t begin, std::size_t end, double* out);

} // namespace mlcore::metrics
