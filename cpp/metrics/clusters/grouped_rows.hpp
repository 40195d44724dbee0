// Rows of a table ordered by the label of their cluster, so that what is summed over a cluster lies side by side.
//   k       clusters; their labels are the codes 0 .. k - 1, each of which occurs
//   order   (n) the rows of cluster 0, then those of cluster 1, ...; within a cluster in their own order
//   begin   (k + 1) cluster c is order[begin[c]] .. order[begin[c + 1] - 1]
//   m_c     begin[c + 1] - begin[c], the rows of cluster c
// The indices of a clustering are ratios, so that a factor on all rows leaves them as they are: rows are read times a
// power of two that brings the largest value near 1. That is exact, and no square is too large or too small whatever
// the unit of the table.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::metrics {

struct GroupedRows {
    std::vector<std::uint32_t> order, begin;

    std::size_t n_clusters() const { return begin.size() - 1; }
    std::size_t size(std::size_t c) const { return begin[c + 1] - begin[c]; }
};

/// Throws ValueError if a code is outside [0, n_clusters) or one of them does not occur.
GroupedRows group_rows(std::span<const std::int32_t> codes, std::size_t n_clusters);

/// The power of two that brings the largest magnitude of X into [0.5, 1), where float64 has it; 1 if X is zero.
double unit_scale(const RunContext& ctx, MatrixView<const double> X);

/// Centroids of clusters: the first row of each, and the mean of what all its rows differ from that. Two numbers
/// instead of their sum, so that a cluster far from the origin loses no digits, and equal rows are their centroid to
/// the bit.
struct Centroids {
    std::size_t d;
    Buffer<double> first, offset; // (k, d) in C order

    /// |x - mu_c|^2 of a row x (d).
    double squared_distance(const double* x, std::size_t c) const;
    /// |mu_c - mu_e|^2
    double squared_distance(std::size_t c, std::size_t e) const;
};

/// Of the rows times `scale`.
Centroids centroids(const RunContext& ctx, MatrixView<const double> X, double scale, const GroupedRows& groups);

} // namespace mlcore::metrics
