#include "check.hpp"

#include "boosting/twin.hpp"

using namespace twin;

namespace {

struct Rows {
    std::size_t n, F;
    std::vector<double> x;
    Rows(Random& random, std::size_t rows, std::size_t cols) : n(rows), F(cols), x(rows * cols) {
        for (double& v : x) v = odd_value(random);
    }
};

std::vector<double> predict(const Forest& forest, const Table& table, int n_threads = 1) {
    StandaloneRun run(n_threads);
    const auto& baseline = forest.arrays().baseline;
    std::vector<double> out;
    for (std::size_t i = 0; i < n_rows(table); ++i) out.insert(out.end(), baseline.begin(), baseline.end());
    forest.add_scores(run.context, table, 0, forest.arrays().n_iterations(), out.data());
    return out;
}

/// Bit for bit, through every entry: float, double, CSR, single rows and leaf numbers.
void check_forest(Random& random, ForestArrays arrays, std::size_t n_rows) {
    const Forest forest(arrays);
    const auto F = static_cast<std::size_t>(arrays.n_features);
    const std::size_t K = arrays.n_outputs(), T = arrays.n_trees();
    Rows rows(random, n_rows, F);
    const auto wide = [&](std::size_t i) { return [&, i](std::size_t f) { return rows.x[i * F + f]; }; };
    const std::vector<double> expected = scores(arrays, n_rows, wide);
    CHECK(predict(forest, row_major<const double>(rows.x.data(), n_rows, F)) == expected);

    std::vector<double> by_column(rows.x.size());
    for (std::size_t i = 0; i < n_rows; ++i)
        for (std::size_t f = 0; f < F; ++f) by_column[f * n_rows + i] = rows.x[i * F + f];
    const MatrixView<const double> columns{by_column.data(), n_rows, F, 1, static_cast<std::ptrdiff_t>(n_rows)};
    CHECK(predict(forest, columns, 3) == expected);

    const std::vector<float> narrow_x(rows.x.begin(), rows.x.end());
    const auto narrow = [&](std::size_t i) {
        return [&, i](std::size_t f) { return static_cast<double>(narrow_x[i * F + f]); };
    };
    CHECK(predict(forest, row_major(narrow_x.data(), n_rows, F)) == scores(arrays, n_rows, narrow));

    std::vector<double> values;
    std::vector<std::int32_t> indices, indptr{0};
    for (std::size_t i = 0; i < n_rows; ++i) {
        for (std::size_t f = 0; f < F; ++f)
            if (rows.x[i * F + f] != 0) {
                values.push_back(rows.x[i * F + f]);
                indices.push_back(static_cast<std::int32_t>(f));
            }
        indptr.push_back(static_cast<std::int32_t>(values.size()));
    }
    const CsrView<double, std::int32_t> csr{values.data(), indices.data(), indptr.data(), n_rows, F};
    CHECK(predict(forest, csr) == expected);

    std::vector<double> one(K);
    for (std::size_t i = 0; i < n_rows; ++i) {
        forest.score_row(&rows.x[i * F], one.data());
        CHECK(std::equal(one.begin(), one.end(), &expected[i * K]));
    }

    StandaloneRun run(2);
    std::vector<std::int32_t> leaf(n_rows * T);
    forest.apply(run.context, row_major<const double>(rows.x.data(), n_rows, F), leaf.data());
    bool same = true;
    for (std::size_t i = 0; i < n_rows; ++i)
        for (std::size_t t = 0; t < T; ++t)
            same &= leaf_of(arrays, t, wide(i)) == static_cast<std::size_t>(arrays.tree_offset[t] + leaf[i * T + t]);
    CHECK(same);
}

} // namespace

TEST(trees_of_any_size_and_shape_agree_with_a_walk) {
    Random random(1);
    for (int n_leaves = 1; n_leaves <= 200; n_leaves += n_leaves < 70 ? 1 : 13)
        for (const Shape shape : {Shape::any, Shape::left_chain, Shape::right_chain, Shape::level})
            for (const bool categories : {false, true}) {
                ForestArrays arrays;
                arrays.n_features = 5;
                arrays.baseline = {0.25};
                add_random_tree(random, arrays, n_leaves, shape, categories);
                check_forest(random, std::move(arrays), 70);
            }
}

TEST(forests_of_mixed_trees_and_several_outputs) {
    Random random(2);
    for (int round = 0; round < 60; ++round) {
        const int F = random.integer(1, 40);
        const auto K = static_cast<std::size_t>(random.integer(1, 4));
        const int iterations = round % 10 == 0 ? 0 : random.integer(1, 40), max_leaves = round % 2 ? 150 : 31;
        check_forest(random, random_forest(random, F, K, iterations, max_leaves, round % 3 != 0),
                     static_cast<std::size_t>(random.integer(0, 200)));
    }
}

