// Agglomerative clustering, part of the submodule `cluster`.
#include "cluster/agglomerative/agglomerative.hpp"
#include "bindings/cluster/cluster.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/points_arg.hpp"
#include "bindings/run_guard.hpp"
#include "cluster/agglomerative/connected.hpp"
#include "core/choice.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace mlcore {
namespace {

using namespace bindings;
using namespace cluster;

Linkage linkage_arg(const std::string& name) {
    return choose<Linkage>("linkage", name,
                           {{"ward", Linkage::ward},
                            {"average", Linkage::average},
                            {"complete", Linkage::complete},
                            {"single", Linkage::single}});
}

/// Rows to cluster; metric "precomputed": their distances, whose values have not been looked at.
Rows data_arg(const py::object& X, const std::string& metric) {
    const bool are_points = metric != "precomputed";
    const MatrixView<const double> view = are_points ? points_arg("X", X) : matrix_arg<double>("X", X);
    if (view.rows < 2 || view.cols < 1) throw ValueError("X must have two rows or more, and columns");
    if (view.rows > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max() / 2))
        throw ValueError("X must have fewer than 2^30 rows");
    if (are_points) return {view, {}, neighbors::parse_metric(metric)};
    if (!view.rows_contiguous()) throw ValueError("X must be in C order");
    if (view.rows != view.cols) throw ValueError("a matrix of distances must be square");
    return {{}, view};
}

/// The same with distances that were looked at.
Rows checked_data_arg(const py::object& X, const std::string& metric) {
    const Rows rows = data_arg(X, metric);
    const MatrixView<const double>& distances = rows.distances;
    for (std::size_t i = 0; i < distances.rows; ++i)
        if (!std::all_of(&distances(i, 0), &distances(i, 0) + distances.cols, [](double d) { return d >= 0; }))
            throw ValueError("distances must not be negative or NaN");
    return rows;
}

py::tuple to_python(Hierarchy hierarchy) {
    auto children = rows_to_numpy(std::move(hierarchy.children), 2);
    return py::make_tuple(std::move(children), to_numpy(std::move(hierarchy.distances)));
}

void check_ward(const Rows& rows, Linkage linkage) {
    if (linkage == Linkage::ward && (!rows.points.data || rows.metric != neighbors::Metric::euclidean))
        throw ValueError("linkage \"ward\" is of points and their euclidean distances");
}

py::tuple py_agglomerate(const py::object& X, const std::string& linkage, const std::string& metric, int n_threads) {
    const Rows rows = data_arg(X, metric); // distances are looked at once their matrix is known to fit
    const Linkage kind = linkage_arg(linkage);
    check_ward(rows, kind);
    return to_python(run(n_threads, 0, [&](const RunContext& ctx) {
        return rows.points.data ? agglomerate(ctx, rows.points, kind, rows.metric)
                                : agglomerate_distances(ctx, rows.distances, kind);
    }));
}

py::tuple py_agglomerate_connected(const py::object& X, const py::object& from, const py::object& to,
                                   const std::string& linkage, const std::string& metric, int n_threads) {
    const Rows rows = checked_data_arg(X, metric);
    const Linkage kind = linkage_arg(linkage);
    check_ward(rows, kind);
    const auto from_view = span_arg<std::int32_t>("from_", from);
    const auto to_view = span_arg<std::int32_t>("to", to, from_view.size());
    return to_python(run(n_threads, 0, [&](const RunContext& ctx) {
        return agglomerate_connected(ctx, rows, from_view, to_view, kind);
    }));
}

py::array_t<std::int32_t> py_closest_pairs(const py::object& X, const py::object& components, std::size_t n_components,
                                           const std::string& metric, int n_threads) {
    const Rows rows = checked_data_arg(X, metric);
    const auto labels = span_arg<std::int32_t>("components", components, rows.count());
    if (n_components < 2 || n_components > rows.count())
        throw ValueError("n_components must be from 2 to the number of rows");
    return rows_to_numpy(
        run(n_threads, 0, [&](const RunContext& ctx) { return closest_pairs(ctx, rows, labels, n_components); }), 2);
}

py::array_t<std::int64_t> py_cut_labels(const py::object& children, const py::object& clusters) {
    const auto rows = rows_arg<std::int64_t>("children", children, 2);
    const auto chosen = span_arg<std::int64_t>("clusters", clusters);
    const std::size_t n_merges = rows.size() / 2;
    return to_numpy(run(1, 0, [&](const RunContext&) {
        return cut_labels(n_merges + 1, rows.data(), n_merges, chosen.data(), chosen.size());
    }));
}

} // namespace

void register_agglomerative(py::module_& m) {
    m.def("agglomerate", &py_agglomerate, py::arg("X"), py::kw_only(), py::arg("linkage"), py::arg("metric"),
          py::arg("n_threads"), "Merges of rows: children (n - 1, 2) and distances (n - 1).");
    m.def("agglomerate_connected", &py_agglomerate_connected, py::arg("X"), py::arg("from_"), py::arg("to"),
          py::kw_only(), py::arg("linkage"), py::arg("metric"), py::arg("n_threads"),
          "The same where only clusters that edges connect are merged.");
    m.def("closest_pairs", &py_closest_pairs, py::arg("X"), py::arg("components"), py::arg("n_components"),
          py::kw_only(), py::arg("metric"), py::arg("n_threads"),
          "The nearest rows of each two components, (pairs, 2).");
    m.def("cut_labels", &py_cut_labels, py::arg("children"), py::arg("clusters"),
          "The position of each row's cluster among `clusters`.");
}

} // namespace mlcore
