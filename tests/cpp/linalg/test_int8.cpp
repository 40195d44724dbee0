// Products in 8-bit integers beside the same formula in plain loops: the bits must be equal.
#include "check.hpp"
#include "core/context.hpp"
#include "core/random.hpp"
#include "linalg/int8/kernel.hpp"
#include "linalg/int8/product.hpp"
#include "linalg/int8/quantize.hpp"
#include "linalg/int8/rotate.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace mlcore;
using namespace mlcore::linalg;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_values(std::size_t n, std::uint64_t stream, float unit = 1) {
    const Philox random(7, stream);
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(random.uniform(i) - 0.5) * unit;
    return values;
}

/// A row or a column as integers and a scale.
struct Quantized {
    std::vector<int> q;
    float scale = 0;

    explicit Quantized(const std::vector<float>& x) : q(x.size()) {
        float largest = 0;
        for (const float v : x) largest = std::max(largest, std::abs(v));
        if (std::any_of(x.begin(), x.end(), [](float v) { return !std::isfinite(v); })) largest = not_a_number;
        scale = largest / 127;
        if (!(largest > 0)) return;
        // Powers of two change no digit: they keep 127 / largest within range.
        const float unit = std::ldexp(1.0f, -std::ilogb(largest));
        for (std::size_t i = 0; i < x.size(); ++i)
            q[i] = static_cast<int>(std::nearbyint(x[i] * unit * (127 / (largest * unit))));
    }
};

/// Groups of up to 16 entries, n / 16 apart, by sums and differences in halves.
std::size_t rotate(std::vector<float>& x) {
    std::size_t together = 1;
    while (together < 16 && !x.empty() && x.size() % (2 * together) == 0) together *= 2;
    const std::size_t step = x.size() / together;
    for (float& v : x) v /= static_cast<float>(together);
    for (std::size_t half = 1; half < together; half *= 2)
        for (std::size_t p = 0; p < together; ++p)
            for (std::size_t j = 0; j < step && !(p & half); ++j) {
                float &a = x[p * step + j], &b = x[(p + half) * step + j];
                const float sum = a + b;
                b = a - b;
                a = sum;
            }
    return together;
}

std::vector<float> twin(MatrixView<const float> A, MatrixView<const float> B, const Epilogue& e = {}) {
    std::vector<float> c(A.rows * B.cols), values;
    std::vector<Quantized> rows, columns;
    for (std::size_t i = 0; i < A.rows; ++i) {
        values.clear();
        for (std::size_t k = 0; k < A.cols; ++k) values.push_back(A(i, k));
        rotate(values);
        rows.emplace_back(values);
    }
    for (std::size_t j = 0; j < B.cols; ++j) {
        values.clear();
        for (std::size_t k = 0; k < A.cols; ++k) values.push_back(B(k, j));
        const std::size_t together = rotate(values);
        columns.emplace_back(values);
        columns.back().scale *= static_cast<float>(together);
    }
    for (std::size_t i = 0; i < A.rows; ++i)
        for (std::size_t j = 0; j < B.cols; ++j) {
            std::int64_t sum = 0;
            for (std::size_t k = 0; k < A.cols; ++k) sum += rows[i].q[k] * columns[j].q[k];
            float v = static_cast<float>(sum) * columns[j].scale * rows[i].scale;
            if (e.bias) v += e.bias[j];
            if (e.residual.data) v += e.residual(i, j);
            c[i * B.cols + j] = e.activation == Activation::relu && v < 0 ? 0 : v;
        }
    return c;
}

MatrixView<const float> rows_of(const std::vector<float>& values, std::size_t rows, std::size_t cols) {
    return row_major(values.data(), rows, cols);
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

} // namespace

