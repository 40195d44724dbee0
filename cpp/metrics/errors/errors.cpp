#include "metrics/errors/errors.hpp"

#include "core/parallel.hpp"
#include "core/sums.hpp"
#include "core/vecmath.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace mlcore::metrics {
namespace {

constexpr std::size_t lanes = 16;
constexpr double eps = std::numeric_limits<double>::epsilon();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// One block of a column as doubles: in place where it lies so already.
class Block {
  public:
    Block(const Numbers& numbers, std::size_t begin, std::size_t end) {
        if (numbers.is_double && numbers.stride == 1) {
            data_ = static_cast<const double*>(numbers.data) + begin;
        } else {
            copy_numbers(numbers, begin, end, copy_.data());
            data_ = copy_.data();
        }
    }

    double operator[](std::size_t i) const { return data_[i]; }
    const double* data() const { return data_; }

  private:
    const double* data_;
    std::array<double, reduce_block> copy_;
};

/// log(1 + x), all digits for small x (Kahan): what rounding 1 + x to u takes away is given back by x / (u - 1).
double log1p(double x) {
    const double u = 1 + x, d = u - 1;
    const double scaled = vm::log_(u) * (x / d);
    return d == 0 ? x : scaled;
}

/// t log(t / p), 0 for t = 0.
double xlog(double t, double p) {
    const double value = t * vm::log_(t / p);
    return t == 0 ? 0.0 : value;
}

/// f(term) for the error of one row.
template <class F>
ErrorSum with_term(Error error, double parameter, F&& f) {
    switch (error) {
    case Error::absolute:
        return f([](double t, double p) { return std::abs(p - t); });
    case Error::squared:
        return f([](double t, double p) { return (t - p) * (t - p); });
    case Error::percentage:
        return f([](double t, double p) { return std::abs(p - t) / std::max(std::abs(t), eps); });
    case Error::squared_log:
        return f([](double t, double p) {
            const double gap = log1p(t) - log1p(p);
            return gap * gap;
        });
    case Error::pinball:
        return f([alpha = parameter](double t, double p) {
            const double gap = t - p, sign = gap >= 0 ? 1.0 : 0.0;
            return alpha * sign * gap - (1 - alpha) * (1 - sign) * gap;
        });
    default:
        break;
    }
    const double power = parameter;
    if (power == 0) return f([](double t, double p) { return (t - p) * (t - p); });
    if (power == 1) return f([](double t, double p) { return 2 * (xlog(t, p) - t + p); });
    if (power == 2) return f([](double t, double p) { return 2 * (vm::log_(p / t) + t / p - 1); });
    return f([power](double t, double p) {
        const double base = power < 0 ? std::max(t, 0.0) : t;
        return 2 * (std::pow(base, 2 - power) / ((1 - power) * (2 - power)) - t * std::pow(p, 1 - power) / (1 - power) +
                    std::pow(p, 2 - power) / (2 - power));
    });
}

double lowest_of(const double* x, std::size_t n) {
    double lowest = infinity;
    for (std::size_t i = 0; i < n; ++i) lowest = x[i] < lowest ? x[i] : lowest;
    return lowest;
}

bool all_finite(const double* x, std::size_t n) {
    double probe = 0; // NaN as soon as one is not finite
    for (std::size_t i = 0; i < n; ++i) probe += x[i] * 0;
    return probe == 0;
}

double nan_aware_max(double a, double b) { return std::isnan(a) || a > b ? a : b; }

template <class Term>
double weighted_sum(std::span<const double> weight, std::size_t begin, std::size_t n, Term&& term) {
    if (weight.empty()) return sum_in_lanes<lanes>(n, term);
    const double* w = weight.data() + begin;
    return sum_in_lanes<lanes>(n, [&](std::size_t i) { return w[i] * term(i); });
}

} // namespace

void copy_numbers(const Numbers& numbers, std::size_t begin, std::size_t end, double* out) {
    const auto copy = [&](const auto* data) {
        for (std::size_t i = begin; i < end; ++i)
            out[i - begin] = static_cast<double>(data[static_cast<std::ptrdiff_t>(i) * numbers.stride]);
    };
    if (numbers.is_double)
        copy(static_cast<const double*>(numbers.data));
    else
        copy(static_cast<const float*>(numbers.data));
}

ErrorSum error_sum(const RunContext& ctx, Error error, double parameter, const Numbers& y_true, const Numbers& y_pred,
                   std::span<const double> weight) {
    const bool bounded = error == Error::squared_log || error == Error::tweedie;
    const bool heavy = error == Error::squared_log || (error == Error::tweedie && parameter != 0);
    return with_term(error, parameter, [&](auto term) {
        return parallel_reduce(
            ctx, y_true.size, heavy ? 10.0 : 1.0, ErrorSum{0, infinity, infinity, true},
            [&](std::size_t begin, std::size_t end) {
                const std::size_t n = end - begin;
                const Block t(y_true, begin, end), p(y_pred, begin, end);
                ErrorSum part;
                part.sum = weighted_sum(weight, begin, n, [&](std::size_t i) { return term(t[i], p[i]); });
                if (bounded) {
                    part.lowest_true = lowest_of(t.data(), n);
                    part.lowest_predicted = lowest_of(p.data(), n);
                    part.finite = all_finite(t.data(), n) && all_finite(p.data(), n);
                }
                return part;
            },
            [](const ErrorSum& a, const ErrorSum& b) {
                return ErrorSum{a.sum + b.sum, std::min(a.lowest_true, b.lowest_true),
                                std::min(a.lowest_predicted, b.lowest_predicted), a.finite && b.finite};
            });
    });
}

