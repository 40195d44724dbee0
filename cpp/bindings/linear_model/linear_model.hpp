// Submodule `linear_model` is bound in three files: logistic regression, least squares, linear support vector machines.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_linear_model_hinge(pybind11::module_& m);
void register_linear_model_least_squares(pybind11::module_& m);

} // namespace mlcore
