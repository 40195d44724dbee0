#include "linear_model/logistic/quadratic_l1.hpp"

#include "linalg/cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace mlcore::linear_model {
namespace {

class Descent {
  public:
    Descent(const Buffer<double>& H, const Vector& l1, Vector& x, Vector& gradient)
        : H_(H), l1_(l1), x_(x), gradient_(gradient), n_(x.size()) {}

    /// One update; returns the subgradient's entry before it.
    double update(std::size_t j) {
        const double curvature = H_[j * n_ + j], old = x_[j];
        const double violation = std::abs(subgradient(gradient_[j], old, l1_[j]));
        if (violation == 0 || !(curvature > 0)) return violation;
        const double target = old - gradient_[j] / curvature, threshold = l1_[j] / curvature;
        const double next = target > threshold ? target - threshold : target < -threshold ? target + threshold : 0.0;
        move(j, next - old);
        x_[j] = next;
        return violation;
    }

    double pass(bool nonzero_only) {
        double worst = 0;
        for (std::size_t j = 0; j < n_; ++j)
            if (!nonzero_only || x_[j] != 0 || l1_[j] == 0) worst = std::max(worst, update(j));
        return worst;
    }

    /// Towards the minimum over the variables that are not zero, signs kept.
    void solve_support(const RunContext& ctx) {
        std::vector<std::size_t> support;
        for (std::size_t j = 0; j < n_; ++j)
            if ((x_[j] != 0 || l1_[j] == 0) && H_[j * n_ + j] > 0) support.push_back(j);
        const std::size_t m = support.size();
        if (m == 0) return;
        Buffer<double> block(m * m);
        Vector step(m);
        for (std::size_t a = 0; a < m; ++a) {
            for (std::size_t b = 0; b <= a; ++b) block[a * m + b] = H_[support[a] * n_ + support[b]];
            const std::size_t j = support[a];
            step[a] = -(gradient_[j] + (x_[j] > 0 ? l1_[j] : -l1_[j]));
        }
        linalg::Cholesky(ctx, std::move(block), m).solve(step.data());
        double along = 1;
        for (std::size_t a = 0; a < m; ++a) {
            const std::size_t j = support[a];
            if (l1_[j] > 0 && (x_[j] > 0 ? x_[j] + step[a] < 0 : x_[j] + step[a] > 0))
                along = std::min(along, -x_[j] / step[a]);
        }
        for (std::size_t a = 0; a < m; ++a) {
            const std::size_t j = support[a];
            double next = x_[j] + along * step[a];
            if (l1_[j] > 0 && (x_[j] > 0 ? next <= 0 : next >= 0)) next = 0; // the one that bounds the step
            move(j, next - x_[j]);
            x_[j] = next;
        }
    }

    std::vector<std::int8_t> signs() const {
        std::vector<std::int8_t> all(n_);
        for (std::size_t j = 0; j < n_; ++j) all[j] = static_cast<std::int8_t>((x_[j] > 0) - (x_[j] < 0));
        return all;
    }

  private:
    void move(std::size_t j, double by) {
        if (by == 0) return;
        const double* row = H_.data() + j * n_;
        double* g = gradient_.data();
        for (std::size_t i = 0; i < n_; ++i) g[i] += by * row[i];
    }

    const Buffer<double>& H_;
    const Vector& l1_;
    Vector &x_, &gradient_;
    std::size_t n_;
};

} // namespace

void minimise_quadratic_l1(const RunContext& ctx, const Buffer<double>& H, const Vector& l1, double tol,
                           int most_passes, Vector& x, Vector& gradient) {
    Descent descent(H, l1, x, gradient);
    constexpr int passes_between = 5;
    const bool passes_take_long = x.size() > 1000;
    for (int pass = 0; pass < most_passes;) {
        ctx.checkpoint();
        if (descent.pass(false) <= tol) return;
        ++pass;
        auto signs = descent.signs();
        for (int i = 0; i < passes_between && pass < most_passes; ++i, ++pass) {
            const double worst = descent.pass(true);
            if (passes_take_long) ctx.checkpoint();
            if (worst <= tol) break;
            auto now = descent.signs();
            if (i > 0 && now == signs) {
                descent.solve_support(ctx);
                break;
            }
            signs = std::move(now);
        }
    }
}

} // namespace mlcore::linear_model
