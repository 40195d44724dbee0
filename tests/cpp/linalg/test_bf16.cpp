// Products in bfloat16 beside the same sums in plain loops: the bits must be equal.
#include "check.hpp"
#include "core/context.hpp"
#include "core/random.hpp"
#include "linalg/bf16/kernel.hpp"
#include "linalg/bf16/product.hpp"
#include "linalg/bf16/round.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

using namespace mlcore;
using namespace mlcore::linalg;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_values(std::size_t n, std::uint64_t stream) {
    const Philox random(7, stream);
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(random.uniform(i) - 0.5);
    return values;
}

/// By way of the distances to both neighbours.
float rounded(float x) {
    if (!std::isfinite(x)) return x;
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t below = bits & 0xffff0000u, above = below + 0x10000u, rest = bits - below;
    const bool up = rest > 0x8000u || (rest == 0x8000u && (below & 0x10000u) != 0);
    return std::bit_cast<float>(up ? above : below);
}

float flushed(float x) { return std::abs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

std::vector<float> twin(MatrixView<const float> A, MatrixView<const float> B, const Epilogue& e = {}) {
    std::vector<float> c(A.rows * B.cols);
    for (std::size_t i = 0; i < A.rows; ++i)
        for (std::size_t j = 0; j < B.cols; ++j) {
            float sum = 0;
            for (std::size_t k = 0; k < A.cols; k += 2)
                for (const std::size_t t : {k + 1, k})
                    if (t < A.cols) sum = flushed(std::fma(flushed(rounded(A(i, t))), flushed(rounded(B(t, j))), sum));
            if (e.bias) sum += e.bias[j];
            if (e.residual.data) sum += e.residual(i, j);
            c[i * B.cols + j] = e.activation == Activation::relu && sum < 0 ? 0 : sum;
        }
    return c;
}

MatrixView<const float> rows_of(const std::vector<float>& values, std::size_t rows, std::size_t cols) {
    return row_major(values.data(), rows, cols);
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) {
        return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y) || (std::isnan(x) && std::isnan(y));
    });
}

} // namespace

TEST(rounding) {
    std::vector<float> x{0.0f,
                         -0.0f,
                         1.0f,
                         0x1.01p0f,
                         0x1.03p0f,
                         0x1.010002p0f,
                         -0x1.01p0f,
                         3.4e38f,
                         1e-40f,
                         -1e-45f,
                         infinity,
                         -infinity,
                         not_a_number,
                         std::bit_cast<float>(0x7f800001u),
                         0x1.fffffep-127f};
    for (const float v : random_values(200, 1)) x.push_back(std::ldexp(v, static_cast<int>(x.size()) - 100));
    for (const std::size_t n : {x.size(), std::size_t{1}, std::size_t{16}, std::size_t{33}}) {
        std::vector<std::uint16_t> y(n);
        bf16::round_row(x.data(), n, y.data());
        for (std::size_t i = 0; i < n; ++i) {
            const float found = std::bit_cast<float>(static_cast<std::uint32_t>(y[i]) << 16);
            CHECK(same_bits({found}, {rounded(x[i])}));
        }
        std::vector<float> swapped(n - n % 2);
        bf16::round_row_swapped(x.data(), swapped.size(), swapped.data());
        for (std::size_t i = 0; i < swapped.size(); ++i) CHECK(same_bits({swapped[i]}, {rounded(x[i ^ 1])}));
    }
}

TEST(values_around_borders) {
    for (const std::size_t m : {1, 2, 3, 4, 5, 8, 14, 15, 29, 130})
        for (const std::size_t k : {1, 2, 3, 4, 7, 64, 401})
            for (const std::size_t n : {1, 7, 16, 31, 33, 70, 300}) {
                const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
                StandaloneRun run(1);
                const Bf16Matrix B(run.context, rows_of(b, k, n));
                std::vector<float> c(m * n, 5.0f);
                gemm(run.context, rows_of(a, m, k), B, row_major(c.data(), m, n));
                CHECK(same_bits(c, twin(rows_of(a, m, k), rows_of(b, k, n))));
            }
}

