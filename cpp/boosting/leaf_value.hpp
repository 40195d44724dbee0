// The value of a leaf, and its gain, from the sums of its rows.
//
// With G, H the sums of gradients and hessians, T(G) = sign(G) max(|G| - reg_alpha, 0), the Newton step is
//
//     v = -T(G) / (H + reg_lambda)      and has the gain      T(G)^2 / (H + reg_lambda)         (Chen & Guestrin 2016)
//
// by the second-order expansion. That expansion is no bound: where hessians are next to nothing (a rare class, a log
// link far below its target) the step is thousands and the loss increases. What is a bound, for one output of log_loss,
// poisson, gamma and tweedie, follows from |loss'''| <= loss'' (in one unit of raw score curvature grows e-fold at
// most): a step s changes the loss of the leaf by no more than
//
//     U(s) = -|G| |s| + H (exp |s| - 1 - |s|)         least at |s| = log(1 + u), u = |G| / H, and below 0 up to there.
//
// For the softmax all classes move at once. With l_k(s) = log(1 - p_k + p_k exp s) - [y = k] s, class k against the
// rest,
//
//     loss(F + v) - loss(F)  <=  1/2 sum_k (l_k(2 v_k) - l_k(0))
//
// because (sum p_k exp v_k)^2 <= prod_k (1 + p_k (exp(2 v_k) - 1)): the factors of classes that go up and of those that
// go down are at least 1 + their sum each, then Cauchy-Schwarz. So each tree may take half the step that is safe for
// its class alone.
//
// Hence: a step, times the learning rate, is cut to
//
//     |v| learning_rate  <=  max(log(1 + u), min(u, 1)) / share             share: 2 for the softmax, else 1
//
// (a u up to 1 needs no logarithm: U(u) < 0 still). Shorter steps, nearly all in ordinary data, are Newton's to the
// last bit.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "boosting/gradient.hpp"
#include "boosting/params.hpp"

namespace mlcore::boosting {

// Leaf values must stay inside this interval (monotone constraints).
struct Bounds {
    double lower = -std::numeric_limits<double>::infinity();
    double upper = std::numeric_limits<double>::infinity();

    double clamp(double value) const { return std::clamp(value, lower, upper); }
};

// The bounds of the left and of the right child of a node with these bounds: everything below a split on a feature that
// must increase (direction 1) or decrease (-1) stays on its side of the middle of the two children's values.
inline std::pair<Bounds, Bounds> child_bounds(const Bounds& bounds, int direction, double left, double right) {
    std::pair<Bounds, Bounds> of{bounds, bounds};
    if (direction == 0) return of;
    const double middle = (bounds.clamp(left) + bounds.clamp(right)) / 2;
    (direction > 0 ? of.first : of.second).upper = middle;
    (direction > 0 ? of.second : of.first).lower = middle;
    return of;
}

class LeafRule {
  public:
    // share: as above; 0: Newton steps are left as they are.
    LeafRule(const Params& params, double share) : params_(params), share_(share) {}

    // hessian_unit: of the integers that the sums come from. The rounding of a row may hide half of it.
    void set_hessian_unit(double unit) { hidden_hessian_ = 0.5 * unit; }

    // Before the learning rate.
    double value(const Sums& s, const Bounds& bounds) const {
        const double t = threshold(s.g), size = std::min(step(std::abs(t), s.h + params_.reg_lambda, s.n), longest());
        return bounds.clamp(std::copysign(size, -t));
    }

    // Twice the decrease of the expansion by the best value that max_delta_step allows; reg_lambda = lambda.
    double score(double g, double h, double lambda) const {
        const double t = threshold(g);
        return is_limited() ? score_limited(t, h + lambda) : (h + lambda > 0.0 ? t * t / (h + lambda) : 0.0);
    }
    double score_limited(double t, double h) const {
        const double v = h > 0.0 ? std::min(std::abs(t) / h, params_.max_delta_step) : 0.0;
        return v * (2.0 * std::abs(t) - h * v);
    }

    // Twice the decrease of the expansion by giving all rows this value.
    double score_at(const Sums& s, double value) const {
        return -(2.0 * (s.g * value + params_.reg_alpha * std::abs(value)) +
                 (s.h + params_.reg_lambda) * value * value);
    }

    double threshold(double g) const { return soft_threshold(g, params_.reg_alpha); }
    static double soft_threshold(double g, double alpha) {
        return alpha == 0.0 ? g : std::copysign(std::max(std::abs(g) - alpha, 0.0), g);
    }

    bool is_limited() const { return params_.max_delta_step > 0.0; }

  private:
    double longest() const { return is_limited() ? params_.max_delta_step : std::numeric_limits<double>::infinity(); }

    // The size of the step for t = |T(G)|, h = H + reg_lambda.
    double step(double t, double h, double n) const {
        const double newton = h > 0.0 ? t / h : 0.0;
        if (share_ == 0.0 || t == 0.0) return newton;
        const double u = t / (h + n * hidden_hessian_), rate = params_.learning_rate * share_;
        if (h > 0.0 && newton * rate <= std::min(u, 1.0)) return newton;
        const double safe = std::max(std::log1p(u), std::min(u, 1.0));
        return h > 0.0 && newton * rate <= safe ? newton : safe / rate;
    }

    const Params& params_;
    double share_;
    double hidden_hessian_ = 0.0;
};

} // namespace mlcore::boosting
