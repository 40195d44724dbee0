// Errors of numbers beside loops in long double, for every layout and number of threads.
#include "check.hpp"
#include "metrics/errors/errors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

std::vector<double> values(std::size_t n, std::size_t seed) {
    std::vector<double> x(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = 0.1 + static_cast<double>((i * 7919 + seed * 104729) % 1013) / 100;
    return x;
}

Numbers view(const std::vector<double>& x, std::ptrdiff_t stride = 1) {
    return {x.data(), x.size() / static_cast<std::size_t>(stride), stride, true};
}

long double naive(Error error, long double parameter, long double t, long double p) {
    switch (error) {
    case Error::absolute:
        return std::abs(t - p);
    case Error::squared:
        return (t - p) * (t - p);
    case Error::percentage:
        return std::abs(t - p) / std::max(std::abs(t), 2.220446049250313e-16L);
    case Error::squared_log:
        return std::pow(std::log1p(t) - std::log1p(p), 2);
    case Error::pinball:
        return t >= p ? parameter * (t - p) : (1 - parameter) * (p - t);
    default:
        break;
    }
    const long double q = parameter;
    if (q == 0) return (t - p) * (t - p);
    if (q == 1) return 2 * ((t == 0 ? 0 : t * std::log(t / p)) - t + p);
    if (q == 2) return 2 * (std::log(p / t) + t / p - 1);
    return 2 * (std::pow(q < 0 ? std::max(t, 0.0L) : t, 2 - q) / ((1 - q) * (2 - q)) -
                t * std::pow(p, 1 - q) / (1 - q) + std::pow(p, 2 - q) / (2 - q));
}

} // namespace

