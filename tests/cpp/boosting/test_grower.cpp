#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/grower.hpp"

#include <algorithm>
#include <set>

using namespace twin;

namespace {

struct Setting : GradientTable {
    std::vector<std::uint32_t> drawn; // empty: all rows

    Setting(Random& random, std::size_t rows, const std::vector<int>& n_values, double missing, bool whole,
            std::vector<int> n_categories = {})
        : GradientTable(integer_data(random, rows, n_values, missing, std::move(n_categories)),
                        FixedPoint(rows, 2 * rows, 16.0, 4.0 * static_cast<double>(rows))) {
        for (std::size_t i = 0; i < rows; ++i) {
            const double x = std::isnan(data.at(i, 0)) ? 3 : data.at(i, 0), z = data.at(i, data.cols - 1);
            const double g = std::clamp(x - 3 + (z > 1 ? 2 : -1) * x / 2 + random.integer(-3, 3), -15.0, 15.0);
            const double h = whole ? random.integer(1, 3) : random.uniform(0, 4);
            add(whole ? std::floor(g) : g + random.uniform(-1, 1), h, random.chance(0.1) ? 2 : 1);
        }
        if (random.chance(0.3))
            for (std::uint32_t i = 0; i < rows; ++i)
                if (random.chance(0.7)) drawn.push_back(i);
    }
    std::vector<std::uint32_t> rows() const {
        if (!drawn.empty()) return drawn;
        std::vector<std::uint32_t> all(data.rows);
        std::iota(all.begin(), all.end(), 0u);
        return all;
    }
};

struct Grown {
    Tree tree;
    std::vector<std::uint32_t> rows; // by node segments
};

Grown grow(const Setting& s, const Params& params, int n_threads = 1, std::uint64_t tree_number = 0) {
    StandaloneRun run(n_threads);
    Grower grower(*s.data.mapper, *s.data.binned, params);
    Partition partition(s.data.rows);
    if (s.drawn.empty())
        partition.reset(run.context);
    else
        partition.reset(s.drawn);
    Grown grown{grower.grow(run.context, partition, s.pairs.data(), s.scale, tree_number), {}};
    grown.rows.assign(partition.rows(), partition.rows() + partition.size());
    return grown;
}

bool same(const Grown& a, const Grown& b) {
    if (a.tree.nodes.size() != b.tree.nodes.size() || a.tree.category_sets != b.tree.category_sets || a.rows != b.rows)
        return false;
    const auto equal = [](const TreeNode& x, const TreeNode& y) {
        return x.feature == y.feature && x.bin == y.bin && x.left == y.left && x.category_set == y.category_set &&
               x.missing_left == y.missing_left && x.value == y.value && x.gain == y.gain && x.cover == y.cover &&
               x.count == y.count && x.begin == y.begin && x.end == y.end;
    };
    return std::equal(a.tree.nodes.begin(), a.tree.nodes.end(), b.tree.nodes.begin(), equal);
}

/// The same tree grown the slow way: lists of rows, sums from scratch, every split tried. Numeric features and one-hot
/// categories, no constraints but depth, leaves and node sizes.
class NaiveGrower {
  public:
    NaiveGrower(const Setting& s, const Params& p) : s_(s), p_(p) {}

    Tree grow() {
        open_.push_back({0, 0, s_.rows(), {}});
        tree_.nodes.resize(1);
        fill(open_[0]);
        search(open_[0]);
        for (int n_leaves = 1; p_.max_leaf_nodes == 0 || n_leaves < p_.max_leaf_nodes; ++n_leaves) {
            auto next = open_.end();
            for (auto it = open_.begin(); it != open_.end(); ++it) {
                if (!it->split.found()) continue;
                if (next == open_.end() || (p_.growth == Growth::leaf && it->split.gain > next->split.gain)) next = it;
            }
            if (next == open_.end()) break;
            const Open parent = *next;
            open_.erase(next);
            divide(parent);
        }
        return tree_;
    }

  private:
    struct Open {
        int node, depth;
        std::vector<std::uint32_t> rows;
        Split split;
    };

