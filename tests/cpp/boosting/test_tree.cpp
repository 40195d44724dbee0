// Leaves of binned rows, for numeric, categorical and missing values, dense and sparse; and the bounds that a monotone
// split sets.
#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/leaf_value.hpp"
#include "boosting/tree.hpp"

using namespace twin;

namespace {

/// A random tree on binned data.
Tree random_tree(Random& random, const Data& data, int n_splits) {
    Tree tree;
    tree.nodes.emplace_back();
    for (int n = 0; n < n_splits; ++n) {
        std::size_t leaf;
        do leaf = random.below(tree.nodes.size());
        while (tree.nodes[leaf].feature >= 0);
        const auto f = static_cast<int>(random.below(data.cols));
        TreeNode& node = tree.nodes[leaf];
        node.feature = f;
        node.missing_left = random.chance(0.5);
        if (data.n_categories[static_cast<std::size_t>(f)] > 0) {
            node.category_set = static_cast<int>(tree.category_sets.size());
            BinSet set{};
            for (int b = 0; b <= data.mapper->missing_bin(f); ++b)
                if (random.chance(0.5)) insert(set, b);
            tree.category_sets.push_back(set);
        } else {
            node.bin = random.integer(-1, data.mapper->n_bins(f) - 1);
        }
        node.left = static_cast<int>(tree.nodes.size());
        tree.nodes.emplace_back();
        tree.nodes.emplace_back();
    }
    return tree;
}

/// By the value instead of the bin: whole numbers are their own bins.
std::size_t leaf_by_value(const Tree& tree, const Data& data, std::size_t row) {
    std::size_t at = 0;
    while (tree.nodes[at].feature >= 0) {
        const TreeNode& node = tree.nodes[at];
        const int bin = data.binned->bin(node.feature, row);
        const bool missing = bin == data.mapper->missing_bin(node.feature);
        bool left = missing ? node.missing_left : bin <= node.bin;
        if (node.category_set >= 0)
            left = contains(tree.category_sets[static_cast<std::size_t>(node.category_set)], bin);
        at = static_cast<std::size_t>(node.left) + (left ? 0 : 1);
    }
    return at;
}

} // namespace

TEST(rows_reach_the_leaf_of_a_plain_walk) {
    Random random(1);
    for (int round = 0; round < 20; ++round) {
        const Data data = integer_data(random, 300, {5, 40, 9, 2}, 0.1, {0, 40, 0, 0});
        const Tree tree = random_tree(random, data, random.integer(0, 15));
        CHECK_EQUAL(tree.n_leaves(), (tree.nodes.size() + 1) / 2);
        const TreeColumns columns(tree, *data.binned, 50, 250);
        for (std::size_t row = 50; row < 250; ++row)
            CHECK_EQUAL(static_cast<std::size_t>(tree.leaf(columns, *data.mapper, row)),
                        leaf_by_value(tree, data, row));
    }
}

TEST(sparse_columns_are_written_out_for_a_tree) {
    Random random(2);
    Data data;
    data.rows = 5000;
    data.cols = 3;
    data.n_categories.assign(3, 0);
    data.x.assign(data.rows * data.cols, 0.0);
    for (std::size_t i = 0; i < data.rows; ++i) {
        data.at(i, 0) = random.integer(0, 20);
        if (random.chance(0.01)) data.at(i, 1) = random.integer(1, 5); // nearly all zero
        if (random.chance(0.01)) data.at(i, 2) = NaN;
    }
    data.bin();
    for (int round = 0; round < 5; ++round) {
        const Tree tree = random_tree(random, data, 12);
        const TreeColumns columns(tree, *data.binned, 1000, 3000);
        for (std::size_t row = 1000; row < 3000; ++row)
            CHECK_EQUAL(static_cast<std::size_t>(tree.leaf(columns, *data.mapper, row)),
                        leaf_by_value(tree, data, row));
    }
}

TEST(children_of_a_monotone_split_stay_on_their_side) {
    const Bounds none;
    for (const int direction : {-1, 0, 1}) {
        const auto [left, right] = child_bounds(none, direction, 1.0, 4.0);
        CHECK_EQUAL(direction > 0 ? left.upper : direction < 0 ? left.lower : 2.5, 2.5);
        CHECK_EQUAL(direction > 0 ? right.lower : direction < 0 ? right.upper : 2.5, 2.5);
        CHECK_EQUAL(direction > 0 ? left.lower : -inf, -inf);
        CHECK_EQUAL(direction < 0 ? left.upper : inf, inf);
        if (direction == 0) CHECK(left.upper == inf && right.lower == -inf);
    }
    const Bounds bounds{0.0, 2.0};
    const auto [left, right] = child_bounds(bounds, 1, -5.0, 9.0); // values are taken as the bounds leave them
    CHECK_EQUAL(left.lower, 0.0);
    CHECK_EQUAL(left.upper, 1.0);
    CHECK_EQUAL(right.lower, 1.0);
    CHECK_EQUAL(right.upper, 2.0);
    CHECK_EQUAL(bounds.clamp(3.0), 2.0);
    CHECK_EQUAL(bounds.clamp(-1.0), 0.0);
    CHECK_EQUAL(bounds.clamp(0.5), 0.5);
}