TEST(sums) {
    const std::vector<std::pair<Error, double>> kinds{
        {Error::absolute, 0},  {Error::squared, 0},  {Error::percentage, 0}, {Error::squared_log, 0},
        {Error::pinball, 0.3}, {Error::tweedie, 0},  {Error::tweedie, 1},    {Error::tweedie, 2},
        {Error::tweedie, 1.5}, {Error::tweedie, -1}, {Error::tweedie, 3}};
    for (const auto& [error, parameter] : kinds)
        for (const std::size_t n : {1u, 15u, 16u, 17u, 4096u, 4097u, 30'000u})
            for (const std::ptrdiff_t stride : {1, 2}) {
                const auto s = static_cast<std::size_t>(stride);
                const std::vector<double> t = values(n * s, 1), p = values(n * s, 2), w = values(n, 3);
                long double plain = 0, weighted = 0;
                for (std::size_t i = 0; i < n; ++i) {
                    plain += naive(error, parameter, t[i * s], p[i * s]);
                    weighted += w[i] * naive(error, parameter, t[i * s], p[i * s]);
                }
                double first = 0;
                for (const int n_threads : {1, 2, 3}) {
                    StandaloneRun run(n_threads);
                    const ErrorSum a = error_sum(run.context, error, parameter, view(t, stride), view(p, stride), {});
                    const ErrorSum b = error_sum(run.context, error, parameter, view(t, stride), view(p, stride), w);
                    // deviances are differences of terms of the size of t
                    const double tolerance = 1e-12 * (static_cast<double>(plain) + static_cast<double>(n));
                    CHECK_CLOSE(a.sum, static_cast<double>(plain), tolerance);
                    CHECK_CLOSE(b.sum, static_cast<double>(weighted), 10 * tolerance);
                    if (n_threads == 1) first = a.sum;
                    CHECK_EQUAL(a.sum, first);
                }
            }
}

TEST(small_numbers_keep_their_digits) {
    StandaloneRun run;
    const std::vector<double> t{1e-12, 3e-9, 0}, p{2e-12, 1e-9, 1e-15};
    long double expected = 0;
    for (std::size_t i = 0; i < 3; ++i) expected += naive(Error::squared_log, 0, t[i], p[i]);
    const double sum = error_sum(run.context, Error::squared_log, 0, view(t), view(p), {}).sum;
    CHECK_CLOSE(sum / static_cast<double>(expected), 1.0, 1e-12);
}

TEST(float_and_constant) {
    StandaloneRun run;
    const std::vector<float> t{1, 2, 4};
    const double two = 2;
    const Numbers numbers{t.data(), 3, 1, false}, constant{&two, 3, 0, true};
    CHECK_EQUAL(error_sum(run.context, Error::squared, 0, numbers, constant, {}).sum, 5.0);
    CHECK_EQUAL(largest_error(run.context, numbers, constant), 2.0);
}

TEST(bounds) {
    StandaloneRun run;
    std::vector<double> t = values(9000, 1), p = values(9000, 2);
    t[8999] = -3;
    p[5] = -0.5;
    const ErrorSum sum = error_sum(run.context, Error::tweedie, 0, view(t), view(p), {});
    CHECK_EQUAL(sum.lowest_true, -3.0);
    CHECK_EQUAL(sum.lowest_predicted, -0.5);
    CHECK(sum.finite);
    p[4] = std::numeric_limits<double>::infinity();
    CHECK(!error_sum(run.context, Error::tweedie, 3, view(t), view(p), {}).finite);
    t[7000] = std::numeric_limits<double>::quiet_NaN();
    CHECK(std::isnan(largest_error(run.context, view(t), view(p))));
}

TEST(variance) {
    StandaloneRun run(2);
    const std::vector<double> t = values(20'000, 1), p = values(20'000, 2), w = values(20'000, 3);
    long double weight = 0, mean_t = 0, mean_d = 0, squared = 0, total = 0, unexplained = 0;
    for (std::size_t i = 0; i < t.size(); ++i) {
        weight += w[i];
        mean_t += w[i] * static_cast<long double>(t[i]);
        mean_d += w[i] * (static_cast<long double>(t[i]) - p[i]);
    }
    mean_t /= weight;
    mean_d /= weight;
    for (std::size_t i = 0; i < t.size(); ++i) {
        const long double d = static_cast<long double>(t[i]) - p[i];
        squared += w[i] * d * d;
        total += w[i] * (t[i] - mean_t) * (t[i] - mean_t);
        unexplained += w[i] * (d - mean_d) * (d - mean_d);
    }
    const VarianceSums sums = variance_sums(run.context, view(t), view(p), w);
    CHECK_CLOSE(sums.squared / static_cast<double>(squared), 1.0, 1e-12);
    CHECK_CLOSE(sums.total / static_cast<double>(total), 1.0, 1e-12);
    CHECK_CLOSE(sums.unexplained / static_cast<double>(unexplained), 1.0, 1e-12);
    CHECK_CLOSE(sums.mean_true, static_cast<double>(mean_t), 1e-12);
    const std::vector<double> constant(7, 0.1);
    CHECK_EQUAL(variance_sums(run.context, view(constant), view(constant), {}).total, 0.0);
}

TEST(quantiles) {
    StandaloneRun run;
    for (const std::size_t n : {1u, 2u, 3u, 10u, 4095u, 4096u, 10'001u}) {
        std::vector<double> x = values(n, 5);
        for (std::size_t i = 0; i < n; i += 3) x[i] = -x[i];
        std::vector<double> sorted = x, ones(n, 1.0);
        std::sort(sorted.begin(), sorted.end());
        for (const double level : {0.0, 0.25, 0.5, 0.9, 1.0}) {
            const double wanted = level * static_cast<double>(n);
            const auto at = static_cast<std::size_t>(std::max(std::ceil(wanted) - 1, 0.0));
            const bool between = wanted == static_cast<double>(at + 1) && at + 1 < n;
            const double expected = between ? (sorted[at] + sorted[at + 1]) / 2 : sorted[at];
            CHECK_EQUAL(weighted_quantile(x, {}, level), expected);
            CHECK_EQUAL(weighted_quantile(x, ones, level), expected);
        }
        CHECK_EQUAL(median_error(run.context, view(x), view(x), {}), 0.0);
    }
    // values without weight do not count
    const std::vector<double> x{5, 1, 2, 3, 9}, w{0, 0, 1, 1, 0};
    CHECK_EQUAL(weighted_quantile(x, w, 0.5), 2.5);
    CHECK_EQUAL(weighted_quantile(x, w, 0.0), 2.0);
    CHECK_EQUAL(weighted_quantile(x, w, 1.0), 3.0);
}