double largest_error(const RunContext& ctx, const Numbers& y_true, const Numbers& y_pred) {
    return parallel_reduce(
        ctx, y_true.size, 1.0, 0.0,
        [&](std::size_t begin, std::size_t end) {
            const Block t(y_true, begin, end), p(y_pred, begin, end);
            double largest = 0, probe = 0;
            for (std::size_t i = 0; i < end - begin; ++i) {
                const double gap = std::abs(t[i] - p[i]);
                probe += gap;
                largest = gap > largest ? gap : largest;
            }
            return std::isnan(probe) ? probe : largest;
        },
        nan_aware_max);
}

VarianceSums variance_sums(const RunContext& ctx, const Numbers& y_true, const Numbers& y_pred,
                           std::span<const double> weight) {
    const std::size_t n = y_true.size;
    struct First {
        double weight = 0, true_sum = 0, gap_sum = 0;
    };
    // Values are taken from the first one of weight: the variance of a constant is then 0, not what rounding makes it.
    std::size_t origin = 0;
    while (origin + 1 < n && !weight.empty() && weight[origin] == 0) ++origin;
    double t0 = 0, p0 = 0;
    if (n > 0) {
        copy_numbers(y_true, origin, origin + 1, &t0);
        copy_numbers(y_pred, origin, origin + 1, &p0);
    }
    const double d0 = t0 - p0;
    const First sums = parallel_reduce(
        ctx, n, 1.0, First{},
        [&](std::size_t begin, std::size_t end) {
            const Block t(y_true, begin, end), p(y_pred, begin, end);
            const std::size_t m = end - begin;
            return First{weighted_sum(weight, begin, m, [](std::size_t) { return 1.0; }),
                         weighted_sum(weight, begin, m, [&](std::size_t i) { return t[i] - t0; }),
                         weighted_sum(weight, begin, m, [&](std::size_t i) { return (t[i] - p[i]) - d0; })};
        },
        [](const First& a, const First& b) {
            return First{a.weight + b.weight, a.true_sum + b.true_sum, a.gap_sum + b.gap_sum};
        });
    const double mean_true = t0 + sums.true_sum / sums.weight, mean_gap = d0 + sums.gap_sum / sums.weight;
    VarianceSums zero{sums.weight, 0, 0, 0, mean_true};
    return parallel_reduce(
        ctx, n, 1.5, zero,
        [&](std::size_t begin, std::size_t end) {
            const Block t(y_true, begin, end), p(y_pred, begin, end);
            const std::size_t m = end - begin;
            VarianceSums part = zero;
            part.squared = weighted_sum(weight, begin, m, [&](std::size_t i) { return (t[i] - p[i]) * (t[i] - p[i]); });
            part.total =
                weighted_sum(weight, begin, m, [&](std::size_t i) { return (t[i] - mean_true) * (t[i] - mean_true); });
            part.unexplained = weighted_sum(weight, begin, m, [&](std::size_t i) {
                const double gap = (t[i] - p[i]) - mean_gap;
                return gap * gap;
            });
            return part;
        },
        [](VarianceSums a, const VarianceSums& b) {
            a.squared += b.squared;
            a.total += b.total;
            a.unexplained += b.unexplained;
            return a;
        });
}

double weighted_quantile(std::span<const double> values, std::span<const double> weight, double level) {
    const std::size_t n = values.size();
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return values[a] < values[b] || (values[a] == values[b] && a < b); });
    std::vector<double> upto(n); // weight of all values up to this one
    double sum = 0;
    for (std::size_t k = 0; k < n; ++k) upto[k] = sum += weight.empty() ? 1.0 : weight[order[k]];
    double wanted = level * sum;
    if (wanted == 0) wanted = std::numeric_limits<double>::denorm_min(); // values without weight do not count
    const auto at = std::min<std::size_t>(
        static_cast<std::size_t>(std::lower_bound(upto.begin(), upto.end(), wanted) - upto.begin()), n - 1);
    const double value = values[order[at]];
    if (upto[at] - wanted > eps) return value;
    // Exactly the wanted share: the mean with the next value that has weight.
    std::size_t next = std::min(at + 1, n - 1);
    if (!weight.empty() && weight[order[next]] == 0) {
        next = static_cast<std::size_t>(std::upper_bound(upto.begin(), upto.end(), upto[at]) - upto.begin());
        if (next > n - 1) next = at;
    }
    return (value + values[order[next]]) / 2;
}

double median_error(const RunContext& ctx, const Numbers& y_true, const Numbers& y_pred,
                    std::span<const double> weight) {
    const std::size_t n = y_true.size;
    std::vector<double> gaps(n);
    parallel_ranges(ctx, n, 1.0, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t b = begin; b < end; b += reduce_block) {
            const std::size_t e = std::min(end, b + reduce_block);
            const Block t(y_true, b, e), p(y_pred, b, e);
            for (std::size_t i = b; i < e; ++i) gaps[i] = std::abs(p[i - b] - t[i - b]);
        }
    });
    if (std::any_of(gaps.begin(), gaps.end(), [](double gap) { return std::isnan(gap); }))
        return std::numeric_limits<double>::quiet_NaN();
    if (!weight.empty()) return weighted_quantile(gaps, weight, 0.5);
    const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(n / 2);
    std::nth_element(gaps.begin(), middle, gaps.end());
    if (n % 2 == 1) return *middle;
    return (*std::max_element(gaps.begin(), middle) + *middle) / 2;
}

} // namespace mlcore::metrics
