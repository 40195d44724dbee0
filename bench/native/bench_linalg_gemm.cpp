// Matrix products of the sizes that networks have, beside the peak of multiply-adds: square ones, those of a
// Transformer's feed-forward part (forward, gradients with respect to input and weight) and those of few rows.
#include "bench.hpp"
#include "linalg/gemm.hpp"

#include <cmath>
#include <cstdio>
#include <vector>

using namespace mlcore;
using namespace mlcore::linalg;

namespace {

struct Case {
    const char* name;
    std::size_t m, k, n;
    bool a_by_rows, b_by_rows;
};

MatrixView<const float> laid_out(const Buffer<float>& values, std::size_t rows, std::size_t cols, bool by_rows) {
    return by_rows ? MatrixView<const float>{values.data(), rows, cols, static_cast<std::ptrdiff_t>(cols), 1}
                   : MatrixView<const float>{values.data(), rows, cols, 1, static_cast<std::ptrdiff_t>(rows)};
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    StandaloneRun run(n_threads);
    const Case cases[] = {
        {"512 x 512 x 512", 512, 512, 512, true, false},
        {"1024 x 1024 x 1024", 1024, 1024, 1024, true, false},
        {"2048 x 2048 x 2048", 2048, 2048, 2048, true, false},
        {"x W^T  4096 x 384 -> 1536", 4096, 384, 1536, true, false},
        {"dy W   4096 x 1536 -> 384", 4096, 1536, 384, true, true},
        {"dy^T x 1536 x 4096 x 384", 1536, 4096, 384, false, true},
        {"few rows 32 x 512 -> 2048", 32, 512, 2048, true, false},
        {"one row 1 x 512 -> 2048", 1, 512, 2048, true, false},
    };
    for (const Case& c : cases) {
        Buffer<float> a(c.m * c.k), b(c.k * c.n), out(c.m * c.n);
        for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 17) - 8;
        for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 13) - 6;
        const auto A = laid_out(a, c.m, c.k, c.a_by_rows), B = laid_out(b, c.k, c.n, c.b_by_rows);
        const auto C = row_major(out.data(), c.m, c.n);
        gemm(run.context, A, B, C);
        float expected = 0; // whole numbers: exact
        for (std::size_t k = 0; k < c.k; ++k) expected += A(c.m - 1, k) * B(k, c.n - 1);
        if (C(c.m - 1, c.n - 1) != expected) {
            std::printf("%s is wrong\n", c.name);
            return 1;
        }
        const double flops = 2.0 * static_cast<double>(c.m) * static_cast<double>(c.k * c.n);
        bench::print_result(c.name, bench::median_seconds([&] { gemm(run.context, A, B, C); }), flops, "FLOP",
                            peaks.fma_gflop * 1e9);
        const PackedMatrix packed(run.context, B);
        bench::print_result("    the right factor packed before",
                            bench::median_seconds([&] { gemm(run.context, A, packed, C); }), flops, "FLOP",
                            peaks.fma_gflop * 1e9);
    }
}
