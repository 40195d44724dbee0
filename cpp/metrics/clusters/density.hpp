// Density-based validity of a clustering (Moulavi, Jaskowiak, Campello, Zimek and Sander 2014).
//   n, d      rows in all, noise too; dimension
//   a_i       core distance of row i in its cluster of m rows: (sum_{j != i} dist(i, j)^-d / (m - 1))^(-1 / d)
//   r(i, j)   mutual reachability max(a_i, a_j, dist(i, j))
//   inner     of the minimum spanning tree of a cluster by r: rows with two edges or more, and edges between such
//   S_c       sparseness: the largest inner edge of cluster c, of all edges where none is inner
//   T_c       separation: the least r(i, j) of inner rows i of c and j of another cluster
//   V_c       (T_c - S_c) / max(T_c, S_c);   the index is sum_c m_c / n V_c
// Rows at distance 0 are left out of the sum of a_i, which has no inverse of 0, but count in m; a_i is 0 where all are.
// Weights of trees are often equal (an edge weighs a core distance), and then many trees are least: Prim's algorithm
// starts at the first row, takes the lower row of two that are as near, and joins it to the lowest one that it can.
// Clusters of one row have no tree: the caller makes them noise.
// Powers are of dist(i, j) over the distance of the nearest row: no dimension and no unit overflows. Time O(n^2 d),
// memory O(n d).
#pragma once

#include "metrics/clusters/grouped_rows.hpp"

namespace mlcore::metrics {

enum class ValidityMetric { euclidean, manhattan };

/// out (k) = V_c of clusters of two rows or more each, at least two of them; groups.order lists rows of X (noise is in
/// none).
void density_validity(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups,
                      ValidityMetric metric, double* out);

/// The same of distances D (n, n) of rows of dimension d.
void density_validity_of_distances(const RunContext& ctx, MatrixView<const double> D, double d,
                                   const GroupedRows& groups, double* out);

} // namespace mlcore::metrics
