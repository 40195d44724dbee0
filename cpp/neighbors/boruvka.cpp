// Boruvka's algorithm on a kd-tree (March, Ram and Gray, "Fast Euclidean minimum spanning tree", KDD 2010, in the form
// of one leaf against the tree): components start as single points, and each round joins every component by its least
// edge outwards.
//
// The first round reads the neighbours that are known. In the others each leaf searches for all of its points at once:
// nodes whose points are all of one component are left out where that is the component of the whole leaf, others by the
// bounds on weight and distance that their boxes and least core distances give. A component's bound is the least edge
// found so far. It only decides what is looked at: the least edge in the order of neighbors/reachability.hpp is the
// same whatever was left out, so threads may share the bounds as they come.
#include "core/error.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "neighbors/distance.hpp"
#include "neighbors/product_filter.hpp"
#include "neighbors/sets.hpp"
#include "neighbors/spanning_tree.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace mlcore::neighbors {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int32_t no_component = -1;
constexpr std::size_t filter_dim = 16; // from here on points are filtered by products

/// The least edge of each component, written by all threads.
class LeastEdges {
  public:
    explicit LeastEdges(std::size_t n) : edges_(n), weights_(n) {
        for (std::atomic<double>& weight : weights_) weight.store(infinity, std::memory_order_relaxed);
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
struct Points {
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

    Points(const KdTree& of, std::size_t n_known, std::span<const double> core_distances, double alpha)
        : tree(of), k(n_known), scale(reduced_scale(of.metric(), alpha)), rows(of.size() * of.dim()),
          position(of.size()), neighbor(of.size() * k), neighbor_distance(of.size() * k), n_neighbors(of.size()),
          core(of.n_leaves() * of.leaf_size(), infinity), component(of.n_leaves() * of.leaf_size(), no_component),
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
    LeafSearch(Points& points, const ProductFilter* filter)
        : points_(points), filter_(filter), tree_(points.tree), width_(points.tree.leaf_size()), slot_of_(width_),
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
        least_core_ = infinity;
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
        if (filter_) return scan_by_products(other);
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
        std::size_t lanes[ProductFilter::group], n = 0;
        double bounds[ProductFilter::group];
        const auto compare = [&](std::size_t i, std::size_t lane) {
            Slot& slot = slots_[slot_of_[lanes[i]]];
            const std::size_t p = begin_ + lanes[i], q = node.begin + lane;
            if (q >= node.end || points_.component[q] == slot.component || points_.core[q] > slot.best.weight) return;
            const Edge edge = points_.edge(points_.template distance<Sum>(p, q), p, q);
            if (!(edge < slot.best)) return;
            slot.best = edge;
            improved = true;
        };
        for (std::size_t a = 0; a < active_.size(); ++a) {
            const Slot& slot = slots_[slot_of_[active_[a]]];
            const double least = std::max(points_.least_core[other], points_.core[begin_ + active_[a]]);
            if (slot.component != points_.node_component[other] && least <= slot.best.weight) {
                lanes[n] = active_[a];
                bounds[n++] = slot.best.weight / points_.scale;
            }
            if (n == ProductFilter::group || (n > 0 && a + 1 == active_.size())) {
                filter_->each(begin_ / width_, lanes, bounds, n, node.begin / width_, compare);
                n = 0;
            }
        }
        if (improved) update_bound();
    }

    /// Point l against the points of a leaf. True if the least edge of its component is a new one.
    bool scan(std::size_t other, std::size_t l, Slot& slot) {
        constexpr std::size_t lanes = simd::lanes_of<double>, group = 4;
        const KdTree::Node& node = tree_.node(other);
        const double* block = tree_.block(node.begin / width_);
        const double* cores = points_.core.data() + node.begin;
        const Vector core = simd::broadcast(points_.core[begin_ + l]);
        const Vector bound = simd::broadcast(slot.best.weight);
        bool improved = false;
        for (std::size_t first = 0; first < width_; first += group * lanes) {
            const std::size_t n = std::min(group, (width_ - first) / lanes);
            Vector distance[group] = {};
            if (n == group)
                add_dimensions<group>(block + first, l, distance);
            else
                for (std::size_t g = 0; g < n; ++g) add_dimensions<1>(block + first + g * lanes, l, distance + g);
            for (std::size_t g = 0; g < n; ++g) {
                const std::size_t at = first + g * lanes;
                Vector weight = distance[g] * points_.scale;
                const Vector theirs = simd::load(cores + at);
                weight = weight > theirs ? weight : theirs;
                weight = weight > core ? weight : core;
                const auto passed = weight <= bound;
                std::int64_t any = 0;
                for (std::size_t i = 0; i < lanes; ++i) any |= passed[i];
                if (any == 0) continue;
                for (std::size_t i = 0; i < lanes; ++i) {
                    if (!(weight[i] <= slot.best.weight)) continue;
                    const std::size_t q = node.begin + at + i;
                    if (q >= node.end || points_.component[q] == slot.component) continue;
                    const Edge edge = points_.edge(distance[g][i], begin_ + l, q);
                    if (!(edge < slot.best)) continue;
                    slot.best = edge;
                    improved = true;
                }
            }
        }
        return improved;
    }

    template <std::size_t group>
    void add_dimensions(const double* block, std::size_t l, Vector* distance) const {
        for (std::size_t j = 0; j < tree_.dim(); ++j, block += width_) {
            const Vector x = simd::broadcast(block_[j * width_ + l]);
#pragma GCC unroll 4
            for (std::size_t g = 0; g < group; ++g)
                distance[g] = Sum::add(distance[g], simd::load(block + g * simd::lanes_of<double>) - x);
        }
    }

    void publish(LeastEdges& least) const {
        for (std::size_t s = 0; s < n_slots_; ++s)
            if (slots_[s].best.from < slots_[s].best.to) // an edge was found
                least.offer(slots_[s].component, slots_[s].best);
    }

    Points& points_;
    const ProductFilter* filter_; // nullptr: none
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

template <class Sum>
class Rounds {
  public:
    Rounds(const RunContext& ctx, Points& points) : ctx_(ctx), points_(points), n_(points.tree.size()) {
        edges_.reserve(n_ - 1);
        if constexpr (std::is_same_v<Sum, SquaredEuclidean>)
            if (points.tree.dim() >= filter_dim) filter_ = std::make_unique<ProductFilter>(ctx, points.tree);
    }

    std::vector<Edge> run(std::span<const std::int32_t> neighbors) {
        first_round(neighbors);
        while (n_components_ > 1) round();
        return std::move(edges_);
    }

  private:
    /// Takes over the known neighbours of a point, (k) rows. Returns whether they prove the best edge to be its least:
    /// what they leave out is at least as far as the last of them and, at its distance, of higher rows.
    bool known_edge(std::size_t p, const std::int32_t* nearest, Edge& best) {
        const KdTree& tree = points_.tree;
        const std::int32_t row = tree.order()[p];
        std::int32_t* neighbors = points_.neighbor.data() + p * points_.k;
        double* distances = points_.neighbor_distance.data() + p * points_.k;
        std::int32_t n = 0;
        double last = 0;
        best = Edge();
        for (std::size_t i = 0; i < points_.k; ++i) {
            if (nearest[i] == row) continue;
            neighbors[n] = points_.position[static_cast<std::size_t>(nearest[i])];
            const auto q = static_cast<std::size_t>(neighbors[n]);
            const double distance = points_.template distance<Sum>(p, q);
            const Edge edge = points_.edge(distance, p, q);
            distances[n++] = distance;
            last = std::max(last, distance);
            if (edge < best) best = edge;
        }
        points_.n_neighbors[p] = n;
        if (points_.k == n_) return n_ > 1;
        const double weight = std::max(last * points_.scale, points_.core[p]);
        return best.weight < weight || (best.weight == weight && best.distance <= last);
    }

    void first_round(std::span<const std::int32_t> neighbors) {
        Buffer<Edge> known(n_);
        Buffer<bool> is_known(n_);
        parallel_ranges(ctx_, n_, 10.0 * static_cast<double>(points_.k * (points_.tree.dim() + 1)),
                        [&](std::size_t begin, std::size_t end, int) {
                            for (std::size_t p = begin; p < end; ++p)
                                is_known[p] = known_edge(
                                    p, neighbors.data() + static_cast<std::size_t>(points_.tree.order()[p]) * points_.k,
                                    known[p]);
                        });
        for (std::size_t p = 0; p < n_; ++p) points_.component[p] = static_cast<std::int32_t>(p);
        Sets sets(n_);
        for (std::size_t p = 0; p < n_; ++p)
            if (is_known[p]) join(sets, known[p]);
        renumber(sets, n_);
    }

    void round() {
        ctx_.checkpoint();
        LeastEdges least(n_components_);
        parallel_tasks_of_leaves(least);
        Sets sets(n_components_);
        for (const Edge& edge : least.edges()) join(sets, edge);
        renumber(sets, n_components_);
    }

    void parallel_tasks_of_leaves(LeastEdges& least) {
        const KdTree& tree = points_.tree;
        std::vector<std::unique_ptr<LeafSearch<Sum>>> searches(static_cast<std::size_t>(ctx_.n_threads));
        const double ns = static_cast<double>(tree.leaf_size()) * (100 + 20 * static_cast<double>(tree.dim()));
        parallel_tasks(ctx_, tree.n_leaves(), ns, [&](std::size_t leaf, int thread) {
            auto& search = searches[static_cast<std::size_t>(thread)];
            if (!search) search = std::make_unique<LeafSearch<Sum>>(points_, filter_.get());
            search->run(leaf, least);
        });
    }

    void join(Sets& sets, const Edge& edge) {
        if (sets.join(points_.component_of_row(edge.from), points_.component_of_row(edge.to))) edges_.push_back(edge);
    }

    void renumber(Sets& sets, std::size_t n) {
        std::vector<std::int32_t> number(n);
        n_components_ = 0;
        for (std::size_t c = 0; c < n; ++c) {
            const std::int32_t root = sets.root(static_cast<std::int32_t>(c)); // not above c
            number[c] = root == static_cast<std::int32_t>(c) ? static_cast<std::int32_t>(n_components_++)
                                                             : number[static_cast<std::size_t>(root)];
        }
        points_.renumber(ctx_, number);
    }

    const RunContext& ctx_;
    Points& points_;
    std::unique_ptr<ProductFilter> filter_;
    std::size_t n_, n_components_ = 0;
    std::vector<Edge> edges_;
};

} // namespace

SpanningTree boruvka(const RunContext& ctx, const KdTree& tree, std::span<const double> core_distances, double alpha,
                     std::span<const std::int32_t> neighbors) {
    check_spanning_tree(tree.size(), core_distances, alpha);
    if (neighbors.size() % tree.size() != 0)
        throw ValueError("neighbors must have one row for each of the " + std::to_string(tree.size()) + " points");
    for (const std::int32_t row : neighbors)
        if (row < 0 || static_cast<std::size_t>(row) >= tree.size())
            throw ValueError("neighbors must be rows of the points, got " + std::to_string(row));
    Points points(tree, neighbors.size() / tree.size(), core_distances, alpha);
    return sorted_tree(ctx,
                       with_sum(tree.metric(), [&]<class Sum>(Sum) { return Rounds<Sum>(ctx, points).run(neighbors); }),
                       core_distances, alpha, tree.metric());
}

} // namespace mlcore::neighbors
