// What a selection of clusters says of each point: its cluster, how strongly it belongs there, how far it is an
// outlier.
//
// With lambda_p at which point p leaves the condensed tree, and death(c) the highest finite lambda at which anything
// leaves cluster c:
//     probability(p) = min(lambda_p, death(c)) / death(c)       of the selected cluster c of p; 0 for noise
//     outlier score(p) = (top - lambda_p) / top                 top: the highest death at or below the cluster p leaves
// The second is GLOSH (Campello et al., 2015), a score in [0, 1) of the whole tree, whatever is selected. Points that
// coincide with others leave at an infinite lambda: they have probability 1 and score 0. Because deaths are finite, so
// have their neighbours sensible ones, where infinity would make them 0 and NaN.
#pragma once

#include "cluster/hdbscan/cluster_tree.hpp"

#include <cstdint>
#include <vector>

namespace mlcore::cluster {

/// The clusters of a tree with their labels, from selected ones (numbers ascending, none within another).
struct LabelledTree {
    const ClusterTree& tree;
    std::vector<std::int32_t> selected;
    std::vector<std::int32_t> labels; // by cluster
    /// Where the root is the only cluster, its members leave at this lambda or later; the others are noise.
    double root_threshold;

    LabelledTree(const ClusterTree& tree, std::vector<std::int32_t> selected, double epsilon);

    /// The label of a point that leaves `cluster` at lambda; -1: noise.
    std::int32_t label(std::int32_t cluster, double lambda) const;
    /// How strongly such a point belongs to the cluster of its label.
    double probability(std::int32_t label, double lambda) const;
};

struct PointLabels {
    std::vector<std::int64_t> labels;
    std::vector<double> probabilities;
};

PointLabels label_points(const LabelledTree& labelled);

/// The highest death at or below each cluster.
std::vector<double> tops(const ClusterTree& tree);

double outlier_score(double top, double lambda);

std::vector<double> outlier_scores(const ClusterTree& tree);

/// Of each selected cluster its stability as a share of what it would be if its `labels` all stayed to the end.
std::vector<double> persistence(const LabelledTree& labelled, const std::vector<std::int64_t>& labels);

/// Points of lists that lie one after the other: list k is points[offsets[k]] .. points[offsets[k + 1]].
struct PointLists {
    std::vector<std::int64_t> offsets, points;
};

/// Of each selected cluster the points in the midst of it: the last to leave the leaves at or below it. Ascending.
PointLists exemplars(const LabelledTree& labelled);

} // namespace mlcore::cluster
