#include "boosting/grower.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
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

// round(share * n) of the features, at least one, in ascending order (Fisher-Yates, stopped early).
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

Grower::Grower(const BinMapper& mapper, const BinnedMatrix& data, const Params& params, double step_share,
               double largest_weight)
    : mapper_(mapper), data_(data), params_(params),
      layout_(mapper, data, params.min_samples_leaf / std::max(1.0, largest_weight)), builder_(mapper, data, layout_),
      finder_(mapper, layout_, params, step_share), tree_features_(layout_.features()),
      column_(data.has_sparse() ? data.n_rows() : 0) {
    choose_searched();
}

void Grower::choose_searched() {
    searched_features_ = tree_features_;
    std::erase_if(searched_features_, [&](int f) { return !layout_.has(f); });
}

void Grower::draw_tree_features(std::uint64_t tree_number) {
    if (params_.colsample_bytree >= 1.0) return;
    tree_features_ =
        draw(layout_.features(), params_.colsample_bytree, params_.seed, stream(Draw::tree, tree_number, 0));
    std::vector<std::uint8_t> active(data_.n_features(), 0);
    for (const int f : tree_features_) active[f] = 1;
    builder_.select(active);
    choose_searched();
}

std::vector<std::uint8_t> Grower::node_features(const Open& node, std::uint64_t tree_number) const {
    if (params_.colsample_bylevel >= 1.0 && params_.colsample_bynode >= 1.0 && params_.interaction_cst.empty())
        return {};
    std::vector<int> features = draw(tree_features_, params_.colsample_bylevel, params_.seed,
                                     stream(Draw::level, tree_number, static_cast<std::uint64_t>(node.depth)));
    if (!params_.interaction_cst.empty()) {
        std::vector<std::uint8_t> allowed(data_.n_features(), 0);
        for (const int group : node.groups)
            for (const int f : params_.interaction_cst[static_cast<std::size_t>(group)])
                allowed[static_cast<std::size_t>(f)] = 1;
        std::erase_if(features, [&](int f) { return !allowed[static_cast<std::size_t>(f)]; });
    }
    features = draw(std::move(features), params_.colsample_bynode, params_.seed,
                    stream(Draw::node, tree_number, static_cast<std::uint64_t>(node.node)));
    std::vector<std::uint8_t> flags(data_.n_features(), 0);
    for (const int f : features) flags[static_cast<std::size_t>(f)] = 1;
    return flags;
}

bool Grower::may_split(const Open& node, int n_leaves) const {
    if (params_.max_leaf_nodes > 0 && n_leaves >= params_.max_leaf_nodes) return false;
    if (params_.max_depth > 0 && node.depth >= params_.max_depth) return false;
    const Sums s = finder_.decode(node.total);
    return s.n >= 2 * params_.min_samples_leaf && s.n >= 2 && s.h >= 2 * params_.min_child_weight;
}

Grower::Open Grower::child(const Open& parent, Tree& tree, int node, const PackedPair& total) const {
    Open open;
    open.node = node;
    open.depth = parent.depth + 1;
    open.total = total;
    for (const int group : parent.groups) {
        const auto& members = params_.interaction_cst[static_cast<std::size_t>(group)];
        if (std::find(members.begin(), members.end(), parent.split.feature) != members.end())
            open.groups.push_back(group);
    }
    const Sums s = finder_.decode(total);
    tree.nodes[static_cast<std::size_t>(node)].cover = s.h;
    tree.nodes[static_cast<std::size_t>(node)].count = s.n;
    return open;
}

bool Grower::may_divide(int f, const PackedPair* histogram, const PackedPair& total) const {
    if (!data_.is_sparse(f)) return true;
    const PackedPair& most = histogram[layout_.offset(f) + data_.sparse_column(f).default_bin];
    const double others = finder_.decode(total - most).n; // one side has none but these
    return others > 0.0 && others >= params_.min_samples_leaf;
}

void Grower::set_values(const Open& parent, Open& left, Open& right, Tree& tree) const {
    const auto value = [&](const Open& node) { return finder_.leaf_value(finder_.decode(node.total), parent.bounds); };
    const double of_left = value(left), of_right = value(right);
    std::tie(left.bounds, right.bounds) =
        child_bounds(parent.bounds, finder_.monotonic(parent.split.feature), of_left, of_right);
    tree.nodes[static_cast<std::size_t>(left.node)].value = left.bounds.clamp(of_left);
    tree.nodes[static_cast<std::size_t>(right.node)].value = right.bounds.clamp(of_right);
}

void Grower::count_root(const RunContext& ctx, const Partition& partition, const PackedPair* pairs) {
    const std::size_t n = partition.size(), block = Partition::piece_rows;
    const bool all_rows = n == data_.n_rows();
    parallel_tasks(ctx, (n + block - 1) / block, builder_.ns_per_row() * static_cast<double>(std::min(n, block)),
                   [&](std::size_t b, int thread) {
                       const std::size_t begin = b * block, m = std::min(block, n - begin);
                       if (all_rows)
                           builder_.add(thread, begin, m, pairs);
                       else
                           builder_.add(thread, {partition.rows() + begin, m}, pairs);
                   });
}

