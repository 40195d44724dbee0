// Silhouettes: pairs of rows a second, and their differences beside the machine's peak. Of a pair and feature, a
// difference, a multiplication and an addition are counted: 3 operations in float64, whose peak is half that of float.
#include "bench.hpp"
#include "core/random.hpp"
#include "metrics/clusters/silhouette.hpp"

#include <cstdio>
#include <numeric>

using namespace mlcore;
using namespace mlcore::metrics;

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    StandaloneRun run(n_threads);
    const Philox random(7, 0);
    constexpr std::size_t k = 10;
    for (const auto& [n, d] : {std::pair<std::size_t, std::size_t>{20000, 2}, {20000, 16}, {5000, 128}}) {
        std::vector<double> x(n * d), out(n);
        std::vector<std::int32_t> codes(n);
        std::vector<std::uint32_t> rows(n);
        for (std::size_t i = 0; i < n * d; ++i) x[i] = random.normal(i);
        for (std::size_t i = 0; i < n; ++i) codes[i] = static_cast<std::int32_t>(i % k);
        std::iota(rows.begin(), rows.end(), 0U);
        const GroupedRows groups = group_rows(codes, k);
        const auto X = row_major<const double>(x.data(), n, d);
        for (const auto& [name, metric] :
             {std::pair{"euclidean", SilhouetteMetric::euclidean}, {"manhattan", SilhouetteMetric::manhattan}}) {
            char label[64];
            std::snprintf(label, sizeof label, "%s, %zu x %zu", name, n, d);
            const double seconds =
                bench::median_seconds([&] { silhouettes(run.context, X, groups, metric, rows, out.data()); }, 5);
            bench::print_result(label, seconds, static_cast<double>(3 * n * n * d), "FLOP", 0.5e9 * peaks.fma_gflop);
        }
    }
}
