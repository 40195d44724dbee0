// Silhouettes (Rousseeuw 1987): how much nearer a row is to its own cluster than to the nearest other one.
//   a_i   mean distance of row i from the other rows of its cluster C
//   b_i   the least over clusters c != C of the mean distance of row i from the rows of c
//   s_i   (b_i - a_i) / max(a_i, b_i); 0 for a cluster of one row, and where both means are 0
//
// Pairs of rows (Euclidean, Manhattan): the rows of all clusters are packed once, ordered by cluster, in blocks that
// vectors run over. Distances are differences in float64, never expanded squares, so that rows far from the origin lose
// nothing, and no figure depends on threads.
//   some rows  A task takes some of them past all blocks and keeps one running sum a row, because the rows of a cluster
//              come one after the other: memory is O(n d).
//   all rows   Each pair is measured once and counts for both. A task takes a block of rows past itself and half of the
//              other blocks, so that any two blocks meet once, and adds to tables of its own, sums of (k, n) for rows
//              and for columns, which are added up in the order of the blocks. Where n k is large for a table or
//              clusters are small, all rows are taken as some.
//
// Squared Euclidean distances need no pairs: with the centroid mu_c and W_c = sum_{j in c} |x_j - mu_c|^2,
//   sum_{j in c} |x_i - x_j|^2 = m_c |x_i - mu_c|^2 + W_c,
// which is O(n k d), and nothing cancels. The cosine distance of rows of length 1 is half of that.
#pragma once

#include "metrics/clusters/grouped_rows.hpp"

namespace mlcore::metrics {

enum class SilhouetteMetric { euclidean, manhattan, sqeuclidean, cosine };

/// out[q] = s_i of row i = rows[q] of X (n, d).
void silhouettes(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups, SilhouetteMetric metric,
                 std::span<const std::uint32_t> rows, double* out);

/// out[q] = s_i of row i = first + q from its distances to all rows: D (m, n) holds rows first .. first + m - 1 of the
/// matrix of distances, rows_contiguous().
void silhouettes_of_distances(const RunContext& ctx, MatrixView<const double> D, std::size_t first,
                              std::span<const std::int32_t> codes, const GroupedRows& groups, double* out);

} // namespace mlcore::metrics
