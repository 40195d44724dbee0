// Matrix products against three plain loops, in every layout and around every border of tiles and blocks.
#include "check.hpp"
#include "core/context.hpp"
#include "core/random.hpp"
#include "linalg/gemm.hpp"
#include "linalg/gemm_kernel.hpp"

#include <cmath>
#include <vector>

using namespace mlcore;
using namespace mlcore::linalg;

namespace {

std::vector<float> random_values(std::size_t n, std::uint64_t stream) {
    const Philox random(7, stream);
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(random.uniform(i) - 0.5);
    return values;
}

/// The same numbers by rows or by columns.
MatrixView<const float> laid_out(const std::vector<float>& values, std::size_t rows, std::size_t cols, bool by_rows) {
    return by_rows ? MatrixView<const float>{values.data(), rows, cols, static_cast<std::ptrdiff_t>(cols), 1}
                   : MatrixView<const float>{values.data(), rows, cols, 1, static_cast<std::ptrdiff_t>(rows)};
}

double product(MatrixView<const float> A, MatrixView<const float> B, std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t k = 0; k < A.cols; ++k) sum += static_cast<double>(A(i, k)) * static_cast<double>(B(k, j));
    return sum;
}

void check_product(std::size_t m, std::size_t k, std::size_t n, bool a_rows, bool b_rows, int threads) {
    const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
    const auto A = laid_out(a, m, k, a_rows), B = laid_out(b, k, n, b_rows);
    StandaloneRun run(threads);
    std::vector<float> c(m * n, 5.0f), packed(m * n, 5.0f), sum(m * n, 1.0f);
    gemm(run.context, A, B, row_major(c.data(), m, n));
    gemm(run.context, A, PackedMatrix(run.context, B), row_major(packed.data(), m, n));
    gemm(run.context, A, B, row_major(sum.data(), m, n), true);
    double worst = 0, worst_sum = 0;
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            const double expected = product(A, B, i, j);
            worst = std::max(worst, std::abs(static_cast<double>(c[i * n + j]) - expected));
            worst_sum = std::max(worst_sum, std::abs(static_cast<double>(sum[i * n + j]) - expected - 1));
        }
    const double tolerance = 1e-6 * (1 + std::sqrt(static_cast<double>(k)));
    CHECK_CLOSE(worst, 0, tolerance);
    CHECK_CLOSE(worst_sum, 0, 2 * tolerance);
    CHECK(c == packed); // packed before or on the way: the same bits
}

} // namespace

TEST(shapes_around_borders) {
    for (const std::size_t m : {1, 3, 14, 15, 29, 130})
        for (const std::size_t k : {1, 7, 384, 400})
            for (const std::size_t n : {1, 16, 31, 33, 70, 300}) check_product(m, k, n, true, true, 1);
}

TEST(layouts) {
    for (const bool a_rows : {true, false})
        for (const bool b_rows : {true, false}) {
            check_product(37, 45, 50, a_rows, b_rows, 1);
            check_product(250, 800, 90, a_rows, b_rows, 2);
        }
}

TEST(strided_views) {
    const std::size_t m = 20, k = 18, n = 40;
    const auto a = random_values(m * k * 6, 1), b = random_values(k * n * 6, 2);
    const MatrixView<const float> A{a.data(), m, k, static_cast<std::ptrdiff_t>(3 * k), 2};
    const MatrixView<const float> B{b.data(), k, n, static_cast<std::ptrdiff_t>(2 * n), 2};
    std::vector<float> c(m * (n + 3), -1.0f);
    StandaloneRun run(1);
    gemm(run.context, A, B, MatrixView<float>{c.data(), m, n, static_cast<std::ptrdiff_t>(n + 3), 1});
    for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < n; ++j)
            CHECK_CLOSE(static_cast<double>(c[i * (n + 3) + j]), product(A, B, i, j), 1e-5);
        for (std::size_t j = n; j < n + 3; ++j) CHECK_EQUAL(c[i * (n + 3) + j], -1.0f); // what lies between rows stays
    }
}

TEST(bits_do_not_depend_on_threads_or_other_rows) {
    const std::size_t m = 333, k = 500, n = 130;
    const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
    const auto A = laid_out(a, m, k, true), B = laid_out(b, k, n, true);
    std::vector<float> one(m * n), many(m * n), row(n);
    StandaloneRun serial(1), parallel(3);
    gemm(serial.context, A, B, row_major(one.data(), m, n));
    gemm(parallel.context, A, B, row_major(many.data(), m, n));
    CHECK(one == many);
    gemm(serial.context, laid_out(a, 1, k, true), B, row_major(row.data(), 1, n));
    CHECK(std::equal(row.begin(), row.end(), one.begin()));
}

