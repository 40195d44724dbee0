// Queries go in blocks of some that lie near each other, the leaves of a tree: they share the descent, which is pruned
// by the distance of the block's box to a node's box and the largest bound of the block (Gray and Moore, "N-body
// problems in statistical learning", NIPS 2000). At a leaf the queries that may have a neighbour there are found
// several at a time, and then the points of the leaf are scanned for each.
#include "neighbors/search.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "neighbors/best.hpp"
#include "neighbors/distance.hpp"
#include "neighbors/leaf_scan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <utility>

namespace mlcore::neighbors {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::size_t tree_queries = 128;  // so many queries are worth a tree of their own
constexpr std::size_t sampled_leaves = 24; // whose searches say how much of the points a search looks at

/// Queries that are searched for together.
struct Block {
    const double* coordinates;   // (d, width); what is missing is at infinity
    std::size_t width, count;    // a multiple of lane_unit; queries
    const double *lower, *upper; // their box
    const std::int32_t* rows;    // of the answer; nullptr: row `first`
    std::size_t first;

    std::size_t row(std::size_t i) const { return rows ? static_cast<std::size_t>(rows[i]) : first; }
};

Block leaf_block(const KdTree& tree, std::size_t leaf) {
    const std::size_t node = tree.leaf_node(leaf), begin = tree.node(node).begin;
    return {tree.block(leaf),
            tree.leaf_size(),
            tree.node(node).size(),
            tree.lower(node),
            tree.upper(node),
            tree.order() + begin,
            begin};
}

/// The reduced distance of two boxes: no two points in them are nearer.
template <class Sum>
double between_boxes(const Block& block, const KdTree& tree, std::size_t node) {
    const double *lower = tree.lower(node), *upper = tree.upper(node);
    double sum = 0;
    for (std::size_t j = 0; j < tree.dim(); ++j) {
        const double below = lower[j] - block.upper[j], above = block.lower[j] - upper[j];
        const double outside = below > above ? below : above;
        sum = Sum::add(sum, outside > 0 ? outside : 0.0);
    }
    return sum;
}

/// Twice the distances of the centres, dimension by dimension, summed: which of two boxes at the same distance is
/// rather in the direction of the block.
double between_centres(const Block& block, const KdTree& tree, std::size_t node) {
    const double *lower = tree.lower(node), *upper = tree.upper(node);
    double sum = 0;
    for (std::size_t j = 0; j < tree.dim(); ++j)
        sum += std::abs((lower[j] + upper[j]) - (block.lower[j] + block.upper[j]));
    return sum;
}

/// visit(leaf, its node) for all leaves whose box is at most bound() away from the block's, nearer ones first.
template <class Sum, class Bound, class Visit>
void descend(const Block& block, const KdTree& tree, std::size_t node, const Bound& bound, const Visit& visit) {
    const KdTree::Node& here = tree.node(node);
    if (here.is_leaf()) return visit(here.begin / tree.leaf_size(), node);
    std::size_t near = node + 1, far = here.right;
    double near_distance = between_boxes<Sum>(block, tree, near), far_distance = between_boxes<Sum>(block, tree, far);
    if (far_distance < near_distance ||
        (far_distance == near_distance && between_centres(block, tree, far) < between_centres(block, tree, near))) {
        std::swap(near, far);
        std::swap(near_distance, far_distance);
    }
    if (near_distance <= bound()) descend<Sum>(block, tree, near, bound, visit);
    if (far_distance <= bound()) descend<Sum>(block, tree, far, bound, visit);
}

/// f(query, point's position in the leaf, reduced distance) for the points of a leaf that are within the bound of a
/// query, after(query) for each query that may have some.
template <class Sum, class Found, class After>
void visit_leaf(const Block& block, const KdTree& tree, std::size_t leaf, std::size_t node, const double* bounds,
                double* distances, const Found& found, const After& after) {
    const std::size_t d = tree.dim();
    near_box<Sum>(
        block.coordinates, block.width, d, tree.lower(node), tree.upper(node),
        [&](std::size_t i) { return simd::load(bounds + i); },
        [&](std::size_t first, Bits queries) {
            for_bits(queries, [&](std::size_t l) {
                const std::size_t q = first + l;
                scan<Sum>(block.coordinates + q, block.width, tree.block(leaf), tree.leaf_size(), d, bounds[q],
                          distances, [&](std::size_t from, Bits points) {
                              for_bits(points, [&](std::size_t p) { found(q, from + p, distances[from + p]); });
                          });
                after(q);
            });
        });
}

/// All blocks of some queries: leaves of a tree, or one query each.
class Blocks {
  public:
    /// The points of a tree themselves.
    explicit Blocks(const KdTree& tree) : tree_(&tree) {}

