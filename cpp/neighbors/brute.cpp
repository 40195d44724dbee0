#include "neighbors/brute.hpp"

#include "neighbors/kd_tree.hpp"

namespace mlcore::neighbors {

// A tree that is one leaf.

Neighbors k_nearest(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries,
                    std::size_t k, Metric metric) {
    return k_nearest(ctx, KdTree(ctx, points, metric, points.rows + 1), queries, k);
}

Neighbors k_nearest(const RunContext& ctx, MatrixView<const double> points, std::size_t k, Metric metric) {
    return k_nearest(ctx, KdTree(ctx, points, metric, points.rows + 1), k);
}

Within within(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries, double radius,
              Metric metric) {
    return within(ctx, KdTree(ctx, points, metric, points.rows + 1), queries, radius);
}

Within within(const RunContext& ctx, MatrixView<const double> points, double radius, Metric metric) {
    return within(ctx, KdTree(ctx, points, metric, points.rows + 1), radius);
}

} // namespace mlcore::neighbors