TEST(epilogue) {
    const std::size_t m = 17, k = 400, n = 37;
    const auto a = random_values(m * k, 1), b = random_values(k * n, 2), bias = random_values(n, 3),
               residual = random_values(m * n, 4);
    const auto A = laid_out(a, m, k, true), B = laid_out(b, k, n, true);
    std::vector<float> c(m * n), before(m * n);
    StandaloneRun run(2);
    Epilogue epilogue;
    epilogue.bias = bias.data();
    epilogue.residual = row_major(residual.data(), m, n);
    epilogue.activation = Activation::relu;
    epilogue.pre_activation = before.data();
    gemm(run.context, A, B, row_major(c.data(), m, n), false, epilogue);
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            const double z =
                product(A, B, i, j) + static_cast<double>(bias[j]) + static_cast<double>(residual[i * n + j]);
            CHECK_CLOSE(static_cast<double>(before[i * n + j]), z, 2e-5);
            CHECK_EQUAL(c[i * n + j], before[i * n + j] > 0 ? before[i * n + j] : 0.0f);
        }
}

TEST(no_terms_and_no_entries) {
    const std::vector<float> a(1), bias{1.0f, 2.0f};
    std::vector<float> c(6, 9.0f);
    StandaloneRun run(1);
    Epilogue epilogue;
    epilogue.bias = bias.data();
    gemm(run.context, laid_out(a, 3, 0, true), laid_out(a, 0, 2, true), row_major(c.data(), 3, 2), false, epilogue);
    for (std::size_t i = 0; i < 6; ++i) CHECK_EQUAL(c[i], bias[i % 2]);
    gemm(run.context, laid_out(a, 0, 1, true), laid_out(a, 1, 0, true), row_major(c.data(), 0, 0)); // touches nothing
    CHECK_EQUAL(c[0], 1.0f);
}

TEST(batched) {
    const std::size_t m = 5, k = 20, n = 9;
    for (const std::size_t n_batch : {1, 3, 40}) {
        const auto a = random_values(n_batch * m * k, 1), b = random_values(k * n, 2);
        std::vector<float> c(n_batch * m * n);
        StandaloneRun run(2);
        gemm_batched(run.context, n_batch, laid_out(a, m, k, true), static_cast<std::ptrdiff_t>(m * k),
                     laid_out(b, k, n, true), 0, row_major(c.data(), m, n), static_cast<std::ptrdiff_t>(m * n));
        const auto all = laid_out(a, n_batch * m, k, true);
        for (std::size_t i = 0; i < n_batch * m; ++i)
            for (std::size_t j = 0; j < n; ++j)
                CHECK_CLOSE(static_cast<double>(c[i * n + j]), product(all, laid_out(b, k, n, true), i, j), 1e-5);
    }
}

namespace {

/// One tile of M rows from panels of ones with a few other numbers, whose products are exact.
template <std::size_t M, class T, bool is_far>
void check_tile() {
    constexpr std::size_t width = 2 * simd::lanes_of<T>, stride = width + 3;
    for (const std::size_t n_k : {0, 1, 5, 40})
        for (const bool accumulate : {false, true}) {
            std::vector<T> a(n_k * M), b(n_k * width), c(M * stride, T{3});
            for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(i % 7) - 3;
            for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<T>(i % 5) - 2;
            multiply_tile<M, T, is_far>(a.data(), b.data(), n_k, c.data(), stride, accumulate);
            for (std::size_t i = 0; i < M; ++i)
                for (std::size_t j = 0; j < stride; ++j) {
                    T expected = accumulate || j >= width ? T{3} : T{0};
                    for (std::size_t k = 0; j < width && k < n_k; ++k) expected += a[k * M + i] * b[k * width + j];
                    CHECK_EQUAL(c[i * stride + j], expected);
                }
        }
}

} // namespace

TEST(a_tile_of_any_height_and_type) {
    check_tile<1, float, true>();
    check_tile<3, float, false>();
    check_tile<tile_rows, float, true>();
    check_tile<6, double, false>();
}

TEST(panels_interleave_rows) {
    const std::size_t n_k = 37;
    for (const std::size_t m : {std::size_t{1}, std::size_t{5}, tile_rows}) {
        const std::vector<float> rows = random_values(m * n_k, m);
        for (const bool by_rows : {true, false}) {
            std::vector<float> panel(n_k * tile_cols, 7.0f);
            pack_panel(laid_out(rows, m, n_k, by_rows), 0, m, 0, n_k, panel.data(), tile_cols);
            const MatrixView<const float> A = laid_out(rows, m, n_k, by_rows);
            for (std::size_t k = 0; k < n_k; ++k)
                for (std::size_t i = 0; i < tile_cols; ++i)
                    CHECK_EQUAL(panel[k * tile_cols + i], i < m ? A(i, k) : 0.0f);
        }
    }
}
