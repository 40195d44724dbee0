#include "neighbors/spanning_tree.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

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
        if (!(core >= 0)) throw ValueError("core_distances must be >= 0, got " + std::to_string(core));
}

namespace {

/// A weight, as the bits of a number >= 0, which are in its order, and the edge that has it.
struct Key {
    std::uint64_t bits;
    std::uint32_t edge;
};

/// Ascending and stable, by 11 bits at a time; digits that all keys share are left out.
void radix_sort(std::vector<Key>& keys) {
    constexpr unsigned width = 11;
    constexpr std::uint64_t mask = (1U << width) - 1;
    std::vector<Key> sorted(keys.size());
    for (unsigned shift = 0; shift < 64; shift += width) {
        std::array<std::size_t, mask + 1> place{};
        for (const Key& key : keys) ++place[key.bits >> shift & mask];
        if (place[keys.front().bits >> shift & mask] == keys.size()) continue;
        std::size_t sum = 0;
        for (std::size_t& count : place) sum += std::exchange(count, sum);
        for (const Key& key : keys) sorted[place[key.bits >> shift & mask]++] = key;
        keys.swap(sorted);
    }
}

} // namespace

SpanningTree sorted_tree(const RunContext& ctx, const std::vector<Edge>& edges, std::span<const double> core_distances,
                         double alpha, Metric metric) {
    std::vector<Key> keys(edges.size());
    for (std::size_t e = 0; e < edges.size(); ++e) {
        double weight = distance_of(metric, edges[e].distance) / alpha;
        if (!core_distances.empty())
            weight = std::max({weight, core_distances[static_cast<std::size_t>(edges[e].from)],
                               core_distances[static_cast<std::size_t>(edges[e].to)]});
        keys[e] = {std::bit_cast<std::uint64_t>(weight + 0.0), static_cast<std::uint32_t>(e)}; // -0 becomes 0
    }
    ctx.checkpoint();
    if (!keys.empty()) radix_sort(keys);
    // Copies of a point come together before any other point of their weight does: they are never parted.
    const auto by_distance = [&](const Key& a, const Key& b) {
        const Edge &x = edges[a.edge], &y = edges[b.edge];
        return std::tie(x.distance, x.from, x.to) < std::tie(y.distance, y.from, y.to);
    };
    for (auto begin = keys.begin(), end = begin; begin != keys.end(); begin = end) {
        end = std::find_if(begin, keys.end(), [&](const Key& key) { return key.bits != begin->bits; });
        std::sort(begin, end, by_distance);
    }
    SpanningTree tree{std::vector<std::int32_t>(keys.size()), std::vector<std::int32_t>(keys.size()),
                      std::vector<double>(keys.size())};
    for (std::size_t k = 0; k < keys.size(); ++k) {
        tree.from[k] = edges[keys[k].edge].from;
        tree.to[k] = edges[keys[k].edge].to;
        tree.weights[k] = std::bit_cast<double>(keys[k].bits);
    }
    return tree;
}

} // namespace mlcore::neighbors
