// Boruvka's algorithm on a kd-tree (March, Ram and Gray, "Fast Euclidean minimum spanning tree", KDD 2010, in the form
// of one leaf against the tree): components start as single points, and each round joins every component by its least
// edge outwards.
//
// The first round reads the neighbours that are known, in the others each leaf searches (boruvka_leaf.hpp). A
// component's bound is the least edge found so far. It only decides what is looked at: the least edge in the order of
// neighbors/reachability.hpp is the same whatever was left out, so threads may share the bounds as they come.
#include "core/disjoint_sets.hpp"
#include "core/error.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "neighbors/boruvka_leaf.hpp"
#include "neighbors/distance.hpp"
#include "neighbors/spanning_tree.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

namespace mlcore::neighbors {
namespace {

template <class Sum>
class Rounds {
  public:
    Rounds(const RunContext& ctx, BoruvkaPoints& points)
        : ctx_(ctx), points_(points), products_(ctx, points.tree), n_(points.tree.size()) {
        edges_.reserve(n_ - 1);
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
        DisjointSets sets(n_);
        for (std::size_t p = 0; p < n_; ++p)
            if (is_known[p]) join(sets, known[p]);
        renumber(sets, n_);
    }

    void round() {
        ctx_.checkpoint();
        LeastEdges least(n_components_);
        parallel_tasks_of_leaves(least);
        DisjointSets sets(n_components_);
        for (const Edge& edge : least.edges()) join(sets, edge);
        renumber(sets, n_components_);
    }

    void parallel_tasks_of_leaves(LeastEdges& least) {
        const KdTree& tree = points_.tree;
        std::vector<std::unique_ptr<LeafSearch<Sum>>> searches(static_cast<std::size_t>(ctx_.n_threads));
        const double ns = static_cast<double>(tree.leaf_size()) * (100 + 20 * static_cast<double>(tree.dim()));
        parallel_tasks(ctx_, tree.n_leaves(), ns, [&](std::size_t leaf, int thread) {
            auto& search = searches[static_cast<std::size_t>(thread)];
            if (!search) search = std::make_unique<LeafSearch<Sum>>(points_, products_);
            search->run(leaf, least);
        });
    }

    void join(DisjointSets& sets, const Edge& edge) {
        if (sets.join(points_.component_of_row(edge.from), points_.component_of_row(edge.to))) edges_.push_back(edge);
    }

    void renumber(DisjointSets& sets, std::size_t n) {
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
    BoruvkaPoints& points_;
    LeafProducts products_;
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
    BoruvkaPoints points(tree, neighbors.size() / tree.size(), core_distances, alpha);
    return sorted_tree(ctx,
                       with_sum(tree.metric(), [&]<class Sum>(Sum) { return Rounds<Sum>(ctx, points).run(neighbors); }),
                       core_distances, alpha, tree.metric());
}

} // namespace mlcore::neighbors
