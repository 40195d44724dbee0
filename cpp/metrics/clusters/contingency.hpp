// Two labellings of the same n rows, counted: what all comparisons of two clusterings are made of.
//   c_ij   rows of class i in cluster j, the cells that are not 0 alone
//   a_i    sum_j c_ij, rows of class i;  b_j  sum_i c_ij, rows of cluster j
// Classes and clusters that no row has are left out: every a_i and b_j is positive. Counts are integers, and sums of
// their squares fit in 64 bits up to 2^31 rows.
#pragma once

#include "metrics/labels/counts.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::metrics {

struct Contingency {
    struct Cell {
        std::uint32_t row, column;
        std::int64_t count;
    };

    std::int64_t n = 0;
    std::vector<std::int64_t> a, b; // (classes), (clusters)
    std::vector<Cell> cells;        // by row, then by column

    /// Each cluster has rows of one class alone.
    bool homogeneous() const { return cells.size() == b.size(); }
    /// Each class lies in one cluster alone.
    bool complete() const { return cells.size() == a.size(); }
};

/// From codes in [0, n_classes) and [0, n_clusters) of the same rows.
Contingency contingency_of_codes(std::span<const std::uint32_t> classes, std::size_t n_classes,
                                 std::span<const std::uint32_t> clusters, std::size_t n_clusters);

/// From counts without weights.
Contingency contingency_of_counts(const LabelCounts& counts);

/// From cells in any order; those of one place are added. Throws ValueError if a count is negative or all are 0.
Contingency contingency_of_cells(std::vector<Contingency::Cell> cells);

/// Ordered pairs of different rows, by whether they are together in a class and in a cluster.
struct PairCounts {
    std::int64_t apart, in_cluster, in_class, in_both; // in neither, in a cluster alone, in a class alone, in both
};
PairCounts pair_counts(const Contingency& c);

} // namespace mlcore::metrics
