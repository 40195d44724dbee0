#include "cluster/hdbscan/condensed_tree.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace mlcore::cluster {
namespace {

using Id = std::int32_t;

std::size_t index(Id id) { return static_cast<std::size_t>(id); }

[[noreturn]] void wrong_merge(std::size_t row, const char* what) {
    throw ValueError("row " + std::to_string(row) + " of the single linkage tree " + what);
}

/// Nodes by number: points first.
class Nodes {
  public:
    explicit Nodes(std::span<const Merge> merges) : merges_(merges), n_(merges.size() + 1) {}

    std::size_t n_points() const { return n_; }
    bool is_point(std::size_t node) const { return node < n_; }
    const Merge& merge(std::size_t node) const { return merges_[node - n_]; }
    std::size_t size(std::size_t node) const { return is_point(node) ? 1 : static_cast<std::size_t>(merge(node).size); }

  private:
    std::span<const Merge> merges_;
    std::size_t n_;
};

/// Collects rows; keeps its queues, so that the many small sides ask for no memory.
class Condenser {
  public:
    Condenser(const Nodes& nodes, std::size_t min_cluster_size) : nodes_(nodes), least_(min_cluster_size) {
        const std::size_t rows = nodes.n_points() + 2 * (nodes.n_points() / min_cluster_size);
        tree_.parent.reserve(rows);
        tree_.child.reserve(rows);
        tree_.lambda.reserve(rows);
        tree_.size.reserve(rows);
    }

    CondensedTree run() {
        const std::size_t n = nodes_.n_points();
        std::vector<Open> open{{2 * n - 2, static_cast<Id>(n)}};
        for (std::size_t next = 0; next < open.size(); ++next) {
            const auto [node, cluster] = open[next];
            const Merge& merge = nodes_.merge(node);
            const auto left = static_cast<std::size_t>(merge.left), right = static_cast<std::size_t>(merge.right);
            const double lambda = 1.0 / merge.distance;
            const bool is_last = std::isinf(lambda);
            const bool left_stays = !is_last && nodes_.size(left) >= least_;
            const bool right_stays = !is_last && nodes_.size(right) >= least_;
            if (left_stays && right_stays) {
                open.push_back({left, begin_cluster(cluster, left, lambda)});
                open.push_back({right, begin_cluster(cluster, right, lambda)});
                continue;
            }
            if (left_stays)
                open.push_back({left, cluster});
            else
                points_leave(cluster, left, lambda);
            if (right_stays)
                open.push_back({right, cluster});
            else
                points_leave(cluster, right, lambda);
        }
        return std::move(tree_);
    }

  private:
    struct Open {
        std::size_t node;
        Id cluster;
    };

    void row(Id parent, Id child, double lambda, std::size_t size) {
        tree_.parent.push_back(parent);
        tree_.child.push_back(child);
        tree_.lambda.push_back(lambda);
        tree_.size.push_back(static_cast<Id>(size));
    }

    Id begin_cluster(Id parent, std::size_t node, double lambda) {
        const Id cluster = static_cast<Id>(nodes_.n_points()) + ++n_begun_;
        row(parent, cluster, lambda, nodes_.size(node));
        return cluster;
    }

    /// All points below a node, level by level.
    void points_leave(Id cluster, std::size_t node, double lambda) {
        below_.assign(1, node);
        for (std::size_t next = 0; next < below_.size(); ++next) {
            const std::size_t one = below_[next];
            if (nodes_.is_point(one)) {
                row(cluster, static_cast<Id>(one), lambda, 1);
            } else {
                below_.push_back(static_cast<std::size_t>(nodes_.merge(one).left));
                below_.push_back(static_cast<std::size_t>(nodes_.merge(one).right));
            }
        }
    }

    const Nodes& nodes_;
    const std::size_t least_;
    Id n_begun_ = 0;
    CondensedTree tree_;
    std::vector<std::size_t> below_;
};

} // namespace

