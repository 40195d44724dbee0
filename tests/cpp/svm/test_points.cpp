#include "check.hpp"
#include "svm/twin.hpp"

#include "svm/kernel_values.hpp"
#include "svm/points.hpp"
#include "svm/weighted_rows.hpp"

#include <cstring>
#include <numeric>

using namespace mlcore;
using namespace mlcore::svm;

namespace {

using Type = Kernel::Type;

std::vector<Kernel> kernels(double gamma) {
    return {{Type::linear, gamma, 0.5, 3},
            {Type::poly, gamma, 0.5, 3},
            {Type::poly, gamma, -0.5, 0},
            {Type::rbf, gamma, 0.5, 3},
            {Type::sigmoid, gamma, 0.5, 3}};
}

std::vector<std::int32_t> some(std::size_t n, std::size_t step) {
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < n; i += step) ids.push_back(static_cast<std::int32_t>((i * 7) % n));
    return ids;
}

/// Kernel rows `row_ids` against `column_ids`, (rows, columns).
std::vector<float> values(const Points& points, const std::vector<std::int32_t>& row_ids,
                          const std::vector<std::int32_t>& column_ids, int n_threads = 1) {
    const StandaloneRun run(n_threads);
    const Columns columns(run.context, points, column_ids);
    std::vector<Buffer<float>> rows;
    std::vector<float*> out;
    for (std::size_t i = 0; i < row_ids.size(); ++i) out.push_back(rows.emplace_back(padded(columns.size())).data());
    kernel_rows(run.context, RowBatch(run.context, points, row_ids), columns, out.data());
    std::vector<float> result;
    for (const auto& row : rows) result.insert(result.end(), row.begin(), row.begin() + columns.size());
    return result;
}

} // namespace

TEST(every_kernel_against_its_formula) {
    const StandaloneRun run;
    for (const bool sparse : {false, true})
        for (const std::size_t n : {1, 5, 31, 32, 33, 130})
            for (const std::size_t d : {1, 7, 40}) {
                const twin::Data data(n, d, n + d, sparse ? 0.3 : 1);
                const Table X = sparse ? data.sparse() : data.dense();
                for (const Kernel& kernel : kernels(0.3)) {
                    const Points points(run.context, X, kernel);
                    CHECK(!points.wide());
                    const auto rows = some(n, 2), columns = some(n, 1);
                    const std::vector<float> got = values(points, rows, columns);
                    for (std::size_t r = 0; r < rows.size(); ++r)
                        for (std::size_t c = 0; c < columns.size(); ++c) {
                            const double expected = twin::kernel(kernel, data, static_cast<std::size_t>(rows[r]), data,
                                                                 static_cast<std::size_t>(columns[c]));
                            CHECK_CLOSE(static_cast<double>(got[r * columns.size() + c]), expected,
                                        1e-6 * static_cast<double>(1 + d) * std::max(1.0, std::abs(expected)));
                        }
                    for (std::size_t i = 0; i < n; ++i)
                        CHECK_CLOSE(points.diagonal(i), twin::kernel(kernel, data, i, data, i),
                                    1e-9 * std::max(1.0, std::abs(points.diagonal(i))));
                }
            }
}

TEST(a_value_has_the_same_bits_in_every_row_order_and_thread) {
    const StandaloneRun run;
    for (const bool sparse : {false, true}) {
        const twin::Data data(150, 23, 4, sparse ? 0.4 : 1);
        const Points points(run.context, sparse ? data.sparse() : data.dense(), {Type::rbf, 0.05, 0, 3});
        std::vector<std::int32_t> all(150);
        std::iota(all.begin(), all.end(), 0);
        const std::vector<float> whole = values(points, all, all, 3);
        for (std::size_t i = 0; i < 150; ++i)
            for (std::size_t j = 0; j < i; ++j) CHECK_EQUAL(whole[i * 150 + j], whole[j * 150 + i]);
        const auto rows = some(150, 11), columns = some(150, 3);
        const std::vector<float> part = values(points, rows, columns);
        for (std::size_t r = 0; r < rows.size(); ++r)
            for (std::size_t c = 0; c < columns.size(); ++c)
                CHECK_EQUAL(part[r * columns.size() + c],
                            whole[static_cast<std::size_t>(rows[r]) * 150 + static_cast<std::size_t>(columns[c])]);
    }
}

TEST(float32_tables_and_strides_are_read_in_place) {
    const StandaloneRun run;
    const twin::Data data(40, 6, 1);
    std::vector<float> narrow(data.x.begin(), data.x.end());
    std::vector<double> transposed(data.x.size());
    for (std::size_t i = 0; i < 40; ++i)
        for (std::size_t k = 0; k < 6; ++k) transposed[k * 40 + i] = data.x[i * 6 + k];
    const Kernel kernel{Type::rbf, 0.2, 0, 3};
    const Table plain = data.dense(), floats = row_major<const float>(narrow.data(), 40, 6);
    const Table fortran = MatrixView<const double>{transposed.data(), 40, 6, 1, 40};
    const auto ids = some(40, 1);
    const std::vector<float> expected = values(Points(run.context, plain, kernel), ids, ids);
    const std::vector<float> from_floats = values(Points(run.context, floats, kernel), ids, ids);
    CHECK(values(Points(run.context, fortran, kernel), ids, ids) == expected);
    for (std::size_t at = 0; at < expected.size(); ++at) CHECK_CLOSE(from_floats[at], expected[at], 1e-6);
}

