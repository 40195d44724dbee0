#include "neighbors/search.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "neighbors/distance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace mlcore::neighbors {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The reduced distance of a query to a box: no point in it is nearer.
template <class Sum>
double to_box(const KdTree& tree, std::size_t node, const double* query) {
    const double *lower = tree.lower(node), *upper = tree.upper(node);
    double sum = 0;
    for (std::size_t j = 0; j < tree.dim(); ++j)
        sum = Sum::add(sum, std::max({lower[j] - query[j], query[j] - upper[j], 0.0}));
    return sum;
}

/// The k best of what was offered, ascending by (distance, row).
class Best {
  public:
    explicit Best(std::size_t k) : k_(k) {}

    void start() { items_.assign(k_, {infinity, std::numeric_limits<std::int32_t>::max()}); }
    double worst() const { return items_.back().first; }
    void add(double distance, std::int32_t row) {
        const Item item{distance, row};
        if (!(item < items_.back())) return;
        std::size_t i = k_ - 1;
        for (; i > 0 && item < items_[i - 1]; --i) items_[i] = items_[i - 1];
        items_[i] = item;
    }
    using Item = std::pair<double, std::int32_t>;
    const std::vector<Item>& items() const { return items_; }

  private:
    std::size_t k_;
    std::vector<Item> items_;
};

/// distances (leaf_size) of a query to the points of a leaf.
template <class Sum>
void scan(const KdTree& tree, std::size_t leaf, const double* query, double* distances) {
    const std::size_t width = tree.leaf_size();
    const double* block = tree.block(leaf);
    std::fill_n(distances, width, 0.0);
    for (std::size_t j = 0; j < tree.dim(); ++j, block += width)
        for (std::size_t i = 0; i < width; ++i) distances[i] = Sum::add(distances[i], query[j] - block[i]);
}

/// Calls visit(leaf) for the leaves that may have a point at most bound() away, nearest first.
template <class Sum, class Bound, class Visit>
void descend(const KdTree& tree, std::size_t node, const double* query, Bound&& bound, Visit&& visit) {
    const KdTree::Node& here = tree.node(node);
    if (here.is_leaf()) return visit(here.begin / tree.leaf_size());
    std::size_t near = node + 1, far = here.right;
    double near_distance = to_box<Sum>(tree, near, query), far_distance = to_box<Sum>(tree, far, query);
    if (far_distance < near_distance) {
        std::swap(near, far);
        std::swap(near_distance, far_distance);
    }
    if (near_distance <= bound()) descend<Sum>(tree, near, query, bound, visit);
    if (far_distance <= bound()) descend<Sum>(tree, far, query, bound, visit);
}

void check_queries(const KdTree& tree, MatrixView<const double> queries) {
    if (queries.cols != tree.dim())
        throw ValueError("queries must have " + std::to_string(tree.dim()) + " coordinates as the points, got " +
                         std::to_string(queries.cols));
}

void check_k(const KdTree& tree, std::size_t k) {
    if (k < 1 || k > tree.size())
        throw ValueError("k must be from 1 to the number of points, " + std::to_string(tree.size()) + ", got " +
                         std::to_string(k));
}

void check_radius(double radius) {
    if (!(radius >= 0)) throw ValueError("radius must not be negative");
}

double ns_per_query(const KdTree& tree, std::size_t k) {
    return 500 + 100 * static_cast<double>(tree.dim()) + 50 * static_cast<double>(k);
}

/// The queries, one after the other: rows of a matrix, or the points of the tree by position.
class Queries {
  public:
    Queries(const KdTree& tree, const MatrixView<const double>* rows) : tree_(tree), rows_(rows) {}
    std::size_t size() const { return rows_ ? rows_->rows : tree_.size(); }
    /// The row of the answer.
    std::size_t row(std::size_t i) const { return rows_ ? i : static_cast<std::size_t>(tree_.order()[i]); }
    /// The row of the point that query i is, -1 for none.
    std::int32_t self(std::size_t i) const { return rows_ ? -1 : tree_.order()[i]; }
    void copy(std::size_t i, double* query) const {
        for (std::size_t j = 0; j < tree_.dim(); ++j)
            query[j] = rows_ ? (*rows_)(i, j) : tree_.point(i)[j * tree_.leaf_size()];
    }

  private:
    const KdTree& tree_;
    const MatrixView<const double>* rows_;
};

