#include "boosting/grower.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/parallel.hpp"
#include "core/random.hpp"

namespace mlcore::boosting {
namespace {

// Random streams of the feature draws of a tree; the tree number is mixed into the upper bits.
enum class Draw : std::uint64_t { tree = 1, level = 2, node = 3 };

std::uint64_t stream(Draw draw, std::uint64_t tree_number, std::uint64_t which) {
    return (tree_number << 24) ^ (which << 2) ^ static_cast<std::uint64_t>(draw);
}

// round(share * n) of the features, at least one, in rising order (Fisher-Yates, stopped early).
std::vector<int> draw(std::vector<int> features, double share, std::uint64_t seed, std::uint64_t stream) {
    if (share >= 1.0 || features.size() <= 1) return features;
    const auto n = features.size();
    const auto k = static_cast<std::size_t>(std::max(1.0, std::round(share * static_cast<double>(n))));
    const Philox random(seed, stream);
    for (std::size_t i = 0; i < k; ++i) std::swap(features[i], features[i + random.below(i, n - i)]);
    features.resize(k);
    std::sort(features.begin(), features.end());
    return features;
}

} // namespace

Grower::Grower(const BinMapper& mapper, const BinnedMatrix& data, const Params& params)
    : mapper_(mapper), data_(data), params_(params), layout_(mapper, data), builder_(data, layout_),
      finder_(mapper, layout_, params), tree_features_(layout_.features()) {}

void Grower::draw_tree_features(std::uint64_t tree_number) {
    if (params_.colsample_bytree >= 1.0) return;
    tree_features_ =
        draw(layout_.features(), params_.colsample_bytree, params_.seed, stream(Draw::tree, tree_number, 0));
    std::vector<std::uint8_t> active(data_.n_features(), 0);
    for (const int f : tree_features_) active[f] = 1;
    builder_.select(active);
}

std::vector<int> Grower::node_features(const Open& node, std::uint64_t tree_number) const {
    std::vector<int> features = draw(tree_features_, params_.colsample_bylevel, params_.seed,
                                     stream(Draw::level, tree_number, static_cast<std::uint64_t>(node.depth)));
    if (!params_.interaction_cst.empty()) {
        std::vector<std::uint8_t> allowed(data_.n_features(), 0);
        for (const int group : node.groups)
            for (const int f : params_.interaction_cst[group]) allowed[f] = 1;
        std::erase_if(features, [&](int f) { return !allowed[f]; });
    }
    return draw(std::move(features), params_.colsample_bynode, params_.seed,
                stream(Draw::node, tree_number, static_cast<std::uint64_t>(node.node)));
}

bool Grower::may_split(const Open& node, int n_leaves) const {
    if (params_.max_leaf_nodes > 0 && n_leaves >= params_.max_leaf_nodes) return false;
    if (params_.max_depth > 0 && node.depth >= params_.max_depth) return false;
    const Sums s = finder_.decode(node.total);
    return s.n >= 2 * params_.min_samples_leaf && s.n >= 2 && s.h >= 2 * params_.min_child_weight;
}

void Grower::find_split(const RunContext& ctx, Open& node, std::uint64_t tree_number) const {
    node.split =
        finder_.find(ctx, node.histogram.as<PackedPair>(), node.total, node.bounds, node_features(node, tree_number));
    if (!node.split.found()) node.histogram = Histogram();
}

Grower::Open Grower::child(const Open& parent, Tree& tree, int node, const PackedPair& total) const {
    Open open;
    open.node = node;
    open.depth = parent.depth + 1;
    open.total = total;
    open.bounds = parent.bounds;
    for (const int group : parent.groups) {
        const auto& members = params_.interaction_cst[group];
        if (std::find(members.begin(), members.end(), parent.split.feature) != members.end())
            open.groups.push_back(group);
    }
    const Sums s = finder_.decode(total);
    tree.nodes[node].cover = s.h;
    tree.nodes[node].count = s.n;
    return open;
}

Tree Grower::grow(const RunContext& ctx, Partition& partition, const PackedPair* pairs, const FixedPoint& scale,
                  std::uint64_t tree_number) {
    finder_.set_scale(scale);
    draw_tree_features(tree_number);
    const std::uint32_t* rows = partition.rows();
    const bool all_rows = partition.size() == data_.n_rows();

    Tree tree;
    tree.nodes.emplace_back();
    tree.nodes[0].end = partition.size();
    Open root;
    root.total = parallel_reduce(
        ctx, partition.size(), 1.0, PackedPair{},
        [&](std::size_t begin, std::size_t end) {
            PackedPair sum{};
            for (std::size_t i = begin; i < end; ++i) sum += pairs[rows[i]];
            return sum;
        },
        [](PackedPair a, const PackedPair& b) { return a + b; });
    for (std::size_t group = 0; group < params_.interaction_cst.size(); ++group)
        root.groups.push_back(static_cast<int>(group));
    const Sums s = finder_.decode(root.total);
    tree.nodes[0].cover = s.h;
    tree.nodes[0].count = s.n;
    tree.nodes[0].value = finder_.leaf_value(s, root.bounds);

    // The open nodes that have a split. best-first: a heap on the gain; level by level: a queue.
    std::vector<Open> open;
    std::size_t head = 0;
    const bool best_first = params_.growth == Growth::leaf;
    const auto worse = [](const Open& a, const Open& b) {
        return a.split.gain < b.split.gain || (a.split.gain == b.split.gain && a.node > b.node);
    };
    const auto push = [&](Open&& node) {
        if (!node.split.found()) return;
        open.push_back(std::move(node));
        if (best_first) std::push_heap(open.begin(), open.end(), worse);
    };
    const auto pop = [&]() {
        if (!best_first) return std::move(open[head++]);
        std::pop_heap(open.begin(), open.end(), worse);
        Open node = std::move(open.back());
        open.pop_back();
        return node;
    };

    int n_leaves = 1;
    if (may_split(root, n_leaves) && !tree_features_.empty()) {
        root.histogram = builder_.take();
        builder_.build(ctx, all_rows ? nullptr : rows, partition.size(), pairs, root.histogram.as<PackedPair>());
        find_split(ctx, root, tree_number);
        push(std::move(root));
    }
    while (open.size() > head && (params_.max_leaf_nodes == 0 || n_leaves < params_.max_leaf_nodes)) {
        ctx.checkpoint();
        Open parent = pop();
        const Split& split = parent.split;
        const int left_id = static_cast<int>(tree.nodes.size());
        {
            TreeNode& node = tree.nodes[parent.node];
            node.feature = split.feature;
            node.bin = split.bin;
            node.missing_left = split.missing_left;
            node.gain = split.gain;
            node.left = left_id;
            if (split.categorical) {
                node.category_set = static_cast<int>(tree.category_sets.size());
                tree.category_sets.push_back(split.left_bins);
            }
        }
        std::uint8_t goes_left[256];
        const int missing_bin = mapper_.missing_bin(split.feature);
        for (int b = 0; b < 256; ++b) goes_left[b] = split.goes_left(b, missing_bin);
        const std::size_t begin = tree.nodes[parent.node].begin, end = tree.nodes[parent.node].end;
        const std::size_t middle = begin + partition.split(ctx, begin, end, data_.column(split.feature), goes_left);

        tree.nodes.resize(tree.nodes.size() + 2);
        tree.nodes[left_id].begin = begin;
        tree.nodes[left_id].end = tree.nodes[left_id + 1].begin = middle;
        tree.nodes[left_id + 1].end = end;
        ++n_leaves;
        Open left = child(parent, tree, left_id, split.left);
        Open right = child(parent, tree, left_id + 1, parent.total - split.left);

        if (const int direction = finder_.monotonic(split.feature); direction != 0) {
            const double middle_value = (finder_.leaf_value(finder_.decode(left.total), parent.bounds) +
                                         finder_.leaf_value(finder_.decode(right.total), parent.bounds)) /
                                        2;
            (direction > 0 ? left : right).bounds.upper = middle_value;
            (direction > 0 ? right : left).bounds.lower = middle_value;
        }
        for (const Open* node : {&left, &right})
            tree.nodes[node->node].value = finder_.leaf_value(finder_.decode(node->total), node->bounds);

        const bool split_left = may_split(left, n_leaves), split_right = may_split(right, n_leaves);
        if (!split_left && !split_right) continue;
        const bool left_is_smaller = middle - begin <= end - middle;
        Open& smaller = left_is_smaller ? left : right;
        Open& larger = left_is_smaller ? right : left;
        const TreeNode& small_node = tree.nodes[smaller.node];
        smaller.histogram = builder_.take();
        builder_.build(ctx, rows + small_node.begin, small_node.end - small_node.begin, pairs,
                       smaller.histogram.as<PackedPair>());
        if (left_is_smaller ? split_right : split_left) {
            larger.histogram = std::move(parent.histogram);
            builder_.subtract(ctx, larger.histogram.as<PackedPair>(), smaller.histogram.as<PackedPair>());
            find_split(ctx, larger, tree_number);
        }
        if (left_is_smaller ? split_left : split_right) find_split(ctx, smaller, tree_number);
        push(std::move(left));
        push(std::move(right));
    }
    return tree;
}

} // namespace mlcore::boosting
