#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/grower.hpp"

#include <algorithm>
#include <set>

using namespace twin;

namespace {

struct Setting : GradientTable {
    /// Gradients are noise plus, where asked for, a wave along feature 0 that no monotone function follows.
    Setting(Random& random, std::size_t rows, std::size_t cols, double missing, bool wave = false)
        : GradientTable(integer_data(random, rows, std::vector<int>(cols, 12), missing),
                        FixedPoint(rows, rows, 16.0, 2.0 * static_cast<double>(rows))) {
        for (std::size_t i = 0; i < rows; ++i) {
            double g = random.normal();
            if (wave && !std::isnan(data.at(i, 0))) g += 3 * std::sin(data.at(i, 0)) - 0.2 * data.at(i, 0);
            add(g, random.uniform(0.5, 2));
        }
    }
};

Tree grow(const Setting& s, const Params& params, std::uint64_t tree_number = 0) {
    StandaloneRun run;
    Grower grower(*s.data.mapper, *s.data.binned, params);
    Partition partition(s.data.rows);
    partition.reset(run.context);
    return grower.grow(run.context, partition, s.pairs.data(), s.scale, tree_number);
}

/// f(node, depth, features on the path to it, its own included).
template <class F>
void for_each_node(const Tree& tree, F&& f) {
    const auto visit = [&](auto& self, int at, int depth, std::set<int> path) -> void {
        const TreeNode& node = tree.nodes[static_cast<std::size_t>(at)];
        if (node.feature >= 0) path.insert(node.feature);
        f(node, depth, path);
        if (node.feature < 0) return;
        self(self, node.left, depth + 1, path);
        self(self, node.left + 1, depth + 1, path);
    };
    visit(visit, 0, 0, {});
}

Params params_for(Growth growth, int max_leaf_nodes) {
    Params p;
    p.growth = growth;
    p.max_leaf_nodes = max_leaf_nodes;
    p.min_samples_leaf = 3;
    return p;
}

std::set<int> features_of(const Tree& tree) {
    std::set<int> used;
    for (const TreeNode& node : tree.nodes)
        if (node.feature >= 0) used.insert(node.feature);
    return used;
}

} // namespace

TEST(best_first_opens_the_largest_gain) {
    Random random(1);
    for (int round = 0; round < 20; ++round) {
        const Tree tree = grow(Setting(random, 1500, 6, 0.1), params_for(Growth::leaf, 40));
        CHECK_EQUAL(tree.n_leaves(), 40u);
        // Children are numbered in the order in which their parents were opened.
        std::vector<std::pair<int, std::size_t>> opened;
        for (std::size_t i = 0; i < tree.nodes.size(); ++i)
            if (tree.nodes[i].feature >= 0) opened.emplace_back(tree.nodes[i].left, i);
        std::sort(opened.begin(), opened.end());
        for (std::size_t k = 0; k < opened.size(); ++k)
            for (std::size_t later = k + 1; later < opened.size(); ++later)
                if (static_cast<int>(opened[later].second) < opened[k].first) // was open at the time
                    CHECK(tree.nodes[opened[later].second].gain <= tree.nodes[opened[k].second].gain);
    }
}

TEST(level_by_level_opens_the_oldest) {
    Random random(2);
    for (const int max_leaf_nodes : {0, 5, 20}) {
        const Tree tree = grow(Setting(random, 1500, 6, 0.1), params_for(Growth::depth, max_leaf_nodes));
        int last = 0, deepest = 0, shallowest_leaf = 1000;
        for (const TreeNode& node : tree.nodes) // node numbers ascend with the level, and so do those of the children
            if (node.feature >= 0) {
                CHECK(node.left > last);
                last = node.left;
            }
        for_each_node(tree, [&](const TreeNode& node, int depth, const auto&) {
            deepest = std::max(deepest, depth);
            if (node.feature < 0) shallowest_leaf = std::min(shallowest_leaf, depth);
        });
        if (max_leaf_nodes == 20) CHECK(deepest - shallowest_leaf <= 2);
        if (max_leaf_nodes) CHECK_EQUAL(tree.n_leaves(), static_cast<std::size_t>(max_leaf_nodes));
    }
}

