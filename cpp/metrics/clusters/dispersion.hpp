// Indices of a clustering that look at centroids alone, O(n d + k^2 d).
//   mu_c   centroid of cluster c, of m_c rows;  mu  the mean of all n rows
//   Calinski and Harabasz (1974)  B / (k - 1) / (W / (n - k)),  B = sum_c m_c |mu_c - mu|^2,
//                                 W = sum_c sum_{i in c} |x_i - mu_c|^2; 1 where W = 0
//   Davies and Bouldin (1979)     mean over c of max_{e != c} (S_c + S_e) / |mu_c - mu_e|, S_c the mean |x_i - mu_c|
#pragma once

#include "metrics/clusters/grouped_rows.hpp"

namespace mlcore::metrics {

double calinski_harabasz(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups);

/// Clusters with one centroid, up to rounding, are not compared with each other; 0 if no cluster has an extent, or all
/// have one centroid.
double davies_bouldin(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups);

} // namespace mlcore::metrics
