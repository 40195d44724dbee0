// The condensed tree of HDBSCAN*: a single linkage tree without the merges of groups smaller than min_cluster_size.
//
// From the root down, a cluster of the condensed tree lives as long as at most one side of a split has min_cluster_size
// points: the points of smaller sides leave it. Where both sides have as many, it ends, and two new clusters begin.
// A distance d is told as the density lambda = 1 / d: infinite where points coincide.
//
// R. J. G. B. Campello, D. Moulavi, A. Zimek and J. Sander, "Hierarchical density estimates for data clustering,
// visualization, and outlier detection", ACM TKDD, 2015. Rows are in the order of the Python package hdbscan: clusters
// are numbered level by level, the left side first.
//
// Unlike there, nothing splits at an infinite lambda: clusters that would begin and end at once have no stability
// (infinity minus infinity), and points that coincide belong together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::cluster {

/// One merge of a single linkage tree in SciPy's form: row i merges two nodes into node n + i.
struct Merge {
    double left, right, distance, size;
};

/// Row r says that `child` leaves `parent` at lambda: a point (0 .. n - 1) or a cluster of `size` points (n + 1 ..).
/// The root is the cluster n. A cluster's row comes before the rows of those that leave it.
struct CondensedTree {
    std::vector<std::int32_t> parent, child;
    std::vector<double> lambda;
    std::vector<std::int32_t> size;
};

/// Throws ValueError unless the rows are those of one binary tree over n = merges + 1 points: nodes before they are
/// used, each used once, sizes that add up, distances that are not NaN and do not decrease.
void check_merges(std::span<const Merge> merges);

/// min_cluster_size >= 2; the merges are as check_merges says.
CondensedTree condense(std::span<const Merge> merges, std::size_t min_cluster_size);

/// The tree without clusters that live shorter than `persistence`, in units of lambda: the less persistent one of two
/// siblings, if a leaf, leaves their parent at once, and the other one continues the parent.
CondensedTree simplify(const CondensedTree& tree, double persistence);

} // namespace mlcore::cluster
