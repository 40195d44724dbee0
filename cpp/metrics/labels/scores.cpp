#include "metrics/labels/scores.hpp"

#include <cmath>
#include <limits>

namespace mlcore::metrics {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// numerator / denominator; `instead` and a note where the denominator is 0.
std::vector<double> divide(const std::vector<double>& numerator, const std::vector<double>& denominator, double instead,
                           bool& undefined) {
    std::vector<double> ratio(numerator.size());
    for (std::size_t k = 0; k < ratio.size(); ++k) {
        const bool zero = denominator[k] == 0;
        undefined |= zero;
        ratio[k] = zero ? instead : numerator[k] / denominator[k];
    }
    return ratio;
}

/// The mean of those that are not NaN, NaN if there are none; a plain mean where the weights add up to zero.
double mean_of_defined(const std::vector<double>& values, std::span<const double> weight) {
    std::vector<double> defined, weights, products;
    for (std::size_t k = 0; k < values.size(); ++k) {
        if (std::isnan(values[k])) continue;
        defined.push_back(values[k]);
        if (weight.empty()) continue;
        weights.push_back(weight[k]);
        products.push_back(values[k] * weight[k]);
    }
    const std::size_t n = defined.size();
    if (n == 0) return nan;
    if (weight.empty()) {
        // NumPy adds zeros for the NaN that it leaves out, in their places.
        std::vector<double> filled(values);
        for (double& value : filled)
            if (std::isnan(value)) value = 0;
        return numpy_sum(filled.data(), filled.size()) / static_cast<double>(n);
    }
    const double total = numpy_sum(weights.data(), n);
    if (total == 0) return numpy_sum(defined.data(), n) / static_cast<double>(n);
    return numpy_sum(products.data(), n) / total;
}

double dot(std::span<const double> a, std::span<const double> b) {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
    return sum;
}

double sum_of(std::span<const double> x) { return numpy_sum(x.data(), x.size()); }

} // namespace

double numpy_sum(const double* x, std::size_t n) {
    if (n < 8) {
        double sum = -0.0;
        for (std::size_t i = 0; i < n; ++i) sum += x[i];
        return sum + 0.0;
    }
    if (n <= 128) {
        double lane[8];
        for (std::size_t l = 0; l < 8; ++l) lane[l] = x[l];
        std::size_t i = 8;
        for (; i + 8 <= n; i += 8)
            for (std::size_t l = 0; l < 8; ++l) lane[l] += x[i + l];
        double sum = ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
        for (; i < n; ++i) sum += x[i];
        return sum;
    }
    const std::size_t half = n / 2 / 8 * 8;
    return numpy_sum(x, half) + numpy_sum(x + half, n - half);
}

Scores label_scores(std::span<const double> true_sums, std::span<const double> predicted_sums,
                    std::span<const double> hits, std::span<const double> row_weight, const ScoreOptions& options) {
    const std::size_t n = options.average == Average::micro ? 1 : hits.size();
    std::vector<double> tp(n), predicted(n), actual(n), either(n);
    if (options.average == Average::micro) {
        tp[0] = sum_of(hits);
        predicted[0] = sum_of(predicted_sums);
        actual[0] = sum_of(true_sums);
    } else {
        tp.assign(hits.begin(), hits.end());
        predicted.assign(predicted_sums.begin(), predicted_sums.end());
        actual.assign(true_sums.begin(), true_sums.end());
    }
    for (std::size_t k = 0; k < n; ++k) {
        const double fp = predicted[k] - tp[k], fn = actual[k] - tp[k];
        either[k] = tp[k] + fp + fn;
        predicted[k] = tp[k] + fp; // of weights, not always what it was: scikit-learn's rounding
        actual[k] = tp[k] + fn;
    }

    Scores scores;
    scores.precision = divide(tp, predicted, options.zero_division, scores.precision_undefined);
    scores.recall = divide(tp, actual, options.zero_division, scores.recall_undefined);
    scores.jaccard = divide(tp, either, options.zero_division, scores.jaccard_undefined);
    const double beta2 = options.beta * options.beta;
    if (options.beta == 0) {
        scores.f = scores.precision;
    } else if (std::isinf(options.beta)) {
        scores.f = scores.recall;
    } else {
        std::vector<double> numerator(n), denominator(n);
        for (std::size_t k = 0; k < n; ++k) {
            numerator[k] = (1 + beta2) * tp[k];
            denominator[k] = beta2 * actual[k] + predicted[k];
        }
        scores.f = divide(numerator, denominator, options.zero_division, scores.f_undefined);
    }
    if (options.average == Average::none) return scores;

    std::span<const double> weight;
    if (options.average == Average::weighted) weight = actual;
    if (options.average == Average::samples) weight = row_weight;
    for (std::vector<double>* values : {&scores.precision, &scores.recall, &scores.f, &scores.jaccard})
        *values = {mean_of_defined(*values, weight)};
    return scores;
}

double matthews(std::span<const double> true_sums, std::span<const double> predicted_sums,
                std::span<const double> hits) {
    const double n = sum_of(predicted_sums);
    const double covariance = sum_of(hits) * n - dot(true_sums, predicted_sums);
    const double product = (n * n - dot(predicted_sums, predicted_sums)) * (n * n - dot(true_sums, true_sums));
    return product == 0 ? 0.0 : covariance / std::sqrt(product);
}

Disagreement disagreement(std::span<const double> true_sums, std::span<const double> predicted_sums,
                          std::span<const double> hits) {
    const std::size_t k = hits.size();
    const double total = sum_of(predicted_sums);
    // Sums of what comes before and after a label: its complement without a difference, which would lose digits.
    std::vector<double> after(k + 1, 0.0);
    for (std::size_t i = k; i > 0; --i) after[i - 1] = after[i] + predicted_sums[i - 1];
    double before = 0, differing = 0, expected = 0;
    for (std::size_t i = 0; i < k; ++i) {
        expected += true_sums[i] * (before + after[i + 1]) / total;
        differing += true_sums[i] - hits[i];
        before += predicted_sums[i];
    }
    return {differing, expected, total};
}

Disagreement weighted_disagreement(const double* confusion, std::size_t k, bool quadratic) {
    std::vector<double> true_sums(k, 0.0), predicted_sums(k, 0.0);
    for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = 0; j < k; ++j) {
            true_sums[i] += confusion[i * k + j];
            predicted_sums[j] += confusion[i * k + j];
        }
    const double total = sum_of(predicted_sums);
    double differing = 0, expected = 0;
    for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = 0; j < k; ++j) {
            const double gap = i > j ? static_cast<double>(i - j) : static_cast<double>(j - i);
            const double weight = quadratic ? gap * gap : gap;
            differing += weight * confusion[i * k + j];
            expected += weight * (true_sums[i] * predicted_sums[j] / total);
        }
    return {differing, expected, total};
}

} // namespace mlcore::metrics
