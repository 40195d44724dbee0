// Each leaf descends the tree on behalf of its core points, to nodes that do not stand after it: each pair of leaves is
// looked at once. What has been found to be connected is noted at nodes: two nodes which are each connected in
// themselves are passed over once they are in the same cluster, and need no more than one pair of neighbours before.
// In dense regions, where a leaf has very many neighbours, nearly all of them are passed over.
#include "cluster/dbscan/merge.hpp"

#include "core/parallel.hpp"

#include <atomic>
#include <limits>
#include <vector>

namespace mlcore::cluster {
namespace {

using neighbors::KdTree;

constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

/// The first core point of each node, by position, or `none`.
std::vector<std::uint32_t> first_core_points(const KdTree& tree, std::span<const std::uint64_t> core) {
    std::vector<std::uint32_t> first(tree.n_nodes(), none);
    for (std::size_t i = tree.n_nodes(); i-- > 0;) { // children stand after their parents
        const KdTree::Node& node = tree.node(i);
        if (!node.is_leaf())
            first[i] = std::min(first[i + 1], first[node.right]);
        else if (const Bits bits = core[node.begin / tree.leaf_size()]; bits != 0)
            first[i] = node.begin + static_cast<std::uint32_t>(std::countr_zero(bits));
    }
    return first;
}

/// What all threads share while core points are united.
template <class Sum>
struct Union {
    const Neighborhoods<Sum>& near;
    std::span<const std::uint64_t> core;
    const std::vector<std::uint32_t> first;
    Components& components;
    std::vector<std::atomic<char>> whole; // all core points of the node are known to be connected

    Union(const Neighborhoods<Sum>& neighborhoods, std::span<const std::uint64_t> core_bits, Components& sets)
        : near(neighborhoods), core(core_bits), first(first_core_points(neighborhoods.tree(), core_bits)),
          components(sets), whole(neighborhoods.tree().n_nodes()) {}

    bool is_whole(std::size_t node) const { return whole[node].load(std::memory_order_relaxed) != 0; }
    void set_whole(std::size_t node) { whole[node].store(1, std::memory_order_relaxed); }

    /// f(position) for all core points of a node.
    template <class F>
    void for_core(std::size_t number, F&& f) const {
        const KdTree::Node& node = near.node(number);
        const std::size_t width = near.tree().leaf_size();
        for (std::size_t begin = node.begin; begin < node.end; begin += width)
            for_bits(core[begin / width], [&](std::size_t i) { f(static_cast<std::uint32_t>(begin + i)); });
    }

    /// Notes whether the core points of a leaf, or the children of a node, are connected.
    void look_whether_whole(std::size_t number) {
        if (is_whole(number)) return;
        const KdTree::Node& node = near.node(number);
        const std::uint32_t root = components.root(first[number]);
        bool connected = true;
        if (node.is_leaf()) {
            for_core(number, [&](std::uint32_t p) { connected = connected && components.root(p) == root; });
        } else {
            for (const std::size_t child : {number + 1, static_cast<std::size_t>(node.right)})
                connected =
                    connected && (first[child] == none || (is_whole(child) && components.root(first[child]) == root));
        }
        if (connected) set_whole(number);
    }
};

/// Unites the core points of one leaf with those of nodes that do not stand after it.
template <class Sum>
class LeafUnion {
  public:
    LeafUnion(Union<Sum>& all, std::size_t leaf)
        : all_(all), near_(all.near), leaf_(leaf), number_(near_.tree().leaf_node(leaf)),
          begin_(near_.node(number_).begin) {}

    void run() { visit(0); }

  private:
    bool contains(std::size_t node) const { return near_.node(node).begin <= begin_ && begin_ < near_.node(node).end; }

    void visit(std::size_t number) {
        const KdTree::Node& node = near_.node(number);
        if (node.begin > begin_ || all_.first[number] == none || near_.apart(number_, number)) return;
        const std::uint32_t mine = all_.first[number_], other = all_.first[number];
        if (all_.is_whole(number)) {
            if (contains(number)) return;
            if (all_.is_whole(number_) && all_.components.same(mine, other)) return;
        }
        if (near_.joined(number_, number)) {
            all_.components.unite(mine, other);
            if (!all_.is_whole(number)) all_.for_core(number, [&](std::uint32_t p) { all_.components.unite(mine, p); });
            if (!all_.is_whole(number_))
                all_.for_core(number_, [&](std::uint32_t p) { all_.components.unite(mine, p); });
            all_.set_whole(number);
            all_.set_whole(number_);
        } else if (node.is_leaf()) {
            number == number_ ? unite_within() : unite_with(number);
        } else {
            const Descent children(near_.tree(), number, begin_);
            visit(children.first);
            visit(children.second);
            all_.look_whether_whole(number);
        }
    }

