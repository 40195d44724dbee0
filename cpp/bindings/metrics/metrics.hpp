// Submodule `metrics` is bound in several files, one for each room of cpp/metrics.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_metrics_labels(pybind11::module_& m);
void register_metrics_ranking(pybind11::module_& m);
void register_metrics_translation(pybind11::module_& m);

} // namespace mlcore
