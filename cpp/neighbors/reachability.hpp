// Edges between points and their order, on which spanning trees are built.
//
// The weight of edge (i, j) is the mutual reachability distance max(core_i, core_j, d_ij / alpha) of Campello, Moulavi
// and Sander (2013); core distances of 0 and alpha = 1 leave the distance itself. Many weights are equal: each point
// has the same weight to all neighbours within its core distance. Edges are therefore ordered by (weight, distance, i,
// j) with i < j. No two edges are equal in it, so there is one minimum spanning tree, whichever way it is found: by
// tree or brute force, on any number of threads.
//
// Comparisons are made on reduced distances, squares where the metric has a square root. Their order is at least as
// fine as that of the distances, so that the tree is a minimum of both.
#pragma once

#include "neighbors/distance.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace mlcore::neighbors {

/// An edge in reduced distances, from < to.
struct Edge {
    double weight = std::numeric_limits<double>::infinity();
    double distance = std::numeric_limits<double>::infinity();
    std::int32_t from = std::numeric_limits<std::int32_t>::max(), to = std::numeric_limits<std::int32_t>::max();

    bool operator<(const Edge& other) const {
        if (weight != other.weight) return weight < other.weight;
        if (distance != other.distance) return distance < other.distance;
        return from != other.from ? from < other.from : to < other.to;
    }
};

inline Edge make_edge(double weight, double distance, std::int32_t i, std::int32_t j) {
    return {weight, distance, std::min(i, j), std::max(i, j)};
}

/// The reduced distance of a distance: distance_of gives it back, for the square root of the rounded square of x is x.
inline double reduce(Metric metric, double distance) {
    if (metric == Metric::euclidean) return distance * distance;
    return metric == Metric::cosine ? 2 * distance : distance;
}

/// What a reduced distance is multiplied by to divide the distance by alpha.
inline double reduced_scale(Metric metric, double alpha) {
    return metric == Metric::euclidean ? 1 / (alpha * alpha) : 1 / alpha;
}

} // namespace mlcore::neighbors
