// Comparisons of two labellings. `contingency` reads both columns and counts; what it returns answers all of them.
#include "metrics/clusters/contingency.hpp"
#include "bindings/metrics/label_args.hpp"
#include "bindings/metrics/metrics.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/cpu.hpp"
#include "metrics/clusters/information.hpp"

namespace mlcore {
namespace {

using namespace metrics;
using namespace bindings;

/// Whole numbers of both columns are counted as predictions are; labels of different types are encoded apart.
std::optional<Contingency> count(const RunContext& ctx, ReadLabels& t, ReadLabels& p) {
    const auto* numbers_t = std::get_if<LabelColumn>(&t.column);
    const auto* numbers_p = std::get_if<LabelColumn>(&p.column);
    if (numbers_t != nullptr && numbers_p != nullptr) {
        const auto counts = count_numbers(ctx, *numbers_t, *numbers_p, {});
        return counts ? std::optional(contingency_of_counts(*counts)) : std::nullopt;
    }
    const auto a = encode(ctx, t), b = encode(ctx, p);
    if (!a || !b) return std::nullopt;
    return std::visit(
        [](const auto& x, const auto& y) {
            return contingency_of_codes(x.codes, x.labels.size(), y.codes, y.labels.size());
        },
        *a, *b);
}

/// Nothing if a column is declined, or both have no rows.
std::optional<Contingency> py_contingency(py::object labels_true, py::object labels_pred) {
    auto t = read_labels(labels_true), p = read_labels(labels_pred);
    if (!t || !p || t->size() != p->size() || t->size() == 0) return std::nullopt;
    return run(metric_threads(t->size()), 0, [&](const RunContext& ctx) { return count(ctx, *t, *p); });
}

Contingency py_contingency_of_cells(py::object rows, py::object columns, py::object counts) {
    const auto count = span_arg<std::int64_t>("counts", counts);
    const auto row = span_arg<std::int64_t>("rows", rows, count.size());
    const auto column = span_arg<std::int64_t>("columns", columns, count.size());
    std::vector<Contingency::Cell> cells;
    cells.reserve(count.size());
    for (std::size_t i = 0; i < count.size(); ++i) {
        constexpr std::int64_t most = std::int64_t{1} << 31;
        if (row[i] < 0 || row[i] >= most || column[i] < 0 || column[i] >= most)
            throw ValueError("places of a contingency matrix must be in [0, 2**31)");
        cells.push_back({static_cast<std::uint32_t>(row[i]), static_cast<std::uint32_t>(column[i]), count[i]});
    }
    return contingency_of_cells(std::move(cells));
}

/// (rows, columns, counts)
py::tuple py_cells(const Contingency& c) {
    std::vector<std::int64_t> rows, columns, counts;
    for (const Contingency::Cell& cell : c.cells) {
        rows.push_back(cell.row);
        columns.push_back(cell.column);
        counts.push_back(cell.count);
    }
    return py::make_tuple(to_numpy(std::move(rows)), to_numpy(std::move(columns)), to_numpy(std::move(counts)));
}

/// (apart, in a cluster alone, in a class alone, in both)
py::tuple py_pairs(const Contingency& c) {
    const PairCounts pairs = pair_counts(c);
    return py::make_tuple(pairs.apart, pairs.in_cluster, pairs.in_class, pairs.in_both);
}

double py_expected_information(const Contingency& c) {
    const bool small = c.a.size() * c.b.size() < 1000 && c.n < 100'000;
    return run(small ? 1 : available_cpus(), 0,
               [&](const RunContext& ctx) { return expected_mutual_information(ctx, c); });
}

} // namespace

void register_metrics_contingency(py::module_& m) {
    using namespace py::literals;
    py::class_<Contingency>(m, "Contingency", "Two labellings of the same rows, counted.")
        .def_readonly("n_rows", &Contingency::n)
        .def_property_readonly("n_classes", [](const Contingency& c) { return c.a.size(); })
        .def_property_readonly("n_clusters", [](const Contingency& c) { return c.b.size(); })
        .def_property_readonly("homogeneous", &Contingency::homogeneous)
        .def_property_readonly("complete", &Contingency::complete)
        .def_property_readonly("class_entropy", [](const Contingency& c) { return entropy(c.a, c.n); })
        .def_property_readonly("cluster_entropy", [](const Contingency& c) { return entropy(c.b, c.n); })
        .def("cells", py_cells)
        .def("pairs", py_pairs)
        .def("mutual_information", mutual_information)
        .def("expected_mutual_information", py_expected_information);
    m.def("contingency", py_contingency, "labels_true"_a, "labels_pred"_a);
    m.def("contingency_of_cells", py_contingency_of_cells, "rows"_a, "columns"_a, "counts"_a);
}

} // namespace mlcore
