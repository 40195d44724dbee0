// The clusters between two rounds of merges: the rows of each side by side, and its centroid.
#pragma once

#include "cluster/agglomerative/merges.hpp"
#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::cluster {

/// Points whose differences are those of the user's but for a power of two: columns that lie far from 0 for their
/// spread are moved there, which is exact, so that centroids keep the precision of the differences; extreme units are
/// scaled away.
struct Points {
    Buffer<double> values; // (n, d)
    std::size_t n, d;
    double unit;    // of the user's distances in ours
    double largest; // magnitude of a value
};
/// as_they_are: only copied, for points of length 1.
Points prepared_points(MatrixView<const double> points, bool as_they_are);

/// The mean of the rows of two clusters is that of the first, moved by `share`, the second's share in the rows, of the
/// difference of both. It is kept as a number and what that has been rounded by, so that distances of centroids keep
/// the precision of the rows' differences where groups lie further apart than 1 / epsilon of their extent.
struct Coordinate {
    double value, rest;

    double minus(Coordinate other) const { return (value - other.value) + (rest - other.rest); }
    Coordinate moved(Coordinate to, double share) const {
        const double step = rest + share * to.minus(*this), sum = value + step, part = sum - value;
        return {sum, (value - (sum - part)) + (step - part)};
    }
};

/// m clusters by name. Members of cluster c are rows[offsets[c] .. offsets[c + 1]), ascending.
struct Clusters {
    std::vector<std::int32_t> names;
    std::vector<std::size_t> offsets;
    std::vector<std::int32_t> rows;
    std::vector<double> centers, rests; // (m, d): values and rests of the centroids
    std::size_t d = 0;

    std::size_t count() const { return names.size(); }
    std::size_t size(std::size_t c) const { return offsets[c + 1] - offsets[c]; }
    const double* center(std::size_t c) const { return centers.data() + c * d; }
    Coordinate coordinate(std::size_t c, std::size_t j) const { return {centers[c * d + j], rests[c * d + j]}; }
};

/// Each set of equal points as one cluster, and the merges at height 0 that make them: no two clusters have distance 0,
/// so that a search among duplicates never ends with all of them.
Clusters distinct_points(const Points& points, std::vector<Merge>& merges);

/// What is nearest to each cluster, and how far: a position among the clusters, in units that the search knows.
struct Nearest {
    static constexpr std::int32_t unknown = -1;
    std::int32_t cluster = unknown;
    double value = 0;
};

/// Pairs of clusters that are nearest to each other: partner[c] is c itself where there is none.
std::vector<std::int32_t> reciprocal_pairs(const std::vector<Nearest>& nearest);

/// The clusters after each was merged with its partner. nearest goes along: of clusters that are still there and whose
/// nearest is too, it stays known, because no merge brings a cluster nearer than its parts were.
Clusters merged(const RunContext& ctx, const Clusters& clusters, const std::vector<std::int32_t>& partner,
                std::vector<Nearest>& nearest);

/// Whether a round that merged n_merges pairs of m clusters was worth its search through all of them.
inline bool worth_another_round(std::size_t m, std::size_t n_merges) { return 16 * n_merges >= m; }

} // namespace mlcore::cluster