void Grower::divide(const RunContext& ctx, Partition& partition, std::size_t n_pieces, const Split& split,
                    const PackedPair* pairs, const bool* count_left) {
    std::uint8_t goes_left[256];
    const int missing_bin = mapper_.missing_bin(split.feature);
    for (int b = 0; b < 256; ++b) goes_left[b] = split.goes_left(b, missing_bin);
    const bool is_sparse = data_.is_sparse(split.feature);
    if (is_sparse) data_.write_column(split.feature, 0, data_.n_rows(), column_.data());
    const std::uint8_t* column = is_sparse ? column_.data() : data_.column(split.feature);
    const double row_ns = 2.5 + (count_left ? 0.5 * builder_.ns_per_row() : 0.0);
    parallel_tasks(ctx, n_pieces, row_ns * static_cast<double>(Partition::piece_rows),
                   [&](std::size_t piece, int thread) {
                       const Partition::Piece rows = partition.divide(piece, column, goes_left);
                       if (count_left) builder_.add(thread, *count_left ? rows.left : rows.right, pairs);
                   });
}

void Grower::count_stripes(const RunContext& ctx, std::span<const std::uint32_t> rows, const PackedPair* pairs,
                           Histogram& histogram) {
    const std::uint32_t* chosen = rows.size() == data_.n_rows() ? nullptr : rows.data();
    const double stripe_ns =
        builder_.ns_per_row() * static_cast<double>(rows.size()) / static_cast<double>(builder_.n_stripes());
    parallel_tasks(ctx, builder_.n_stripes(), stripe_ns, [&](std::size_t stripe, int) {
        builder_.build_stripe(stripe, chosen, rows.size(), pairs, histogram.as<PackedPair>());
    });
}

void Grower::search(const RunContext& ctx, Partition& partition, std::size_t n_pieces, bool collect, Open& counted,
                    Open* sibling) {
    const std::vector<int>& features = searched_features_;
    const std::size_t group = std::max<std::size_t>(4, features.size() / 4096); // features a task
    const std::size_t n_groups = (features.size() + group - 1) / group;
    const SplitFinder::Node counted_node = finder_.node(counted.total, counted.bounds);
    const SplitFinder::Node sibling_node = sibling ? finder_.node(sibling->total, sibling->bounds) : counted_node;
    auto* histogram = counted.histogram.as<PackedPair>();
    auto* rest = sibling ? sibling->histogram.as<PackedPair>() : nullptr;
    std::vector<Split> best(n_groups), best_sibling(n_groups);

    const double group_ns = 2000.0 * static_cast<double>(group); // two nodes, 256 bins, both missing directions
    parallel_tasks(ctx, n_pieces + n_groups, group_ns, [&](std::size_t task, int) {
        if (task < n_pieces) return partition.copy_back(task);
        const std::size_t g = task - n_pieces;
        for (std::size_t j = g * group; j < std::min((g + 1) * group, features.size()); ++j) {
            const int f = features[j];
            const std::size_t begin = layout_.offset(f), end = begin + static_cast<std::size_t>(mapper_.n_bins(f)) + 1;
            if (collect) builder_.collect(begin, end, histogram);
            if (data_.is_sparse(f)) builder_.complete(f, counted.total, histogram);
            if (counted.may_use(f) && may_divide(f, histogram, counted.total))
                finder_.scan(f, histogram, counted_node, best[g]);
            if (!sibling) continue;
            for (std::size_t k = begin; k < end; ++k) rest[k] = rest[k] - histogram[k];
            if (sibling->may_use(f) && may_divide(f, rest, sibling->total))
                finder_.scan(f, rest, sibling_node, best_sibling[g]);
        }
    });
    const auto finish = [](Open& open, const std::vector<Split>& candidates) {
        for (const Split& s : candidates)
            if (s.found() && (!open.split.found() || s.gain > open.split.gain)) open.split = s;
        if (!open.split.found()) open.histogram = Histogram();
    };
    finish(counted, best);
    if (sibling) finish(*sibling, best_sibling);
}

Grower::Open Grower::open_root(const RunContext& ctx, const Partition& partition, const PackedPair* pairs, Tree& tree) {
    const std::uint32_t* rows = partition.rows();
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
    tree.nodes.emplace_back();
    tree.nodes[0].end = partition.size();
    tree.nodes[0].cover = s.h;
    tree.nodes[0].count = s.n;
    tree.nodes[0].value = finder_.leaf_value(s, root.bounds);
    return root;
}

// Turns a leaf of the tree into a split with two leaves, whose rows are not known yet.
void Grower::write_split(const Open& parent, Tree& tree) const {
    const Split& split = parent.split;
    TreeNode& node = tree.nodes[static_cast<std::size_t>(parent.node)];
    node.feature = split.feature;
    node.bin = split.bin;
    node.missing_left = split.missing_left;
    node.gain = split.gain;
    node.left = static_cast<int>(tree.nodes.size());
    if (split.categorical) {
        node.category_set = static_cast<int>(tree.category_sets.size());
        tree.category_sets.push_back(split.left_bins);
    }
    tree.nodes.resize(tree.nodes.size() + 2);
}