void check_merges(std::span<const Merge> merges) {
    const std::size_t n = merges.size() + 1;
    if (merges.empty() || n > index(std::numeric_limits<Id>::max()) / 2)
        throw ValueError("a single linkage tree must have 1 to 2^30 rows, got " + std::to_string(merges.size()));
    std::vector<char> used(2 * n - 1, 0);
    for (std::size_t i = 0; i < merges.size(); ++i) {
        const Merge& merge = merges[i];
        double size = 0;
        for (const double side : {merge.left, merge.right}) {
            if (!(side >= 0 && side < static_cast<double>(n + i)) || side != std::floor(side))
                wrong_merge(i, "names a node that is not there yet");
            const auto node = static_cast<std::size_t>(side);
            if (used[node]++) wrong_merge(i, "merges a node that is merged already");
            size += node < n ? 1 : merges[node - n].size;
        }
        if (!(merge.distance >= (i == 0 ? 0 : merges[i - 1].distance)))
            wrong_merge(i, "has a distance that is negative, NaN or below that of the row before");
        if (merge.size != size) wrong_merge(i, "has a size that is not the sum of those of its parts");
    }
}

CondensedTree condense(std::span<const Merge> merges, std::size_t min_cluster_size) {
    const Nodes nodes(merges);
    return Condenser(nodes, min_cluster_size).run();
}

CondensedTree simplify(const CondensedTree& tree, double persistence) {
    const std::size_t n_rows = tree.child.size();
    const Id n = tree.parent[0]; // the root comes first
    std::vector<std::size_t> splits;
    Id last = n;
    for (std::size_t r = 0; r < n_rows; ++r)
        if (tree.child[r] > n) {
            splits.push_back(r);
            last = std::max(last, tree.child[r]);
        }
    const std::size_t n_clusters = index(last - n) + 1;
    const auto number = [&](Id cluster) { return index(cluster - n); };

    // From the leaves up: the highest lambda below each cluster, and what becomes of those that end too soon.
    std::vector<double> top(n_clusters, 0);
    for (std::size_t r = 0; r < n_rows; ++r)
        top[number(tree.parent[r])] = std::max(top[number(tree.parent[r])], tree.lambda[r]);
    std::vector<char> is_leaf(n_clusters, 1);
    for (const std::size_t r : splits) is_leaf[number(tree.parent[r])] = 0;
    std::vector<Id> becomes(n_clusters);
    for (std::size_t c = 0; c < n_clusters; ++c) becomes[c] = static_cast<Id>(c);
    constexpr double lives = -1;
    std::vector<double> ends_at(n_clusters, lives);
    for (std::size_t pair = splits.size(); pair >= 2; pair -= 2) {
        const std::size_t r = splits[pair - 2];
        const std::size_t parent = number(tree.parent[r]);
        std::size_t weaker = number(tree.child[r]), stronger = number(tree.child[splits[pair - 1]]);
        if (top[weaker] > top[stronger]) std::swap(weaker, stronger);
        top[parent] = std::max(top[parent], top[stronger]);
        if (top[weaker] - tree.lambda[r] >= persistence) continue;
        if (is_leaf[stronger])
            is_leaf[parent] = 1;
        else
            ends_at[weaker] = tree.lambda[r];
        becomes[weaker] = becomes[stronger] = static_cast<Id>(parent);
    }

    std::vector<Id> renamed(n_clusters); // parents come before their children
    Id n_kept = 0;
    for (std::size_t c = 0; c < n_clusters; ++c) {
        const std::size_t into = index(becomes[c]);
        renamed[c] = into == c ? n_kept++ : renamed[into];
        if (ends_at[c] == lives) ends_at[c] = ends_at[into]; // what was merged into c ends with it
    }
    CondensedTree found;
    for (std::size_t r = 0; r < n_rows; ++r) {
        const Id child = tree.child[r];
        const std::size_t parent = number(tree.parent[r]);
        if (child > n && index(becomes[number(child)]) != number(child)) continue;
        found.parent.push_back(n + renamed[parent]);
        found.child.push_back(child > n ? n + renamed[number(child)] : child);
        found.lambda.push_back(ends_at[parent] == lives ? tree.lambda[r] : ends_at[parent]);
        found.size.push_back(tree.size[r]);
    }
    return found;
}

} // namespace mlcore::cluster
