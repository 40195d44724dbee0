#include "neighbors/distance_graph.hpp"

#include "core/disjoint_sets.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace mlcore::neighbors {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double ns_per_entry = 3;

/// Entries of a matrix by column: what each row is told by the others.
struct Transposed {
    std::vector<std::size_t> offsets;
    Buffer<std::int32_t> rows;
    Buffer<double> values;
};

template <class Index>
Transposed transpose(const CsrView<double, Index>& D) {
    Transposed out{std::vector<std::size_t>(D.rows + 1, 0), Buffer<std::int32_t>(D.n_stored()),
                   Buffer<double>(D.n_stored())};
    for (std::size_t e = 0; e < D.n_stored(); ++e) ++out.offsets[static_cast<std::size_t>(D.indices[e]) + 1];
    for (std::size_t j = 0; j < D.rows; ++j) out.offsets[j + 1] += out.offsets[j];
    std::vector<std::size_t> place(out.offsets.begin(), out.offsets.end() - 1);
    for (std::size_t i = 0; i < D.rows; ++i)
        for (std::size_t e = D.begin(i); e < D.end(i); ++e) {
            const std::size_t at = place[static_cast<std::size_t>(D.indices[e])]++;
            out.rows[at] = static_cast<std::int32_t>(i);
            out.values[at] = D.data[e];
        }
    return out;
}

template <class Index>
void check_entries(const RunContext& ctx, const CsrView<double, Index>& D) {
    parallel_ranges(ctx, D.rows, ns_per_entry, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t e = D.begin(i); e < D.end(i); ++e) {
                if (e > D.begin(i) && D.indices[e] <= D.indices[e - 1])
                    throw ValueError("columns must ascend within a row, but do not in row " + std::to_string(i));
                if (!(D.data[e] >= 0))
                    throw ValueError("distances must be >= 0, but not all of row " + std::to_string(i) + " are");
            }
    });
}

/// use(j, distance) for each neighbour j of row i, ascending, from either side.
template <class Index, class Use>
void for_neighbors(const CsrView<double, Index>& D, const Transposed& across, std::size_t i, Use&& use) {
    constexpr auto none = std::numeric_limits<std::int64_t>::max();
    std::size_t own = D.begin(i), other = across.offsets[i];
    const std::size_t own_end = D.end(i), other_end = across.offsets[i + 1];
    while (own < own_end || other < other_end) {
        const std::int64_t a = own < own_end ? static_cast<std::int64_t>(D.indices[own]) : none;
        const std::int64_t b = other < other_end ? std::int64_t{across.rows[other]} : none;
        const double from = a <= b ? D.data[own++] : infinity, to = b <= a ? across.values[other++] : infinity;
        const std::int64_t j = std::min(a, b);
        if (static_cast<std::size_t>(j) == i) continue;
        if (a == b && from != to && !(std::abs(from - to) <= 1e-8 * from))
            throw ValueError("distances must be symmetric, but rows " + std::to_string(i) + " and " +
                             std::to_string(j) + " are " + std::to_string(from) + " and " + std::to_string(to) +
                             " apart");
        const double distance = std::min(from, to);
        if (distance < infinity) use(static_cast<std::int32_t>(j), distance);
    }
}

} // namespace

template <class Index>
DistanceGraph read_distance_graph(const RunContext& ctx, const CsrView<double, Index>& D) {
    if (D.rows != D.cols || D.rows > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("a matrix of distances must be square, with up to 2147483647 rows, got shape (" +
                         std::to_string(D.rows) + ", " + std::to_string(D.cols) + ")");
    const std::size_t n = D.rows;
    check_entries(ctx, D);
    const Transposed across = transpose(D);
    ctx.checkpoint();
    const double ns_per_row =
        2 * ns_per_entry * static_cast<double>(D.n_stored()) / static_cast<double>(std::max<std::size_t>(n, 1));
    DistanceGraph graph;
    graph.offsets.assign(n + 1, 0);
    parallel_ranges(ctx, n, ns_per_row, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i)
            for_neighbors(D, across, i, [&](std::int32_t, double) { ++graph.offsets[i + 1]; });
    });
    for (std::size_t i = 0; i < n; ++i) graph.offsets[i + 1] += graph.offsets[i];
    graph.neighbors = Buffer<std::int32_t>(graph.offsets[n]);
    graph.distances = Buffer<double>(graph.offsets[n]);
    parallel_ranges(ctx, n, ns_per_row, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) {
            std::size_t at = graph.offsets[i];
            for_neighbors(D, across, i, [&](std::int32_t j, double distance) {
                graph.neighbors[at] = j;
                graph.distances[at++] = distance;
            });
        }
    });
    return graph;
}