TEST(points_far_out_are_multiplied_in_float64) {
    const StandaloneRun run;
    // A common shift is taken off; what is left is wide for a large gamma.
    const twin::Data shifted(60, 5, 2, 1, 1e6);
    const Kernel gentle{Type::rbf, 0.1, 0, 3}, steep{Type::rbf, 100, 0, 3};
    const Points narrow(run.context, shifted.dense(), gentle), wide(run.context, shifted.dense(), steep);
    CHECK(!narrow.wide());
    CHECK(wide.wide());
    const auto ids = some(60, 1);
    for (const auto& [points, kernel] : {std::pair(&narrow, &gentle), std::pair(&wide, &steep)}) {
        const std::vector<float> got = values(*points, ids, ids);
        for (std::size_t r = 0; r < 60; ++r)
            for (std::size_t c = 0; c < 60; ++c)
                CHECK_CLOSE(static_cast<double>(got[r * 60 + c]),
                            twin::kernel(*kernel, shifted, static_cast<std::size_t>(ids[r]), shifted,
                                         static_cast<std::size_t>(ids[c])),
                            2e-6);
    }
    const twin::Data sparse(40, 9, 3, 0.5);
    const Points sparse_wide(run.context, sparse.sparse(), steep);
    CHECK(sparse_wide.wide());
    const std::vector<float> got = values(sparse_wide, some(40, 1), some(40, 1));
    for (std::size_t r = 0; r < 40; ++r) CHECK_EQUAL(got[r * 40 + r], 1.0F);
}

TEST(precomputed_kernels_are_copied) {
    const StandaloneRun run;
    std::vector<double> K(50 * 50);
    for (std::size_t at = 0; at < K.size(); ++at) K[at] = static_cast<double>(at) * 0.5;
    const Table X = row_major<const double>(K.data(), 50, 50);
    const Points points(run.context, X, {Type::precomputed, 1, 0, 3});
    const auto rows = some(50, 7), columns = some(50, 2);
    const std::vector<float> got = values(points, rows, columns, 2);
    for (std::size_t r = 0; r < rows.size(); ++r)
        for (std::size_t c = 0; c < columns.size(); ++c)
            CHECK_EQUAL(got[r * columns.size() + c],
                        static_cast<float>(K[static_cast<std::size_t>(rows[r] * 50 + columns[c])]));
    CHECK_EQUAL(points.diagonal(3), K[3 * 51]);
}

TEST(weighted_rows_are_sums_of_kernel_rows) {
    const StandaloneRun run;
    const twin::Data data(260, 9, 5);
    const Points points(run.context, data.dense(), {Type::rbf, 0.1, 0, 3});
    std::vector<std::int32_t> rows(210);
    std::iota(rows.begin(), rows.end(), 3);
    for (const std::size_t n_outputs : {1, 3, 4, 9}) {
        const Philox random(7, n_outputs);
        std::vector<double> coef(n_outputs * 250); // rows of 210 in a table of 250
        for (std::size_t at = 0; at < coef.size(); ++at) coef[at] = random.normal(at);
        const WeightedRows sums(run.context, points, rows, coef.data(), 250, n_outputs);
        const Columns columns(run.context, points, some(260, 3));
        WeightedRows::Scratch scratch;
        std::vector<double> out(n_outputs * columns.width());
        for (std::size_t panel = 0; panel < columns.n_panels(); ++panel) {
            sums.panel(columns, panel, out.data(), scratch);
            for (std::size_t j = panel * columns.width(); j < std::min(columns.size(), (panel + 1) * columns.width());
                 ++j)
                for (std::size_t o = 0; o < n_outputs; ++o) {
                    double expected = 0;
                    for (std::size_t r = 0; r < rows.size(); ++r)
                        expected +=
                            coef[o * 250 + r] * twin::kernel(points.kernel(), data, static_cast<std::size_t>(rows[r]),
                                                             data, static_cast<std::size_t>(columns.ids()[j]));
                    CHECK_CLOSE(out[o * columns.width() + j - panel * columns.width()], expected, 2e-5);
                }
        }
    }
}

namespace {

template <class T>
void check_kernel_values(const Kernel& kernel) {
    const Philox random(9, 0);
    for (const std::size_t width : {simd::lanes, widest}) {
        std::vector<T> dots, norms;
        std::vector<double> offsets;
        for (std::size_t j = 0; j < width; ++j) {
            dots.push_back(static_cast<T>(random.normal(j)));
            norms.push_back(static_cast<T>(3 + random.normal(100 + j)));
            offsets.push_back(random.normal(200 + j));
        }
        dots[0] = 4, norms[0] = 4; // the point itself, whose squared norm is 4
        std::vector<float> out(width);
        kernel_values<T>(kernel, width, dots.data(), T{4}, norms.data(), out.data());
        for (std::size_t j = 0; j < width; ++j) {
            const double expected = kernel_value(kernel, dots[j], 4, norms[j]);
            CHECK_CLOSE(out[j], expected, 1e-6 * (1 + std::abs(expected)));
        }
        if constexpr (std::is_same_v<T, double>) {
            const Moved moved{0.5, 0.25, offsets.data()};
            kernel_values(kernel, width, dots.data(), 4, norms.data(), moved, out.data());
            for (std::size_t j = 0; j < width; ++j)
                CHECK_EQUAL(out[j],
                            static_cast<float>(kernel_value(kernel, dots[j], 4, norms[j]) - 0.5 - (0.25 + offsets[j])));
        }
    }
}

} // namespace

TEST(kernel_values_of_a_panel) {
    for (const Kernel& kernel : kernels(0.3)) {
        check_kernel_values<float>(kernel);
        check_kernel_values<double>(kernel);
    }
}
