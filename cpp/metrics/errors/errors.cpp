#include "metrics/errors/errors.hpp"

#include "core/parallel.hpp"
#include "core/sums.hpp"
#include "core/vecmath.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
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

template <class Term>
double weighted_sum(std::span<const double> weight, std::size_t begin, std::size_t n, Term&& term) {
    if (weight.empty()) return sum_in_lanes<lanes>(n, term);
    const double* w = weight.data() + begin;
    return sum_in_lanes<lanes>(n, [&](std::size_t i) { return w[i] * term(i); });
}

/// out = log(1 + x), all digits for small x (Kahan): what rounding 1 + x to u takes away is given back by x / (u - 1).
void log1p(const Block& x, std::size_t n, double* out) {
    for (std::size_t i = 0; i < n; ++i) out[i] = 1 + x[i];
    vm::log(out, out, n);
    for (std::size_t i = 0; i < n; ++i) {
        const double step = (1 + x[i]) - 1, scaled = out[i] * (x[i] / step);
        out[i] = step == 0 ? x[i] : scaled;
    }
}

/// Logarithms of a block. They start as zeros, or GCC 12 doubts that they are written.
using Logs = std::array<double, reduce_block>;

/// sum_i w_i error_i of the rows of a block that starts at `begin`. Logarithms are taken a block at a time, by vectors.
double block_error(Error error, double parameter, const Block& t, const Block& p, std::span<const double> weight,
                   std::size_t begin, std::size_t n) {
    const auto sum = [&](auto term) {
        return weighted_sum(weight, begin, n, [&](std::size_t i) { return term(t[i], p[i], i); });
    };
    switch (error) {
    case Error::absolute:
        return sum([](double x, double y, std::size_t) { return std::abs(y - x); });
    case Error::squared:
        return sum([](double x, double y, std::size_t) { return (x - y) * (x - y); });
    case Error::percentage:
        return sum([](double x, double y, std::size_t) { return std::abs(y - x) / std::max(std::abs(x), eps); });
    case Error::pinball:
        return sum([alpha = parameter](double x, double y, std::size_t) {
            const double gap = x - y, sign = gap >= 0 ? 1.0 : 0.0;
            return alpha * sign * gap - (1 - alpha) * (1 - sign) * gap;
        });
    case Error::squared_log: {
        Logs a{}, b{};
        log1p(t, n, a.data());
        log1p(p, n, b.data());
        return sum([&](double, double, std::size_t i) { return (a[i] - b[i]) * (a[i] - b[i]); });
    }
    default:
        break;
    }
    const double power = parameter;
    if (power == 0) return sum([](double x, double y, std::size_t) { return (x - y) * (x - y); });
    if (power == 1) {
        Logs a{};
        for (std::size_t i = 0; i < n; ++i) a[i] = t[i] / p[i];
        vm::log(a.data(), a.data(), n);
        return sum([&](double x, double y, std::size_t i) { return 2 * ((x == 0 ? 0.0 : x * a[i]) - x + y); });
    }
    if (power == 2) {
        Logs a{};
        for (std::size_t i = 0; i < n; ++i) a[i] = p[i] / t[i];
        vm::log(a.data(), a.data(), n);
        return sum([&](double x, double y, std::size_t i) { return 2 * (a[i] + x / y - 1); });
    }
    return sum([power](double x, double y, std::size_t) {
        const double base = power < 0 ? std::max(x, 0.0) : x;
        return 2 * (std::pow(base, 2 - power) / ((1 - power) * (2 - power)) - x * std::pow(y, 1 - power) / (1 - power) +
                    std::pow(y, 2 - power) / (2 - power));
    });
}

/// The bits of x as a number that grows with it.
std::uint64_t ordered_bits(double x) {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    return bits >> 63 ? ~bits : bits | std::uint64_t{1} << 63;
}

/// The value of this rank, from 0, and the one of the next (the same for the last). Values are counted by their upper
/// 16 bits, so that only those that share them with the one sought are put in order.
std::pair<double, double> neighbours(std::span<const double> values, std::size_t rank) {
    const auto bucket = [](double x) { return static_cast<std::size_t>(ordered_bits(x) >> 48); };
    std::vector<double> close;
    double above = infinity; // lowest value beyond those that are close
    std::size_t n_below = 0;
    if (values.size() < 4096) {
        close.assign(values.begin(), values.end());
    } else {
        std::vector<std::uint32_t> count(65536, 0);
        for (const double x : values) ++count[bucket(x)];
        std::size_t wanted = 0;
        while (n_below + count[wanted] <= rank) n_below += count[wanted++];
        for (const double x : values) {
            if (bucket(x) == wanted)
                close.push_back(x);
            else if (bucket(x) > wanted)
                above = std::min(above, x);
        }
    }
    const auto at = close.begin() + static_cast<std::ptrdiff_t>(rank - n_below);
    std::nth_element(close.begin(), at, close.end());
    if (rank + 1 == values.size()) return {*at, *at};
    const double next = at + 1 == close.end() ? above : *std::min_element(at + 1, close.end());
    return {*at, next};
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
    return parallel_reduce(
        ctx, y_true.size, heavy ? 10.0 : 1.0, ErrorSum{0, infinity, infinity, true},
        [&](std::size_t begin, std::size_t end) {
            const std::size_t n = end - begin;
            const Block t(y_true, begin, end), p(y_pred, begin, end);
            ErrorSum part;
            part.sum = block_error(error, parameter, t, p, weight, begin, n);
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
    if (weight.empty()) {
        const double total = static_cast<double>(n), wanted = level * total;
        const auto rank = std::min(n - 1, static_cast<std::size_t>(std::max(std::ceil(wanted) - 1, 0.0)));
        const bool between = !(static_cast<double>(rank + 1) - wanted > eps); // up to here exactly the wanted share
        const auto [value, next] = neighbours(values, rank);
        return between ? (value + next) / 2 : value;
    }
    std::vector<std::pair<double, double>> sorted(n); // value, weight
    for (std::size_t i = 0; i < n; ++i) sorted[i] = {values[i], weight[i]};
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<double> upto(n); // weight of all values up to this one
    double sum = 0;
    for (std::size_t k = 0; k < n; ++k) upto[k] = sum += sorted[k].second;
    double wanted = level * sum;
    if (wanted == 0) wanted = std::numeric_limits<double>::denorm_min(); // values without weight do not count
    const auto at = std::min<std::size_t>(
        static_cast<std::size_t>(std::lower_bound(upto.begin(), upto.end(), wanted) - upto.begin()), n - 1);
    const double value = sorted[at].first;
    if (upto[at] - wanted > eps) return value;
    // Exactly the wanted share: the mean with the next value that has weight.
    std::size_t next = std::min(at + 1, n - 1);
    if (sorted[next].second == 0) {
        next = static_cast<std::size_t>(std::upper_bound(upto.begin(), upto.end(), upto[at]) - upto.begin());
        if (next > n - 1) next = at;
    }
    return (value + sorted[next].first) / 2;
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
    return weighted_quantile(gaps, weight, 0.5);
}

} // namespace mlcore::metrics