template DistanceGraph read_distance_graph(const RunContext&, const CsrView<double, std::int32_t>&);
template DistanceGraph read_distance_graph(const RunContext&, const CsrView<double, std::int64_t>&);

std::vector<double> core_distances(const RunContext& ctx, const DistanceGraph& graph, std::size_t k) {
    if (k == 0) throw ValueError("k must be at least 1");
    const std::size_t n = graph.size();
    std::vector<double> cores(n, k == 1 ? 0.0 : infinity);
    if (k == 1) return cores;
    const double ns_per_row = ns_per_entry * static_cast<double>(graph.offsets[n]) / static_cast<double>(n + 1);
    parallel_ranges(ctx, n, ns_per_row, [&](std::size_t begin, std::size_t end, int) {
        std::vector<double> row;
        for (std::size_t i = begin; i < end; ++i) {
            row.assign(graph.distances.begin() + graph.offsets[i], graph.distances.begin() + graph.offsets[i + 1]);
            if (row.size() < k - 1) continue;
            const auto kth = row.begin() + static_cast<std::ptrdiff_t>(k - 2);
            std::nth_element(row.begin(), kth, row.end());
            cores[i] = *kth;
        }
    });
    return cores;
}

SpanningTree boruvka(const RunContext& ctx, DistanceGraph graph, std::span<const double> core_distances, double alpha) {
    // Distances that are given are not reduced: those of Manhattan are not either.
    constexpr Metric metric = Metric::manhattan;
    const std::size_t n = graph.size();
    check_spanning_tree(n, core_distances, alpha);
    const double scale = reduced_scale(metric, alpha);
    const auto core_of = [&](std::size_t row) { return core_distances.empty() ? 0.0 : core_distances[row]; };

    std::vector<std::size_t> ends(graph.offsets.begin() + 1, graph.offsets.end()); // of what is left of each row
    std::vector<std::int32_t> component(n);
    for (std::size_t i = 0; i < n; ++i) component[i] = static_cast<std::int32_t>(i);
    const auto is_outward = [&](const Edge& edge) {
        return component[static_cast<std::size_t>(edge.from)] != component[static_cast<std::size_t>(edge.to)];
    };
    /// The least edge of row i that leaves its component; entries that do not leave it never will, and are dropped.
    const auto least_of_row = [&](std::size_t i) {
        Edge least;
        std::size_t kept = graph.offsets[i];
        for (std::size_t e = kept; e < ends[i]; ++e) {
            const std::int32_t j = graph.neighbors[e];
            if (component[static_cast<std::size_t>(j)] == component[i]) continue;
            const double distance = graph.distances[e];
            graph.neighbors[kept] = j;
            graph.distances[kept++] = distance;
            const double weight = std::max({distance * scale, core_of(i), core_of(static_cast<std::size_t>(j))});
            const Edge edge = make_edge(weight, distance, static_cast<std::int32_t>(i), j);
            if (edge < least) least = edge;
        }
        ends[i] = kept;
        return least;
    };

    std::vector<Edge> edges, of_row(n), of_component(n);
    edges.reserve(n - 1);
    DisjointSets sets(n);
    const double ns_per_row = ns_per_entry * static_cast<double>(graph.offsets[n]) / static_cast<double>(n);
    for (std::size_t found = n; found > 0;) { // edges of a round
        parallel_ranges(ctx, n, ns_per_row, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t i = begin; i < end; ++i)
                if (graph.offsets[i] < ends[i] && (edges.empty() || !is_outward(of_row[i])))
                    of_row[i] = least_of_row(i);
        });
        std::fill(of_component.begin(), of_component.end(), Edge{});
        for (std::size_t i = 0; i < n; ++i) {
            if (graph.offsets[i] == ends[i]) continue;
            Edge& least = of_component[static_cast<std::size_t>(component[i])];
            if (of_row[i] < least) least = of_row[i];
        }
        found = edges.size();
        for (const Edge& edge : of_component)
            if (edge.distance < infinity && sets.join(edge.from, edge.to)) edges.push_back(edge);
        found = edges.size() - found;
        for (std::size_t i = 0; i < n; ++i) component[i] = sets.root(static_cast<std::int32_t>(i));
    }
    for (std::size_t j = 1; j < n; ++j)
        if (sets.join(0, static_cast<std::int32_t>(j)))
            edges.push_back(make_edge(infinity, infinity, 0, static_cast<std::int32_t>(j)));
    return sorted_tree(ctx, edges, core_distances, alpha, metric);
}

} // namespace mlcore::neighbors
