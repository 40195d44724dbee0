// What a round of Boruvka's algorithm (boruvka.cpp) does for one leaf: the least edges from its points to those of
// other components. They are found for all of its points at once. Nodes whose points are all of one component are left
// out where that is the component of the whole leaf, others by the bounds on weight and distance that their boxes and
// least core distances give.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "neighbors/bits.hpp"
#include "neighbors/distance.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/leaf_products.hpp"
#include "neighbors/leaf_scan.hpp"
#include "neighbors/reachability.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace mlcore::neighbors {

inline constexpr std::int32_t no_component = -1;

/// The least edge of each component, written by all threads.
class LeastEdges {
  public:
    explicit LeastEdges(std::size_t n) : edges_(n), weights_(n) {
        for (std::atomic<double>& weight : weights_) weight.store(Edge().weight, std::memory_order_relaxed);
    }
    /// No edge above this weight is the least.
    double bound(std::int32_t component) const {
        return weights_[static_cast<std::size_t>(component)].load(std::memory_order_relaxed);
    }
    void offer(std::int32_t component, const Edge& edge) {
        const auto c = static_cast<std::size_t>(component);
        if (edge.weight > bound(component)) return;
        const std::lock_guard lock(mutexes_[c % mutexes_.size()]);
        if (!(edge < edges_[c])) return;
        edges_[c] = edge;
        weights_[c].store(edge.weight, std::memory_order_relaxed);
    }
    const std::vector<Edge>& edges() const { return edges_; }

  private:
    std::vector<Edge> edges_;
    std::vector<std::atomic<double>> weights_;
    std::array<std::mutex, 64> mutexes_;
};

/// What the rounds share, by position in the tree.
struct BoruvkaPoints {
    const KdTree& tree;
    std::size_t k;                    // neighbours that are known of each point
    double scale;                     // reduced_scale of alpha
    Buffer<double> rows;              // (n, d) coordinates, point after point
    Buffer<std::int32_t> position;    // of a row
    Buffer<std::int32_t> neighbor;    // (n, k) positions; of each point, the first n_neighbors are of use
    Buffer<double> neighbor_distance; // (n, k) reduced
    Buffer<std::int32_t> n_neighbors;
    Buffer<double> core;                 // reduced; room for whole leaves
    Buffer<std::int32_t> component;      // as core; no_component where there is no point
    Buffer<double> least_core;           // of a node
    Buffer<std::int32_t> node_component; // of a node's points, no_component where they have several

    BoruvkaPoints(const KdTree& of, std::size_t n_known, std::span<const double> core_distances, double alpha)
        : tree(of), k(n_known), scale(reduced_scale(of.metric(), alpha)), rows(of.size() * of.dim()),
          position(of.size()), neighbor(of.size() * k), neighbor_distance(of.size() * k), n_neighbors(of.size()),
          core(of.n_leaves() * of.leaf_size(), Edge().weight), component(of.n_leaves() * of.leaf_size(), no_component),
          least_core(of.n_nodes()), node_component(of.n_nodes()) {
        for (std::size_t p = 0; p < tree.size(); ++p) {
            const auto row = static_cast<std::size_t>(tree.order()[p]);
            position[row] = static_cast<std::int32_t>(p);
            for (std::size_t j = 0; j < tree.dim(); ++j) rows[p * tree.dim() + j] = tree.point(p)[j * tree.leaf_size()];
            core[p] = core_distances.empty() ? 0.0 : reduce(tree.metric(), core_distances[row]);
        }
        for (std::size_t i = tree.n_nodes(); i-- > 0;) { // children after their parents
            const KdTree::Node& node = tree.node(i);
            least_core[i] = node.is_leaf() ? *std::min_element(core.data() + node.begin, core.data() + node.end)
                                           : std::min(least_core[i + 1], least_core[node.right]);
        }
    }

