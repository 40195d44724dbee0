// The two ways to find the leaf of a row, each tree by tree beside a plain walk, and what they stand on: classes of
// category codes and slots of features.
#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/bit_scorer.hpp"
#include "boosting/category_classes.hpp"
#include "boosting/feature_slots.hpp"
#include "boosting/predictor.hpp"

using namespace twin;

namespace {

/// A block of rows as the scorers read it: x[slot * block_rows + r].
template <class T>
struct Block {
    static constexpr std::size_t rows = BitScorer<T>::block_rows;
    std::vector<T> by_feature, x;

    Block(Random& random, std::size_t n_features, const FeatureSlots& slots) : by_feature(n_features * rows) {
        for (T& v : by_feature) v = static_cast<T>(odd_value(random));
        for (std::size_t s = 0; s < slots.size(); ++s)
            x.insert(x.end(), &by_feature[slots.feature(s) * rows], &by_feature[slots.feature(s) * rows] + rows);
    }
    auto row(std::size_t r) const {
        return [this, r](std::size_t f) { return static_cast<double>(by_feature[f * rows + r]); };
    }
};

template <class T>
void check_scorers(Random& random, const ForestArrays& forest) {
    const auto n_features = static_cast<std::size_t>(forest.n_features);
    const FeatureSlots slots(n_features, forest.feature);
    const CategoryClasses categories(forest);
    const BitScorer<T> scorer(forest, categories, slots);
    const Predictor predictor(forest, slots);
    const Block<T> block(random, n_features, slots);
    std::vector<std::uint32_t> classes;
    scorer.classify(block.x.data(), classes);
    for (const std::size_t n_rows : {std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{9}, Block<T>::rows})
        for (std::size_t t = 0; t < forest.n_trees(); ++t) {
            const auto n_nodes = static_cast<std::size_t>(
                (t + 1 < forest.n_trees() ? forest.tree_offset[t + 1] : static_cast<std::int64_t>(forest.n_nodes())) -
                forest.tree_offset[t]);
            CHECK_EQUAL(scorer.has(t), (n_nodes + 1) / 2 <= BitScorer<T>::max_leaves);
            std::vector<std::int32_t> leaf(n_rows, -1);
            predictor.walk(block.x.data(), n_rows, t, leaf.data());
            std::vector<double> score(2 * n_rows, 1.0);
            if (scorer.has(t)) scorer.add(block.x.data(), classes, n_rows, t, score.data(), 2);
            for (std::size_t r = 0; r < n_rows; ++r) {
                const std::size_t expected = leaf_of(forest, t, block.row(r));
                CHECK_EQUAL(static_cast<std::size_t>(leaf[r]), expected);
                if (scorer.has(t)) CHECK_EQUAL(score[2 * r], 1.0 + forest.value[expected]);
                CHECK_EQUAL(score[2 * r + 1], 1.0);
            }
        }
}

/// All trees for one row, which walks them side by side.
void check_single_row(Random& random, const ForestArrays& forest) {
    const auto n_features = static_cast<std::size_t>(forest.n_features);
    const FeatureSlots slots(n_features, forest.feature);
    const Predictor predictor(forest, slots);
    const Block<double> block(random, n_features, slots);
    std::vector<double> x;
    for (std::size_t s = 0; s < slots.size(); ++s) x.push_back(block.x[s * Block<double>::rows]);
    const std::size_t first = forest.n_trees() / 3;
    std::vector<std::int32_t> leaf(forest.n_trees() - first, -1);
    predictor.walk_trees(x.data(), first, forest.n_trees(), leaf.data());
    for (std::size_t t = first; t < forest.n_trees(); ++t)
        CHECK_EQUAL(static_cast<std::size_t>(leaf[t - first]), leaf_of(forest, t, block.row(0)));
}

} // namespace

TEST(scorers_find_the_leaf_of_a_plain_walk) {
    Random random(1);
    for (int round = 0; round < 30; ++round) {
        const int n_features = round % 3 == 0 ? 300 : 1 + round; // wide tables have slots
        const ForestArrays forest =
            random_forest(random, n_features, 1 + random.below(2), 12, round % 2 ? 40 : 150, round % 4 > 1);
        check_scorers<double>(random, forest);
        check_scorers<float>(random, forest);
        check_single_row(random, forest);
    }
}

TEST(codes_of_a_class_go_the_same_way_in_every_split) {
    Random random(2);
    for (int round = 0; round < 20; ++round) {
        const ForestArrays forest = random_forest(random, 4, 1, 6, 12, true);
        const CategoryClasses categories(forest);
        std::size_t n_found = 0;
        for (std::uint32_t f = 0; f < 4; ++f) {
            std::vector<std::size_t> splits; // categorical ones on this feature
            for (std::size_t i = 0; i < forest.n_nodes(); ++i)
                if (forest.feature[i] == static_cast<std::int32_t>(f) && forest.category_offset[i] >= 0)
                    splits.push_back(i);
            if (splits.empty()) continue;
            CHECK_EQUAL(categories.features()[n_found++], f);
            const std::size_t index = categories.index(f);
            // Whether each split knows the code and where it sends it.
            const auto ways = [&](double code) {
                std::vector<int> way;
                for (const std::size_t i : splits) {
                    const bool known = code >= 0 && code < 32.0 * forest.category_size[i];
                    if (!known) {
                        way.push_back(forest.default_left[i] != 0);
                        continue;
                    }
                    const auto c = static_cast<std::size_t>(code);
                    const auto word = static_cast<std::size_t>(forest.category_offset[i]) + c / 32;
                    way.push_back(static_cast<int>((forest.category_words[word] >> (c % 32)) % 2));
                }
                return way;
            };
            for (double code = -1; code < 100; ++code) {
                const std::uint32_t c = categories.class_of(index, code);
                CHECK(c < categories.n_classes(index));
                CHECK(ways(code) == ways(categories.representative(index, c)));
                CHECK(categories.representative(index, c) <= code || code < 0);
            }
            CHECK_EQUAL(categories.class_of(index, NaN), categories.class_of(index, 1e9));
            CHECK(ways(-1) == ways(categories.representative(index, categories.class_of(index, NaN))));
        }
        CHECK_EQUAL(n_found, categories.features().size());
        CHECK_EQUAL(categories.empty(), n_found == 0);
    }
}

TEST(slots_hold_the_features_that_are_looked_at) {
    const FeatureSlots narrow(5, {3, -1, -1});
    CHECK(narrow.narrow());
    CHECK_EQUAL(narrow.size(), std::size_t{5});
    CHECK_EQUAL(narrow.slot(4), std::size_t{4});
    const std::size_t n = FeatureSlots::max_narrow + 10;
    const FeatureSlots wide(n, {200, -1, 7, 200, -1, static_cast<std::int32_t>(n - 1)});
    CHECK(!wide.narrow());
    CHECK_EQUAL(wide.size(), std::size_t{3});
    const std::size_t expected[] = {7, 200, n - 1};
    for (std::size_t s = 0; s < 3; ++s) {
        CHECK_EQUAL(wide.feature(s), expected[s]);
        CHECK_EQUAL(wide.slot(expected[s]), s);
    }
    CHECK_EQUAL(wide.slot(8), wide.size());
    CHECK_EQUAL(FeatureSlots(n, {-1}).size(), std::size_t{1}); // trees of a single leaf
}