    Blocks(const RunContext& ctx, const KdTree& tree, MatrixView<const double> queries) {
        if (queries.rows >= tree_queries) {
            own_ = std::make_unique<KdTree>(ctx, queries, tree.metric(), lane_unit * 4);
            tree_ = own_.get();
            return;
        }
        const std::size_t d = queries.cols;
        boxes_ = Buffer<double>(queries.rows * d);
        coordinates_ = Buffer<double>(queries.rows * d * lane_unit, infinity);
        for (std::size_t i = 0; i < queries.rows; ++i)
            for (std::size_t j = 0; j < d; ++j)
                boxes_[i * d + j] = coordinates_[(i * d + j) * lane_unit] = queries(i, j);
        n_ = queries.rows;
        d_ = d;
    }

    std::size_t size() const { return tree_ ? tree_->n_leaves() : n_; }
    std::size_t n_queries() const { return tree_ ? tree_->size() : n_; }
    std::size_t width() const { return tree_ ? tree_->leaf_size() : lane_unit; }
    Block operator[](std::size_t i) const {
        if (tree_) return leaf_block(*tree_, i);
        const double* box = boxes_.data() + i * d_;
        return {coordinates_.data() + i * d_ * lane_unit, lane_unit, 1, box, box, nullptr, i};
    }

  private:
    const KdTree* tree_ = nullptr;
    std::unique_ptr<KdTree> own_;
    std::size_t n_ = 0, d_ = 0;
    Buffer<double> boxes_, coordinates_;
};

void check_queries(const KdTree& tree, MatrixView<const double> queries) {
    if (queries.cols != tree.dim())
        throw ValueError("queries must have " + std::to_string(tree.dim()) + " coordinates as the points, got " +
                         std::to_string(queries.cols));
}

double ns_per_query(const KdTree& tree, std::size_t k) {
    return 300 + 100 * static_cast<double>(tree.dim()) + 30 * static_cast<double>(k);
}

/// The nearest points of a block at a time.
template <class Sum, class Best>
class BlockSearch {
  public:
    BlockSearch(const KdTree& tree, std::size_t width) : tree_(tree), best_(width), distances_(tree.leaf_size()) {}

    /// Finds the n_nearest points of each query; where the block is leaf number `own`, other than the query itself.
    void run(const Block& block, std::size_t n_nearest, std::size_t own) {
        bounds_.assign(block.width, -1.0); // nothing is near what is missing
        for (std::size_t i = 0; i < block.count; ++i) {
            best_[i].start(n_nearest);
            bounds_[i] = infinity;
        }
        double largest = infinity;
        descend<Sum>(
            block, tree_, 0, [&] { return largest; },
            [&](std::size_t leaf, std::size_t node) {
                const std::int32_t* rows = tree_.order() + tree_.node(node).begin;
                const std::size_t count = tree_.node(node).size();
                visit_leaf<Sum>(
                    block, tree_, leaf, node, bounds_.data(), distances_.data(),
                    [&](std::size_t q, std::size_t p, double distance) {
                        // What is missing is at infinity, and near where nothing was found yet.
                        if (p < count && !(leaf == own && p == q)) best_[q].add({distance, rows[p]});
                    },
                    [&](std::size_t q) {
                        bounds_[q] = best_[q].bound();
                        ++n_scans_;
                    });
                largest = *std::max_element(bounds_.begin(), bounds_.end());
            });
    }
    /// Those of query i, nearest first.
    const std::vector<Candidate>& found(std::size_t i) { return best_[i].sorted(); }
    /// Leaves that were scanned, summed over all queries so far.
    std::size_t n_scans() const { return n_scans_; }

