#include "check.hpp"

#include "boosting/twin.hpp"

#include <algorithm>

using namespace twin;

namespace {

/// f(array) for every array of a model.
template <class F>
void for_each_array(ForestArrays& a, F&& f) {
    f(a.baseline);
    f(a.tree_offset);
    f(a.feature);
    f(a.threshold);
    f(a.left);
    f(a.right);
    f(a.default_left);
    f(a.category_offset);
    f(a.category_size);
    f(a.value);
    f(a.gain);
    f(a.cover);
    f(a.count);
    f(a.category_words);
}

bool same(ForestArrays a, ForestArrays b) {
    std::vector<std::vector<double>> arrays_a, arrays_b;
    for_each_array(a, [&](const auto& v) { arrays_a.emplace_back(v.begin(), v.end()); });
    for_each_array(b, [&](const auto& v) { arrays_b.emplace_back(v.begin(), v.end()); });
    return a.n_features == b.n_features && arrays_a == arrays_b;
}

template <class T>
T strange(Random& random) {
    using Limits = std::numeric_limits<T>;
    if constexpr (std::is_floating_point_v<T>) {
        const T values[] = {Limits::quiet_NaN(), Limits::infinity(), Limits::max(), T{-1}, T{0}};
        return values[random.below(5)];
    } else {
        const T values[] = {Limits::min(),
                            Limits::max(),
                            static_cast<T>(-1),
                            static_cast<T>(random.integer(0, 3)),
                            static_cast<T>(random.integer(-100, 100)),
                            static_cast<T>(Limits::max() - 1)};
        return values[random.below(6)];
    }
}

/// Changes, removes or adds entries at random places.
void damage(Random& random, ForestArrays& arrays) {
    if (random.chance(0.02)) arrays.n_features = strange<std::int64_t>(random);
    const int chosen = random.integer(0, 13);
    int number = 0;
    for_each_array(arrays, [&]<class T>(std::vector<T>& array) {
        if (number++ != chosen) return;
        const std::size_t n = array.size();
        switch (n == 0 ? 4 : random.integer(0, 4)) {
        case 0:
            array[random.below(n)] = strange<T>(random);
            break;
        case 1: {
            T& entry = array[random.below(n)];
            const int step = random.integer(-3, 3);
            if constexpr (std::is_integral_v<T>) // wraps around
                entry = static_cast<T>(static_cast<std::make_unsigned_t<T>>(entry) +
                                       static_cast<std::make_unsigned_t<T>>(step));
            else
                entry += static_cast<T>(step);
            break;
        }
        case 2:
            std::swap(array[random.below(n)], array[random.below(n)]);
            break;
        case 3:
            array.resize(random.below(n));
            break;
        default:
            array.insert(array.begin() + static_cast<std::ptrdiff_t>(random.below(n + 1)), strange<T>(random));
        }
    });
}

/// Everything that reads a model; what comes out does not matter, only that it comes back.
void use(Random& random, const Forest& forest) {
    const auto F = static_cast<std::size_t>(forest.arrays().n_features);
    if (F > 1000) return; // a damaged number of features may be large, but not wrong
    constexpr std::size_t n = 9;
    std::vector<double> x(n * F);
    for (double& v : x) v = odd_value(random);
    const std::vector<float> narrow(x.begin(), x.end());
    const std::size_t K = forest.arrays().n_outputs();
    StandaloneRun run;
    std::vector<double> out(n * K);
    forest.add_scores(run.context, row_major<const double>(x.data(), n, F), 0, forest.arrays().n_iterations(),
                      out.data());
    forest.add_scores(run.context, row_major(narrow.data(), n, F), 0, forest.arrays().n_iterations(), out.data());
    forest.score_row(x.data(), out.data());
    std::vector<std::int32_t> leaf(n * forest.arrays().n_trees());
    forest.apply(run.context, row_major<const double>(x.data(), n, F), leaf.data());
    forest.importance(Importance::gain);
    ForestArrays copy = forest.arrays();
    copy.truncate(copy.n_iterations() / 2);
    copy.append(forest.arrays());
    copy.validate();
}

} // namespace

TEST(sound_models_are_valid) {
    Random random(1);
    for (int round = 0; round < 50; ++round)
        random_forest(random, random.integer(1, 9), 1 + random.below(3), random.integer(0, 6), 70, round % 2)
            .validate();
}

