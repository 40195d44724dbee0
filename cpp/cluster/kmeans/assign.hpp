// Which center is nearest to each point. The answer is that of squared_distance in float64 (points.hpp), of equal ones
// the first, for any number of threads and whatever else is assigned at the same time: where products in float32 leave
// a doubt, all centers are measured exactly.
//
// Bounds save most of it once centers hardly move: Hamerly, "Making k-means even faster" (SDM 2010). For each point an
// upper bound on the distance to its own center and a lower bound on that to all others are carried along by what the
// centers have moved; while the one is below the other, the point keeps its center and is not looked at. All roundings
// of bounds go to the safe side, so that they never change a label. Panels in which most points are in doubt are
// multiplied as they lie, the points of others are gathered first.
#pragma once

#include "cluster/kmeans/centers.hpp"
#include "cluster/kmeans/points.hpp"
#include "core/context.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::kmeans {

/// Bounds of the scaled points.
struct Bounds {
    Buffer<float> upper; // (n) not below the distance to the point's own center
    Buffer<float> lower; // (n) not above the distance to any other one

    explicit Bounds(std::size_t n) : upper(n), lower(n) {}
};

/// How far each center has moved since the bounds were true, in scaled units, rounded up.
struct Drift {
    std::vector<float> own;      // (k)
    std::vector<float> half_gap; // (k) half the distance to the nearest other center, rounded down
    std::int32_t furthest = 0;   // the center that has moved most
    float most = 0, second = 0;  // how far it has, and how far any other one has

    explicit Drift(std::size_t k) : own(k), half_gap(k) {}
};

/// labels (n) out; bounds out where they are wanted.
void assign(const RunContext& ctx, const Points& points, const Centers& centers, std::int32_t* labels, Bounds* bounds);

/// The same of points whose former labels are in `labels`. Returns how many had to be looked at.
std::size_t reassign(const RunContext& ctx, const Points& points, const Centers& centers, const Drift& drift,
                     std::int32_t* labels, Bounds& bounds);

/// out (n) = squared distance to the center of each point's label, scaled.
void own_distances(const RunContext& ctx, const Points& points, const Centers& centers, const std::int32_t* labels,
                   double* out);

} // namespace mlcore::kmeans
