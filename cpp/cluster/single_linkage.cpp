#include "cluster/single_linkage.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>

namespace mlcore::cluster {
namespace {

/// Sets of points, each with the number of its cluster and its size.
class Clusters {
  public:
    explicit Clusters(std::size_t n) : parent_(n), cluster_(n), size_(n, 1) {
        std::iota(parent_.begin(), parent_.end(), 0);
        std::iota(cluster_.begin(), cluster_.end(), 0);
    }

    std::size_t root(std::int32_t point) {
        auto p = static_cast<std::size_t>(point);
        while (parent_[p] != static_cast<std::int32_t>(p)) { // every second point on the way up skips one
            parent_[p] = parent_[static_cast<std::size_t>(parent_[p])];
            p = static_cast<std::size_t>(parent_[p]);
        }
        return p;
    }
    std::int64_t cluster(std::size_t root) const { return cluster_[root]; }
    std::int32_t size(std::size_t root) const { return size_[root]; }

    /// The larger set takes the other in.
    void join(std::size_t a, std::size_t b, std::int64_t cluster) {
        if (size_[a] < size_[b]) std::swap(a, b);
        parent_[b] = static_cast<std::int32_t>(a);
        size_[a] += size_[b];
        cluster_[a] = cluster;
    }

  private:
    std::vector<std::int32_t> parent_;
    std::vector<std::int64_t> cluster_; // of roots
    std::vector<std::int32_t> size_;    // of roots
};

} // namespace

std::vector<double> single_linkage(const RunContext& ctx, std::span<const std::int32_t> from,
                                   std::span<const std::int32_t> to, std::span<const double> weights) {
    const std::size_t n_edges = weights.size(), n = n_edges + 1;
    if (from.size() != n_edges || to.size() != n_edges)
        throw ValueError("from, to and weights of a spanning tree must have one length");
    Clusters clusters(n);
    std::vector<double> merges;
    merges.reserve(4 * n_edges);
    const auto is_point = [&](std::int32_t p) { return p >= 0 && static_cast<std::size_t>(p) < n; };
    for (std::size_t e = 0; e < n_edges; ++e) {
        if (e % 65536 == 0) ctx.checkpoint();
        if (!is_point(from[e]) || !is_point(to[e]))
            throw ValueError("edge " + std::to_string(e) + " of a spanning tree of " + std::to_string(n) +
                             " points joins " + std::to_string(from[e]) + " and " + std::to_string(to[e]));
        if (!(weights[e] >= 0) || (e > 0 && weights[e] < weights[e - 1]))
            throw ValueError("weights of a spanning tree must ascend from 0, but do not at edge " + std::to_string(e));
        const std::size_t a = clusters.root(from[e]), b = clusters.root(to[e]);
        if (a == b) throw ValueError("edge " + std::to_string(e) + " of a spanning tree closes a cycle");
        const std::int64_t first = clusters.cluster(a), second = clusters.cluster(b);
        merges.push_back(static_cast<double>(std::min(first, second)));
        merges.push_back(static_cast<double>(std::max(first, second)));
        merges.push_back(weights[e]);
        merges.push_back(static_cast<double>(clusters.size(a)) + static_cast<double>(clusters.size(b)));
        clusters.join(a, b, static_cast<std::int64_t>(n + e));
    }
    return merges;
}

} // namespace mlcore::cluster
