#include "neighbors/kd_tree.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace mlcore::neighbors {
namespace {

constexpr std::size_t lane_unit = 8;         // doubles in the widest vector
constexpr std::size_t parallel_size = 16384; // nodes with more points are split one level after the other

constexpr std::size_t few_dims = 4;

/// Node number `node` over the leaves [first, first + n_leaves).
struct Part {
    std::size_t node, first, n_leaves;
};

struct Item {
    double key;
    std::int32_t row;

    friend bool operator<(const Item& a, const Item& b) { return a.key < b.key || (a.key == b.key && a.row < b.row); }
};

class Builder {
  public:
    Builder(MatrixView<const double> points, std::size_t leaf_size, Buffer<KdTree::Node>& nodes,
            Buffer<std::uint32_t>& leaf_nodes, Buffer<std::int32_t>& order, Buffer<double>& boxes,
            Buffer<double>& coordinates)
        : points_(points), n_(points.rows), d_(points.cols), leaf_size_(leaf_size), nodes_(nodes),
          leaf_nodes_(leaf_nodes), order_(order), boxes_(boxes), coordinates_(coordinates) {}

    void run(const RunContext& ctx) {
        for (std::size_t i = 0; i < n_; ++i) order_[i] = static_cast<std::int32_t>(i);
        std::vector<Part> level{{0, 0, leaf_nodes_.size()}}, small;
        while (!level.empty()) {
            std::vector<Part> children(2 * level.size()), next;
            parallel_tasks(ctx, level.size(), ns_per_point() * static_cast<double>(n_ / level.size()),
                           [&](std::size_t i, int) {
                               if (level[i].n_leaves > 1) split(level[i], children[2 * i], children[2 * i + 1]);
                           });
            for (std::size_t i = 0; i < level.size(); ++i) {
                if (level[i].n_leaves == 1) {
                    small.push_back(level[i]);
                    continue;
                }
                for (const Part& child : {children[2 * i], children[2 * i + 1]})
                    (child.n_leaves * leaf_size_ > parallel_size ? next : small).push_back(child);
            }
            level = std::move(next);
        }
        parallel_tasks(ctx, small.size(), ns_per_point() * 8 * static_cast<double>(parallel_size),
                       [&](std::size_t i, int) { build(ctx, small[i]); });
    }

  private:
    double ns_per_point() const { return 10 + 2 * static_cast<double>(d_); }

    void build(const RunContext& ctx, const Part& part) {
        ctx.checkpoint();
        if (part.n_leaves == 1) return finish_leaf(part);
        Part left, right;
        split(part, left, right);
        build(ctx, left);
        build(ctx, right);
    }

