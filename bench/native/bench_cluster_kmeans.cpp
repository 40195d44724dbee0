// The parts of k-means: points brought into panels, one assignment of all of them, whole fits with and without bounds,
// first centers. Rates count the multiply-adds of points times centers alone.
#include "bench.hpp"

#include "cluster/kmeans/assign.hpp"
#include "cluster/kmeans/lloyd.hpp"
#include "cluster/kmeans/plus_plus.hpp"
#include "core/random.hpp"

#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::kmeans;

namespace {

std::vector<float> blobs(std::size_t n, std::size_t d, std::size_t k) {
    const Philox places(1, 0), noise(1, 1);
    std::vector<float> x(n * d);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t f = 0; f < d; ++f)
            x[i * d + f] = static_cast<float>(2 * places.normal(i * 7919 % k * d + f) + noise.normal(i * d + f));
    return x;
}

void sizes(int n_threads, const bench::Peaks& peaks, std::size_t n, std::size_t d, std::size_t k) {
    const StandaloneRun run(n_threads, 1);
    const auto x = blobs(n, d, k);
    const Table table = row_major<const float>(x.data(), n, d);
    const std::string size = std::to_string(n) + " x " + std::to_string(d) + ", " + std::to_string(k) + " centers";
    bench::print_result(("panels, " + size).c_str(),
                        bench::median_seconds([&] { bench::keep(Points(run.context, table, {}).scale()); }, 3),
                        8.0 * static_cast<double>(n * d), "B", peaks.copy_gb * 1e9);

    const Points points(run.context, table, {});
    const std::vector<double> start(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(k * d));
    const Centers centers(points, start.data(), k);
    std::vector<std::int32_t> labels(n);
    const auto assign_all = [&] { assign(run.context, points, centers, labels.data(), nullptr); };
    assign_all();
    for (std::size_t j = 0; j < k; ++j)
        if (labels[j] > static_cast<std::int32_t>(j)) std::abort(); // a center is nearest to itself
    bench::print_result(("assignment, " + size).c_str(), bench::median_seconds(assign_all),
                        2.0 * static_cast<double>(n * d * k), "FLOP", peaks.fma_gflop * 1e9);

    constexpr std::size_t n_iter = 30;
    for (const bool bounds : {false, true})
        bench::print_result(((bounds ? "30 iterations, bounds, " : "30 iterations, ") + size).c_str(),
                            bench::median_seconds(
                                [&] { bench::keep(fit(run.context, points, start, {n_iter, 0, bounds}).inertia); }, 3),
                            2.0 * static_cast<double>(n_iter * n * d * k), "FLOP", peaks.fma_gflop * 1e9);
    bench::print_result(("k-means++, " + size).c_str(),
                        bench::median_seconds([&] { bench::keep(plus_plus(run.context, points, k, 6)[0]); }, 3),
                        static_cast<double>(n * k), "points");
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    sizes(n_threads, peaks, 100000, 2, 50);
    sizes(n_threads, peaks, 100000, 32, 50);
    sizes(n_threads, peaks, 100000, 16, 256);
    sizes(n_threads, peaks, 20000, 128, 100);
}