TEST(values_around_borders) {
    for (const std::size_t m : {1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 15, 29, 130})
        for (const std::size_t k : {1, 2, 3, 4, 7, 40, 64, 401})
            for (const std::size_t n : {1, 7, 16, 31, 33, 70, 300}) {
                const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
                StandaloneRun run(1);
                const Int8Matrix B(run.context, rows_of(b, k, n));
                std::vector<float> c(m * n, 5.0f);
                gemm(run.context, rows_of(a, m, k), B, row_major(c.data(), m, n));
                CHECK(same_bits(c, twin(rows_of(a, m, k), rows_of(b, k, n))));
            }
}

TEST(sums_of_extremes_are_exact) {
    const std::size_t k = Int8Matrix::most_rows, n = 40;
    StandaloneRun run(1);
    for (const float sign : {1.0f, -1.0f})
        for (const std::size_t m : {1, 3}) {
            // What a rotation makes entries of one size of.
            std::vector<float> a(m * k), b(k * n);
            for (std::size_t i = 0; i < m; ++i)
                std::fill_n(a.begin() + static_cast<std::ptrdiff_t>(i * k), k / 16, 127.0f);
            std::fill_n(b.begin(), k / 16 * n, sign * 127);
            std::vector<float> c(m * n);
            gemm(run.context, rows_of(a, m, k), Int8Matrix(run.context, rows_of(b, k, n)), row_major(c.data(), m, n));
            const float expected = sign * static_cast<float>(127 * 127 * static_cast<std::int64_t>(k / 16));
            CHECK(std::all_of(c.begin(), c.end(), [&](float v) { return v == expected; }));
        }
    const std::vector<float> too_long(k + 1);
    CHECK_THROWS(ValueError, Int8Matrix(run.context, rows_of(too_long, k + 1, 1)));
}

TEST(epilogue) {
    const std::size_t k = 120, n = 150;
    const auto b = random_values(k * n, 2), bias = random_values(n, 3);
    StandaloneRun run(2);
    const Int8Matrix B(run.context, rows_of(b, k, n));
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
    const std::size_t m = 333, k = 500, n = 130;
    const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
    StandaloneRun serial(1), parallel(3);
    const Int8Matrix B(serial.context, rows_of(b, k, n));
    std::vector<float> one(m * n), many(m * n), some(m * n);
    gemm(serial.context, rows_of(a, m, k), B, row_major(one.data(), m, n));
    gemm(parallel.context, rows_of(a, m, k), B, row_major(many.data(), m, n));
    CHECK(same_bits(one, many));
    for (const std::size_t rows : {1, 2, 9, 15}) {
        gemm(parallel.context, row_major(a.data() + 31 * k, rows, k), B, row_major(some.data(), rows, n));
        CHECK(std::equal(some.data(), some.data() + rows * n, one.data() + 31 * n));
    }
}

TEST(any_unit_and_any_layout) {
    const std::size_t m = 6, k = 50, n = 40;
    const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
    StandaloneRun run(1);
    std::vector<float> plain(m * n), c(m * n);
    gemm(run.context, rows_of(a, m, k), Int8Matrix(run.context, rows_of(b, k, n)), row_major(plain.data(), m, n));
    for (const int power : {-100, -27, 0, 27, 100}) { // scales by powers of two change no digit
        auto scaled = a, inverse = b;
        for (float& v : scaled) v = std::ldexp(v, power);
        for (float& v : inverse) v = std::ldexp(v, -power);
        gemm(run.context, rows_of(scaled, m, k), Int8Matrix(run.context, rows_of(inverse, k, n)),
             row_major(c.data(), m, n));
        CHECK(same_bits(c, plain));
    }
    std::vector<float> by_columns(k * n), spread(m * (k + 3)), wide(m * (n + 5), -1.0f);
    for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = 0; j < n; ++j) by_columns[j * k + i] = b[i * n + j];
    for (std::size_t i = 0; i < m; ++i) std::copy_n(a.data() + i * k, k, spread.data() + i * (k + 3));
    gemm(run.context, {spread.data(), m, k, static_cast<std::ptrdiff_t>(k + 3), 1},
         Int8Matrix(run.context, transposed(rows_of(by_columns, n, k))),
         {wide.data(), m, n, static_cast<std::ptrdiff_t>(n + 5), 1});
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n + 5; ++j) CHECK_EQUAL(wide[i * (n + 5) + j], j < n ? plain[i * n + j] : -1.0f);
}

