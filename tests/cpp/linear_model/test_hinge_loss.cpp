// The losses of linear machines as Newton's method sees them, against their definition as a maximum.
#include "check.hpp"
#include "linear_model/hinge/loss.hpp"

#include <cmath>
#include <vector>

using namespace mlcore::linear_model::hinge;

namespace {

/// max over a in [low, high] of a m - epsilon |a| - (a - prior)^2 / (2 h), on a fine grid.
double largest(double m, double epsilon, double prior, double h, double low, double high) {
    double best = -1e300;
    constexpr int steps = 200000;
    for (int k = 0; k <= steps; ++k) {
        const double a = low + (high - low) * k / steps;
        best = std::max(best, a * m - epsilon * std::abs(a) - (a - prior) * (a - prior) / (2 * h));
    }
    return best;
}

template <bool regression>
void compare(bool corners) {
    const double cost = 1.5, epsilon = regression ? 0.2 : 0, kappa = 0.7, y = regression ? 0.3 : -1, prior = 0.4;
    LinearPieces<regression> loss({{y, y}, {cost, 0}}, epsilon);
    if (corners) {
        loss.round_corners({prior, 0});
        loss.set_kappa(kappa);
    }
    CHECK_EQUAL(loss.kappa(), corners ? kappa : 2.0);
    const double h = loss.curvature(0), bound = corners ? cost : 30;
    for (const double z : {-3.0, -1.1, -0.4, 0.12, 0.45, 1.3, 4.0}) {
        const auto p = loss.at(0, z);
        const double m = regression ? y - z : 1 - y * z;
        const double expected = largest(m, epsilon, corners ? prior : 0, h, regression ? -bound : 0, bound);
        CHECK_CLOSE(p.value, expected, 1e-6);
        constexpr double step = 1e-6;
        const double slope = (loss.at(0, z + step).value - loss.at(0, z - step).value) / (2 * step);
        CHECK_CLOSE(-p.a * loss.sign(0), slope, 1e-6);
        const double bend = (loss.at(0, z + step).a - loss.at(0, z - step).a) * -loss.sign(0) / (2 * step);
        CHECK_CLOSE(bend, p.active ? h : 0, 1e-6);
        if (!corners) { // the squares of what lies beyond the margin or the tube
            const double over = std::max(regression ? std::abs(m) - epsilon : m, 0.0);
            CHECK_CLOSE(p.value, cost * over * over, 1e-12);
        }
    }
    CHECK_EQUAL(loss.at(1, 0.7).value, 0.0); // without cost
}

} // namespace

TEST(pieces_of_parabolas) {
    for (const bool corners : {false, true}) {
        compare<false>(corners);
        compare<true>(corners);
    }
}

TEST(optimal_dual_variables_violate_nothing) {
    std::vector<double> cost(4, 2.0);
    cost[3] = 0;
    LinearPieces<false> hinge({{1, 1, -1, 1}, cost}, 0);
    hinge.round_corners({0, 2, 1, 0});
    hinge.set_kappa(1e-9);                                           // the variables stay at the prior
    CHECK_CLOSE(hinge.dual_violation({1.5, 0.2, -1, -9}), 0, 1e-12); // outside, inside, on the margin; no cost
    CHECK_CLOSE(hinge.dual_violation({0.5, 0.2, -1, 0}), 0.5, 1e-12);
    CHECK_CLOSE(hinge.dual_violation({0.5, 1.25, -1, 0}), 0.75, 1e-12);
    CHECK_CLOSE(hinge.rarer_share(), 1.0 / 3, 1e-15);
    LinearPieces<true> tube({{0, 1, -2}, {1, 1, 2}}, 0.5);
    tube.round_corners({0, 1, -0.5});
    tube.set_kappa(1e-9);
    CHECK_CLOSE(tube.dual_violation({0.3, 0.2, -1.5}), 0, 1e-8); // within, below at the bound, at the edge
    CHECK_CLOSE(tube.dual_violation({0.7, 0.9, -1.5}), 0.2 + 0.4, 1e-8);
    CHECK_CLOSE(tube.mean_target(), 5.0 / 4, 1e-15);
}

TEST(soft_thresholds) {
    CHECK_EQUAL(soft_threshold(3, 1), 2.0);
    CHECK_EQUAL(soft_threshold(-3, 1), -2.0);
    CHECK_EQUAL(soft_threshold(0.5, 1), 0.0);
}