    const double* row_of(std::size_t p) const { return rows.data() + p * tree.dim(); }
    template <class Sum>
    double distance(std::size_t p, std::size_t q) const {
        return reduced_distance<Sum>(row_of(p), 1, row_of(q), 1, tree.dim());
    }
    Edge edge(double distance, std::size_t p, std::size_t q) const {
        return make_edge(std::max({distance * scale, core[p], core[q]}), distance, tree.order()[p], tree.order()[q]);
    }
    std::int32_t component_of_row(std::int32_t row) const {
        return component[static_cast<std::size_t>(position[static_cast<std::size_t>(row)])];
    }

    /// component = number[component], and the same of nodes.
    void renumber(const RunContext& ctx, const std::vector<std::int32_t>& number) {
        parallel_ranges(ctx, tree.size(), 1, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t p = begin; p < end; ++p) component[p] = number[static_cast<std::size_t>(component[p])];
        });
        for (std::size_t i = tree.n_nodes(); i-- > 0;) {
            const KdTree::Node& node = tree.node(i);
            std::int32_t common = component[node.begin];
            if (node.is_leaf()) {
                for (std::size_t p = node.begin; p < node.end; ++p)
                    if (component[p] != common) common = no_component;
            } else if (node_component[i + 1] != common || node_component[node.right] != common) {
                common = no_component;
            }
            node_component[i] = common;
        }
    }
};

/// The search of one leaf for the least edges outwards of the components that have points in it.
template <class Sum>
class LeafSearch {
  public:
    LeafSearch(BoruvkaPoints& points, const LeafProducts& products)
        : points_(points), products_(products), tree_(points.tree), width_(points.tree.leaf_size()), slot_of_(width_),
          slots_(width_) {}

    void run(std::size_t leaf, LeastEdges& least) {
        node_ = tree_.leaf_node(leaf);
        block_ = tree_.block(leaf);
        begin_ = tree_.node(node_).begin;
        read_components(least);
        for (std::size_t l = 0; l < tree_.node(node_).size(); ++l) read_neighbors(l);
        choose_points();
        if (active_.empty()) return publish(least);
        search(0);
        publish(least);
    }

  private:
    using Vector = simd::Doubles;

    struct Slot {
        std::int32_t component;
        Edge best; // before any was found: the bound alone
    };

    static bool beyond(double weight, double distance, const Edge& edge) {
        return weight > edge.weight || (weight == edge.weight && distance > edge.distance);
    }

    void read_components(const LeastEdges& least) {
        n_slots_ = 0;
        for (std::size_t l = 0; l < tree_.node(node_).size(); ++l) {
            const std::int32_t component = points_.component[begin_ + l];
            std::size_t s = 0;
            while (s < n_slots_ && slots_[s].component != component) ++s;
            if (s == n_slots_) {
                slots_[n_slots_++] = {component, Edge()};
                slots_[s].best.weight = least.bound(component);
            }
            slot_of_[l] = s;
        }
    }

    /// Edges to neighbours that are known; those of the same component are of no use any more.
    void read_neighbors(std::size_t l) {
        const std::size_t p = begin_ + l;
        if (points_.n_neighbors[p] == 0) return;
        Slot& slot = slots_[slot_of_[l]];
        std::int32_t* neighbors = points_.neighbor.data() + p * points_.k;
        double* distances = points_.neighbor_distance.data() + p * points_.k;
        std::int32_t n_left = 0;
        for (std::int32_t i = 0; i < points_.n_neighbors[p]; ++i) {
            const auto q = static_cast<std::size_t>(neighbors[i]);
            if (points_.component[q] == slot.component) continue;
            neighbors[n_left] = neighbors[i];
            distances[n_left++] = distances[i];
            const Edge edge = points_.edge(distances[i], p, q);
            if (edge < slot.best) slot.best = edge;
        }
        points_.n_neighbors[p] = n_left;
    }

