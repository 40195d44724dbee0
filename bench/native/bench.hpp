// What the native benchmarks share: a timer, and the machine's own limits, measured on the spot, beside which each
// result is printed. Assert that a kernel is right before timing it.
//   ./bench_core [n_threads]     without a number: all CPUs that the process may use
#pragma once

#include "core/context.hpp"
#include "core/cpu.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace bench {

inline int threads_from(int argc, char** argv) {
    return argc > 1 ? std::max(1, std::atoi(argv[1])) : mlcore::available_cpus();
}

/// Makes the compiler believe that the value is used.
template <class T>
void keep(const T& value) {
    asm volatile("" : : "m"(value) : "memory");
}

/// Median of `repeats` runs of f, after one that warms caches and threads up.
template <class F>
double median_seconds(F&& f, int repeats = 7) {
    using Clock = std::chrono::steady_clock;
    f();
    std::vector<double> seconds;
    for (int i = 0; i < repeats; ++i) {
        const auto start = Clock::now();
        f();
        seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
    std::nth_element(seconds.begin(), seconds.begin() + repeats / 2, seconds.end());
    return seconds[static_cast<std::size_t>(repeats / 2)];
}

/// What this machine does at best with so many threads.
struct Peaks {
    double read_gb;   // GB/s read from memory
    double copy_gb;   // GB/s read and written
    double fma_gflop; // float fused multiply-adds, two operations each; 0 where this build has none
};

inline Peaks measured_peaks(int n_threads) {
    using namespace mlcore;
    StandaloneRun run(n_threads);
    Peaks peaks{};

    const std::size_t n = std::size_t{64} << 20; // 256 MiB, well over any cache
    Buffer<float> from(n), to(n);
    parallel_ranges(run.context, n, 1, [&](std::size_t begin, std::size_t end, int) {
        std::fill(&from[begin], from.data() + end, 1.0f);
        std::fill(&to[begin], to.data() + end, 0.0f);
    });
    const double bytes = static_cast<double>(n) * sizeof(float);
    peaks.read_gb = bytes / 1e9 / median_seconds([&] {
                        parallel_ranges(run.context, n, 1, [&](std::size_t begin, std::size_t end, int) {
                            unsigned bits = 0; // integers: their sum may be reordered into vector code
                            for (std::size_t i = begin; i < end; ++i) bits ^= std::bit_cast<unsigned>(from[i]);
                            keep(bits);
                        });
                    });
    peaks.copy_gb = 2 * bytes / 1e9 / median_seconds([&] {
                        parallel_ranges(run.context, n, 1, [&](std::size_t begin, std::size_t end, int) {
                            std::copy(&from[begin], from.data() + end, &to[begin]);
                        });
                    });

#ifdef __FMA__
#ifdef __AVX512F__
    constexpr std::size_t lanes = 16;
#else
    constexpr std::size_t lanes = 8;
#endif
    constexpr std::size_t chains = 12, rounds = 1 << 20; // chains hide the latency of one multiply-add
    const double seconds = median_seconds([&] {
        parallel_tasks(run.context, static_cast<std::size_t>(n_threads), 1e9, [&](std::size_t, int) {
            using Vector [[gnu::vector_size(lanes * sizeof(float))]] = float;
            Vector sums[chains] = {};
            for (std::size_t round = 0; round < rounds; ++round)
                for (Vector& sum : sums) {
                    for (std::size_t lane = 0; lane < lanes; ++lane) sum[lane] = __builtin_fmaf(sum[lane], 0.5f, 1.0f);
                }
            for (const Vector& sum : sums) keep(sum);
        });
    });
    peaks.fma_gflop = 2.0 * rounds * chains * lanes * n_threads / 1e9 / seconds;
#endif
    return peaks;
}

/// Machine line: everything a number below it depends on.
inline Peaks print_machine(int n_threads) {
    const Peaks peaks = measured_peaks(n_threads);
    std::printf("ISA level %s, %d threads; peaks: read %.1f GB/s, copy %.1f GB/s, float FMA %.0f GFLOP/s\n\n",
                MLCORE_ISA_LEVEL, n_threads, peaks.read_gb, peaks.copy_gb, peaks.fma_gflop);
    std::printf("%-44s %12s %16s %8s\n", "", "time", "rate", "of peak");
    return peaks;
}

/// One line: `amount` units of work (bytes, operations, rows ...) in `seconds`; `peak` in the same units a second, or
/// 0.
inline void print_result(const char* name, double seconds, double amount, const char* unit, double peak = 0) {
    const double rate = amount / seconds;
    const auto [scale, prefix] = rate >= 1e9   ? std::pair{1e9, "G"}
                                 : rate >= 1e6 ? std::pair{1e6, "M"}
                                               : std::pair{1e3, "k"};
    std::printf("%-44s %9.3f ms %8.2f %s%s/s", name, seconds * 1e3, rate / scale, prefix, unit);
    if (peak > 0) std::printf(" %6.1f %%", 100 * rate / peak);
    std::printf("\n");
}

} // namespace bench
