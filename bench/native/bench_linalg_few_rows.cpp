// Products of few rows with a packed weight, as the steps of a decoder make them: they cost what reading the weight
// costs, so each is printed in bytes of the weight a second, beside a loop that only reads as many.
#include "bench.hpp"
#include "linalg/gemm.hpp"

#include <bit>
#include <cstdio>

using namespace mlcore;
using namespace mlcore::linalg;

namespace {

/// GB/s of reading so many floats again and again with all threads, from whichever cache holds them.
double read_rate(const RunContext& ctx, const float* data, std::size_t n) {
    constexpr std::size_t block = 1024;
    const double seconds = bench::median_seconds(
        [&] {
            parallel_tasks(ctx, n / block, 40, [&](std::size_t task, int) {
                unsigned bits = 0;
                for (std::size_t i = task * block; i < (task + 1) * block; ++i)
                    bits ^= std::bit_cast<unsigned>(data[i]);
                bench::keep(bits);
            });
        },
        101);
    return static_cast<double>(n) * sizeof(float) / seconds;
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    bench::print_machine(n_threads);
    StandaloneRun run(n_threads);
    constexpr std::pair<std::size_t, std::size_t> weights[] = {{256, 256}, {1024, 256}, {9000, 256}, {9000, 512}};
    for (const auto& [out, in] : weights) {
        Buffer<float> w(out * in, 0.5f), x(16 * in, 1.0f), y(16 * out);
        const PackedMatrix packed(run.context, row_major<const float>(w.data(), in, out));
        const double peak = read_rate(run.context, packed.data(), out * in);
        std::printf("weight %zu x %zu, %.1f MB: read at %.0f GB/s\n", out, in, static_cast<double>(out * in) * 4e-6,
                    peak / 1e9);
        for (const std::size_t m : {1, 2, 3, 4, 5, 8, 16}) {
            char name[64];
            std::snprintf(name, sizeof name, "    %zu rows", m);
            const auto X = row_major<const float>(x.data(), m, in);
            const auto Y = row_major(y.data(), m, out);
            const double seconds = bench::median_seconds([&] { gemm(run.context, X, packed, Y); }, 101);
            bench::print_result(name, seconds, static_cast<double>(out * in) * sizeof(float), "B", peak);
        }
    }
}
