// Submodule `linear_model` is bound in two files: logistic regression, least squares.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_linear_model_least_squares(pybind11::module_& m);

} // namespace mlcore
