#include "check.hpp"

#include "boosting/twin.hpp"

using namespace twin;

namespace {

/// Numbers that floats hold exactly, zeros of both signs, missing values; column 3 holds category codes, 5 is
/// constant, 6 is missing throughout, 7 is constant or missing.
Data mixed_data(Random& random, std::size_t rows) {
    Data data;
    data.rows = rows;
    data.cols = 9;
    data.n_categories = {0, 0, 0, 12, 0, 0, 0, 0, 0};
    data.x.resize(rows * data.cols);
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < data.cols; ++j) {
            double v = static_cast<float>(random.normal() * (j == 0 ? 1e30 : 3));
            if (j == 1) v = random.integer(-1, 1) * (random.chance(0.5) ? 1.0 : -1.0); // -0.0 too
            if (j == 2 && random.chance(0.7)) v = 0;
            if (j == 3) v = random.integer(0, 11);
            if (j == 5 || j == 7) v = 4;
            if (j == 6 || (j != 5 && j != 0 && random.chance(0.1))) v = NaN;
            data.at(i, j) = v;
        }
    return data;
}

/// The same table in another shape, with all that its views point to.
template <class T, class Index>
struct Csr {
    std::vector<T> values;
    std::vector<Index> indices, indptr{0};
    CsrView<T, Index> view;

    Csr(const Data& data, Random& random, double keep_zero) {
        for (std::size_t i = 0; i < data.rows; ++i) {
            std::vector<Index> order(data.cols);
            std::iota(order.begin(), order.end(), Index{0});
            random.shuffle(order); // column numbers need not ascend
            for (const Index j : order) {
                const double v = data.at(i, static_cast<std::size_t>(j));
                if (v == 0 && !random.chance(keep_zero)) continue;
                values.push_back(static_cast<T>(v));
                indices.push_back(j);
            }
            indptr.push_back(static_cast<Index>(values.size()));
        }
        view = {values.data(), indices.data(), indptr.data(), data.rows, data.cols};
    }
};

void check_same_bins(const Data& data, const BinMapper& expected, const Table& table, const char* what) {
    for (const int n_threads : {1, 3}) {
        StandaloneRun run(n_threads);
        const BinMapper mapper = BinMapper::fit(run.context, table, {}, data.n_categories, expected.max_bins());
        const BinnedMatrix binned(run.context, table, mapper, true);
        bool same = true;
        for (int f = 0; f < mapper.n_features(); ++f) {
            same &= mapper.edges(f) == expected.edges(f) && mapper.n_bins(f) == expected.n_bins(f);
            for (std::size_t i = 0; i < data.rows; ++i)
                same &= binned.bin(f, i) == expected.bin(f, data.at(i, static_cast<std::size_t>(f)));
        }
        if (!same) check::fail(what, n_threads, "bins differ from those of the row-major table of doubles");
    }
}

} // namespace

TEST(every_kind_of_table_gives_the_same_bins) {
    Random random(1);
    for (const std::size_t rows : {1, 7, 1000, 2500})
        for (const int max_bins : {4, 255}) {
            Data data = mixed_data(random, rows);
            data.bin(max_bins);
            const auto n = static_cast<std::ptrdiff_t>(rows), F = static_cast<std::ptrdiff_t>(data.cols);
            check_same_bins(data, *data.mapper, data.table(), "double");
            const std::vector<float> narrow(data.x.begin(), data.x.end());
            check_same_bins(data, *data.mapper, row_major(narrow.data(), rows, data.cols), "float");

            std::vector<double> transposed(data.x.size()), spaced(6 * data.x.size(), -7.0);
            for (std::size_t i = 0; i < rows; ++i)
                for (std::size_t j = 0; j < data.cols; ++j) {
                    transposed[j * rows + i] = data.at(i, j);
                    spaced[(rows - 1 - i) * data.cols * 6 + 2 * (data.cols - 1 - j)] = data.at(i, j);
                }
            const MatrixView<const double> by_column{transposed.data(), rows, data.cols, 1, n};
            check_same_bins(data, *data.mapper, by_column, "column-major");
            const double* last = &spaced[(rows - 1) * data.cols * 6 + 2 * (data.cols - 1)];
            const MatrixView<const double> backwards{last, rows, data.cols, -6 * F, -2};
            check_same_bins(data, *data.mapper, backwards, "backwards");

            for (const double keep_zero : {0.0, 0.5, 1.0}) {
                check_same_bins(data, *data.mapper, Csr<double, std::int32_t>(data, random, keep_zero).view, "csr");
                check_same_bins(data, *data.mapper, Csr<float, std::int64_t>(data, random, keep_zero).view, "csr f");
            }
        }
}

