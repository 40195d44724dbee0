// Metrics of labels, probabilities and numbers.
#include "bindings/metrics/metrics.hpp"

namespace mlcore {

void register_metrics_labels(pybind11::module_&) {}

} // namespace mlcore