TEST(epilogue) {
    const std::size_t k = 120, n = 150;
    const auto b = random_values(k * n, 2), bias = random_values(n, 3);
    StandaloneRun run(2);
    const Bf16Matrix B(run.context, rows_of(b, k, n));
    for (const std::size_t m : {1, 4, 33}) {
        const auto a = random_values(m * k, 1), residual = random_values(m * n, 4);
        Epilogue epilogue;
        epilogue.bias = bias.data();
        epilogue.residual = rows_of(residual, m, n);
        epilogue.activation = Activation::relu;
        std::vector<float> c(m * n), in_place = residual;
        gemm(run.context, rows_of(a, m, k), B, row_major(c.data(), m, n), epilogue);
        const auto expected = twin(rows_of(a, m, k), rows_of(b, k, n), epilogue);
        CHECK(same_bits(c, expected));
        epilogue.residual = rows_of(in_place, m, n);
        gemm(run.context, rows_of(a, m, k), B, row_major(in_place.data(), m, n), epilogue);
        CHECK(same_bits(in_place, expected));
        epilogue.activation = Activation::identity;
        std::vector<float> z(m * n), g(m * n);
        epilogue.residual = {};
        gemm(run.context, rows_of(a, m, k), B, row_major(z.data(), m, n), epilogue);
        epilogue.activation = Activation::gelu;
        gemm(run.context, rows_of(a, m, k), B, row_major(g.data(), m, n), epilogue);
        activate(Activation::gelu, z.data(), z.data(), z.size());
        CHECK(same_bits(g, z));
    }
}

TEST(bits_do_not_depend_on_threads_or_other_rows) {
    const std::size_t m = 333, k = 501, n = 130;
    const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
    StandaloneRun serial(1), parallel(3);
    const Bf16Matrix B(serial.context, rows_of(b, k, n));
    std::vector<float> one(m * n), many(m * n), some(m * n);
    gemm(serial.context, rows_of(a, m, k), B, row_major(one.data(), m, n));
    gemm(parallel.context, rows_of(a, m, k), B, row_major(many.data(), m, n));
    CHECK(same_bits(one, many));
    for (const std::size_t rows : {1, 2, 9, 15}) {
        gemm(parallel.context, row_major(a.data() + 31 * k, rows, k), B, row_major(some.data(), rows, n));
        CHECK(std::equal(some.data(), some.data() + rows * n, one.data() + 31 * n));
    }
}

TEST(any_layout) {
    const std::size_t m = 6, k = 50, n = 40;
    const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
    StandaloneRun run(1);
    std::vector<float> by_columns(k * n), spread(m * (k + 3)), wide(m * (n + 5), -1.0f);
    for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = 0; j < n; ++j) by_columns[j * k + i] = b[i * n + j];
    for (std::size_t i = 0; i < m; ++i) std::copy_n(a.data() + i * k, k, spread.data() + i * (k + 3));
    gemm(run.context, {spread.data(), m, k, static_cast<std::ptrdiff_t>(k + 3), 1},
         Bf16Matrix(run.context, transposed(rows_of(by_columns, n, k))),
         {wide.data(), m, n, static_cast<std::ptrdiff_t>(n + 5), 1});
    const auto expected = twin(rows_of(a, m, k), rows_of(b, k, n));
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n + 5; ++j) CHECK_EQUAL(wide[i * (n + 5) + j], j < n ? expected[i * n + j] : -1.0f);
}

