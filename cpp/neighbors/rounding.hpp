// Points as float32, and how far the squared distances that follow from their products may be from the truth.
//
// |a - b|^2 = |a|^2 + |b|^2 - 2 a b costs a fraction of a sum of squared differences, but cancels. Points are therefore
// first measured from a centre, so that the place of the origin costs no digits, and scaled by a power of two, so that
// nothing leaves the range of float32. With u = 2^-24, sums over d products in float32, in any order and with or
// without fused multiply-adds, then give |a - b|^2 but for
//
//   (1.05 d + 32) u (|a|^2 + |b|^2) = error (|a|^2 + |b|^2)
//
// at most: d u for the product of rounded points (Higham, "Accuracy and Stability of Numerical Algorithms", 2002,
// section 3.1; 2 |a| |b| <= |a|^2 + |b|^2), 4 u for the rounding of their coordinates, 4 u for squares that are rounded
// to float32 and added to the product in it. The rest is room for terms in u^2, for bounds that are rounded to be
// compared with the sum (those beyond 4 (|a|^2 + |b|^2) decide nothing), and for the rounding of the float64 sum of
// squared differences, which is what counts. So
//
//   below(|a|^2) + below(|b|^2) - 2 a b <= |a - b|^2,
//
// and the left side is short of it by no more than width(|a|^2) + width(|b|^2). That proves most pairs to be beyond a
// bound, or within it; whoever stands in between is measured in float64. Answers are those of float64 alone.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/metric.hpp"

#include <cstddef>
#include <vector>

namespace mlcore::neighbors {

class Rounding {
  public:
    /// Whether it serves: of squared distances, for so few dimensions that the bound on the error says something.
    static bool serves(Metric metric, std::size_t d) {
        return (metric == Metric::euclidean || metric == Metric::cosine) && d < (1U << 16U);
    }

    /// Around the mean of the points, wide enough for the queries too.
    Rounding(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries);
    /// Around the middle of the points of a tree.
    explicit Rounding(const KdTree& tree);

    /// Coordinate j of a point.
    float operator()(double x, std::size_t j) const { return static_cast<float>((x - centre_[j]) * unit_); }
    /// A reduced distance of points as one of rounded points.
    double in_unit(double reduced) const { return reduced * unit_ * unit_; }

    /// What the square |a|^2 of a rounded point adds to a distance, at least; and how much more that may be.
    double below(double square) const { return square * (1 - error_) - absolute_; }
    double width(double square) const { return 2 * (square * error_ + absolute_); }

  private:
    void set_scale(double reach);

    std::vector<double> centre_;
    double unit_ = 1, error_;
    double absolute_ = 0; // what underflows
};

} // namespace mlcore::neighbors
