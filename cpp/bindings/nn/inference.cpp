// Submodule `nn`: networks without a tape, made for predictions.
#include "bindings/nn/nn.hpp"

namespace mlcore {

void register_nn_inference(pybind11::module_& /*m*/) {}

} // namespace mlcore