TEST(zeros_infinities_and_nan) {
    const std::size_t m = 17, k = 71, n = 33;
    auto a = random_values(m * k, 1), b = random_values(k * n, 2);
    std::fill_n(a.begin() + 2 * k, k, 0.0f);
    a[5 * k + 70] = not_a_number;
    a[9 * k] = -infinity;
    for (std::size_t i = 0; i < k; ++i) b[i * n + 4] = 0;
    b[3 * n + 8] = infinity;
    b[6 * n + 11] = not_a_number;
    StandaloneRun run(1);
    std::vector<float> c(m * n);
    gemm(run.context, rows_of(a, m, k), Bf16Matrix(run.context, rows_of(b, k, n)), row_major(c.data(), m, n));
    CHECK(same_bits(c, twin(rows_of(a, m, k), rows_of(b, k, n))));
    CHECK(std::isnan(c[5 * n]) && std::isinf(c[9 * n]) && std::isnan(c[9 * n + 4]) && std::isinf(c[8]));
    gemm(run.context, MatrixView<const float>{nullptr, 0, k, 0, 1}, Bf16Matrix(run.context, rows_of(b, k, n)),
         MatrixView<float>{nullptr, 0, n, 0, 1}); // touches nothing
    Epilogue epilogue;
    epilogue.bias = b.data();
    gemm(run.context, MatrixView<const float>{a.data(), 2, 0, 0, 1}, Bf16Matrix(run.context, {b.data(), 0, n, 0, 1}),
         row_major(c.data(), 2, n), epilogue);
    for (std::size_t j = 0; j < n; ++j) CHECK(same_bits({c[n + j]}, {b[j]}));
}

TEST(the_smallest_and_the_largest_numbers) {
    const std::size_t m = 9, k = 37, n = 50;
    const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
    StandaloneRun run(1);
    for (const auto& [left, right] : {std::pair{-126, 0},
                                      {-130, 3},
                                      {-140, 20},
                                      {-70, -58},
                                      {-63, -63},
                                      {100, -90},
                                      {64, 62},
                                      {127, 0},
                                      {127, 127}}) {
        std::vector<float> x = a, y = b, c(m * n);
        for (float& v : x) v = std::ldexp(v, left);
        for (float& v : y) v = std::ldexp(v, right);
        gemm(run.context, rows_of(x, m, k), Bf16Matrix(run.context, rows_of(y, k, n)), row_major(c.data(), m, n));
        const auto expected = twin(rows_of(x, m, k), rows_of(y, k, n));
#ifdef __FMA__
        CHECK(same_bits(c, expected));
#else
        if (std::abs(left + right) < 100) CHECK(same_bits(c, expected));
#endif
    }
}

TEST(kernels_agree) {
    const std::size_t m = 4, n_terms = 24;
    const Philox random(3, 1);
    // Exponents from -50 to 50: sums lose and gain digits in every way.
    const auto entry = [&](std::size_t i) {
        return rounded(std::ldexp(static_cast<float>(random.uniform(2 * i) - 0.5),
                                  static_cast<int>(random.uniform(2 * i + 1) * 100) - 50));
    };
    const auto half = [](float x) { return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16); };
    const auto sums = [&](const bf16::Kernel& kernel) {
        // One panel, by the description in the two headers.
        const std::size_t words = n_terms / kernel.terms;
        std::vector<std::int32_t> left(words * m);
        std::vector<std::uint16_t> right(words * kernel.cols * kernel.terms);
        std::vector<float> tile(m * kernel.cols);
        for (std::size_t k = 0; k < n_terms; ++k) {
            const std::size_t w = kernel.terms == 2 ? k / 2 : k ^ 1, t = kernel.terms == 2 ? k % 2 : 0;
            for (std::size_t i = 0; i < m; ++i) {
                const float q = entry(i * n_terms + k);
                if (kernel.terms == 2)
                    reinterpret_cast<std::uint16_t*>(&left[w * m + i])[t] = half(q);
                else
                    left[w * m + i] = std::bit_cast<std::int32_t>(q);
            }
            for (std::size_t j = 0; j < kernel.cols; ++j)
                right[(w * kernel.cols + j) * kernel.terms + t] = half(entry(1000 + j * n_terms + k));
        }
        kernel.narrow[m - 1]({left.data(), right.data(), words, 0, nullptr, tile.data(), kernel.cols});
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < kernel.cols; ++j) {
                float expected = 0;
                for (std::size_t k = 0; k < n_terms; k += 2)
                    for (const std::size_t t : {k + 1, k})
                        expected = std::fma(entry(i * n_terms + t), entry(1000 + j * n_terms + t), expected);
                CHECK_EQUAL(tile[i * kernel.cols + j], expected);
            }
    };
    sums(bf16::plain);
    sums(bf16::kernel());
}
