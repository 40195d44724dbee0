#include "neighbors/spanning_tree.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

namespace mlcore::neighbors {

void check_spanning_tree(std::size_t n, std::span<const double> core_distances, double alpha) {
    if (n == 0) throw ValueError("a spanning tree needs at least one point");
    if (n > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("a spanning tree may have up to 2147483647 points, got " + std::to_string(n));
    if (!core_distances.empty() && core_distances.size() != n)
        throw ValueError("core_distances must have " + std::to_string(n) + " entries, got " +
                         std::to_string(core_distances.size()));
    if (!(alpha > 0) || !std::isfinite(alpha))
        throw ValueError("alpha must be a finite number > 0, got " + std::to_string(alpha));
    for (const double core : core_distances)
        if (!(core >= 0) || !std::isfinite(core))
            throw ValueError("core_distances must be finite and >= 0, got " + std::to_string(core));
}

SpanningTree sorted_tree(const RunContext& ctx, std::vector<Edge> edges, std::span<const double> core_distances,
                         double alpha, Metric metric) {
    for (Edge& edge : edges) {
        edge.weight = distance_of(metric, edge.distance) / alpha;
        if (core_distances.empty()) continue;
        edge.weight = std::max({edge.weight, core_distances[static_cast<std::size_t>(edge.from)],
                                core_distances[static_cast<std::size_t>(edge.to)]});
    }
    ctx.checkpoint();
    std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
        if (a.weight != b.weight) return a.weight < b.weight;
        return a.from != b.from ? a.from < b.from : a.to < b.to;
    });
    SpanningTree tree;
    tree.from.reserve(edges.size());
    tree.to.reserve(edges.size());
    tree.weights.reserve(edges.size());
    for (const Edge& edge : edges) {
        tree.from.push_back(edge.from);
        tree.to.push_back(edge.to);
        tree.weights.push_back(edge.weight);
    }
    return tree;
}

} // namespace mlcore::neighbors
