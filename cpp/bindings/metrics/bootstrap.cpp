// Metrics of resamples.
#include "metrics/ranking/bootstrap.hpp"

#include "bindings/metrics/metrics.hpp"
#include "bindings/metrics/score_args.hpp"
#include "core/choice.hpp"

#include <string>
#include <utility>

namespace mlcore {
namespace {

using namespace bindings;
using namespace metrics;

/// The metric of each resample, or None: see score_args.hpp.
py::object bootstrap_scores(const std::string& metric_name, py::handle y_true, py::handle y_score,
                            py::handle sample_weight, std::size_t n_resamples, bool stratified, std::uint64_t seed,
                            int n_threads) {
    const auto metric = choose<ResampledMetric>("metric", metric_name,
                                                {{"roc_auc", ResampledMetric::roc_auc},
                                                 {"average_precision", ResampledMetric::average_precision},
                                                 {"ks", ResampledMetric::ks_statistic}});
    return with_sorted(
        y_true, y_score, sample_weight, py::none(), n_threads,
        [&](const RunContext& ctx, const auto& sorted, auto) {
            Buffer<double> samples(n_resamples);
            const RunContext seeded{ctx.n_threads, seed, ctx.progress, ctx.stop, ctx.caller};
            resample_metric(seeded, metric, sorted, stratified, samples.span());
            return samples;
        },
        [](Buffer<double> samples) { return to_numpy(std::move(samples)); });
}

py::array_t<double> bootstrap_cells(py::handle cells, std::size_t n_cells, py::handle sample_weight, py::handle strata,
                                    std::size_t n_resamples, std::uint64_t seed, int n_threads) {
    const auto codes = span_arg<std::uint8_t>("cells", cells);
    const auto weights = optional_span_arg<double>("sample_weight", sample_weight, codes.size());
    const Strata of_rows{optional_span_arg<std::uint8_t>("strata", strata, codes.size())};
    for (const std::uint8_t cell : codes)
        if (cell >= n_cells) throw ValueError("cells must be below n_cells");
    for (const std::uint8_t stratum : of_rows.of_row)
        if (stratum > 1) throw ValueError("strata must be 0 or 1");
    Buffer<double> sums(n_resamples * n_cells);
    run(n_threads, seed,
        [&](const RunContext& ctx) { resample_cells(ctx, codes, n_cells, weights, of_rows, sums.span()); });
    return rows_to_numpy(std::move(sums), n_cells);
}

py::array_t<double> bootstrap_means(py::handle values, py::handle sample_weight, py::handle strata,
                                    std::size_t n_resamples, std::uint64_t seed, int n_threads) {
    const auto of_row = span_arg<double>("values", values);
    const auto weights = optional_span_arg<double>("sample_weight", sample_weight, of_row.size());
    const Strata of_rows{optional_span_arg<std::uint8_t>("strata", strata, of_row.size())};
    for (const std::uint8_t stratum : of_rows.of_row)
        if (stratum > 1) throw ValueError("strata must be 0 or 1");
    Buffer<double> means(n_resamples);
    run(n_threads, seed, [&](const RunContext& ctx) { resample_means(ctx, of_row, weights, of_rows, means.span()); });
    return to_numpy(std::move(means));
}

/// How often each of n rows, which are of stratum 0 or 1, is in a resample.
py::array_t<std::uint8_t> bootstrap_counts(std::size_t n, py::handle strata, std::size_t resample, std::uint64_t seed) {
    const Strata of_rows{optional_span_arg<std::uint8_t>("strata", strata, n)};
    for (const std::uint8_t stratum : of_rows.of_row)
        if (stratum > 1) throw ValueError("strata must be 0 or 1");
    Buffer<std::uint8_t> counts(n);
    run(1, seed, [&](const RunContext& ctx) { draw_counts(ctx.seed, resample, n, of_rows, counts.data()); });
    return to_numpy(std::move(counts));
}

} // namespace

void register_metrics_bootstrap(pybind11::module_& m) {
    using py::arg;
    m.def("bootstrap_scores", bootstrap_scores, arg("metric"), arg("y_true"), arg("y_score"), arg("sample_weight"),
          arg("n_resamples"), arg("stratified"), arg("seed"), arg("n_threads"));
    m.def("bootstrap_cells", bootstrap_cells, arg("cells"), arg("n_cells"), arg("sample_weight"), arg("strata"),
          arg("n_resamples"), arg("seed"), arg("n_threads"));
    m.def("bootstrap_means", bootstrap_means, arg("values"), arg("sample_weight"), arg("strata"), arg("n_resamples"),
          arg("seed"), arg("n_threads"));
    m.def("bootstrap_counts", bootstrap_counts, arg("n"), arg("strata"), arg("resample"), arg("seed"));
}

} // namespace mlcore
