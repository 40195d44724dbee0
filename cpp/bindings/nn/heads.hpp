// Arrays of heads, (B, H, T, D), as the kernels of attention take them.
#pragma once

#include "bindings/nn/tensor_args.hpp"
#include "core/error.hpp"
#include "nn/attention/attention.hpp"

#include <string>

namespace mlcore::bindings {

/// The last axis must be contiguous: a kernel reads vectors of it.
template <class T>
nn::HeadsView<T> heads(const char* name, const StridedView<T>& x) {
    if (x.strides[3] != 1 && x.shape[3] > 1 && n_entries(x.shape) > 0)
        throw ValueError(std::string(name) + " of shape " + shape_text(x.shape) +
                         " must be contiguous along its last axis");
    return {x.data, x.strides[0], x.strides[1], x.strides[2]};
}

} // namespace mlcore::bindings
