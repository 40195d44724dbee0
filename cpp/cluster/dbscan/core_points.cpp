// Each leaf descends the tree on behalf of all its points. A node that lies wholly within eps of the leaf is counted
// without being opened, and unless there are negative weights a point whose count has reached min_samples takes no
// further part: dense regions, where neighbourhoods are large, cost no more than sparse ones.
#include "cluster/dbscan/core_points.hpp"

#include "cluster/dbscan/weights.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <bit>
#include <vector>

namespace mlcore::cluster {
namespace {

using neighbors::KdTree;

/// Points weigh 1.
class Ones {
  public:
    using Count = std::size_t;
    static constexpr bool rises = true;

    explicit Ones(const KdTree& tree) : tree_(tree) {}
    void add_node(Count& count, std::size_t node) const { count += tree_.node(node).size(); }
    void add_points(Count& count, std::size_t, Bits points) const {
        count += static_cast<std::size_t>(std::popcount(points));
    }
    static double value(Count count) { return static_cast<double>(count); }

  private:
    const KdTree& tree_;
};

/// Points have weights of their own.
class Weights {
  public:
    using Count = WeightSum;

    Weights(const KdTree& tree, std::span<const double> weights)
        : tree_(tree), by_position_(tree.size()), of_nodes_(tree.n_nodes()),
          rises(std::none_of(weights.begin(), weights.end(), [](double w) { return w < 0; })) {
        for (std::size_t p = 0; p < tree.size(); ++p)
            by_position_[p] = weights[static_cast<std::size_t>(tree.order()[p])];
        for (std::size_t i = tree.n_nodes(); i-- > 0;) { // children stand after their parents
            const KdTree::Node& node = tree.node(i);
            if (node.is_leaf()) {
                for (std::size_t p = node.begin; p < node.end; ++p) of_nodes_[i].add(by_position_[p]);
            } else {
                of_nodes_[i].add(of_nodes_[i + 1]);
                of_nodes_[i].add(of_nodes_[node.right]);
            }
        }
    }
    void add_node(Count& count, std::size_t node) const { count.add(of_nodes_[node]); }
    void add_points(Count& count, std::size_t leaf, Bits points) const {
        const double* weights = by_position_.data() + leaf * tree_.leaf_size();
        for_bits(points, [&](std::size_t i) { count.add(weights[i]); });
    }
    static double value(const Count& count) { return count.value(); }

  private:
    const KdTree& tree_;
    std::vector<double> by_position_;
    std::vector<WeightSum> of_nodes_;

  public:
    const bool rises; // a count that has reached min_samples stays there
};

/// Counts the neighbours of the points of one leaf.
template <class Sum, class Weighing>
class Count {
  public:
    Count(const Neighborhoods<Sum>& near, const Weighing& weighing, double min_samples, std::size_t leaf)
        : near_(near), weighing_(weighing), min_samples_(min_samples), leaf_(leaf),
          leaf_node_(near.tree().leaf_node(leaf)), open_(first_bits(near.node(leaf_node_).size())) {}

    Bits core() {
        Bits all = open_;
        visit(0);
        Bits core = 0;
        for_bits(all, [&](std::size_t i) { core |= Bits{reached(i)} << i; });
        return core;
    }

  private:
    bool reached(std::size_t i) const { return Weighing::value(counts_[i]) >= min_samples_; }

    void visit(std::size_t number) {
        if (open_ == 0 || near_.apart(leaf_node_, number)) return;
        const KdTree::Node& node = near_.node(number);
        if (near_.joined(leaf_node_, number)) {
            for_bits(open_, [&](std::size_t i) { count(i, [&](auto& c) { weighing_.add_node(c, number); }); });
        } else if (node.is_leaf()) {
            const std::size_t other = near_.leaf_of(node);
            const Bits rows = other == leaf_ ? open_ : open_ & near_.near_node(leaf_, number);
            near_.for_points(leaf_, rows, other, [&](std::size_t i, Bits found) {
                count(i, [&](auto& c) { weighing_.add_points(c, other, found); });
                return true;
            });
        } else {
            const Descent children(near_.tree(), number, near_.node(leaf_node_).begin);
            visit(children.first);
            visit(children.second);
        }
    }

    template <class Add>
    void count(std::size_t i, Add&& add) {
        add(counts_[i]);
        if (weighing_.rises && reached(i)) open_ &= ~(Bits{1} << i);
    }

    const Neighborhoods<Sum>& near_;
    const Weighing& weighing_;
    const double min_samples_;
    const std::size_t leaf_, leaf_node_;
    Bits open_; // points that are still counted for
    typename Weighing::Count counts_[neighbors::most_bits] = {};
};

} // namespace

Buffer<std::uint64_t> core_points(const RunContext& ctx, const Radius& radius, double min_samples,
                                  std::span<const double> weights) {
    const KdTree& tree = radius.tree;
    Buffer<std::uint64_t> core(tree.n_leaves());
    neighbors::with_sum(tree.metric(), [&]<class Sum>(Sum) {
        const Neighborhoods<Sum> near(radius);
        const auto run = [&](const auto& weighing) {
            parallel_tasks(ctx, tree.n_leaves(), near.ns_per_leaf(), [&](std::size_t leaf, int) {
                core[leaf] = Count<Sum, std::decay_t<decltype(weighing)>>(near, weighing, min_samples, leaf).core();
            });
        };
        weights.empty() ? run(Ones(tree)) : run(Weights(tree, weights));
    });
    return core;
}

} // namespace mlcore::cluster
