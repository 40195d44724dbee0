// Metrics of scores: from one sorted pass.
#include "bindings/metrics/metrics.hpp"

namespace mlcore {

void register_metrics_ranking(pybind11::module_&) {}

} // namespace mlcore
