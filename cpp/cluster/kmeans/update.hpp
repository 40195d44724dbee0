// New centers: weighted means of the points of each label, and what becomes of clusters without points.
//
// Sums are float64, of differences to the mean of all points, in an order that the data alone fixes. Where points have
// no weights and few have moved, the sums are changed by those alone: their rounding is then that of the few.
#pragma once

#include "cluster/kmeans/points.hpp"
#include "core/context.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::kmeans {

class ClusterSums {
  public:
    ClusterSums(const Points& points, std::size_t k)
        : points_(points), k_(k), sums_(k * points.dim()), weights_(k), labels_(points.size(), -1) {}

    /// Takes new labels (n) of all points. Returns how many have another label than before.
    std::size_t update(const RunContext& ctx, const std::int32_t* labels);

    /// out (k, d), in the table's units. `centers` (k, d): the centers that gave the labels. A cluster without weight
    /// gets the point that is furthest from its center, and that one's cluster loses it (the first such cluster the
    /// furthest one); where there are only points on their centers, the place of the heaviest cluster.
    void centers(const RunContext& ctx, const double* centers, double* out) const;

  private:
    void relocate(const RunContext& ctx, const double* centers, std::vector<double>& sums,
                  std::vector<double>& weights) const;

    const Points& points_;
    std::size_t k_;
    std::vector<double> sums_, weights_; // (k, d), (k)
    std::vector<std::int32_t> labels_;   // which the sums are of; -1: of none
};

} // namespace mlcore::kmeans
