// Ward's linkage in O(n d) memory, and the matrix of the last 2,048 clusters at most. The distance of clusters A and B
// of sizes a and b with centroids c_A, c_B is
//     sqrt(2 a b / (a + b)) |c_A - c_B|,
// the square root of twice what their merge adds to the sum of squared distances of the rows to their centroid: of two
// points it is their distance. Sizes and centroids say all; a matrix is only faster where clusters are few for their
// columns.
//
// J. H. Ward, "Hierarchical grouping to optimize an objective function", JASA, 1963.
#pragma once

#include "cluster/agglomerative/clusters.hpp"

namespace mlcore::cluster {

/// n - 1 merges of n points, in the units of the points.
std::vector<Merge> ward_merges(const RunContext& ctx, const Points& points);

} // namespace mlcore::cluster
