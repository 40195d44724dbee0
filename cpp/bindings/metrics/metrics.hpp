// Submodule `metrics` is bound in several files, one for each room of cpp/metrics.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_metrics_labels(pybind11::module_& m);
void register_metrics_probabilities(pybind11::module_& m);
void register_metrics_errors(pybind11::module_& m);
void register_metrics_ranking(pybind11::module_& m);
void register_metrics_tables(pybind11::module_& m);    // called by register_metrics_ranking
void register_metrics_bootstrap(pybind11::module_& m); // called by register_metrics_ranking
void register_metrics_translation(pybind11::module_& m);
void register_metrics_clusters(pybind11::module_& m);
void register_metrics_contingency(pybind11::module_& m);

} // namespace mlcore
