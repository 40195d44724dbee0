#include "cluster/agglomerative/connected.hpp"

#include "cluster/agglomerative/clusters.hpp"
#include "core/disjoint_sets.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "neighbors/distance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

namespace mlcore::cluster {
namespace {

/// A merge that could be: of clusters a > b by number. The least goes first.
struct Candidate {
    double value;
    std::int32_t a, b;

    bool operator>(const Candidate& other) const {
        if (value != other.value) return value > other.value;
        return a != other.a ? a > other.a : b > other.b;
    }
};
using Queue = std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>>;

struct Neighbor {
    std::int32_t cluster;
    double value; // of the pair; Ward's is computed anew from centroids
};

/// Clusters by number: rows are 0 .. n - 1, merge i makes n + i.
struct Graph {
    std::vector<std::vector<Neighbor>> neighbors;
    std::vector<double> sizes; // 0: merged

    bool gone(std::int32_t cluster) const { return sizes[static_cast<std::size_t>(cluster)] == 0; }
};

/// What the neighbours of clusters a and b are to the cluster of both: each once, ascending.
template <class Both>
std::vector<Neighbor> joined_neighbors(const Graph& graph, std::size_t a, std::size_t b, Both&& both) {
    const auto living = [&](std::size_t c) {
        std::vector<Neighbor> found;
        for (const Neighbor& n : graph.neighbors[c])
            if (!graph.gone(n.cluster)) found.push_back(n);
        std::sort(found.begin(), found.end(), [](const auto& x, const auto& y) { return x.cluster < y.cluster; });
        return found;
    };
    const std::vector<Neighbor> of_a = living(a), of_b = living(b);
    std::vector<Neighbor> result;
    for (std::size_t i = 0, k = 0; i < of_a.size() || k < of_b.size();) {
        if (k == of_b.size() || (i < of_a.size() && of_a[i].cluster < of_b[k].cluster)) {
            result.push_back(of_a[i++]);
        } else if (i == of_a.size() || of_b[k].cluster < of_a[i].cluster) {
            result.push_back(of_b[k++]);
        } else {
            result.push_back({of_a[i].cluster, both(of_a[i].value, of_b[k].value)});
            ++i, ++k;
        }
    }
    return result;
}

/// Kruskal's algorithm: the merges of single linkage are the edges of the minimum spanning tree.
Hierarchy single_connected(std::size_t n, std::vector<Candidate> edges) {
    std::sort(edges.begin(), edges.end(), [](const auto& x, const auto& y) { return y > x; });
    DisjointSets sets(n);
    std::vector<Merge> merges;
    for (const Candidate& edge : edges) {
        const auto [low, high] = std::minmax({sets.root(edge.a), sets.root(edge.b)}); // of values: none dangles
        if (sets.join(low, high)) merges.push_back({low, high, edge.value});
    }
    if (merges.size() + 1 < n) throw ValueError("the edges do not connect all rows");
    return sorted_hierarchy(n, std::move(merges));
}

/// Centroids of clusters by number, for Ward's linkage.
class WardValue {
  public:
    WardValue(const Points& points, std::size_t n_clusters) : d_(points.d), centers_(n_clusters * points.d) {
        std::copy_n(points.values.data(), points.n * d_, centers_.data());
    }
    double operator()(const Graph& graph, std::size_t a, std::size_t b) const {
        const double squared = neighbors::reduced_distance<neighbors::SquaredEuclidean>(
            centers_.data() + a * d_, 1, centers_.data() + b * d_, 1, d_);
        return squared * (2 * (graph.sizes[a] * graph.sizes[b]) / (graph.sizes[a] + graph.sizes[b]));
    }
    void merge(std::size_t a, std::size_t b, double share_b, std::size_t into) {
        const double *x = centers_.data() + a * d_, *y = centers_.data() + b * d_;
        for (std::size_t j = 0; j < d_; ++j) centers_[into * d_ + j] = x[j] + share_b * (y[j] - x[j]);
    }

