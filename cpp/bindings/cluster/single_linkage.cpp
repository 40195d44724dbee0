// The hierarchy of single linkage, part of the submodule `cluster`.
#include "cluster/single_linkage.hpp"
#include "bindings/cluster/cluster.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"

#include <cstdint>

namespace mlcore {
namespace {

using namespace bindings;

py::array_t<double> single_linkage(const py::object& from, const py::object& to, const py::object& weights) {
    const auto weight_view = span_arg<double>("weights", weights);
    const auto from_view = span_arg<std::int32_t>("from", from, weight_view.size());
    const auto to_view = span_arg<std::int32_t>("to", to, weight_view.size());
    return rows_to_numpy(
        run(1, 0, [&](const RunContext& ctx) { return cluster::single_linkage(ctx, from_view, to_view, weight_view); }),
        4);
}

} // namespace

void register_single_linkage(py::module_& m) {
    m.def("single_linkage", single_linkage, py::arg("from_"), py::arg("to"), py::arg("weights"), py::pos_only(),
          "Merges (n - 1, 4) in SciPy's form from the edges of a spanning tree, ascending by weight.");
}

} // namespace mlcore