TEST(zeros_infinities_and_nan) {
    const std::size_t m = 17, k = 70, n = 33;
    auto a = random_values(m * k, 1), b = random_values(k * n, 2);
    std::fill_n(a.begin() + 2 * k, k, 0.0f);
    a[5 * k + 69] = not_a_number;
    a[9 * k] = -infinity;
    for (std::size_t i = 0; i < k; ++i) b[i * n + 4] = 0;
    b[3 * n + 8] = infinity;
    StandaloneRun run(1);
    std::vector<float> c(m * n);
    gemm(run.context, rows_of(a, m, k), Int8Matrix(run.context, rows_of(b, k, n)), row_major(c.data(), m, n));
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            const bool undefined = i == 5 || i == 9 || j == 8;
            CHECK_EQUAL(std::isnan(c[i * n + j]), undefined);
            if (!undefined && (i == 2 || j == 4)) CHECK_EQUAL(c[i * n + j], 0.0f);
        }
    gemm(run.context, MatrixView<const float>{nullptr, 0, k, 0, 1}, Int8Matrix(run.context, rows_of(b, k, n)),
         MatrixView<float>{nullptr, 0, n, 0, 1}); // touches nothing
    Epilogue epilogue;
    epilogue.bias = b.data();
    gemm(run.context, MatrixView<const float>{a.data(), 2, 0, 0, 1}, Int8Matrix(run.context, {b.data(), 0, n, 0, 1}),
         row_major(c.data(), 2, n), epilogue);
    for (std::size_t j = 0; j < n; ++j) CHECK_CLOSE(static_cast<double>(c[n + j]), static_cast<double>(b[j]), 0);
}

TEST(rotated_rows_have_the_same_products) {
    for (const std::size_t n : {1, 2, 3, 12, 24, 40, 48, 100, 384, 400, 1536}) {
        const auto x = random_values(n, 1), y = random_values(n, 2);
        std::vector<float> rx(n), ry(n), naive = x;
        int8::rotate_row(x.data(), n, rx.data());
        int8::rotate_row(y.data(), n, ry.data());
        CHECK_EQUAL(rotate(naive), int8::rotated_together(n));
        CHECK(same_bits(rx, naive));
        double product = 0, rotated = 0;
        for (std::size_t i = 0; i < n; ++i) {
            product += static_cast<double>(x[i]) * static_cast<double>(y[i]);
            rotated += static_cast<double>(rx[i]) * static_cast<double>(ry[i]);
        }
        CHECK_CLOSE(rotated * static_cast<double>(int8::rotated_together(n)), product, 1e-6 * static_cast<double>(n));
    }
}

TEST(rotations_neither_overflow_nor_lose_infinities) {
    constexpr float largest = std::numeric_limits<float>::max();
    for (const std::size_t n : {2, 12, 40, 48, 400}) {
        const std::size_t together = int8::rotated_together(n), step = n / together;
        std::vector<float> x(n), y(n);
        for (std::size_t i = 0; i < n; ++i) x[i] = i % 3 == 1 ? -largest : largest;
        int8::rotate_row(x.data(), n, y.data());
        CHECK(std::all_of(y.begin(), y.end(), [](float v) { return std::isfinite(v); }));
        std::fill(x.begin(), x.end(), largest);
        int8::rotate_row(x.data(), n, y.data());
        for (std::size_t i = 0; i < n; ++i) CHECK_EQUAL(y[i], i < step ? largest : 0.0f);
        for (const float odd : {infinity, -infinity, not_a_number})
            for (const std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
                x[at] = odd;
                int8::rotate_row(x.data(), n, y.data());
                for (std::size_t i = 0; i < n; ++i) CHECK_EQUAL(std::isfinite(y[i]), i % step != at % step);
                x[at] = largest;
            }
        x[0] = infinity; // two of a group: infinity minus infinity
        x[step] = infinity;
        int8::rotate_row(x.data(), n, y.data());
        for (std::size_t p = 0; p < together; ++p) CHECK(!std::isfinite(y[p * step]));
    }
}

