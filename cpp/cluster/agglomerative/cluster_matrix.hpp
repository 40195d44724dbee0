// Average, complete and Ward linkage on a matrix of distances between clusters. A merge is the formula of Lance and
// Williams with a, b and c the sizes of A, B and C:
//     average: d(A + B, C) = (a d(A, C) + b d(B, C)) / (a + b)
//     complete: d(A + B, C) = max(d(A, C), d(B, C))
//     ward, of squares: d(A + B, C) = ((a + c) d(A, C) + (b + c) d(B, C) - c d(A, B)) / (a + b + c)
// What is subtracted is at most half of the rest, because A and B are nearest to each other: nothing cancels.
//
// Rounds merge all pairs that are nearest to each other at once and write the smaller matrix of what is left, so that
// the matrix is read and written row by row, by all threads, and its size falls by about a third a round. What would
// take many rounds is left to the nearest-neighbour chain.
#pragma once

#include "cluster/agglomerative/clusters.hpp"
#include "core/memory.hpp"

#include <functional>

namespace mlcore::cluster {

enum class Pairwise { average, complete, ward };

/// A square matrix, symmetric, with infinity on its diagonal.
struct ClusterMatrix {
    Buffer<double> values;
    std::size_t m = 0;

    double* row(std::size_t c) { return values.data() + c * m; }
    const double* row(std::size_t c) const { return values.data() + c * m; }
};

/// Copies the entries above the diagonal below it, and sets the diagonal.
void mirror(const RunContext& ctx, ClusterMatrix& matrix);

/// Told of each merge: two names, the lower one first, and the entry between them.
using OnMerge = std::function<void(std::int32_t, std::int32_t, double)>;

/// Merges what is left until one cluster is. names (m) ascend; sizes (m).
void merge_by_matrix(const RunContext& ctx, ClusterMatrix matrix, Pairwise linkage, std::vector<std::int32_t> names,
                     std::vector<double> sizes, const OnMerge& on_merge);

/// All of it for a matrix of distances (n, n), of which the part above the diagonal is read and nothing is written.
std::vector<Merge> merges_of_distances(const RunContext& ctx, MatrixView<const double> distances, Pairwise linkage);

} // namespace mlcore::cluster
