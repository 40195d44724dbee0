// Weights of the layers of a Transformer as they come, in the layout of PyTorch's state_dict, and what networks without
// a tape make of them.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "nn/inference/projection.hpp"

#include <cstddef>
#include <vector>

namespace mlcore::nn {

struct LinearWeights {
    MatrixView<const float> weight; // (out, in)
    const float* bias = nullptr;    // (out); optional
};

struct NormWeights {
    const float *weight = nullptr, *bias = nullptr; // (d); optional
};

inline Projection make_projection(const RunContext& ctx, const LinearWeights& w, Precision precision) {
    return {ctx, w.weight, w.bias, precision};
}

/// A layer norm that owns its weights.
class NormLayer {
  public:
    NormLayer() = default;
    NormLayer(const NormWeights& w, std::size_t d, float epsilon);

    /// y (m, d), which may be x; statistics (2, m): room.
    void apply(const RunContext& ctx, const float* x, std::size_t m, float* y, float* statistics) const;

  private:
    std::size_t d_ = 0;
    float epsilon_ = 0;
    std::vector<float> weight_, bias_; // empty without one
};

} // namespace mlcore::nn
