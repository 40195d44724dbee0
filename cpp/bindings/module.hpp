// One register function per family, each defined in its file or folder here and called by module.cpp.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_core(pybind11::module_& m);
void register_boosting(pybind11::module_& m);
void register_cluster(pybind11::module_& m);
void register_embedding(pybind11::module_& m);
void register_linear_model(pybind11::module_& m);
void register_metrics(pybind11::module_& m);
void register_neighbors(pybind11::module_& m);
void register_nn(pybind11::module_& m);
void register_svm(pybind11::module_& m);
void register_text(pybind11::module_& m);

} // namespace mlcore
