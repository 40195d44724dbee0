// Submodule `metrics`: how good predictions are. See the other files of this folder.
#include "bindings/metrics/metrics.hpp"
#include "bindings/module.hpp"

namespace mlcore {

void register_metrics(pybind11::module_& m) {
    auto metrics = m.def_submodule("metrics", "How good predictions are.");
    register_metrics_labels(metrics);
    register_metrics_probabilities(metrics);
    register_metrics_errors(metrics);
    register_metrics_ranking(metrics);
    register_metrics_translation(metrics);
    register_metrics_clusters(metrics);
    register_metrics_contingency(metrics);
}

} // namespace mlcore