    void unite_within() {
        const Bits core = all_.core[leaf_];
        near_.for_points(leaf_, core, leaf_, [&](std::size_t i, Bits found) {
            for_bits(found & core & ~first_bits(i + 1), [&](std::size_t k) { unite(i, begin_ + k); });
            return true;
        });
        all_.look_whether_whole(number_);
    }

    void unite_with(std::size_t number) {
        const std::size_t begin = near_.node(number).begin, other = begin / near_.tree().leaf_size();
        const bool other_whole = all_.is_whole(number), both_whole = other_whole && all_.is_whole(number_);
        Bits rows = all_.core[leaf_] & near_.near_node(leaf_, number);
        if (other_whole)
            for_bits(rows, [&](std::size_t i) {
                const auto position = static_cast<std::uint32_t>(begin_ + i);
                if (all_.components.same(position, all_.first[number])) rows &= ~(Bits{1} << i);
            });
        near_.for_points(leaf_, rows, other, [&](std::size_t i, Bits found) {
            found &= all_.core[other];
            if (other_whole) found &= -found; // one pair is enough
            for_bits(found, [&](std::size_t k) { unite(i, begin + k); });
            return !(both_whole && found != 0);
        });
        all_.look_whether_whole(number_);
        all_.look_whether_whole(number);
    }

    void unite(std::size_t i, std::size_t position) {
        all_.components.unite(static_cast<std::uint32_t>(begin_ + i), static_cast<std::uint32_t>(position));
    }

    Union<Sum>& all_;
    const Neighborhoods<Sum>& near_;
    const std::size_t leaf_, number_, begin_;
};

/// Labels the points of one leaf that are not core points.
template <class Sum>
class BorderLeaf {
  public:
    BorderLeaf(const Neighborhoods<Sum>& near, std::span<const std::uint64_t> core,
               const std::vector<std::uint32_t>& first, std::span<const std::int64_t> labels, std::size_t leaf)
        : near_(near), core_(core), first_(first), labels_(labels), leaf_(leaf), number_(near.tree().leaf_node(leaf)),
          open_(first_bits(near.node(number_).size()) & ~core[leaf]) {}

    /// The labels go to `out`, of the leaf's points.
    void run(std::int64_t* out) {
        if (open_ == 0) return;
        std::fill_n(best_, neighbors::most_bits, std::numeric_limits<std::int64_t>::max());
        visit(0);
        for_bits(open_, [&](std::size_t i) {
            if (best_[i] != std::numeric_limits<std::int64_t>::max()) out[i] = best_[i];
        });
    }

  private:
    void visit(std::size_t number) {
        if (first_[number] == none || near_.apart(number_, number)) return;
        const KdTree::Node& node = near_.node(number);
        if (!node.is_leaf()) {
            visit(number + 1);
            visit(node.right);
            return;
        }
        const std::size_t other = near_.leaf_of(node);
        near_.for_points(leaf_, open_ & near_.near_node(leaf_, number), other, [&](std::size_t i, Bits found) {
            for_bits(found & core_[other],
                     [&](std::size_t k) { best_[i] = std::min(best_[i], labels_[node.begin + k]); });
            return true;
        });
    }

    const Neighborhoods<Sum>& near_;
    std::span<const std::uint64_t> core_;
    const std::vector<std::uint32_t>& first_;
    std::span<const std::int64_t> labels_;
    const std::size_t leaf_, number_;
    const Bits open_;
    std::int64_t best_[neighbors::most_bits];
};

} // namespace

Components connected(const RunContext& ctx, const Radius& radius, std::span<const std::uint64_t> core) {
    const KdTree& tree = radius.tree;
    Components components(tree.size());
    neighbors::with_sum(tree.metric(), [&]<class Sum>(Sum) {
        const Neighborhoods<Sum> near(radius);
        Union<Sum> all(near, core, components);
        parallel_tasks(ctx, tree.n_leaves(), near.ns_per_leaf(), [&](std::size_t leaf, int) {
            if (core[leaf] != 0) LeafUnion<Sum>(all, leaf).run();
        });
    });
    return components;
}

void label_border(const RunContext& ctx, const Radius& radius, std::span<const std::uint64_t> core,
                  std::span<std::int64_t> labels) {
    const KdTree& tree = radius.tree;
    const std::vector<std::uint32_t> first = first_core_points(tree, core);
    neighbors::with_sum(tree.metric(), [&]<class Sum>(Sum) {
        const Neighborhoods<Sum> near(radius);
        parallel_tasks(ctx, tree.n_leaves(), near.ns_per_leaf(), [&](std::size_t leaf, int) {
            BorderLeaf<Sum>(near, core, first, labels, leaf).run(labels.data() + leaf * tree.leaf_size());
        });
    });
}

} // namespace mlcore::cluster