TEST(damaged_models_are_refused_or_harmless) {
    Random random(2);
    int refused = 0, used = 0;
    for (int round = 0; round < 4000; ++round) {
        ForestArrays arrays = random_forest(random, random.integer(1, 6), 1 + random.below(2), random.integer(0, 4),
                                            round % 5 ? 20 : 100, round % 3 != 0);
        for (int n = random.integer(1, 3); n > 0; --n) damage(random, arrays);
        try {
            const Forest forest(std::move(arrays));
            ++used;
            use(random, forest);
        } catch (const ValueError&) {
            ++refused;
        }
    }
    CHECK(refused > 1000 && used > 500);
}

TEST(offsets_that_fall_again_are_refused_before_they_are_followed) {
    Random random(3);
    ForestArrays arrays = random_forest(random, 2, 1, 2, 8, false);
    const auto end = arrays.tree_offset.back();
    for (const std::int64_t far : {end + 1, std::int64_t{100'000'000}, std::numeric_limits<std::int64_t>::max()}) {
        arrays.tree_offset = {0, far, end};
        CHECK_THROWS(ValueError, arrays.validate());
    }
    arrays.tree_offset = {0, std::numeric_limits<std::int64_t>::min(), end};
    CHECK_THROWS(ValueError, arrays.validate());
}

TEST(nodes_with_two_parents_are_refused) {
    // All children lie after their parents, but each split shares one child with the next: the number of paths, and
    // with it the work of whoever follows them all, doubles every few nodes.
    ForestArrays arrays;
    arrays.n_features = 1;
    arrays.baseline = {0};
    constexpr std::int32_t n = 127;
    for (std::int32_t i = 0; i < n; ++i) {
        const bool leaf = i >= n - 2;
        arrays.feature.push_back(leaf ? -1 : 0);
        arrays.left.push_back(leaf ? -1 : i + 1);
        arrays.right.push_back(leaf ? -1 : i + 2);
        arrays.category_offset.push_back(-1);
    }
    arrays.default_left.resize(n);
    arrays.category_size.resize(n);
    for (auto* array : {&arrays.threshold, &arrays.value, &arrays.gain, &arrays.cover, &arrays.count}) array->resize(n);
    arrays.tree_offset = {0, n};
    CHECK_THROWS(ValueError, arrays.validate());
}

TEST(category_sets_of_two_splits_do_not_overlap) {
    Random random(6);
    ForestArrays arrays = random_forest(random, 4, 1, 4, 12, true);
    arrays.validate();
    std::vector<std::size_t> splits;
    for (std::size_t i = 0; i < arrays.n_nodes(); ++i)
        if (arrays.feature[i] >= 0 && arrays.category_offset[i] >= 0 && arrays.category_size[i] > 0)
            splits.push_back(i);
    CHECK(splits.size() > 1);
    arrays.category_offset[splits.back()] = arrays.category_offset[splits.front()];
    CHECK_THROWS(ValueError, arrays.validate());
}

TEST(a_model_without_features_is_refused) {
    Random random(4);
    ForestArrays arrays = random_forest(random, 1, 1, 2, 1, false); // leaves only
    arrays.n_features = 0;
    CHECK_THROWS(ValueError, arrays.validate());
}

TEST(truncated_models_are_the_first_iterations) {
    Random random(5);
    for (const std::size_t K : {1, 3}) {
        ForestArrays grown;
        grown.n_features = 5;
        grown.baseline.assign(K, 0.5);
        std::vector<ForestArrays> after{grown};
        for (int iteration = 0; iteration < 6; ++iteration) {
            for (std::size_t k = 0; k < K; ++k) add_random_tree(random, grown, 12, Shape::any, true);
            after.push_back(grown);
        }
        for (std::size_t n = 0; n < 9; ++n) {
            ForestArrays cut = grown;
            cut.truncate(n);
            CHECK(same(cut, after[std::min<std::size_t>(n, 6)]));
            cut.validate();
        }
    }
}

