// H = sum_i h_i x_i x_i^T over the rows of an active set, kept up to date as rows enter and leave it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/context.hpp"
#include "core/memory.hpp"
#include "linear_model/hinge/rows.hpp"

namespace mlcore::linear_model::hinge {

class LinearHessian {
  public:
    /// width: features and the constant feature, if there is one.
    explicit LinearHessian(std::size_t width) : width_(width), sum_(width * width, 0.0) {}

    /// Adds sign * h_i x_i x_i^T for the rows listed, h by row number, sign 1 or -1. Only the lower triangle is kept.
    template <class Rows>
    void add(const RunContext& ctx, const Rows& rows, std::span<const std::uint32_t> list, std::span<const double> h,
             double sign);
    void clear() { sum_.fill(0.0); }

    std::size_t width() const { return width_; }
    /// Column-major, lower triangle.
    const double* data() const { return sum_.data(); }

    /// b = (H + ridge I)^-1 b.
    void solve(double ridge, std::span<double> b);
    /// p = argmin of g . p + p (kappa H) p / 2 + |w + p|_1 by coordinate descent from 0, until the subgradients, each
    /// times `scale` (one over the root of the curvature), add up to `enough`. Where that is slow, as columns
    /// are alike but for little, it goes to the minimum for the signs at hand. Calls pause() now and then.
    void l1_step(double kappa, std::span<const double> g, std::span<const double> w, std::span<const double> scale,
                 double enough, const std::function<void()>& pause, std::span<double> p);
    /// Copies the lower triangle to the upper one.
    void mirror();

  private:
    std::size_t width_;
    Buffer<double> sum_, factor_;
    std::vector<Buffer<double>> gathered_; // rows of one product, by thread
};

} // namespace mlcore::linear_model::hinge