TEST(a_large_feature_leaves_digits_to_the_others) {
    const std::size_t m = 20, k = 384, n = 60;
    auto a = random_values(m * k, 1);
    const auto b = random_values(k * n, 2);
    for (std::size_t i = 0; i < m; ++i) a[i * k + 100] = 30;
    StandaloneRun run(1);
    std::vector<float> c(m * n);
    gemm(run.context, rows_of(a, m, k), Int8Matrix(run.context, rows_of(b, k, n)), row_major(c.data(), m, n));
    double error = 0;
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            double z = 0;
            for (std::size_t t = 0; t < k; ++t)
                z += static_cast<double>(a[i * k + t]) * static_cast<double>(b[t * n + j]);
            error += std::abs(z - static_cast<double>(c[i * n + j]));
        }
    // By steps of 30 / 127 the mean error of a sum of 384 entries would be 0.31; spread over 16 entries, it is a
    // fourth.
    CHECK(error / static_cast<double>(m * n) < 0.1);
}

TEST(the_smallest_numbers_keep_their_digits) {
    for (const float unit : {1e-40f, 1e-36f, 1e-8f, 1e8f, 3e38f}) {
        std::vector<float> x{unit, -unit / 2.01f, 0, unit / 127, -unit};
        std::vector<std::int8_t> q(x.size());
        const float scale = int8::quantize_row(x.data(), x.size(), 0, q.data());
        CHECK_EQUAL(scale, unit / 127);
        const std::vector<int> expected{127, -63, 0, 1, -127};
        CHECK(std::equal(q.begin(), q.end(), expected.begin()));
    }
}

TEST(kernels_agree) {
    const std::size_t m = 4, n_terms = 24, n = 40;
    const Philox random(3, 1);
    const auto entry = [&](std::size_t i) { return static_cast<int>(random.uniform(i) * 255) - 127; };
    const auto sums = [&](const int8::Kernel& kernel) {
        // One panel, by the description in kernel.hpp.
        const std::size_t words = n_terms / kernel.terms;
        std::vector<std::int32_t> left(words * m), start(kernel.cols), tile(m * kernel.cols);
        std::vector<std::int8_t> right(words * kernel.cols * kernel.terms);
        for (std::size_t w = 0; w < words; ++w)
            for (std::size_t t = 0; t < kernel.terms; ++t) {
                const std::size_t k = w * kernel.terms + t;
                for (std::size_t i = 0; i < m; ++i) {
                    const int q = entry(i * n_terms + k) + kernel.offset;
                    auto* word = reinterpret_cast<char*>(&left[w * m + i]);
                    if (kernel.terms == 4)
                        word[t] = static_cast<char>(q);
                    else
                        std::memcpy(word + 2 * t, &q, 2); // little-endian
                }
                for (std::size_t j = 0; j < kernel.cols; ++j) {
                    const int r = entry(1000 + j * n_terms + k);
                    right[(w * kernel.cols + j) * kernel.terms + t] = static_cast<std::int8_t>(r);
                    start[j] -= kernel.offset * r;
                }
            }
        kernel.narrow[m - 1]({left.data(), right.data(), words, 0, start.data(), tile.data(), kernel.cols});
        const std::size_t width = std::min(kernel.cols, n);
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < width; ++j) {
                int expected = 0;
                for (std::size_t k = 0; k < n_terms; ++k)
                    expected += entry(i * n_terms + k) * entry(1000 + j * n_terms + k);
                CHECK_EQUAL(tile[i * kernel.cols + j], expected);
            }
    };
    sums(int8::plain);
    sums(int8::kernel());
}