TEST(truncation_keeps_the_category_sets_in_use) {
    // A model from a file may keep its sets in any order.
    Random random(6);
    ForestArrays arrays = random_forest(random, 2, 1, 4, 30, true);
    const auto words = static_cast<std::int64_t>(arrays.category_words.size());
    std::vector<std::uint32_t> reversed(arrays.category_words.size());
    for (std::size_t i = 0; i < arrays.n_nodes(); ++i) {
        if (arrays.category_offset[i] < 0) continue;
        const std::int64_t from = arrays.category_offset[i], to = words - from - arrays.category_size[i];
        std::copy_n(arrays.category_words.begin() + from, arrays.category_size[i], reversed.begin() + to);
        arrays.category_offset[i] = to;
    }
    arrays.category_words = reversed;
    arrays.validate();
    for (const std::size_t n : {3, 2, 1, 0}) {
        arrays.truncate(n);
        arrays.validate();
    }
}

TEST(joined_models_add_up) {
    Random random(7);
    ForestArrays a = random_forest(random, 4, 2, 5, 40, true), b = random_forest(random, 4, 2, 3, 40, true);
    b.baseline = {0, 0};
    ForestArrays joined = a;
    joined.append(b);
    joined.validate();
    CHECK_EQUAL(joined.n_iterations(), 8u);
    std::vector<double> x(200);
    for (double& v : x) v = odd_value(random);
    const auto row = [&](std::size_t i) { return [&, i](std::size_t f) { return x[i * 4 + f]; }; };
    const auto of_a = scores(a, 50, row), of_b = scores(b, 50, row), of_both = scores(joined, 50, row);
    for (std::size_t i = 0; i < of_a.size(); ++i) CHECK_CLOSE(of_both[i], of_a[i] + of_b[i], 1e-12);

    ForestArrays cut = joined;
    cut.truncate(5);
    CHECK(same(cut, a));
    ForestArrays from_nothing = a;
    from_nothing.truncate(0);
    from_nothing.append(a);
    CHECK(same(from_nothing, a));
    b.baseline.push_back(0);
    CHECK_THROWS(ValueError, a.append(b));
}

TEST(training_trees_become_arrays) {
    Random random(8);
    // Feature 0 numeric with values 0..9, feature 1 with 70 categories in 16 bins.
    Data data = integer_data(random, 500, {10, 70}, 0.1, {0, 70});
    data.bin(16);
    Tree tree;
    tree.nodes.resize(7);
    tree.nodes[0] = {.feature = 0, .bin = 3, .left = 1, .missing_left = true};
    tree.nodes[1] = {.feature = 1, .left = 3, .category_set = 0, .missing_left = true};
    tree.nodes[2] = {.feature = 0, .bin = 9, .left = 5, .missing_left = false}; // all that is not missing
    for (int leaf : {3, 4, 5, 6}) tree.nodes[static_cast<std::size_t>(leaf)].value = leaf;
    BinSet set{};
    for (const int bin : {1, 7, 15, 16}) insert(set, bin); // 15: shared by codes 15..69; 16: missing
    tree.category_sets.push_back(set);
    Tree only_missing; // on the left
    only_missing.nodes.resize(3);
    only_missing.nodes[0] = {.feature = 0, .bin = -1, .left = 1, .missing_left = true};
    ForestArrays arrays;
    arrays.n_features = 2;
    arrays.baseline = {0};
    arrays.append(tree, *data.mapper);
    arrays.append(only_missing, *data.mapper);
    arrays.validate();
    for (double number : {0.0, 3.0, 3.5, 3.6, 9.0, 1e308, inf, -inf, NaN})
        for (double code : {0.0, 1.0, 7.0, 14.0, 15.0, 69.0, 70.0, 95.0, 96.0, 1e9, -1.0, NaN}) {
            Data row;
            row.rows = 1, row.cols = 2, row.x = {number, code};
            StandaloneRun run;
            const BinnedMatrix binned(run.context, row.table(), *data.mapper, false);
            const auto expected = static_cast<std::size_t>(tree.leaf(TreeColumns(tree, binned, 0, 1), *data.mapper, 0));
            const auto value = [&](std::size_t f) { return row.x[f]; };
            CHECK_EQUAL(leaf_of(arrays, 0, value), expected);
            if (number == -inf) continue; // has no place to the right of a threshold
            CHECK_EQUAL(leaf_of(arrays, 1, value), 7u + static_cast<std::size_t>(only_missing.leaf(
                                                            TreeColumns(only_missing, binned, 0, 1), *data.mapper, 0)));
        }
}