Neighbors nearest(const RunContext& ctx, const KdTree& tree, const Queries& queries, std::size_t k) {
    check_k(tree, k);
    Neighbors out{Buffer<std::int32_t>(queries.size() * k), Buffer<double>(queries.size() * k)};
    with_sum(tree.metric(), [&]<class Sum>(Sum) {
        parallel_ranges(ctx, queries.size(), ns_per_query(tree, k), [&](std::size_t begin, std::size_t end, int) {
            std::vector<double> query(tree.dim()), distances(tree.leaf_size());
            Best best(k);
            for (std::size_t i = begin; i < end; ++i) {
                queries.copy(i, query.data());
                const std::int32_t self = queries.self(i);
                best.start();
                if (self >= 0) best.add(-1, self); // before all others
                descend<Sum>(
                    tree, 0, query.data(), [&] { return best.worst(); },
                    [&](std::size_t leaf) {
                        scan<Sum>(tree, leaf, query.data(), distances.data());
                        const KdTree::Node& node = tree.node(tree.leaf_node(leaf));
                        for (std::size_t p = node.begin; p < node.end; ++p)
                            if (distances[p - node.begin] <= best.worst() && tree.order()[p] != self)
                                best.add(distances[p - node.begin], tree.order()[p]);
                    });
                const std::size_t row = queries.row(i);
                for (std::size_t r = 0; r < k; ++r) {
                    out.indices[row * k + r] = best.items()[r].second;
                    out.distances[row * k + r] = distance_of(tree.metric(), std::max(best.items()[r].first, 0.0));
                }
            }
        });
    });
    return out;
}

Within inside(const RunContext& ctx, const KdTree& tree, const Queries& queries, double radius) {
    check_radius(radius);
    const double most = largest_reduced(tree.metric(), radius);
    Within out;
    out.offsets.assign(queries.size() + 1, 0);
    with_sum(tree.metric(), [&]<class Sum>(Sum) {
        const auto search = [&](auto&& found) { // found(row of the query, items), items ascending
            parallel_ranges(ctx, queries.size(), ns_per_query(tree, 32), [&](std::size_t begin, std::size_t end, int) {
                std::vector<double> query(tree.dim()), distances(tree.leaf_size());
                std::vector<std::pair<std::int32_t, double>> items;
                for (std::size_t i = begin; i < end; ++i) {
                    queries.copy(i, query.data());
                    items.clear();
                    if (to_box<Sum>(tree, 0, query.data()) <= most)
                        descend<Sum>(
                            tree, 0, query.data(), [&] { return most; },
                            [&](std::size_t leaf) {
                                scan<Sum>(tree, leaf, query.data(), distances.data());
                                const KdTree::Node& node = tree.node(tree.leaf_node(leaf));
                                for (std::size_t p = node.begin; p < node.end; ++p)
                                    if (distances[p - node.begin] <= most)
                                        items.emplace_back(tree.order()[p], distances[p - node.begin]);
                            });
                    std::sort(items.begin(), items.end());
                    found(queries.row(i), items);
                }
            });
        };
        search([&](std::size_t row, const auto& items) {
            out.offsets[row + 1] = static_cast<std::int64_t>(items.size());
        });
        for (std::size_t i = 0; i < queries.size(); ++i) out.offsets[i + 1] += out.offsets[i];
        out.indices = Buffer<std::int32_t>(static_cast<std::size_t>(out.offsets.back()));
        out.distances = Buffer<double>(static_cast<std::size_t>(out.offsets.back()));
        search([&](std::size_t row, const auto& items) {
            auto place = static_cast<std::size_t>(out.offsets[row]);
            for (const auto& [index, reduced] : items) {
                out.indices[place] = index;
                out.distances[place++] = distance_of(tree.metric(), reduced);
            }
        });
    });
    return out;
}

} // namespace

Neighbors k_nearest(const RunContext& ctx, const KdTree& tree, MatrixView<const double> queries, std::size_t k) {
    check_queries(tree, queries);
    return nearest(ctx, tree, Queries(tree, &queries), k);
}

Neighbors k_nearest(const RunContext& ctx, const KdTree& tree, std::size_t k) {
    return nearest(ctx, tree, Queries(tree, nullptr), k);
}

Within within(const RunContext& ctx, const KdTree& tree, MatrixView<const double> queries, double radius) {
    check_queries(tree, queries);
    return inside(ctx, tree, Queries(tree, &queries), radius);
}

Within within(const RunContext& ctx, const KdTree& tree, double radius) {
    return inside(ctx, tree, Queries(tree, nullptr), radius);
}

} // namespace mlcore::neighbors