TEST(depth_and_leaves_are_limited) {
    Random random(3);
    const Setting s(random, 2000, 5, 0.1);
    for (const Growth growth : {Growth::leaf, Growth::depth})
        for (const int max_depth : {1, 2, 5})
            for (const int max_leaf_nodes : {0, 1, 2, 3, 10, 1000}) {
                Params params = params_for(growth, max_leaf_nodes);
                params.max_depth = max_depth;
                const Tree tree = grow(s, params);
                int deepest = 0;
                for_each_node(tree,
                              [&](const TreeNode&, int depth, const auto&) { deepest = std::max(deepest, depth); });
                CHECK(deepest <= max_depth);
                const std::size_t most = std::size_t{1} << max_depth;
                const std::size_t limit =
                    max_leaf_nodes ? std::min(most, static_cast<std::size_t>(max_leaf_nodes)) : most;
                CHECK(tree.n_leaves() <= limit);
                if (limit <= 10) CHECK_EQUAL(tree.n_leaves(), limit); // noise always offers that many
            }
}

TEST(a_tree_follows_its_monotone_features) {
    Random random(4);
    int n_used = 0;
    for (int round = 0; round < 60; ++round) {
        const Setting s(random, 800, 3, round % 2 ? 0.1 : 0, true);
        Params params = params_for(round % 4 < 2 ? Growth::leaf : Growth::depth, 40);
        params.reg_lambda = round % 3;
        params.reg_alpha = round % 5 == 0 ? 1 : 0;
        params.monotonic_cst = {round % 2 ? 1 : -1, random.integer(-1, 1), 0};
        const Tree tree = grow(s, params);
        n_used += features_of(tree).count(0) == 1;
        StandaloneRun run;
        Data grid; // every combination of values
        grid.cols = 3;
        grid.n_categories = {0, 0, 0};
        for (int a = 0; a < 12; ++a)
            for (int b = 0; b < 12; ++b)
                for (int c = 0; c < 13; ++c) grid.x.insert(grid.x.end(), {1.0 * a, 1.0 * b, c == 12 ? NaN : c});
        grid.rows = grid.x.size() / 3;
        const BinnedMatrix binned(run.context, grid.table(), *s.data.mapper, false);
        const TreeColumns columns(tree, binned, 0, grid.rows);
        std::vector<double> value(grid.rows);
        for (std::size_t i = 0; i < grid.rows; ++i)
            value[i] = tree.nodes[static_cast<std::size_t>(tree.leaf(columns, *s.data.mapper, i))].value;
        bool follows = true;
        for (std::size_t i = 0; i < grid.rows; ++i) {
            if (i + 12 * 13 < grid.rows) follows &= params.monotonic_cst[0] * (value[i + 12 * 13] - value[i]) >= 0;
            if (i / 13 % 12 < 11) follows &= params.monotonic_cst[1] * (value[i + 13] - value[i]) >= 0;
        }
        CHECK(follows);
    }
    CHECK(n_used > 40);
}

TEST(features_on_a_path_share_a_group) {
    Random random(5);
    for (int round = 0; round < 40; ++round) {
        const Setting s(random, 1500, 8, 0.1);
        Params params = params_for(round % 2 ? Growth::leaf : Growth::depth, 30);
        params.interaction_cst = {{0, 1}, {1, 2, 3}, {4}, {5, 6, 0}, {7}};
        if (round % 4 == 0) params.interaction_cst.pop_back(); // feature 7 is in no group: never used
        if (round % 3 == 0) params.colsample_bynode = 0.6;
        const Tree tree = grow(s, params, static_cast<std::uint64_t>(round));
        CHECK(tree.n_leaves() > 2);
        for_each_node(tree, [&](const TreeNode&, int, const std::set<int>& path) {
            CHECK(
                std::any_of(params.interaction_cst.begin(), params.interaction_cst.end(), [&](std::vector<int> group) {
                    std::sort(group.begin(), group.end());
                    return std::includes(group.begin(), group.end(), path.begin(), path.end());
                }));
        });
    }
}

