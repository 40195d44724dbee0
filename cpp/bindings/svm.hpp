// Submodule `svm` is bound in two files: kernel machines, linear machines.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_svm_linear(pybind11::module_& m);

} // namespace mlcore
