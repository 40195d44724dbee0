// Submodule `nn`: tokens that a network writes one after the other.
#include "bindings/nn/nn.hpp"

namespace mlcore {

void register_nn_search(pybind11::module_& /*m*/) {}

} // namespace mlcore