TEST(weights_mean_the_same_in_sparse_and_dense_tables) {
    Random random(2);
    Data data = mixed_data(random, 3000);
    std::vector<double> weight(data.rows);
    for (double& w : weight) w = random.integer(1, 5);
    StandaloneRun run;
    const Csr<double, std::int32_t> sparse(data, random, 0.3);
    const BinMapper a = BinMapper::fit(run.context, data.table(), weight, data.n_categories, 32);
    const BinMapper b = BinMapper::fit(run.context, sparse.view, weight, data.n_categories, 32);
    for (int f = 0; f < a.n_features(); ++f) CHECK(a.edges(f) == b.edges(f));
}

TEST(columns_with_few_entries_stay_sparse) {
    Random random(6);
    for (const std::size_t rows : {40, 3000}) {
        Data data;
        data.rows = rows;
        data.cols = 30;
        data.n_categories.assign(data.cols, 0);
        data.x.resize(rows * data.cols);
        // Column j has a share j / 100 of entries; those of column 4 lie in the bin of zero, but for missing ones.
        for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < data.cols; ++j) {
                if (!random.chance(static_cast<double>(j) / 100)) continue;
                data.at(i, j) = random.chance(0.1) ? NaN : j == 4 ? 0.0 : random.integer(-3, 3);
            }
        data.bin(8);
        for (const int n_threads : {1, 4}) {
            StandaloneRun run(n_threads);
            const Csr<double, std::int32_t> csr(data, random, 0.3);
            const BinnedMatrix sparse(run.context, csr.view, *data.mapper, true);
            CHECK(sparse.has_sparse() && sparse.is_sparse(0) && sparse.is_sparse(4));
            std::size_t bytes = 0, n_sparse = 0;
            std::vector<std::uint8_t> column(rows);
            for (int f = 0; f < 30; ++f) {
                bool same = true;
                sparse.write_column(f, 0, rows / 3, column.data());
                sparse.write_column(f, rows / 3, rows, column.data() + rows / 3);
                for (std::size_t i = 0; i < rows; ++i) {
                    const int expected = data.binned->column(f)[i];
                    same &= sparse.bin(f, i) == expected && column[i] == expected;
                }
                CHECK(same);
                if (!sparse.is_sparse(f)) continue;
                ++n_sparse;
                const SparseColumn c = sparse.sparse_column(f);
                bytes += 5 * c.rows.size();
                CHECK(std::is_sorted(c.rows.begin(), c.rows.end()));
                CHECK(static_cast<double>(c.rows.size()) < BinnedMatrix::max_sparse_share * static_cast<double>(rows));
                CHECK(std::none_of(c.bins, c.bins + c.rows.size(), [&](std::uint8_t b) { return b == c.default_bin; }));
            }
            for (const Stripe& stripe : sparse.stripes()) bytes += stripe.width * rows;
            CHECK_EQUAL(sparse.n_bytes(), bytes + (30 - n_sparse) * rows);

            // Both ways of counting, and the layout.
            const HistogramLayout dense_layout(*data.mapper, *data.binned), layout(*data.mapper, sparse);
            CHECK(layout.features() == dense_layout.features());
            const HistogramLayout pruned(*data.mapper, sparse, static_cast<double>(rows));
            CHECK(pruned.features() == dense_layout.features());
            for (const int f : pruned.features()) CHECK_EQUAL(pruned.has(f), !sparse.is_sparse(f));
            HistogramBuilder builder(*data.mapper, sparse, layout);
            std::vector<PackedPair> pairs(rows);
            std::vector<std::uint32_t> some;
            PackedPair total{};
            for (std::size_t i = 0; i < rows; ++i) {
                pairs[i] = {random.integer(-1000, 1000), static_cast<std::uint64_t>(random.integer(0, 1000))};
                if (random.chance(0.4)) continue;
                some.push_back(static_cast<std::uint32_t>(i));
                total += pairs[i];
            }
            const auto expected = histogram(data, dense_layout, &some, pairs);
            Histogram counted = builder.take(), striped = builder.take();
            builder.start(1);
            builder.add(0, some, pairs.data());
            builder.collect(0, layout.n_entries(), counted.as<PackedPair>());
            for (std::size_t s = 0; s < builder.n_stripes(); ++s)
                builder.build_stripe(s, some.data(), some.size(), pairs.data(), striped.as<PackedPair>());
            for (auto* got : {counted.as<PackedPair>(), striped.as<PackedPair>()})
                for (const int f : layout.features()) {
                    if (sparse.is_sparse(f)) builder.complete(f, total, got);
                    CHECK(std::equal(got + layout.offset(f), got + layout.offset(f) + data.mapper->n_bins(f) + 1,
                                     expected.data() + dense_layout.offset(f)));
                }
        }
    }
}