    /// Points that may have a lighter edge than the bound.
    void choose_points() {
        active_.clear();
        least_core_ = Edge().weight;
        common_ = no_component;
        for (std::size_t l = 0; l < tree_.node(node_).size(); ++l) {
            const Slot& slot = slots_[slot_of_[l]];
            const double core = points_.core[begin_ + l];
            if (core > slot.best.weight) continue;
            if (active_.empty()) common_ = slot.component;
            if (common_ != slot.component) common_ = no_component;
            active_.push_back(l);
            least_core_ = std::min(least_core_, core);
        }
        update_bound();
    }

    /// What no edge of the leaf needs to look beyond.
    void update_bound() {
        bound_ = slots_[0].best;
        for (std::size_t s = 1; s < n_slots_; ++s)
            if (beyond(slots_[s].best.weight, slots_[s].best.distance, bound_)) bound_ = slots_[s].best;
    }

    /// Between two intervals, by how far each begins above the end of the other.
    static double gap(double a, double b) {
        const double largest = a > b ? a : b;
        return largest > 0 ? largest : 0;
    }

    double to_box(std::size_t other) const {
        const double *lower = tree_.lower(node_), *upper = tree_.upper(node_);
        const double *other_lower = tree_.lower(other), *other_upper = tree_.upper(other);
        double sum = 0;
        for (std::size_t j = 0; j < tree_.dim(); ++j)
            sum = Sum::add(sum, gap(other_lower[j] - upper[j], lower[j] - other_upper[j]));
        return sum;
    }

    /// Whether all points of a node are of the component of all points that search.
    bool is_inside(std::size_t node) const {
        return common_ != no_component && points_.node_component[node] == common_;
    }
    bool is_beyond(std::size_t node, double distance) const {
        return beyond(std::max({distance * points_.scale, points_.least_core[node], least_core_}), distance, bound_);
    }

    void search(std::size_t node) {
        const KdTree::Node& here = tree_.node(node);
        if (here.is_leaf()) return scan(node);
        const std::size_t left = node + 1, right = here.right;
        if (is_inside(left) || is_inside(right)) {
            const std::size_t child = is_inside(left) ? right : left;
            if (!is_inside(child) && !is_beyond(child, to_box(child))) search(child);
            return;
        }
        const double left_distance = to_box(left), right_distance = to_box(right);
        // Of boxes that touch the leaf's the one that holds it goes first.
        const bool right_first = right_distance < left_distance || (right_distance == left_distance && node_ >= right);
        const std::size_t near = right_first ? right : left, far = right_first ? left : right;
        if (!is_beyond(near, std::min(left_distance, right_distance))) search(near);
        if (!is_beyond(far, std::max(left_distance, right_distance))) search(far);
    }

    double to_box_of(std::size_t other, std::size_t l) const {
        const double *lower = tree_.lower(other), *upper = tree_.upper(other);
        double sum = 0;
        for (std::size_t j = 0; j < tree_.dim(); ++j) {
            const double x = block_[j * width_ + l];
            sum = Sum::add(sum, gap(lower[j] - x, x - upper[j]));
        }
        return sum;
    }

    void scan(std::size_t other) {
        if (products_.serves(begin_ / width_, tree_.node(other).begin / width_, bound_.weight / points_.scale))
            return scan_by_products(other);
        bool improved = false;
        for (const std::size_t l : active_) {
            Slot& slot = slots_[slot_of_[l]];
            if (slot.component == points_.node_component[other]) continue;
            const double core = points_.core[begin_ + l], distance = to_box_of(other, l);
            if (beyond(std::max({distance * points_.scale, points_.least_core[other], core}), distance, slot.best))
                continue;
            improved |= scan(other, l, slot);
        }
        if (improved) update_bound();
    }