// Partitions the parent's rows and, for the children that want it, finds their splits. The smaller child is counted
// (whichever is wanted), the larger one is the rest.
void Grower::open_children(const RunContext& ctx, Partition& partition, const PackedPair* pairs, Open& parent,
                           Open& left, Open& right, Tree& tree) {
    const bool count = left.wanted || right.wanted;
    const bool count_left = finder_.decode(left.total).n <= finder_.decode(right.total).n;
    const bool by_stripes = builder_.prefers_stripes(ctx.n_threads);
    const std::size_t begin = tree.nodes[static_cast<std::size_t>(parent.node)].begin;
    const std::size_t end = tree.nodes[static_cast<std::size_t>(parent.node)].end;
    const std::size_t n_pieces = partition.start_split(begin, end);
    builder_.start(ctx.n_threads);
    divide(ctx, partition, n_pieces, parent.split, pairs, count && !by_stripes ? &count_left : nullptr);
    const std::size_t middle = begin + partition.count_left();
    TreeNode& left_node = tree.nodes[static_cast<std::size_t>(left.node)];
    TreeNode& right_node = tree.nodes[static_cast<std::size_t>(right.node)];
    left_node.begin = begin;
    left_node.end = right_node.begin = middle;
    right_node.end = end;

    const bool copy_first = !count || by_stripes;
    if (copy_first)
        parallel_tasks(ctx, n_pieces, 0.5 * static_cast<double>(Partition::piece_rows),
                       [&](std::size_t piece, int) { partition.copy_back(piece); });
    if (!count) return;
    Open& counted = count_left ? left : right;
    Open& sibling = count_left ? right : left;
    counted.histogram = builder_.take();
    if (by_stripes) {
        const TreeNode& node = count_left ? left_node : right_node;
        count_stripes(ctx, {partition.rows() + node.begin, node.end - node.begin}, pairs, counted.histogram);
    }
    if (sibling.wanted) sibling.histogram = std::move(parent.histogram);
    search(ctx, partition, copy_first ? 0 : n_pieces, !by_stripes, counted, sibling.wanted ? &sibling : nullptr);
}

// The open nodes that have a split, in the order in which they are to be opened.
class Grower::Frontier {
  public:
    explicit Frontier(Growth growth) : best_first_(growth == Growth::leaf) {}

    bool empty() const { return head_ == nodes_.size(); }

    void push(Open&& node) {
        if (!node.split.found()) return;
        nodes_.push_back(std::move(node));
        if (best_first_) std::push_heap(nodes_.begin(), nodes_.end(), worse);
    }

    Open pop() {
        if (!best_first_) return std::move(nodes_[head_++]);
        std::pop_heap(nodes_.begin(), nodes_.end(), worse);
        Open node = std::move(nodes_.back());
        nodes_.pop_back();
        return node;
    }

  private:
    // Of two equal gains the node that is older goes first.
    static bool worse(const Open& a, const Open& b) {
        return a.split.gain < b.split.gain || (a.split.gain == b.split.gain && a.node > b.node);
    }

    bool best_first_; // a heap, else a queue
    std::vector<Open> nodes_;
    std::size_t head_ = 0; // of the queue
};

Tree Grower::grow(const RunContext& ctx, Partition& partition, const PackedPair* pairs, const FixedPoint& scale,
                  std::uint64_t tree_number) {
    finder_.set_scale(scale);
    draw_tree_features(tree_number);

    Tree tree;
    Open root = open_root(ctx, partition, pairs, tree);
    Frontier frontier(params_.growth);
    int n_leaves = 1;
    if (may_split(root, n_leaves) && !searched_features_.empty()) {
        root.wanted = true;
        root.features = node_features(root, tree_number);
        root.histogram = builder_.take();
        const bool by_stripes = builder_.prefers_stripes(ctx.n_threads);
        builder_.start(ctx.n_threads);
        if (by_stripes)
            count_stripes(ctx, {partition.rows(), partition.size()}, pairs, root.histogram);
        else
            count_root(ctx, partition, pairs);
        search(ctx, partition, 0, !by_stripes, root, nullptr);
        frontier.push(std::move(root));
    }
    while (!frontier.empty() && (params_.max_leaf_nodes == 0 || n_leaves < params_.max_leaf_nodes)) {
        ctx.checkpoint();
        Open parent = frontier.pop();
        write_split(parent, tree);
        ++n_leaves;
        const int left_id = tree.nodes[static_cast<std::size_t>(parent.node)].left;
        Open left = child(parent, tree, left_id, parent.split.left);
        Open right = child(parent, tree, left_id + 1, parent.total - parent.split.left);
        set_values(parent, left, right, tree);
        for (Open* node : {&left, &right}) {
            node->wanted = may_split(*node, n_leaves);
            if (node->wanted) node->features = node_features(*node, tree_number);
        }
        open_children(ctx, partition, pairs, parent, left, right, tree);
        frontier.push(std::move(left));
        frontier.push(std::move(right));
    }
    return tree;
}

} // namespace mlcore::boosting
