// The elastic net in the space of its features, once their inner products are known:
//   minimise  1/2 (yy - 2 b.w + w'Gw) + l1 |w|_1 + l2/2 |w|^2     over the coordinates of a working set.
// Coordinate descent with covariance updates (Friedman, Hastie, Tibshirani 2010): c = b - Gw is kept, so that a
// coordinate that stays at zero costs nothing, and one that moves costs a row of G. Once a sweep has left the support S
// and its signs alone, a Newton step on them,
//   (G_SS + l2 I) w_S = b_S - l1 sign(w_S),
// is tried: if no sign changes it is the exact solution for this support, else the step ends at the first coordinate to
// reach zero, which leaves the support. Either way the objective falls. Descent alone would take hundreds of sweeps
// where columns are correlated. Columns of the support that depend on others (a support larger than the number of rows)
// have no Newton step: moving along a dependency changes the L1 norm alone, so it is followed downhill until a
// coordinate reaches zero.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/random.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace mlcore::linear_model {

struct Penalty {
    double l1, l2;
    bool positive; // coefficients may not be negative

    /// argmin over w of 1/2 square w^2 - t w + l1 |w| + l2/2 w^2
    double minimiser(double t, double square) const {
        const double size = (t < 0 ? -t : t) - l1;
        if (size <= 0 || (positive && t < 0)) return 0;
        return (t < 0 ? -size : size) / (square + l2);
    }
};

/// The parts of the objective and of its dual that a sweep over the coefficients gives.
class GapParts {
  public:
    /// yy: squared norm of y. An inner product with the residual is known but for rounding of its column's length times
    /// that of y: so little above l1 is not held against a solution, which no arithmetic could bring any lower.
    explicit GapParts(double yy) : rounding_(64 * std::numeric_limits<double>::epsilon() * std::sqrt(yy)) {}

    /// w: a coefficient; c: inner product of its column with the residual; square: of its column with itself, > 0.
    void add(double w, double c, double square, const Penalty& penalty) {
        const double size = w < 0 ? -w : w, slope = c - penalty.l2 * w;
        w1_ += size;
        w2_ += w * w;
        double above = slope < 0 && !penalty.positive ? -slope : slope;
        if (above > penalty.l1) above = std::max(above - rounding_ * std::sqrt(square), penalty.l1);
        if (above > dual_norm_) dual_norm_ = above;
        const double free = penalty.positive && w == 0 && c < 0 ? 0 : c;
        c2_ += penalty.l2 > 0 ? free * free : free * free / square;
    }

    /// Upper bound of objective minus optimum. rr, ry: squared norm of the residual, its inner product with y.
    /// With l1 > 0 the dual point is the residual of the problem with l2 written as more rows, scaled until feasible;
    /// with l1 = 0 < l2 the residual itself, as the dual of a ridge has no constraints (Duenner et al. 2016, section
    /// 5.2.3). Without any penalty there is no useful dual: what the coordinates could gain, each for itself, stands
    /// for the gap.
    double gap(double rr, double ry, const Penalty& penalty) const;

    double dual_norm() const { return dual_norm_; }
    double objective(double rr, const Penalty& penalty) const {
        return rr / 2 + penalty.l1 * w1_ + penalty.l2 / 2 * w2_;
    }

  private:
    double rounding_, w1_ = 0, w2_ = 0, c2_ = 0,
                      dual_norm_ = 0; // c2: squares of c; without l2 over those of the columns
};

/// m features of a problem. gram (m, m) with rows `ld` apart; b (m), w (m) in and out, c (m) = b - gram w in and out.
struct GramProblem {
    const double* gram;
    std::size_t ld, m;
    const double* b;
    double* w;
    double* c;
    double yy;
};

/// When to stop: at a duality gap (of the working set) of at most `gap` where the last sweep moved no coefficient by
/// more than `change` times the largest, both times the length of their columns, or after `max_sweeps`.
struct Stop {
    double gap, change;
    int max_sweeps;
};

class GramDescent {
  public:
    /// Coordinates of `work` are minimised over, the others stay. Columns with gram_jj = 0 must not be in it. order:
    /// random draws of coordinates in place of sweeps in order, or nullptr; `draws` counts them. Returns the sweeps
    /// made.
    int solve(const RunContext& ctx, const GramProblem& problem, const Penalty& penalty,
              std::span<const std::int32_t> work, const Stop& stop, const Philox* order, std::uint64_t& draws);

  private:
    struct Sweep {
        double largest_change = 0, largest = 0; // squares of what a coefficient adds to the predictions
        bool new_signs = false;
    };

    Sweep sweep(const GramProblem& problem, const Penalty& penalty, std::span<const std::int32_t> work,
                const Philox* order, std::uint64_t& draws) const;
    bool newton(const GramProblem& problem, const Penalty& penalty, std::span<const std::int32_t> work);
    bool factorise(const GramProblem& problem, const Penalty& penalty);
    bool drop_dependent(const GramProblem& problem);
    double gap(const GramProblem& problem, const Penalty& penalty, std::span<const std::int32_t> work) const;

    std::vector<std::int32_t> support_;
    Buffer<double> matrix_, step_;
};

} // namespace mlcore::linear_model
