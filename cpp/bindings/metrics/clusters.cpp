// Indices of clusterings: of rows and their labels.
#include "bindings/metrics/metrics.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"
#include "core/cpu.hpp"
#include "metrics/clusters/density.hpp"
#include "metrics/clusters/dispersion.hpp"
#include "metrics/clusters/silhouette.hpp"

#include <numeric>

namespace mlcore {
namespace {

using namespace metrics;
using namespace bindings;

/// Threads for work of this many nanoseconds: to ask for the CPUs takes longer than small work.
int threads_for_work(double work_ns) { return work_ns < 200e3 ? 1 : available_cpus(); }

/// Rows and the codes of their clusters, checked.
struct Clustering {
    MatrixView<const double> X;
    std::span<const std::int32_t> codes;
    GroupedRows groups;

    Clustering(py::handle points, py::handle labels, std::size_t n_clusters)
        : X(matrix_arg<double>("X", points)), codes(span_arg<std::int32_t>("codes", labels, X.rows)),
          groups(group_rows(codes, n_clusters)) {
        if (X.rows == 0 || X.cols == 0) throw ValueError("X must have rows and columns");
    }
};

py::array_t<double> py_silhouettes(py::object X, py::object codes, std::size_t n_clusters, const std::string& metric,
                                   py::object rows) {
    const auto kind = choose<SilhouetteMetric>("metric", metric,
                                               {{"euclidean", SilhouetteMetric::euclidean},
                                                {"manhattan", SilhouetteMetric::manhattan},
                                                {"sqeuclidean", SilhouetteMetric::sqeuclidean},
                                                {"cosine", SilhouetteMetric::cosine}});
    const Clustering c(X, codes, n_clusters);
    std::vector<std::uint32_t> asked;
    if (rows.is_none()) {
        asked.resize(c.X.rows);
        std::iota(asked.begin(), asked.end(), 0U);
    } else {
        for (const std::int64_t row : span_arg<std::int64_t>("rows", rows)) {
            if (row < 0 || static_cast<std::size_t>(row) >= c.X.rows) throw ValueError("rows must be rows of X");
            asked.push_back(static_cast<std::uint32_t>(row));
        }
    }
    std::vector<double> out(asked.size());
    const bool by_centroid = kind == SilhouetteMetric::sqeuclidean || kind == SilhouetteMetric::cosine;
    const double pairs = static_cast<double>(asked.size()) * static_cast<double>(by_centroid ? n_clusters : c.X.rows);
    run(threads_for_work(0.2 * pairs * static_cast<double>(c.X.cols)), 0,
        [&](const RunContext& ctx) { silhouettes(ctx, c.X, c.groups, kind, asked, out.data()); });
    return to_numpy(std::move(out));
}

/// D (m, n): rows first .. first + m - 1 of a matrix of distances.
py::array_t<double> py_silhouettes_of_distances(py::object D, std::size_t first, py::object codes,
                                                std::size_t n_clusters) {
    const auto labels = span_arg<std::int32_t>("codes", codes);
    const auto distances = matrix_arg<double>("D", D, labels.size());
    if (!distances.rows_contiguous()) throw ValueError("D must be in C order");
    if (first > labels.size() || distances.rows > labels.size() - first)
        throw ValueError("D has rows that are beyond its columns");
    const GroupedRows groups = group_rows(labels, n_clusters);
    std::vector<double> out(distances.rows);
    run(threads_for_work(static_cast<double>(distances.rows * distances.cols)), 0,
        [&](const RunContext& ctx) { silhouettes_of_distances(ctx, distances, first, labels, groups, out.data()); });
    return to_numpy(std::move(out));
}

template <double (*index)(const RunContext&, MatrixView<const double>, const GroupedRows&)>
double py_index(py::object X, py::object codes, std::size_t n_clusters) {
    const Clustering c(X, codes, n_clusters);
    if (n_clusters < 2 || n_clusters >= c.X.rows) throw ValueError("there must be 2 to n - 1 clusters");
    return run(threads_for_work(static_cast<double>(c.X.rows * c.X.cols + n_clusters * n_clusters * c.X.cols)), 0,
               [&](const RunContext& ctx) { return index(ctx, c.X, c.groups); });
}

/// Of the clusters of some rows. Without a metric, X holds the distances of rows of dimension d.
py::array_t<double> py_density_validity(py::object X, py::object rows, py::object codes, std::size_t n_clusters,
                                        py::object metric, py::object d) {
    const auto table = matrix_arg<double>("X", X);
    const auto at = span_arg<std::int64_t>("rows", rows);
    GroupedRows groups = group_rows(span_arg<std::int32_t>("codes", codes, at.size()), n_clusters);
    for (const std::int64_t row : at)
        if (row < 0 || static_cast<std::size_t>(row) >= table.rows) throw ValueError("rows must be rows of X");
    for (std::uint32_t& row : groups.order) row = static_cast<std::uint32_t>(at[row]);
    for (std::size_t c = 0; c < n_clusters; ++c)
        if (groups.size(c) < 2) throw ValueError("clusters must have two rows or more");
    if (n_clusters < 2 || table.cols == 0) throw ValueError("there must be two clusters or more, and columns");
    std::vector<double> out(n_clusters);
    const double pairs = static_cast<double>(at.size()) * static_cast<double>(at.size());
    const int n_threads = threads_for_work(pairs);
    if (metric.is_none()) {
        const auto dimension = d.cast<double>();
        if (table.rows != table.cols) throw ValueError("X must be square");
        if (!(dimension > 0)) throw ValueError("d must be positive");
        run(n_threads, 0,
            [&](const RunContext& ctx) { density_validity_of_distances(ctx, table, dimension, groups, out.data()); });
    } else {
        const auto kind = choose<ValidityMetric>(
            "metric", metric.cast<std::string>(),
            {{"euclidean", ValidityMetric::euclidean}, {"manhattan", ValidityMetric::manhattan}});
        run(n_threads, 0, [&](const RunContext& ctx) { density_validity(ctx, table, groups, kind, out.data()); });
    }
    return to_numpy(std::move(out));
}

} // namespace

void register_metrics_clusters(py::module_& m) {
    using namespace py::literals;
    m.def("silhouettes", py_silhouettes, "X"_a, "codes"_a, "n_clusters"_a, "metric"_a, "rows"_a = py::none());
    m.def("silhouettes_of_distances", py_silhouettes_of_distances, "D"_a, "first"_a, "codes"_a, "n_clusters"_a);
    m.def("calinski_harabasz", py_index<calinski_harabasz>, "X"_a, "codes"_a, "n_clusters"_a);
    m.def("davies_bouldin", py_index<davies_bouldin>, "X"_a, "codes"_a, "n_clusters"_a);
    m.def("density_validity", py_density_validity, "X"_a, "rows"_a, "codes"_a, "n_clusters"_a, "metric"_a, "d"_a);
}

} // namespace mlcore