    void scan_by_products(std::size_t other) {
        const KdTree::Node& node = tree_.node(other);
        bool improved = false;
        std::size_t rows[LeafProducts::group], n = 0;
        double bounds[LeafProducts::group];
        Bits possible[LeafProducts::group], sure[LeafProducts::group];
        const auto compare = [&] {
            products_.compare(begin_ / width_, rows, bounds, n, node.begin / width_, possible, sure);
            for (std::size_t i = 0; i < n; ++i)
                for_bits(possible[i], [&](std::size_t l) { improved |= measure(begin_ + rows[i], node.begin + l); });
            n = 0;
        };
        for (const std::size_t l : active_) {
            const Slot& slot = slots_[slot_of_[l]];
            const double least = std::max(points_.least_core[other], points_.core[begin_ + l]);
            if (slot.component == points_.node_component[other] || least > slot.best.weight) continue;
            rows[n] = l;
            bounds[n++] = slot.best.weight / points_.scale;
            if (n == LeafProducts::group) compare();
        }
        if (n > 0) compare();
        if (improved) update_bound();
    }

    /// The edge from a point of this leaf. True if it is the least of its component so far.
    bool measure(std::size_t p, std::size_t q) {
        Slot& slot = slots_[slot_of_[p - begin_]];
        if (points_.component[q] == slot.component || points_.core[q] > slot.best.weight) return false;
        return improve(slot, points_.edge(points_.template distance<Sum>(p, q), p, q));
    }
    static bool improve(Slot& slot, const Edge& edge) {
        if (!(edge < slot.best)) return false;
        slot.best = edge;
        return true;
    }

    /// Point l against the points of a leaf. True if the least edge of its component is a new one.
    bool scan(std::size_t other, std::size_t l, Slot& slot) {
        constexpr std::size_t lanes = simd::lanes_of<double>, most = 4; // vectors at a time
        const KdTree::Node& node = tree_.node(other);
        const double* block = tree_.block(node.begin / width_);
        const double* cores = points_.core.data() + node.begin;
        const Vector core = simd::broadcast(points_.core[begin_ + l]);
        const Vector bound = simd::broadcast(slot.best.weight);
        bool improved = false;
        const auto step = [&]<std::size_t n>(std::size_t first) {
            Vector distances[n];
            distances_to<Sum, n>(block_ + l, width_, block + first, width_, tree_.dim(), distances);
            for (std::size_t v = 0; v < n; ++v) {
                const std::size_t at = first + v * lanes;
                Vector weight = distances[v] * points_.scale;
                const Vector theirs = simd::load(cores + at);
                weight = weight > theirs ? weight : theirs;
                weight = weight > core ? weight : core;
                for_bits(at_most(weight, bound), [&](std::size_t i) {
                    const std::size_t q = node.begin + at + i;
                    if (!(weight[i] <= slot.best.weight) || q >= node.end || points_.component[q] == slot.component)
                        return;
                    improved |= improve(slot, points_.edge(distances[v][i], begin_ + l, q));
                });
            }
        };
        std::size_t first = 0;
        for (; first + most * lanes <= width_; first += most * lanes) step.template operator()<most>(first);
        for (; first < width_; first += lanes) step.template operator()<1>(first);
        return improved;
    }

    void publish(LeastEdges& least) const {
        for (std::size_t s = 0; s < n_slots_; ++s)
            if (slots_[s].best.from < slots_[s].best.to) // an edge was found
                least.offer(slots_[s].component, slots_[s].best);
    }

    BoruvkaPoints& points_;
    const LeafProducts& products_;
    const KdTree& tree_;
    std::size_t width_;
    std::vector<std::size_t> slot_of_; // of a point of the leaf
    std::vector<Slot> slots_;
    std::vector<std::size_t> active_;
    std::size_t n_slots_ = 0, node_ = 0, begin_ = 0;
    const double* block_ = nullptr;
    double least_core_ = 0; // of active points
    std::int32_t common_ = no_component;
    Edge bound_;
};

} // namespace mlcore::neighbors
