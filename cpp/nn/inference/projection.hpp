// A linear layer made for predictions: y = activation(x W^T + b + residual), its weight packed once.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "linalg/activation.hpp"
#include "linalg/gemm.hpp"

#include <cstddef>
#include <vector>

namespace mlcore::nn {

class Projection {
  public:
    Projection() = default;
    /// weight (out, in), any strides; bias (out) or nullptr. Both are copied.
    Projection(const RunContext& ctx, MatrixView<const float> weight, const float* bias = nullptr);

    std::size_t n_in() const noexcept { return weight_.rows(); }
    std::size_t n_out() const noexcept { return weight_.cols(); }

    /// x (m, in), y (m, out) = activation(x W^T + b + residual). Rows of y are contiguous, of any distance; residual is
    /// like y, may be y, or is absent (data nullptr). x must not overlap y. A row of y has the same bits whatever the
    /// other rows are, for any number of threads. Inside a parallel loop it runs on the thread that calls it.
    void apply(const RunContext& ctx, MatrixView<const float> x, MatrixView<float> y,
               linalg::Activation activation = linalg::Activation::identity,
               MatrixView<const float> residual = {}) const;

  private:
    linalg::PackedMatrix weight_; // W^T
    std::vector<float> bias_;     // empty without one
};

} // namespace mlcore::nn
