#include "metrics/ranking/probability_bins.hpp"

#include "core/sums.hpp"

#include <algorithm>

namespace mlcore::metrics {
namespace {

constexpr std::size_t rows_a_part = 65536; // fixed: it decides the order of the sums
constexpr std::size_t few_edges = 32;      // up to here comparing with all of them is faster than a search

} // namespace

void fill_bins(const RunContext& ctx, VectorView<const double> probability, const std::uint8_t* came_true,
               std::span<const double> inner_edges, std::span<double> out) {
    std::fill(out.begin(), out.end(), 0.0);
    const std::size_t n_edges = inner_edges.size(), n = probability.size;
    const double* edges = inner_edges.data();
    const auto bin_of = [&](double p) {
        if (n_edges > few_edges) return static_cast<std::size_t>(std::lower_bound(edges, edges + n_edges, p) - edges);
        std::size_t bin = 0;
        for (std::size_t e = 0; e < n_edges; ++e) bin += edges[e] < p;
        return bin;
    };
    parallel_sums_over(ctx, n, std::max<std::size_t>(1, (n + rows_a_part - 1) / rows_a_part), 5, out.size(), out.data(),
                       [&](std::size_t begin, std::size_t end, double* sums, int) {
                           for (std::size_t i = begin; i < end; ++i) {
                               const double p = probability[i];
                               double* bin = sums + 3 * bin_of(p);
                               bin[0] += p;
                               bin[1] += came_true[i];
                               bin[2] += 1;
                           }
                       });
}

} // namespace mlcore::metrics
