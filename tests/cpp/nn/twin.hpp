// What the native tests of networks share: arrays of random numbers and axes of windows.
#pragma once

#include "core/random.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace twin {

using Values = std::vector<float>;

/// n normal numbers, the same ones each time; another stream has others.
inline Values normal(std::size_t n, std::uint64_t stream, float scale = 1, float shift = 0) {
    const mlcore::Philox random(7, stream);
    Values values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = scale * static_cast<float>(random.normal(i)) + shift;
    return values;
}

/// An axis of windows (PoolingAxis, ConvolutionAxis) with as many outputs as fit.
template <class Axis>
Axis window_axis(std::size_t n_in, std::size_t kernel, std::size_t stride, std::size_t padding, std::size_t dilation) {
    return {n_in, kernel, (n_in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1, stride, dilation, padding};
}

} // namespace twin
