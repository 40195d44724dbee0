// Submodule `neighbors` is bound in several files.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_spanning_tree(pybind11::module_& m);

} // namespace mlcore
