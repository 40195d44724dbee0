#include "nn/inference/projection.hpp"

#include "core/choice.hpp"
#include "core/error.hpp"

namespace mlcore::nn {

Precision parse_precision(const std::string& name) {
    return choose<Precision>(
        "dtype", name, {{"float32", Precision::float32}, {"bfloat16", Precision::bfloat16}, {"int8", Precision::int8}});
}

Projection::Projection(const RunContext& ctx, MatrixView<const float> weight, const float* bias, Precision precision) {
    switch (precision) {
    case Precision::float32:
        weight_ = linalg::PackedMatrix(ctx, linalg::transposed(weight));
        break;
    case Precision::bfloat16:
        weight_ = linalg::Bf16Matrix(ctx, linalg::transposed(weight));
        break;
    case Precision::int8:
        weight_ = linalg::Int8Matrix(ctx, linalg::transposed(weight));
        break;
    }
    if (bias) bias_.assign(bias, bias + weight.rows);
}

std::size_t Projection::n_in() const noexcept {
    return std::visit([](const auto& weight) { return weight.rows(); }, weight_);
}

std::size_t Projection::n_out() const noexcept {
    return std::visit([](const auto& weight) { return weight.cols(); }, weight_);
}

void Projection::apply(const RunContext& ctx, MatrixView<const float> x, MatrixView<float> y,
                       linalg::Activation activation, MatrixView<const float> residual) const {
    MLCORE_CHECK(x.rows_contiguous(), "rows must be contiguous");
    linalg::Epilogue epilogue;
    epilogue.bias = bias_.empty() ? nullptr : bias_.data();
    epilogue.residual = residual;
    epilogue.activation = activation;
    if (const auto* integers = std::get_if<linalg::Int8Matrix>(&weight_))
        return linalg::gemm(ctx, x, *integers, y, epilogue);
    if (const auto* halves = std::get_if<linalg::Bf16Matrix>(&weight_))
        return linalg::gemm(ctx, x, *halves, y, epilogue);
    const bool in_place = residual.data != nullptr && residual.data == y.data; // the sums then start from it
    if (in_place) epilogue.residual = {};
    linalg::gemm(ctx, x, *std::get_if<linalg::PackedMatrix>(&weight_), y, in_place, epilogue);
}

} // namespace mlcore::nn
