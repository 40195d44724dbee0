#include "cluster/single_linkage.hpp"

#include "core/disjoint_sets.hpp"
#include "core/error.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>

namespace mlcore::cluster {

std::vector<double> single_linkage(const RunContext& ctx, std::span<const std::int32_t> from,
                                   std::span<const std::int32_t> to, std::span<const double> weights) {
    const std::size_t n_edges = weights.size(), n = n_edges + 1;
    if (from.size() != n_edges || to.size() != n_edges)
        throw ValueError("from, to and weights of a spanning tree must have one length");
    DisjointSets sets(n);
    std::vector<std::int64_t> cluster(n); // of roots
    std::vector<std::int32_t> size(n, 1); // of roots
    std::iota(cluster.begin(), cluster.end(), 0);
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
        const auto a = static_cast<std::size_t>(sets.root(from[e])), b = static_cast<std::size_t>(sets.root(to[e]));
        if (a == b) throw ValueError("edge " + std::to_string(e) + " of a spanning tree closes a cycle");
        const std::size_t root = std::min(a, b);
        sets.join(from[e], to[e]);
        size[root] = size[a] + size[b];
        merges.insert(merges.end(), {static_cast<double>(std::min(cluster[a], cluster[b])),
                                     static_cast<double>(std::max(cluster[a], cluster[b])), weights[e],
                                     static_cast<double>(size[root])});
        cluster[root] = static_cast<std::int64_t>(n + e);
    }
    return merges;
}

} // namespace mlcore::cluster
