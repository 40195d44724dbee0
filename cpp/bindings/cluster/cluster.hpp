// Submodule `cluster` is bound in one file a method.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_agglomerative(pybind11::module_& m);
void register_dbscan(pybind11::module_& m);
void register_hdbscan(pybind11::module_& m);
void register_kmeans(pybind11::module_& m);
void register_mixture(pybind11::module_& m);
void register_single_linkage(pybind11::module_& m);

} // namespace mlcore