  private:
    const KdTree& tree_;
    std::vector<Best> best_;
    std::vector<double> bounds_, distances_;
    std::size_t n_scans_ = 0;
};

constexpr std::size_t no_leaf = std::numeric_limits<std::size_t>::max();

/// is_self: the blocks are the tree's own, and each point is its own first neighbour.
template <class Sum, class Best>
void nearest(const RunContext& ctx, const KdTree& tree, const Blocks& blocks, bool is_self, std::size_t k,
             Neighbors& out) {
    const double ns = ns_per_query(tree, k) * static_cast<double>(blocks.n_queries() / blocks.size());
    using Search = BlockSearch<Sum, Best>;
    std::vector<std::unique_ptr<Search>> searches(
        static_cast<std::size_t>(threads_for(ctx, ns * static_cast<double>(blocks.size()))));
    parallel_tasks(ctx, blocks.size(), ns, [&](std::size_t b, int thread) {
        auto& search = searches[static_cast<std::size_t>(thread)];
        if (!search) search = std::make_unique<Search>(tree, blocks.width());
        const Block block = blocks[b];
        if (k > is_self) search->run(block, k - is_self, is_self ? b : no_leaf);
        for (std::size_t i = 0; i < block.count; ++i) {
            const std::size_t row = block.row(i);
            std::int32_t* indices = out.indices.data() + row * k;
            double* distances = out.distances.data() + row * k;
            if (is_self) {
                *indices++ = static_cast<std::int32_t>(row);
                *distances++ = 0;
            }
            if (k == is_self) continue;
            for (const Candidate& candidate : search->found(i)) {
                *indices++ = candidate.row;
                *distances++ = distance_of(tree.metric(), candidate.distance);
            }
        }
    });
}

Neighbors nearest(const RunContext& ctx, const KdTree& tree, const Blocks& blocks, bool is_self, std::size_t k) {
    if (k < 1 || k > tree.size())
        throw ValueError("k must be from 1 to the number of points, " + std::to_string(tree.size()) + ", got " +
                         std::to_string(k));
    Neighbors out{Buffer<std::int32_t>(blocks.n_queries() * k), Buffer<double>(blocks.n_queries() * k)};
    if (blocks.size() == 0) return out;
    with_sum(tree.metric(), [&]<class Sum>(Sum) {
        if (k <= most_sorted)
            nearest<Sum, SortedBest>(ctx, tree, blocks, is_self, k, out);
        else
            nearest<Sum, BufferedBest>(ctx, tree, blocks, is_self, k, out);
    });
    return out;
}

Within inside(const RunContext& ctx, const KdTree& tree, const Blocks& blocks, double radius) {
    if (!(radius >= 0)) throw ValueError("radius must not be negative");
    const double most = largest_reduced(tree.metric(), radius);
    Within out;
    out.offsets.assign(blocks.n_queries() + 1, 0);
    if (blocks.size() == 0) return out;
    const std::size_t width = blocks.width();
    std::vector<std::vector<Candidate>> found(blocks.size()); // of the queries of a block, one after the other
    const double ns = ns_per_query(tree, 32) * static_cast<double>(blocks.n_queries() / blocks.size());
    with_sum(tree.metric(), [&]<class Sum>(Sum) {
        parallel_tasks(ctx, blocks.size(), ns, [&](std::size_t b, int) {
            const Block block = blocks[b];
            std::vector<double> bounds(width, -1.0), distances(tree.leaf_size());
            std::vector<std::vector<Candidate>> of_query(block.count);
            std::fill_n(bounds.begin(), block.count, most);
            if (between_boxes<Sum>(block, tree, 0) <= most)
                descend<Sum>(
                    block, tree, 0, [&] { return most; },
                    [&](std::size_t leaf, std::size_t node) {
                        const std::int32_t* rows = tree.order() + tree.node(node).begin;
                        const std::size_t count = tree.node(node).size();
                        visit_leaf<Sum>(
                            block, tree, leaf, node, bounds.data(), distances.data(),
                            [&](std::size_t q, std::size_t p, double distance) {
                                if (p < count) of_query[q].push_back({distance, rows[p]});
                            },
                            [](std::size_t) {});
                    });
            std::size_t total = 0;
            for (const auto& items : of_query) total += items.size();
            found[b].reserve(total);
            for (std::size_t i = 0; i < block.count; ++i) {
                std::sort(of_query[i].begin(), of_query[i].end(),
                          [](const Candidate& x, const Candidate& y) { return x.row < y.row; });
                found[b].insert(found[b].end(), of_query[i].begin(), of_query[i].end());
                out.offsets[block.row(i) + 1] = static_cast<std::int64_t>(of_query[i].size());
            }
        });
    });
    std::partial_sum(out.offsets.begin(), out.offsets.end(), out.offsets.begin());
    const auto total = static_cast<std::size_t>(out.offsets.back());
    out.indices = Buffer<std::int32_t>(total);
    out.distances = Buffer<double>(total);
    parallel_tasks(ctx, blocks.size(), 2.0 * static_cast<double>(total / blocks.size()), [&](std::size_t b, int) {
        const Block block = blocks[b];
        const Candidate* item = found[b].data();
        for (std::size_t i = 0; i < block.count; ++i)
            for (auto place = static_cast<std::size_t>(out.offsets[block.row(i)]),
                      end = static_cast<std::size_t>(out.offsets[block.row(i) + 1]);
                 place < end; ++place, ++item) {
                out.indices[place] = item->row;
                out.distances[place] = distance_of(tree.metric(), item->distance);
            }
        found[b] = {};
    });
    return out;
}

} // namespace

