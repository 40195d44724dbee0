// DBSCAN of points, and of distances.
#include "cluster/dbscan/dbscan.hpp"
#include "bindings/cluster/cluster.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/points_arg.hpp"
#include "bindings/run_guard.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <variant>

namespace mlcore {
namespace {

using namespace cluster;
using namespace bindings;

DbscanParams params_arg(std::size_t n, double eps, double min_samples, py::handle sample_weight) {
    if (n == 0 || n > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("X must have from 1 to 2^31 - 1 rows");
    if (!(eps > 0) || std::isinf(eps)) throw ValueError("eps must be positive and finite");
    if (!(min_samples > 0)) throw ValueError("min_samples must be positive");
    const DbscanParams params{eps, min_samples, optional_span_arg<double>("sample_weight", sample_weight, n)};
    if (!std::all_of(params.weights.begin(), params.weights.end(), [](double w) { return std::isfinite(w); }))
        throw ValueError("sample_weight must be finite");
    return params;
}

py::tuple result_tuple(DbscanResult&& result) {
    return py::make_tuple(to_numpy(std::move(result.labels)), to_numpy(std::move(result.core)));
}

py::tuple py_dbscan(py::object X, const std::string& metric, double eps, double min_samples, py::object sample_weight,
                    int n_threads) {
    const MatrixView<const double> points = points_arg("X", X);
    const neighbors::Metric kind = neighbors::parse_metric(metric);
    const DbscanParams params = params_arg(points.rows, eps, min_samples, sample_weight);
    return result_tuple(run(n_threads, 0, [&](const RunContext& ctx) { return dbscan(ctx, points, kind, params); }));
}

py::tuple py_dbscan_of_distances(py::object D, double eps, double min_samples, py::object sample_weight,
                                 int n_threads) {
    const Table distances = table_arg("D", D);
    if (n_rows(distances) != n_cols(distances)) throw ValueError("D must be square");
    const DbscanParams params = params_arg(n_rows(distances), eps, min_samples, sample_weight);
    return std::visit(
        [&](const auto& view) -> py::tuple {
            if constexpr (std::is_same_v<typename ValueOf<std::decay_t<decltype(view)>>::type, double>)
                return result_tuple(
                    run(n_threads, 0, [&](const RunContext& ctx) { return dbscan(ctx, view, params); }));
            else
                throw TypeError("D must hold float64");
        },
        distances);
}

} // namespace

void register_dbscan(py::module_& m) {
    m.def("dbscan", &py_dbscan, py::arg("X"), py::kw_only(), py::arg("metric"), py::arg("eps"), py::arg("min_samples"),
          py::arg("sample_weight"), py::arg("n_threads"));
    m.def("dbscan_of_distances", &py_dbscan_of_distances, py::arg("D"), py::kw_only(), py::arg("eps"),
          py::arg("min_samples"), py::arg("sample_weight"), py::arg("n_threads"));
}

} // namespace mlcore
