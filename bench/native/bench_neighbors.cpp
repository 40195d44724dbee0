// Search for neighbours: distances a second (of all pairs that the answer is the nearest of, and for brute force the
// rate of its products beside the machine's fused multiply-adds), and the time of a query.
#include "bench.hpp"
#include "core/random.hpp"
#include "neighbors/brute.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/search.hpp"

#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::neighbors;

namespace {

/// Points around n_centres centres in a cube of side 10.
std::vector<double> points_around(std::size_t n, std::size_t d, std::size_t n_centres, double spread) {
    std::vector<double> x(n * d);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < d; ++j)
            x[i * d + j] = 10 * Philox(1, 0).uniform(i % n_centres * d + j) + spread * Philox(2, 0).normal(i * d + j);
    return x;
}

void print_queries(const char* what, double seconds, std::size_t n) {
    std::printf("%-44s %8.2f ms, %.2f us a query\n", what, seconds * 1e3, seconds * 1e6 / static_cast<double>(n));
}

void search(const bench::Peaks& peaks, int n_threads, std::size_t n, std::size_t d, std::size_t n_centres) {
    constexpr std::size_t k = 10;
    const StandaloneRun run(n_threads);
    const RunContext& ctx = run.context;
    const std::vector<double> x = points_around(n, d, n_centres, n_centres > 1 ? 0.3 : 1);
    const auto points = row_major(x.data(), n, d);
    const KdTree tree(ctx, points, Metric::euclidean);
    const Neighbors by_tree = k_nearest(ctx, tree, k), by_brute = k_nearest(ctx, points, k, Metric::euclidean);
    for (std::size_t i = 0; i < n * k; ++i)
        if (by_tree.indices[i] != by_brute.indices[i] || by_tree.distances[i] != by_brute.distances[i])
            throw InternalError("tree and brute force disagree");

    std::printf("%zu points of %zu dimensions around %zu, %zu nearest\n", n, d, n_centres, k);
    print_queries("  tree: build",
                  bench::median_seconds([&] { bench::keep(KdTree(ctx, points, Metric::euclidean).n_nodes()); }), n);
    print_queries("  tree: search", bench::median_seconds([&] { bench::keep(k_nearest(ctx, tree, k).indices[0]); }), n);
    std::printf("%-44s %8.4f\n", "  tree: share of the points looked at", scanned_share(ctx, tree, k));
    const double seconds =
        bench::median_seconds([&] { bench::keep(k_nearest(ctx, points, k, Metric::euclidean).indices[0]); }, 3);
    const double pairs = static_cast<double>(n) * static_cast<double>(n);
    print_queries("  brute force", seconds, n);
    std::printf("%-44s %8.2f billion distances a second\n", "", pairs / seconds / 1e9);
    bench::print_result("  brute force: products", seconds, 2 * pairs * static_cast<double>(d), "FLOP",
                        peaks.fma_gflop * 1e9);
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    search(peaks, n_threads, 50000, 2, 100);
    search(peaks, n_threads, 50000, 8, 20);
    for (const std::size_t d : {8, 16, 64, 128}) search(peaks, n_threads, 20000, d, 1);
}