TEST(columns_are_drawn_by_tree_level_and_node) {
    Random random(6);
    constexpr std::size_t F = 20;
    const Setting s(random, 4000, F, 0.05);
    const auto largest = [](const std::set<int>& features, std::size_t limit) { CHECK(features.size() <= limit); };
    std::vector<int> chosen(F, 0);
    std::set<std::set<int>> different;
    constexpr int n_trees = 200;
    for (int t = 0; t < n_trees; ++t) {
        Params params = params_for(Growth::depth, 0);
        params.max_depth = 5;
        params.seed = 99;
        params.colsample_bytree = 0.25;
        const auto tree_number = static_cast<std::uint64_t>(t);
        const std::set<int> used = features_of(grow(s, params, tree_number));
        CHECK_EQUAL(used.size(), 5u); // noise: all that are offered get used
        different.insert(used);
        for (const int f : used) ++chosen[static_cast<std::size_t>(f)];
        CHECK(used == features_of(grow(s, params, tree_number))); // the same draw each time
        if (t >= 10) continue;

        params.colsample_bytree = 1;
        params.colsample_bylevel = 0.2;
        std::set<int> at_level[6], all;
        for_each_node(grow(s, params, tree_number), [&](const TreeNode& node, int depth, const auto&) {
            if (node.feature >= 0) at_level[depth].insert(node.feature), all.insert(node.feature);
        });
        for (const auto& features : at_level) largest(features, 4);
        CHECK(all.size() > 4); // levels differ

        params.colsample_bytree = 0.5, params.colsample_bylevel = 0.6, params.colsample_bynode = 0.34; // 10, 6, 2
        for (auto& features : at_level) features.clear();
        all.clear();
        for_each_node(grow(s, params, tree_number), [&](const TreeNode& node, int depth, const auto&) {
            if (node.feature >= 0) at_level[depth].insert(node.feature), all.insert(node.feature);
        });
        largest(all, 10);
        for (const auto& features : at_level) largest(features, 6);
        CHECK(at_level[4].size() > 2); // nodes of a level differ
    }
    CHECK(different.size() > n_trees - 5);
    for (const int n : chosen) CHECK_CLOSE(n, n_trees * 0.25, 5 * std::sqrt(n_trees * 0.25 * 0.75));

    Params params = params_for(Growth::leaf, 30);
    params.colsample_bynode = 1e-9; // at least one feature
    CHECK(grow(s, params).n_leaves() > 2);
}

TEST(drawn_columns_only_hide_the_others) {
    // A tree that may use some columns is the tree of a table with these columns alone.
    Random random(7);
    const Setting s(random, 2000, 10, 0.1);
    Params params = params_for(Growth::leaf, 25);
    params.colsample_bytree = 0.4;
    for (std::uint64_t t = 0; t < 10; ++t) {
        const Tree tree = grow(s, params, t);
        const std::set<int> used = features_of(tree);
        if (used.size() != 4) continue;
        Setting alone = s;
        alone.data.cols = 4;
        alone.data.n_categories.assign(4, 0);
        alone.data.x.clear();
        for (std::size_t i = 0; i < s.data.rows; ++i)
            for (const int f : used) alone.data.x.push_back(s.data.at(i, static_cast<std::size_t>(f)));
        alone.data.bin();
        const Tree expected = grow(alone, params_for(Growth::leaf, 25));
        CHECK_EQUAL(tree.nodes.size(), expected.nodes.size());
        for (std::size_t i = 0; i < std::min(tree.nodes.size(), expected.nodes.size()); ++i)
            CHECK(tree.nodes[i].value == expected.nodes[i].value && tree.nodes[i].gain == expected.nodes[i].gain);
    }
}
