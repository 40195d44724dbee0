// Lloyd's iterations: "Least squares quantization in PCM" (IEEE Transactions on Information Theory, 1982). Each point
// goes to the nearest center, each center to the weighted mean of its points, until no label changes or the centers
// hardly move. Which points are looked at again is said in assign.hpp; it does not change what is found.
#pragma once

#include "cluster/kmeans/points.hpp"
#include "core/context.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::kmeans {

struct FitParams {
    std::size_t max_iter = 300;
    double tol = 1e-4;  // of the sum of squares that centers move, in units of the mean variance of a feature
    bool bounds = true; // false: every point is compared with every center in every iteration
};

struct Fit {
    std::vector<std::int32_t> labels; // (n)
    std::vector<double> centers;      // (k, d)
    double inertia = 0;               // weighted sum of squared distances to the own center
    std::size_t n_iter = 0;
};

/// From the given centers (k, d). The labels are those of the centers.
Fit fit(const RunContext& ctx, const Points& points, std::vector<double> centers, const FitParams& params);

struct Assigned {
    std::vector<std::int32_t> labels;      // (n)
    std::vector<double> squared_distances; // (n)
};

/// The nearest center of each point, and how far it is.
Assigned assign(const RunContext& ctx, const Points& points, const std::vector<double>& centers);

/// out (n, k): the distance of each point to each center, whatever the others are.
void distances(const RunContext& ctx, const Points& points, const std::vector<double>& centers, double* out);

} // namespace mlcore::kmeans
