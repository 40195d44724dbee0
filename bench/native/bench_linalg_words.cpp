// Products in 8-bit integers and in bfloat16: operations a second beside the peak of the kernel's own tile in the
// nearest cache, and time beside the same product in float32.
#include "bench.hpp"
#include "linalg/bf16/kernel.hpp"
#include "linalg/bf16/product.hpp"
#include "linalg/gemm.hpp"
#include "linalg/int8/kernel.hpp"
#include "linalg/int8/product.hpp"

#include <cmath>
#include <cstdio>
#include <vector>

using namespace mlcore;
using namespace mlcore::linalg;

namespace {

/// Operations a second of one thread with both panels in the nearest cache.
template <class Sum>
double tile_peak(const words::Kernel<Sum>& kernel) {
    constexpr std::size_t words = 64, rounds = 2000;
    std::vector<std::int32_t> left(words * kernel.rows);
    std::vector<Sum> sums(kernel.rows * kernel.cols);
    std::vector<char> right(words * kernel.cols * kernel.word_bytes + 4096);
    const words::Tile<Sum> tile{left.data(), right.data(), words, 0, nullptr, sums.data(), kernel.cols};
    const double seconds = bench::median_seconds([&] {
        for (std::size_t i = 0; i < rounds; ++i) {
            kernel.narrow[kernel.rows - 1](tile);
            bench::keep(sums[0]);
        }
    });
    return 2.0 * rounds * static_cast<double>(words * kernel.terms * kernel.rows * kernel.cols) / seconds;
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    bench::print_machine(n_threads);
    StandaloneRun run(n_threads);
    const double peak = tile_peak(int8::kernel()) * n_threads, bf16_peak = tile_peak(bf16::kernel()) * n_threads;
    std::printf("int8 by %s: %.0f GOP/s; plain: %.0f GOP/s\n", int8_kernel_name(), peak / 1e9,
                tile_peak(int8::plain) * n_threads / 1e9);
    std::printf("bfloat16 by %s: %.0f GOP/s; plain: %.0f GOP/s\n", bf16_kernel_name(), bf16_peak / 1e9,
                tile_peak(bf16::plain) * n_threads / 1e9);
    constexpr std::pair<std::size_t, std::size_t> weights[] = {{256, 256},  {768, 256},  {1024, 256},
                                                               {256, 1024}, {9000, 256}, {9000, 512}};
    for (const auto& [out, in] : weights) {
        Buffer<float> w(out * in), x(1024 * in), y(1024 * out), z(1024 * out);
        for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i * 7919 % 255) - 127;
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 31 % 255) - 127;
        const auto W = transposed(row_major<const float>(w.data(), out, in));
        const PackedMatrix packed(run.context, W);
        const Int8Matrix integers(run.context, W);
        const Bf16Matrix halves(run.context, W);
        std::printf("weight %zu x %zu\n", out, in);
        for (const std::size_t m : {1, 2, 4, 5, 8, 16, 64, 128, 320, 1024}) {
            const auto X = row_major<const float>(x.data(), m, in);
            const auto Y = row_major(y.data(), m, out), Z = row_major(z.data(), m, out);
            const double floats = bench::median_seconds([&] { gemm(run.context, X, packed, Z); }, 51);
            const double seconds = bench::median_seconds([&] { gemm(run.context, X, integers, Y); }, 51);
            if (std::abs(Y(m - 1, out - 1) - Z(m - 1, out - 1)) >
                0.01f * 127 * 127 * std::sqrt(static_cast<float>(in))) {
                std::printf("%zu rows are wrong\n", m);
                return 1;
            }
            char name[64];
            const double work = 2.0 * static_cast<double>(m) * static_cast<double>(in * out);
            std::snprintf(name, sizeof name, "    %zu rows, int8, %.2f times float's speed", m, floats / seconds);
            bench::print_result(name, seconds, work, "OP", peak);
            const double bf16_seconds = bench::median_seconds([&] { gemm(run.context, X, halves, Y); }, 51);
            std::snprintf(name, sizeof name, "    %zu rows, bfloat16, %.2f times float's speed", m,
                          floats / bf16_seconds);
            bench::print_result(name, bf16_seconds, work, "OP", bf16_peak);
        }
    }
}
