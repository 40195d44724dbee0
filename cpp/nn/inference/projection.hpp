// A linear layer made for predictions: y = activation(x W^T + b + residual), its weight packed once: in float32, in
// bfloat16 (linalg/bf16/product.hpp), half of the memory and, on processors made for it, of the time, or as 8-bit
// integers with a scale an output (linalg/int8/product.hpp), a quarter of both.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "linalg/activation.hpp"
#include "linalg/bf16/product.hpp"
#include "linalg/gemm.hpp"
#include "linalg/int8/product.hpp"

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

namespace mlcore::nn {

/// What the weight of a product is kept as, and multiplied in. Sums, bias, residual and activation are float32.
enum class Precision { float32, bfloat16, int8 };

/// "float32", "bfloat16" or "int8". Throws ValueError.
Precision parse_precision(const std::string& name);

class Projection {
  public:
    Projection() = default;
    /// weight (out, in), any strides; bias (out) or nullptr. Both are copied.
    Projection(const RunContext& ctx, MatrixView<const float> weight, const float* bias = nullptr,
               Precision precision = Precision::float32);

    std::size_t n_in() const noexcept;
    std::size_t n_out() const noexcept;
    Precision precision() const noexcept { return static_cast<Precision>(weight_.index()); }

    /// x (m, in), y (m, out) = activation(x W^T + b + residual). Rows of x and y are contiguous, of any distance;
    /// residual is like y, may be y, or is absent (data nullptr). x must not overlap y. A row of y has the same bits
    /// whatever the other rows are, for any number of threads. Inside a parallel loop it runs on the thread that calls
    /// it. Where the weight is int8, a row of x that holds a NaN or an infinity gives a row of NaN.
    void apply(const RunContext& ctx, MatrixView<const float> x, MatrixView<float> y,
               linalg::Activation activation = linalg::Activation::identity,
               MatrixView<const float> residual = {}) const;

  private:
    std::variant<linalg::PackedMatrix, linalg::Bf16Matrix, linalg::Int8Matrix> weight_; // W^T; as in Precision
    std::vector<float> bias_;                                                           // empty without one
};

} // namespace mlcore::nn