TEST(one_row_repeated_by_a_zero_stride) {
    const std::vector<double> row{1, NaN, 3};
    const MatrixView<const double> table{row.data(), 100, 3, 0, 1};
    StandaloneRun run;
    const BinMapper mapper = BinMapper::fit(run.context, table, {}, std::vector<int>(3, 0), 255);
    const BinnedMatrix binned(run.context, table, mapper, true);
    CHECK(binned.stripes().empty()); // nothing to split on
    for (std::size_t i = 0; i < 100; ++i) CHECK(binned.column(0)[i] == 0 && binned.column(1)[i] == 1);
}

TEST(stripes_hold_the_columns_that_vary) {
    Random random(3);
    for (const std::size_t F : {1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 130}) {
        std::vector<int> n_values(F, 5);
        for (std::size_t j = 3; j < F; j += 10) n_values[j] = 1;
        Data data = integer_data(random, 2100, n_values, 0.0);
        if (F > 5) {
            for (std::size_t i = 0; i < data.rows; ++i) data.at(i, 5) = i % 2 ? NaN : 1; // one value, and missing
            data.bin();
        }
        for (const int n_threads : {1, 4}) {
            StandaloneRun run(n_threads);
            const BinnedMatrix binned(run.context, data.table(), *data.mapper, true);
            int next = 0;
            std::size_t bytes = data.rows * F;
            for (const Stripe& stripe : binned.stripes()) {
                CHECK(stripe.width % 8 == 0 && stripe.width >= stripe.features.size() && stripe.width <= 64);
                CHECK(&stripe == &binned.stripes().back() || stripe.features.size() == 64);
                bytes += data.rows * stripe.width;
                for (std::size_t k = 0; k < stripe.features.size(); ++k) {
                    const int f = stripe.features[k];
                    for (; next < f; ++next) CHECK(next % 10 == 3); // left out: constant
                    ++next;
                    bool same = true;
                    for (std::size_t i = 0; i < data.rows; ++i) same &= stripe.row(i)[k] == binned.column(f)[i];
                    CHECK(same);
                }
            }
            for (; next < static_cast<int>(F); ++next) CHECK(next % 10 == 3);
            CHECK_EQUAL(binned.n_bytes(), bytes);
        }
    }
}

TEST(data_to_predict_on_needs_no_stripes) {
    Random random(4);
    const Data data = integer_data(random, 50, {3, 4}, 0.1);
    StandaloneRun run;
    const BinnedMatrix binned(run.context, data.table(), *data.mapper, false);
    CHECK(binned.stripes().empty());
    CHECK_EQUAL(binned.n_bytes(), 100u);
    for (int f = 0; f < 2; ++f) CHECK(std::equal(binned.column(f), binned.column(f) + 50, data.binned->column(f)));
}
