// A condensed tree by cluster and by point: what selection, labels and predictions ask of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::cluster {

/// The columns of a condensed tree, wherever they lie.
struct CondensedView {
    std::span<const std::int32_t> parent, child;
    std::span<const double> lambda;
    std::span<const std::int32_t> size;
};

/// Clusters are numbered from 0, the root, parents before children. All arrays are by cluster, the last two by point.
struct ClusterTree {
    std::vector<std::int32_t> parent; // -1 for the root
    std::vector<std::int32_t> size;
    std::vector<char> is_leaf;
    std::vector<double> birth;     // lambda at which it leaves its parent; 0 for the root
    std::vector<double> end;       // the highest lambda at which anything leaves it
    std::vector<double> death;     // the highest finite one; infinite where there is none
    std::vector<double> stability; // sum over what leaves it of size * (lambda - birth)
    std::vector<std::int32_t> point_cluster;
    std::vector<double> point_lambda;

    std::size_t n_clusters() const { return parent.size(); }
    std::size_t n_points() const { return point_cluster.size(); }
};

/// Throws ValueError unless the rows form one tree over n_points points as condensed_tree.hpp says.
ClusterTree cluster_tree(const CondensedView& rows, std::size_t n_points);

} // namespace mlcore::cluster
