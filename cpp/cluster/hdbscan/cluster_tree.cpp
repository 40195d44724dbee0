#include "cluster/hdbscan/cluster_tree.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace mlcore::cluster {
namespace {

[[noreturn]] void wrong_row(std::size_t row, const char* what) {
    throw ValueError("row " + std::to_string(row) + " of the condensed tree " + what);
}

} // namespace

ClusterTree cluster_tree(const CondensedView& rows, std::size_t n_points) {
    const std::size_t n_rows = rows.child.size();
    if (n_points < 2 || n_rows < n_points || n_rows > 2 * n_points)
        throw ValueError("a condensed tree of " + std::to_string(n_points) + " points cannot have " +
                         std::to_string(n_rows) + " rows");
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const std::size_t n_clusters = n_rows - n_points + 1;
    ClusterTree tree;
    tree.parent.assign(n_clusters, -1);
    tree.size.assign(n_clusters, 0);
    tree.is_leaf.assign(n_clusters, 1);
    tree.birth.assign(n_clusters, 0);
    tree.end.assign(n_clusters, 0);
    tree.death.assign(n_clusters, -1);
    tree.stability.assign(n_clusters, 0);
    tree.point_cluster.assign(n_points, -1);
    tree.point_lambda.resize(n_points);
    tree.size[0] = static_cast<std::int32_t>(n_points);

    const auto n = static_cast<std::int64_t>(n_points);
    for (std::size_t r = 0; r < n_rows; ++r) {
        const std::int64_t up = rows.parent[r] - n, child = rows.child[r];
        const double lambda = rows.lambda[r];
        if (up < 0 || up >= static_cast<std::int64_t>(n_clusters)) wrong_row(r, "names a parent that is no cluster");
        const auto parent = static_cast<std::size_t>(up);
        if (tree.size[parent] == 0) wrong_row(r, "comes before the one in which its parent begins");
        if (!(lambda >= tree.birth[parent])) wrong_row(r, "has a lambda that is NaN or below that of its parent");
        if (child < 0 || child == n || child >= n + static_cast<std::int64_t>(n_clusters))
            wrong_row(r, "names a child that is neither a point nor a cluster");
        if (child < n) {
            const auto point = static_cast<std::size_t>(child);
            if (tree.point_cluster[point] >= 0) wrong_row(r, "names a point that has left already");
            if (rows.size[r] != 1) wrong_row(r, "gives a point another size than 1");
            tree.point_cluster[point] = static_cast<std::int32_t>(parent);
            tree.point_lambda[point] = lambda;
        } else {
            const auto cluster = static_cast<std::size_t>(child - n);
            if (tree.size[cluster] != 0 || cluster <= parent) wrong_row(r, "names a cluster that has begun already");
            if (rows.size[r] < 2 || rows.size[r] > n || std::isinf(lambda))
                wrong_row(r, "begins a cluster of a wrong size or at an infinite lambda");
            tree.parent[cluster] = static_cast<std::int32_t>(parent);
            tree.size[cluster] = rows.size[r];
            tree.birth[cluster] = lambda;
            tree.is_leaf[parent] = 0;
        }
        tree.end[parent] = std::max(tree.end[parent], lambda);
        if (!std::isinf(lambda)) tree.death[parent] = std::max(tree.death[parent], lambda);
        tree.stability[parent] += (lambda - tree.birth[parent]) * static_cast<double>(rows.size[r]);
    }
    for (double& death : tree.death)
        if (death < 0) death = infinity;
    return tree;
}

} // namespace mlcore::cluster
