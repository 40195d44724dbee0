#include "nn/inference/layer_weights.hpp"

#include "nn/layer_norm.hpp"

namespace mlcore::nn {

NormLayer::NormLayer(const NormWeights& w, std::size_t d, float epsilon) : d_(d), epsilon_(epsilon) {
    if (w.weight) weight_.assign(w.weight, w.weight + d);
    if (w.bias) bias_.assign(w.bias, w.bias + d);
}

void NormLayer::apply(const RunContext& ctx, const float* x, std::size_t m, float* y, float* statistics) const {
    layer_norm(ctx, x, m, d_, epsilon_, weight_.empty() ? nullptr : weight_.data(),
               bias_.empty() ? nullptr : bias_.data(), y, statistics, statistics + m);
}

} // namespace mlcore::nn
