#include "cluster/dbscan/dbscan.hpp"

#include "cluster/dbscan/core_points.hpp"
#include "cluster/dbscan/merge.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "neighbors/distance.hpp"
#include "neighbors/kd_tree.hpp"

#include <cmath>
#include <string>

namespace mlcore::cluster {
namespace {

using neighbors::KdTree;
using neighbors::Metric;

constexpr std::size_t leaf_size = 32;

/// The reduced distance of eps, as the sums of squares that it is compared with are rounded.
double reduced(Metric metric, double eps) {
    return metric == Metric::euclidean ? eps * eps : neighbors::largest_reduced(metric, eps);
}

/// Points whose labels are asked for, in units in which squares around that of eps are in the range of float64.
class Units {
  public:
    Units(MatrixView<const double> points, Metric metric, double eps) : points_(points), eps_(eps) {
        const int exponent = std::ilogb(eps);
        if (metric != Metric::euclidean || std::abs(exponent) < 400) return;
        double largest = 0;
        for (std::size_t i = 0; i < points.rows; ++i)
            for (std::size_t j = 0; j < points.cols; ++j) largest = std::max(largest, std::abs(points(i, j)));
        if (exponent < 0 && largest > 0 && std::ilogb(largest) - exponent > 1000)
            throw ValueError("eps is too small beside coordinates of up to " + std::to_string(largest));
        scaled_.resize(points.rows * points.cols);
        for (std::size_t i = 0; i < points.rows; ++i)
            for (std::size_t j = 0; j < points.cols; ++j)
                scaled_[i * points.cols + j] = std::scalbn(points(i, j), -exponent); // exact, or far too small to count
        points_ = row_major<const double>(scaled_.data(), points.rows, points.cols);
        eps_ = std::scalbn(eps, -exponent);
    }
    MatrixView<const double> points() const { return points_; }
    double eps() const { return eps_; }

  private:
    MatrixView<const double> points_;
    double eps_;
    std::vector<double> scaled_;
};

} // namespace

DbscanResult dbscan(const RunContext& ctx, MatrixView<const double> points, Metric metric, const DbscanParams& params) {
    const Units units(points, metric, params.eps);
    const double limit = reduced(metric, units.eps());
    const KdTree tree(ctx, units.points(), metric, leaf_size);
    const neighbors::LeafProducts products(ctx, tree);
    const Radius radius{tree, limit, products};
    const std::size_t n = tree.size();
    const Buffer<std::uint64_t> core = core_points(ctx, radius, params.min_samples, params.weights);
    Components components = connected(ctx, radius, core.span());

    // Roots by row, then numbers by the first row of each.
    DbscanResult result{std::vector<std::int64_t>(n, -1), {}};
    parallel_tasks(ctx, tree.n_leaves(), 10.0 * static_cast<double>(tree.leaf_size()), [&](std::size_t leaf, int) {
        for_bits(core[leaf], [&](std::size_t i) {
            const std::size_t position = leaf * tree.leaf_size() + i;
            result.labels[static_cast<std::size_t>(tree.order()[position])] =
                components.root(static_cast<std::uint32_t>(position));
        });
    });
    std::vector<std::int64_t> numbers(n, -1), by_position(n, -1);
    std::int64_t n_clusters = 0;
    for (std::size_t row = 0; row < n; ++row) {
        if (result.labels[row] < 0) continue;
        std::int64_t& number = numbers[static_cast<std::size_t>(result.labels[row])];
        if (number < 0) number = n_clusters++;
        result.labels[row] = number;
        result.core.push_back(static_cast<std::int64_t>(row));
    }
    if (result.core.size() == n) return result;
    const auto row_of = [&](std::size_t position) { return static_cast<std::size_t>(tree.order()[position]); };
    for (std::size_t p = 0; p < n; ++p) by_position[p] = result.labels[row_of(p)];
    label_border(ctx, radius, core.span(), by_position);
    for (std::size_t p = 0; p < n; ++p) result.labels[row_of(p)] = by_position[p];
    return result;
}

} // namespace mlcore::cluster