Neighbors k_nearest(const RunContext& ctx, const KdTree& tree, MatrixView<const double> queries, std::size_t k) {
    check_queries(tree, queries);
    return nearest(ctx, tree, Blocks(ctx, tree, queries), false, k);
}

Neighbors k_nearest(const RunContext& ctx, const KdTree& tree, std::size_t k) {
    return nearest(ctx, tree, Blocks(tree), true, k);
}

double scanned_share(const RunContext& ctx, const KdTree& tree, std::size_t k) {
    const std::size_t n_leaves = tree.n_leaves(), n_tried = std::min(sampled_leaves, n_leaves);
    if (n_leaves == 1) return 1;
    k = std::clamp<std::size_t>(k, 1, tree.size() - 1);
    std::vector<double> shares(n_tried);
    with_sum(tree.metric(), [&]<class Sum>(Sum) {
        parallel_tasks(ctx, n_tried, 32 * ns_per_query(tree, k), [&](std::size_t i, int) {
            const std::size_t leaf = i * n_leaves / n_tried;
            const Block block = leaf_block(tree, leaf);
            BlockSearch<Sum, SortedBest> search(tree, block.width);
            search.run(block, k, leaf);
            shares[i] = static_cast<double>(search.n_scans()) / static_cast<double>(block.count * n_leaves);
        });
    });
    return std::accumulate(shares.begin(), shares.end(), 0.0) / static_cast<double>(n_tried);
}

Within within(const RunContext& ctx, const KdTree& tree, MatrixView<const double> queries, double radius) {
    check_queries(tree, queries);
    return inside(ctx, tree, Blocks(ctx, tree, queries), radius);
}

Within within(const RunContext& ctx, const KdTree& tree, double radius) {
    return inside(ctx, tree, Blocks(tree), radius);
}

} // namespace mlcore::neighbors