  private:
    std::size_t d_;
    std::vector<double> centers_;
};

} // namespace

double Rows::distance(std::size_t i, std::size_t k) const {
    if (!points.data) return distances(i, k);
    return neighbors::distance_of(metric, neighbors::with_sum(metric, [&]<class Sum>(Sum) {
                                      return neighbors::reduced_distance<Sum>(points.row(i).data, 1, points.row(k).data,
                                                                              1, points.cols);
                                  }));
}

Hierarchy agglomerate_connected(const RunContext& ctx, const Rows& rows, std::span<const std::int32_t> from,
                                std::span<const std::int32_t> to, Linkage linkage) {
    const std::size_t n = rows.count(), n_all = 2 * n - 1;
    std::vector<Candidate> edges(from.size());
    for (std::size_t e = 0; e < edges.size(); ++e) {
        const auto [low, high] = std::minmax(from[e], to[e]);
        if (low < 0 || static_cast<std::size_t>(high) >= n || low == high)
            throw ValueError("an edge must connect two different rows");
        edges[e] = {rows.distance(static_cast<std::size_t>(high), static_cast<std::size_t>(low)), high, low};
    }
    if (linkage == Linkage::single) return single_connected(n, std::move(edges));

    const bool ward = linkage == Linkage::ward;
    const Points points = ward ? prepared_points(rows.points, false) : Points{};
    WardValue ward_value(points, ward ? n_all : 0);
    Graph graph{std::vector<std::vector<Neighbor>>(n_all), std::vector<double>(n_all, 0.0)};
    std::fill_n(graph.sizes.begin(), n, 1.0);
    for (Candidate& edge : edges) {
        const auto a = static_cast<std::size_t>(edge.a), b = static_cast<std::size_t>(edge.b);
        if (ward) edge.value = ward_value(graph, a, b);
        graph.neighbors[a].push_back({edge.b, edge.value});
        graph.neighbors[b].push_back({edge.a, edge.value});
    }
    Queue queue(std::greater<>(), std::move(edges));
    Hierarchy result;
    for (std::size_t next = n; next < n_all; ++next) {
        ctx.checkpoint();
        while (!queue.empty() && (graph.gone(queue.top().a) || graph.gone(queue.top().b))) queue.pop();
        if (queue.empty()) throw ValueError("the edges do not connect all rows");
        const Candidate best = queue.top();
        const auto a = static_cast<std::size_t>(best.a), b = static_cast<std::size_t>(best.b);
        result.children.push_back(best.b);
        result.children.push_back(best.a);
        result.distances.push_back(ward ? std::sqrt(best.value) / points.unit : best.value);
        const double size_a = graph.sizes[a], size_b = graph.sizes[b], total = size_a + size_b;
        if (ward) ward_value.merge(a, b, size_b / total, next);
        graph.sizes[a] = graph.sizes[b] = 0;
        graph.sizes[next] = total;
        std::vector<Neighbor> all = joined_neighbors(graph, a, b, [&](double of_a, double of_b) {
            return linkage == Linkage::average ? (size_a * of_a + size_b * of_b) / total : std::max(of_a, of_b);
        });
        graph.neighbors[a] = graph.neighbors[b] = {};
        for (Neighbor& neighbor : all) {
            const auto other = static_cast<std::size_t>(neighbor.cluster);
            if (ward) neighbor.value = ward_value(graph, next, other);
            graph.neighbors[other].push_back({static_cast<std::int32_t>(next), neighbor.value});
            queue.push({neighbor.value, static_cast<std::int32_t>(next), neighbor.cluster});
        }
        graph.neighbors[next] = std::move(all);
    }
    return result;
}

std::vector<std::int32_t> closest_pairs(const RunContext& ctx, const Rows& rows,
                                        std::span<const std::int32_t> components, std::size_t n_components) {
    std::vector<std::vector<std::size_t>> members(n_components);
    for (std::size_t i = 0; i < components.size(); ++i) {
        if (components[i] < 0 || static_cast<std::size_t>(components[i]) >= n_components)
            throw ValueError("components must be numbered from 0 on");
        members[static_cast<std::size_t>(components[i])].push_back(i);
    }
    for (const auto& component : members)
        if (component.empty()) throw ValueError("each component must have a row");
    const std::size_t n_pairs = n_components * (n_components - 1) / 2;
    std::vector<std::int32_t> pairs(2 * n_pairs);
    const auto n = static_cast<double>(rows.count()), d = static_cast<double>(rows.points.cols + 4);
    parallel_tasks(ctx, n_components, n * n / static_cast<double>(2 * n_components) * d, [&](std::size_t a, int) {
        for (std::size_t b = 0; b < a; ++b) {
            double least = std::numeric_limits<double>::infinity();
            std::size_t best_a = members[a][0], best_b = members[b][0];
            for (const std::size_t i : members[a]) {
                ctx.checkpoint();
                for (const std::size_t k : members[b])
                    if (const double distance = rows.distance(i, k); distance < least) {
                        least = distance;
                        best_a = i;
                        best_b = k;
                    }
            }
            const std::size_t pair = a * (a - 1) / 2 + b;
            pairs[2 * pair] = static_cast<std::int32_t>(best_a);
            pairs[2 * pair + 1] = static_cast<std::int32_t>(best_b);
        }
    });
    return pairs;
}

} // namespace mlcore::cluster