TEST(block_borders_and_threads) {
    Random random(3);
    const ForestArrays arrays = random_forest(random, 6, 2, 10, 70, true);
    for (const std::size_t n : {0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 1023, 1024, 1025}) check_forest(random, arrays, n);

    const Forest forest(random_forest(random, 6, 2, 60, 70, true));
    const Rows rows(random, 20'000, 6);
    const auto table = row_major<const double>(rows.x.data(), rows.n, 6);
    const auto expected = predict(forest, table);
    for (const int n_threads : {2, 3, 8}) CHECK(predict(forest, table, n_threads) == expected);
}

TEST(values_at_the_thresholds) {
    // The float nearest to a double threshold may lie on either side of it: a float row must be compared as a double.
    Random random(4);
    ForestArrays arrays;
    arrays.n_features = 1;
    arrays.baseline = {0};
    std::vector<double> x;
    for (int t = 0; t < 100; ++t) {
        add_random_tree(random, arrays, t % 2 ? 2 : 80, Shape::any, false);
        for (std::size_t i = static_cast<std::size_t>(arrays.tree_offset.end()[-2]); i < arrays.n_nodes(); ++i) {
            const double edge = arrays.threshold[i];
            const auto nearest = static_cast<float>(edge);
            for (const double v : {edge, std::nextafter(edge, inf), std::nextafter(edge, -inf)}) x.push_back(v);
            for (const float v : {nearest, std::nextafter(nearest, 1e38f), std::nextafter(nearest, -1e38f)})
                x.push_back(static_cast<double>(v));
        }
    }
    const Forest forest(arrays);
    const auto wide = [&](std::size_t i) { return [&, i](std::size_t) { return x[i]; }; };
    CHECK(predict(forest, row_major<const double>(x.data(), x.size(), 1)) == scores(arrays, x.size(), wide));
    const std::vector<float> narrow_x(x.begin(), x.end());
    const auto narrow = [&](std::size_t i) { return [&, i](std::size_t) { return static_cast<double>(narrow_x[i]); }; };
    CHECK(predict(forest, row_major(narrow_x.data(), x.size(), 1)) == scores(arrays, x.size(), narrow));
}

TEST(missing_values_in_every_place) {
    Random random(5);
    ForestArrays arrays = random_forest(random, 4, 1, 20, 90, true);
    const Forest forest(arrays);
    std::vector<double> x;
    for (int mask = 0; mask < 16; ++mask)
        for (int f = 0; f < 4; ++f) x.push_back(mask >> f & 1 ? NaN : random.integer(0, 5));
    const auto row = [&](std::size_t i) { return [&, i](std::size_t f) { return x[i * 4 + f]; }; };
    CHECK(predict(forest, row_major<const double>(x.data(), 16, 4)) == scores(arrays, 16, row));
}

TEST(parts_of_a_forest_add_up) {
    Random random(6);
    const Forest forest(random_forest(random, 3, 3, 12, 40, true));
    const Rows rows(random, 100, 3);
    const Table table = row_major<const double>(rows.x.data(), rows.n, 3);
    StandaloneRun run;
    std::vector<double> staged;
    for (std::size_t i = 0; i < rows.n; ++i)
        staged.insert(staged.end(), forest.arrays().baseline.begin(), forest.arrays().baseline.end());
    const std::size_t cuts[] = {0, 1, 1, 5, 12};
    for (std::size_t c = 0; c + 1 < 5; ++c) forest.add_scores(run.context, table, cuts[c], cuts[c + 1], staged.data());
    CHECK(staged == predict(forest, table));
}

TEST(importance_sums_over_splits) {
    Random random(7);
    const ForestArrays arrays = random_forest(random, 5, 2, 10, 30, true);
    const Forest forest(arrays);
    std::vector<double> gain(5), split(5), cover(5);
    for (std::size_t i = 0; i < arrays.n_nodes(); ++i) {
        if (arrays.feature[i] < 0) continue;
        const auto f = static_cast<std::size_t>(arrays.feature[i]);
        gain[f] += arrays.gain[i];
        split[f] += 1;
        cover[f] += arrays.cover[i];
    }
    CHECK(forest.importance(Importance::gain) == gain);
    CHECK(forest.importance(Importance::split) == split);
    CHECK(forest.importance(Importance::cover) == cover);
}
