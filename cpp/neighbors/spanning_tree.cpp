#include "neighbors/spanning_tree.hpp"

#include <algorithm>
#include <cstddef>

namespace mlcore::neighbors {

SpanningTree sorted_tree(const RunContext& ctx, std::vector<Edge> edges, std::span<const double> core_distances,
                         double alpha, Metric metric) {
    for (Edge& edge : edges) {
        edge.weight = unreduce(metric, edge.distance) / alpha;
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