    Sums sum(const std::vector<std::uint32_t>& rows) const {
        PackedPair total{};
        for (const std::uint32_t row : rows) total += s_.pairs[row];
        return s_.scale.decode(total);
    }
    double soft(double g) const {
        return g > p_.reg_alpha ? g - p_.reg_alpha : (g < -p_.reg_alpha ? g + p_.reg_alpha : 0);
    }
    double score(const Sums& s) const { return soft(s.g) * soft(s.g) / (s.h + p_.reg_lambda); }

    void fill(const Open& open) {
        TreeNode& node = tree_.nodes[static_cast<std::size_t>(open.node)];
        const Sums s = sum(open.rows);
        node.value = -soft(s.g) / (s.h + p_.reg_lambda);
        node.cover = s.h;
        node.count = s.n;
    }
    std::vector<std::uint32_t> side(const Open& open, const Split& split, bool left) const {
        std::vector<std::uint32_t> rows;
        const int missing = s_.data.mapper->missing_bin(split.feature);
        for (const std::uint32_t row : open.rows)
            if (split.goes_left(s_.data.binned->column(split.feature)[row], missing) == left) rows.push_back(row);
        return rows;
    }
    void search(Open& open) const {
        if (p_.max_depth > 0 && open.depth >= p_.max_depth) return;
        const Sums all = sum(open.rows);
        double least = std::max(p_.min_split_gain, 1e-12 * score(all));
        for (int f = 0; f < static_cast<int>(s_.data.cols); ++f) {
            const int n_bins = s_.data.mapper->n_bins(f);
            const bool has_missing = std::any_of(open.rows.begin(), open.rows.end(), [&](std::uint32_t row) {
                return s_.data.binned->column(f)[row] == n_bins;
            });
            const auto consider = [&](Split split) {
                split.feature = f;
                const Sums l = sum(side(open, split, true)), r = sum(side(open, split, false));
                if (std::min(l.n, r.n) < p_.min_samples_leaf || std::min(l.h, r.h) < p_.min_child_weight) return;
                split.gain = score(l) + score(r) - score(all);
                if (split.gain <= least) return;
                least = split.gain;
                if (!has_missing) split.missing_left = l.n > r.n;
                if (split.categorical && split.missing_left) { // bins without rows go where missing values go
                    BinSet empty;
                    empty.fill(~std::uint32_t{0});
                    for (const std::uint32_t row : open.rows) {
                        const int b = s_.data.binned->column(f)[row];
                        empty[static_cast<std::size_t>(b / 32)] &= ~(std::uint32_t{1} << (b % 32));
                    }
                    for (int b = 0; b <= n_bins; ++b)
                        if (contains(empty, b)) insert(split.left_bins, b);
                }
                open.split = split;
            };
            if (s_.data.mapper->is_categorical(f)) {
                for (int b = 0; b <= n_bins; ++b) {
                    Split split{.categorical = true, .missing_left = b == n_bins};
                    insert(split.left_bins, b);
                    consider(split);
                }
                continue;
            }
            for (int t = 0; t < n_bins - !has_missing; ++t) consider({.bin = t, .missing_left = false});
            for (int t = n_bins - 2; t >= 0 && has_missing; --t) consider({.bin = t, .missing_left = true});
        }
    }
    void divide(const Open& parent) {
        const int left = static_cast<int>(tree_.nodes.size());
        TreeNode& node = tree_.nodes[static_cast<std::size_t>(parent.node)];
        node.feature = parent.split.feature;
        node.bin = parent.split.bin;
        node.left = left;
        node.gain = parent.split.gain;
        node.missing_left = parent.split.missing_left;
        if (parent.split.categorical) {
            node.category_set = static_cast<int>(tree_.category_sets.size());
            tree_.category_sets.push_back(parent.split.left_bins);
        }
        tree_.nodes.resize(tree_.nodes.size() + 2);
        for (const bool is_left : {true, false}) {
            open_.push_back({is_left ? left : left + 1, parent.depth + 1, side(parent, parent.split, is_left), {}});
            fill(open_.back());
            search(open_.back());
        }
    }

    const Setting& s_;
    const Params& p_;
    Tree tree_;
    std::vector<Open> open_; // in the order of their numbers
};

void check_same_tree(const Tree& got, const Tree& expected) {
    CHECK_EQUAL(got.nodes.size(), expected.nodes.size());
    CHECK(got.category_sets == expected.category_sets);
    for (std::size_t i = 0; i < std::min(got.nodes.size(), expected.nodes.size()); ++i) {
        const TreeNode &a = got.nodes[i], &b = expected.nodes[i];
        CHECK(a.feature == b.feature && a.left == b.left && a.missing_left == b.missing_left);
        CHECK(a.feature < 0 || a.category_set >= 0 || a.bin == b.bin);
        CHECK_CLOSE(a.gain, b.gain, 1e-9);
        CHECK(a.value == b.value && a.cover == b.cover && a.count == b.count);
    }
}

} // namespace

