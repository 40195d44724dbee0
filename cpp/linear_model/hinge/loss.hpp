// The losses of the linear machines as Newton's method sees them: made of pieces of parabolas, and written by their
// dual. With m = 1 - y z for classification, y - z for regression,
//
//   loss(z) = max over a in [0, bound], or |a| <= bound, of   a m - epsilon |a| - (a - prior)^2 / (2 h)
//
// Squared losses: prior = 0, h = kappa c with kappa = 2, no bound. Losses with corners: bound = c, and prior = some a:
// that is the loss with its corners rounded, the less so the larger kappa is and the better the prior.
// The maximal a is a clipped line in z; dloss/dz = -a y (-a); the curvature is h where a is on the line, else 0.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "linear_model/hinge/fit.hpp"

namespace mlcore::linear_model::hinge {

inline double soft_threshold(double x, double threshold) {
    return x > threshold ? x - threshold : x < -threshold ? x + threshold : 0.0;
}

template <bool regression>
class LinearPieces {
  public:
    struct Point {
        double a = 0; // -dloss/dz, but for the sign y
        double value = 0;
        bool active = false; // curved here
    };

    LinearPieces(const LinearProblem& problem, double epsilon)
        : target_(problem.target), cost_(problem.cost), epsilon_(epsilon) {}

    /// From now on the loss with corners, rounded about these a.
    void round_corners(std::vector<double> prior) {
        prior_ = std::move(prior);
        has_corners_ = true;
    }
    void set_kappa(double kappa) { kappa_ = kappa; }
    double kappa() const { return kappa_; }

    const std::vector<double>& costs() const { return cost_; }
    double curvature(std::size_t i) const { return kappa_ * cost_[i]; }
    double sign(std::size_t i) const { return regression ? 1.0 : target_[i]; }

    Point at(std::size_t i, double z) const {
        const double h = kappa_ * cost_[i];
        if (h == 0) return {};
        const double prior = has_corners_ ? prior_[i] : 0.0, bound = bound_of(i);
        Point p;
        if constexpr (regression) {
            const double m = target_[i] - z, raw = soft_threshold(prior + h * m, h * epsilon_);
            p.a = std::clamp(raw, -bound, bound);
            p.active = raw != 0 && std::abs(raw) < bound;
            p.value = p.a * m - epsilon_ * std::abs(p.a) - (p.a - prior) * (p.a - prior) / (2 * h);
        } else {
            const double m = 1 - target_[i] * z, raw = prior + h * m;
            p.a = std::clamp(raw, 0.0, bound);
            p.active = raw > 0 && raw < bound;
            p.value = p.a * m - (p.a - prior) * (p.a - prior) / (2 * h);
        }
        return p;
    }

    /// Violation of the optimality conditions of the dual problem at the a of these scores, as dual.cpp measures it
    /// for the losses with corners.
    double dual_violation(const std::vector<double>& z) const {
        double largest = 0, smallest = 0, total = 0;
        for (std::size_t i = 0; i < z.size(); ++i) {
            if (cost_[i] == 0) continue;
            const double a = at(i, z[i]).a, bound = bound_of(i);
            if constexpr (regression) {
                const double g = z[i] - target_[i], up = g + epsilon_, down = g - epsilon_;
                if (a == 0)
                    total += std::max(0.0, std::max(-up, down));
                else if (a > 0)
                    total += a >= bound ? std::max(up, 0.0) : std::abs(up);
                else
                    total += a <= -bound ? std::max(-down, 0.0) : std::abs(down);
            } else {
                const double g = target_[i] * z[i] - 1;
                const double pressed = a <= 0 ? std::min(g, 0.0) : a >= bound ? std::max(g, 0.0) : g;
                largest = std::max(largest, pressed);
                smallest = std::min(smallest, pressed);
            }
        }
        return regression ? total : largest - smallest;
    }

    /// Mean distance of the targets from 0, at least a little: the unit of scores in a regression.
    double mean_target() const {
        double sum = 0, total = 0;
        for (std::size_t i = 0; i < cost_.size(); ++i) {
            sum += cost_[i] * std::abs(target_[i]);
            total += cost_[i];
        }
        return sum > 0 ? sum / total : 1;
    }

    /// Share of the rarer class among the rows that count, but at least one row; 1 for a regression.
    double rarer_share() const {
        if (regression) return 1;
        double n_used = 0, n_positive = 0;
        for (std::size_t i = 0; i < cost_.size(); ++i) {
            if (cost_[i] == 0) continue;
            n_used += 1;
            n_positive += target_[i] > 0;
        }
        return std::max(std::min(n_positive, n_used - n_positive), 1.0) / std::max(n_used, 1.0);
    }

  private:
    double bound_of(std::size_t i) const { return has_corners_ ? cost_[i] : std::numeric_limits<double>::infinity(); }

    std::vector<double> target_, cost_, prior_;
    double epsilon_, kappa_ = 2;
    bool has_corners_ = false;
};

} // namespace mlcore::linear_model::hinge
