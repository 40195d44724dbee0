#include "neighbors/rounding.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::neighbors {
namespace {

double error_of(std::size_t d) { return (1.05 * static_cast<double>(d) + 32) * 0x1p-24; }

std::vector<double> mean_of(const RunContext& ctx, MatrixView<const double> points) {
    const std::size_t d = points.cols;
    const double share = 1 / static_cast<double>(points.rows); // first, lest the sum is too large
    return parallel_reduce(
        ctx, points.rows, static_cast<double>(d), std::vector<double>(d, 0.0),
        [&](std::size_t begin, std::size_t end) {
            std::vector<double> sum(d, 0.0);
            for (std::size_t i = begin; i < end; ++i)
                for (std::size_t j = 0; j < d; ++j) sum[j] += share * points(i, j);
            return sum;
        },
        [](std::vector<double> total, const std::vector<double>& part) {
            for (std::size_t j = 0; j < total.size(); ++j) total[j] += part[j];
            return total;
        });
}

/// The largest coordinate, as a distance from the centre.
double reach_of(const RunContext& ctx, MatrixView<const double> points, const std::vector<double>& centre) {
    return parallel_reduce(
        ctx, points.rows, static_cast<double>(points.cols), 0.0,
        [&](std::size_t begin, std::size_t end) {
            double reach = 0;
            for (std::size_t i = begin; i < end; ++i)
                for (std::size_t j = 0; j < points.cols; ++j)
                    reach = std::max(reach, std::abs(points(i, j) - centre[j]));
            return reach;
        },
        [](double a, double b) { return std::max(a, b); });
}

} // namespace

Rounding::Rounding(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries)
    : centre_(mean_of(ctx, points)), error_(error_of(points.cols)) {
    set_scale(std::max(reach_of(ctx, points, centre_), reach_of(ctx, queries, centre_)));
}

Rounding::Rounding(const KdTree& tree) : centre_(tree.dim()), error_(error_of(tree.dim())) {
    const double *lower = tree.lower(0), *upper = tree.upper(0);
    double reach = 0;
    for (std::size_t j = 0; j < tree.dim(); ++j) {
        centre_[j] = lower[j] / 2 + upper[j] / 2; // halves, lest the sum is too large
        reach = std::max({reach, upper[j] - centre_[j], centre_[j] - lower[j]});
    }
    set_scale(reach);
}

void Rounding::set_scale(double reach) {
    if (reach > 0) unit_ = std::ldexp(1.0, -std::clamp(std::ilogb(reach), -500, 1000) - 1); // reach * unit: 1/2 to 1
    // Products of float32 near 1 lose far less than the first; float64 sums of squares lose less than the second.
    absolute_ = 1e-30 + in_unit(1e-300);
}

} // namespace mlcore::neighbors