TEST(trees_agree_with_a_naive_grower) {
    Random random(1);
    for (int round = 0; round < 150; ++round) {
        const Setting s(random, static_cast<std::size_t>(random.integer(2, 400)),
                        {7, random.integer(2, 30), 4, random.integer(1, 3), 5}, round % 2 ? 0.15 : 0, true,
                        {0, 0, 4, 0, 0});
        Params params;
        params.growth = round % 4 < 2 ? Growth::leaf : Growth::depth;
        params.max_leaf_nodes = random.chance(0.3) ? 0 : random.integer(1, 40);
        params.max_depth = random.chance(0.5) ? 0 : random.integer(1, 6);
        params.min_samples_leaf = random.integer(1, 20);
        params.min_child_weight = random.integer(0, 20);
        params.reg_lambda = random.integer(0, 2);
        params.reg_alpha = random.chance(0.7) ? 0 : 2;
        params.min_split_gain = random.chance(0.7) ? 0 : random.integer(1, 20);
        check_same_tree(grow(s, params).tree, NaiveGrower(s, params).grow());
    }
}

TEST(children_make_up_their_parent) {
    Random random(2);
    for (int round = 0; round < 60; ++round) {
        const Setting s(random, 3000, {8, 200, 3, 40, 6}, 0.1, false, {0, 0, 3, 40, 0});
        Params params;
        params.growth = round % 2 ? Growth::leaf : Growth::depth;
        params.max_leaf_nodes = random.integer(2, 60);
        params.min_samples_leaf = 5;
        if (round % 3 == 0) params.colsample_bynode = 0.5;
        const auto [tree, rows] = grow(s, params, 1 + round % 3);
        CHECK_EQUAL(tree.nodes[0].end - tree.nodes[0].begin, s.rows().size());
        for (const TreeNode& node : tree.nodes) {
            PackedPair total{};
            for (std::size_t i = node.begin; i < node.end; ++i) total += s.pairs[rows[i]];
            const Sums sums = s.scale.decode(total);
            CHECK(node.cover == sums.h && node.count == sums.n && node.count >= params.min_samples_leaf);
            if (node.feature < 0) continue;
            const TreeNode &l = tree.nodes[static_cast<std::size_t>(node.left)],
                           &r = tree.nodes[static_cast<std::size_t>(node.left) + 1];
            CHECK(l.begin == node.begin && l.end == r.begin && r.end == node.end && l.begin < l.end && r.begin < r.end);
            CHECK_EQUAL(l.count + r.count, node.count);
            CHECK_CLOSE(l.cover + r.cover, node.cover, 1e-9 * node.cover);
            CHECK(node.gain > 0);
        }
        const TreeColumns columns(tree, *s.data.binned, 0, s.data.rows);
        for (std::size_t i = 0; i < tree.nodes.size(); ++i)
            if (tree.nodes[i].feature < 0)
                for (std::size_t k = tree.nodes[i].begin; k < tree.nodes[i].end; ++k)
                    CHECK_EQUAL(static_cast<std::size_t>(tree.leaf(columns, *s.data.mapper, rows[k])), i);
        auto sorted = rows;
        std::sort(sorted.begin(), sorted.end());
        CHECK(sorted == s.rows());
    }
}

TEST(threads_do_not_matter) {
    Random random(3);
    for (const std::size_t F : {5, 40, 600}) {
        std::vector<int> n_values(F, 30);
        n_values[F - 1] = 250;
        const Setting s(random, F > 100 ? 20'000 : 60'000, n_values, 0.05, false);
        for (const Growth growth : {Growth::leaf, Growth::depth}) {
            Params params;
            params.growth = growth;
            const Grown expected = grow(s, params, 1);
            CHECK(expected.tree.n_leaves() == 31);
            for (const int n_threads : {2, 3, 8}) CHECK(same(grow(s, params, n_threads), expected));
        }
    }
}
