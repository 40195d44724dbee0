#include "cluster/hdbscan/prediction.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>

namespace mlcore::cluster {
namespace {

constexpr double join_ns = 50; // a few cache misses

} // namespace

Reachable nearest_reachable(const RunContext& ctx, MatrixView<const double> distances,
                            MatrixView<const std::int64_t> indices, std::span<const double> core, std::size_t own_rank,
                            double alpha) {
    const std::size_t k = distances.cols;
    Reachable found{std::vector<std::int64_t>(distances.rows), std::vector<double>(distances.rows),
                    std::vector<char>(distances.rows)};
    parallel_ranges(ctx, distances.rows, 5.0 * static_cast<double>(k), [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) {
            const double own = own_rank == 0 ? 0 : distances(i, own_rank - 1);
            std::size_t best = 0;
            double nearest = 0;
            for (std::size_t j = 0; j < k; ++j) {
                const auto y = static_cast<std::size_t>(indices(i, j));
                if (indices(i, j) < 0 || y >= core.size()) throw ValueError("a neighbour is none of the points");
                const double reach = std::max({own, core[y], distances(i, j) / alpha});
                if (j == 0 || reach < nearest) best = j, nearest = reach;
            }
            const bool coincides = distances(i, 0) == 0;
            if (coincides) best = 0, nearest = 0;
            found.points[i] = indices(i, best);
            found.distances[i] = nearest;
            found.is_certain[i] =
                coincides || k == core.size() || nearest <= std::max(own, distances(i, k - 1) / alpha);
        }
    });
    return found;
}

Joined join(const RunContext& ctx, const ClusterTree& tree, std::span<const std::int64_t> neighbours,
            std::span<const double> distances) {
    Joined joined{std::vector<std::int32_t>(neighbours.size()), std::vector<double>(neighbours.size())};
    parallel_ranges(ctx, neighbours.size(), join_ns, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) {
            const auto y = static_cast<std::size_t>(neighbours[i]);
            if (neighbours[i] < 0 || y >= tree.n_points()) throw ValueError("a neighbour is none of the points");
            if (!(distances[i] >= 0)) throw ValueError("distances must not be negative or NaN");
            std::int32_t cluster = tree.point_cluster[y];
            const double lambda = 1 / distances[i];
            if (lambda < tree.point_lambda[y]) // the cluster around the neighbour at that density
                while (cluster != 0 && tree.birth[static_cast<std::size_t>(cluster)] >= lambda)
                    cluster = tree.parent[static_cast<std::size_t>(cluster)];
            joined.cluster[i] = cluster;
            joined.lambda[i] = std::min(lambda, tree.point_lambda[y]);
        }
    });
    return joined;
}

PointLabels label_joined(const RunContext& ctx, const LabelledTree& labelled, const Joined& joined) {
    const std::size_t q = joined.cluster.size();
    PointLabels found{std::vector<std::int64_t>(q), std::vector<double>(q)};
    parallel_ranges(ctx, q, join_ns / 2, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) {
            const std::int32_t label = labelled.label(joined.cluster[i], joined.lambda[i]);
            found.labels[i] = label;
            found.probabilities[i] = labelled.probability(label, joined.lambda[i]);
        }
    });
    return found;
}

std::vector<double> score_joined(const ClusterTree& tree, const Joined& joined) {
    const std::vector<double> top = tops(tree);
    std::vector<double> scores(joined.cluster.size());
    for (std::size_t i = 0; i < scores.size(); ++i)
        scores[i] = outlier_score(top[static_cast<std::size_t>(joined.cluster[i])], joined.lambda[i]);
    return scores;
}

} // namespace mlcore::cluster
