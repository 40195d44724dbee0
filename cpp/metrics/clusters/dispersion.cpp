#include "metrics/clusters/dispersion.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::metrics {
namespace {

/// out (n) = f(|x - mu_c|^2) of the row at each place of groups.order.
template <class F>
Buffer<double> from_centroids(const RunContext& ctx, MatrixView<const double> X, double scale,
                              const GroupedRows& groups, const Centroids& centers, F&& f) {
    const std::size_t n = groups.order.size(), d = X.cols;
    Buffer<double> out(n);
    parallel_ranges(ctx, n, 2 + static_cast<double>(d), [&](std::size_t begin, std::size_t end, int) {
        const auto after = std::upper_bound(groups.begin.begin(), groups.begin.end(), begin);
        auto c = static_cast<std::size_t>(after - groups.begin.begin()) - 1;
        std::vector<double> x(d);
        for (std::size_t at = begin; at < end; ++at) {
            while (groups.begin[c + 1] <= at) ++c;
            for (std::size_t j = 0; j < d; ++j) x[j] = scale * X(groups.order[at], j);
            out[at] = f(centers.squared_distance(x.data(), c));
        }
    });
    return out;
}

double sum_of(const Buffer<double>& values, std::size_t begin, std::size_t end) {
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += values[i];
    return sum;
}

} // namespace

double calinski_harabasz(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups) {
    const std::size_t n = X.rows, d = X.cols, k = groups.n_clusters();
    const double scale = unit_scale(ctx, X);
    const Centroids centers = centroids(ctx, X, scale, groups);
    const Buffer<double> squares = from_centroids(ctx, X, scale, groups, centers, [](double square) { return square; });
    double within = 0;
    for (std::size_t c = 0; c < k; ++c) within += sum_of(squares, groups.begin[c], groups.begin[c + 1]);
    if (within == 0) return 1;

    double between = 0;
    for (std::size_t j = 0; j < d; ++j) {
        // Centroids from the first one, and how far the mean of all rows is from it.
        const auto from_first = [&](std::size_t c) {
            return (centers.first[c * d + j] - centers.first[j]) + (centers.offset[c * d + j] - centers.offset[j]);
        };
        double shift = 0;
        for (std::size_t c = 0; c < k; ++c) shift += static_cast<double>(groups.size(c)) * from_first(c);
        shift /= static_cast<double>(n);
        for (std::size_t c = 0; c < k; ++c) {
            const double difference = from_first(c) - shift;
            between += static_cast<double>(groups.size(c)) * difference * difference;
        }
    }
    return between * static_cast<double>(n - k) / (within * static_cast<double>(k - 1));
}

double davies_bouldin(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups) {
    const std::size_t d = X.cols, k = groups.n_clusters();
    const double scale = unit_scale(ctx, X);
    const Centroids centers = centroids(ctx, X, scale, groups);
    const Buffer<double> distances =
        from_centroids(ctx, X, scale, groups, centers, [](double square) { return std::sqrt(square); });
    std::vector<double> extent(k);
    for (std::size_t c = 0; c < k; ++c)
        extent[c] = sum_of(distances, groups.begin[c], groups.begin[c + 1]) / static_cast<double>(groups.size(c));
    if (std::all_of(extent.begin(), extent.end(), [](double s) { return s == 0; })) return 0;

    // The rows are at most 1 in magnitude: centroids of equal clusters may differ by the rounding of their means.
    const double rounding = 4 * std::numeric_limits<double>::epsilon() * std::sqrt(static_cast<double>(d));
    std::vector<double> worst(k, 0.0);
    parallel_ranges(ctx, k, static_cast<double>(k * (d + 4)), [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t c = begin; c < end; ++c)
            for (std::size_t e = 0; e < k; ++e) {
                const double distance = std::sqrt(centers.squared_distance(c, e));
                if (distance > rounding) worst[c] = std::max(worst[c], (extent[c] + extent[e]) / distance);
            }
    });
    double sum = 0;
    for (const double w : worst) sum += w;
    return sum / static_cast<double>(k);
}

} // namespace mlcore::metrics