    /// Fills in the node and its box.
    void start(const Part& part, std::size_t right) {
        const std::size_t begin = part.first * leaf_size_;
        const std::size_t end = std::min(begin + part.n_leaves * leaf_size_, n_);
        nodes_[part.node] = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end),
                             static_cast<std::uint32_t>(right)};
        double* lower = boxes_.data() + part.node * 2 * d_;
        double* upper = lower + d_;
        if (d_ <= few_dims) { // one dimension after the other: two least and two largest ones in registers
            const std::int32_t* rows = order_.data();
            for (std::size_t j = 0; j < d_; ++j) {
                const auto x = [&](std::size_t p) { return points_(static_cast<std::size_t>(rows[p]), j); };
                double least[2] = {x(begin), x(end - 1)}, largest[2] = {least[0], least[1]};
                for (std::size_t p = begin; p + 1 < end; p += 2)
                    for (std::size_t l = 0; l < 2; ++l) {
                        least[l] = std::min(least[l], x(p + l));
                        largest[l] = std::max(largest[l], x(p + l));
                    }
                lower[j] = std::min(least[0], least[1]);
                upper[j] = std::max(largest[0], largest[1]);
            }
            return;
        }
        std::fill_n(lower, d_, std::numeric_limits<double>::infinity());
        std::fill_n(upper, d_, -std::numeric_limits<double>::infinity());
        for (std::size_t p = begin; p < end; ++p) {
            const double* x = &points_(static_cast<std::size_t>(order_[p]), 0);
            for (std::size_t j = 0; j < d_; ++j) {
                const double y = x[static_cast<std::ptrdiff_t>(j) * points_.col_stride];
                lower[j] = std::min(lower[j], y);
                upper[j] = std::max(upper[j], y);
            }
        }
    }

    void split(const Part& part, Part& left, Part& right) {
        const std::size_t n_left = (part.n_leaves + 1) / 2;
        left = {part.node + 1, part.first, n_left};
        right = {part.node + 2 * n_left, part.first + n_left, part.n_leaves - n_left};
        start(part, right.node);
        const double* lower = boxes_.data() + part.node * 2 * d_;
        std::size_t widest = 0;
        for (std::size_t j = 1; j < d_; ++j)
            if (lower[d_ + j] - lower[j] > lower[d_ + widest] - lower[widest]) widest = j;
        const KdTree::Node& node = nodes_[part.node];
        // Pairs are copied, so that comparisons read what lies side by side.
        std::int32_t* rows = order_.data();
        Scratch<Item> items(node.size());
        for (std::size_t i = 0; i < node.size(); ++i)
            items[i] = {points_(static_cast<std::size_t>(rows[node.begin + i]), widest), rows[node.begin + i]};
        std::nth_element(items.data(), items.data() + (right.first * leaf_size_ - node.begin),
                         items.data() + node.size());
        for (std::size_t i = 0; i < node.size(); ++i) rows[node.begin + i] = items[i].row;
    }

    void finish_leaf(const Part& part) {
        start(part, 0);
        leaf_nodes_[part.first] = static_cast<std::uint32_t>(part.node);
        const KdTree::Node& node = nodes_[part.node];
        std::int32_t* rows = order_.data() + node.begin;
        std::sort(rows, rows + node.size());
        double* block = coordinates_.data() + part.first * leaf_size_ * d_;
        for (std::size_t j = 0; j < d_; ++j, block += leaf_size_) {
            for (std::size_t i = 0; i < node.size(); ++i) block[i] = points_(static_cast<std::size_t>(rows[i]), j);
            std::fill(block + node.size(), block + leaf_size_, std::numeric_limits<double>::infinity());
        }
    }

    MatrixView<const double> points_;
    std::size_t n_, d_, leaf_size_;
    Buffer<KdTree::Node>& nodes_;
    Buffer<std::uint32_t>& leaf_nodes_;
    Buffer<std::int32_t>& order_;
    Buffer<double>& boxes_;
    Buffer<double>& coordinates_;
};

} // namespace

KdTree::KdTree(const RunContext& ctx, MatrixView<const double> points, Metric metric, std::size_t leaf_size)
    : n_(points.rows), d_(points.cols), metric_(metric) {
    if (n_ == 0 || d_ == 0) throw ValueError("a kd-tree needs at least one point of at least one coordinate");
    if (n_ > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("a kd-tree holds fewer than 2^31 points, got " + std::to_string(n_));
    if (leaf_size == 0) throw ValueError("leaf_size must be at least 1");
    leaf_size_ = (std::min(leaf_size, n_) + lane_unit - 1) / lane_unit * lane_unit;
    const std::size_t n_leaves = (n_ + leaf_size_ - 1) / leaf_size_;
    nodes_ = Buffer<Node>(2 * n_leaves - 1);
    leaf_nodes_ = Buffer<std::uint32_t>(n_leaves);
    order_ = Buffer<std::int32_t>(n_);
    boxes_ = Buffer<double>(nodes_.size() * 2 * d_);
    coordinates_ = Buffer<double>(n_leaves * leaf_size_ * d_);
    Builder(points, leaf_size_, nodes_, leaf_nodes_, order_, boxes_, coordinates_).run(ctx);
}

} // namespace mlcore::neighbors
