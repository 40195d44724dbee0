#include "nn/inference/projection.hpp"

namespace mlcore::nn {

Projection::Projection(const RunContext& ctx, MatrixView<const float> weight, const float* bias)
    : weight_(ctx, linalg::transposed(weight)) {
    if (bias) bias_.assign(bias, bias + weight.rows);
}

void Projection::apply(const RunContext& ctx, MatrixView<const float> x, MatrixView<float> y,
                       linalg::Activation activation, MatrixView<const float> residual) const {
    linalg::Epilogue epilogue;
    epilogue.bias = bias_.empty() ? nullptr : bias_.data();
    epilogue.activation = activation;
    const bool in_place = residual.data != nullptr && residual.data == y.data; // the sums then start from it
    if (!in_place) epilogue.residual = residual;
    linalg::gemm(ctx, x, weight_, y, in_place, epilogue);
}

} // namespace mlcore::nn
