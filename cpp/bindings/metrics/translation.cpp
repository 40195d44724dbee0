// Metrics of translations.
#include "bindings/metrics/metrics.hpp"

namespace mlcore {

void register_metrics_translation(pybind11::module_&) {}

} // namespace mlcore
