// Submodule `neighbors`: search for the nearest points, and the spanning tree of them.
#include "bindings/module.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "neighbors/metric.hpp"

namespace mlcore {

void register_neighbors(pybind11::module_& m) {
    auto sub = m.def_submodule("neighbors", "Search for the nearest points, and the spanning tree of them.");
    (void)sub;
}

} // namespace mlcore
