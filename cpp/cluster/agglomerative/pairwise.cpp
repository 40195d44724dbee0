#include "cluster/agglomerative/pairwise.hpp"

#include "cluster/agglomerative/centroid_tree.hpp"
#include "cluster/agglomerative/memory_left.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "neighbors/bits.hpp"
#include "neighbors/distance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::cluster {
namespace {

using neighbors::distance_of, neighbors::Metric, neighbors::SumOf, simd::Doubles;
constexpr std::size_t lanes = simd::lanes_of<double>;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::size_t few = 2048; // clusters whose matrix is computed: 32 MiB

/// Values of the search and entries of the matrix: the distance itself for averages; the reduced one for maxima.
template <Pairwise linkage, Metric metric>
double height_of(double value) {
    return linkage == Pairwise::average ? value : distance_of(metric, value);
}

/// The rows of all clusters, cluster after cluster.
std::vector<double> sorted_rows(const RunContext& ctx, const Points& points, const Clusters& clusters) {
    std::vector<double> sorted(points.n * points.d);
    parallel_ranges(ctx, points.n, 1.0 * static_cast<double>(points.d + 4),
                    [&](std::size_t begin, std::size_t end, int) {
                        for (std::size_t i = begin; i < end; ++i)
                            std::copy_n(points.values.data() + static_cast<std::size_t>(clusters.rows[i]) * points.d,
                                        points.d, sorted.data() + i * points.d);
                    });
    return sorted;
}

template <Pairwise linkage, Metric metric>
class Search {
  public:
    Search(const RunContext& ctx, const Points& points, const Clusters& clusters)
        : clusters_(clusters), tree_(clusters), rows_(sorted_rows(ctx, points, clusters)),
          // Centroids are rounded, and with them what they bound.
          slack_(16 * std::numeric_limits<double>::epsilon() * points.largest * static_cast<double>(points.d)) {}

    const std::vector<std::int32_t>& order() const { return tree_.order(); }

    /// The same for (a, b) and (b, a), to the bit.
    double value(std::size_t a, std::size_t b) const {
        if (a > b) std::swap(a, b);
        const std::size_t d = clusters_.d;
        double total = 0;
        for (std::size_t i = clusters_.offsets[a]; i < clusters_.offsets[a + 1]; ++i)
            for (std::size_t k = clusters_.offsets[b]; k < clusters_.offsets[b + 1]; ++k) {
                const double reduced =
                    neighbors::reduced_distance<SumOf<metric>>(rows_.data() + i * d, 1, rows_.data() + k * d, 1, d);
                if constexpr (linkage == Pairwise::average)
                    total += distance_of(metric, reduced);
                else
                    total = std::max(total, reduced);
            }
        if constexpr (linkage == Pairwise::average)
            total /= static_cast<double>(clusters_.size(a)) * static_cast<double>(clusters_.size(b));
        return total;
    }

    Nearest nearest(std::size_t c) const {
        const auto self = static_cast<std::int32_t>(c);
        const auto order_of = [&](std::int32_t k) {
            return tie_order(clusters_.names[c], clusters_.names[static_cast<std::size_t>(k)]);
        };
        Nearest best{Nearest::unknown, infinity};
        double limit = infinity; // of reduced distances of centroids
        tree_.template search<SumOf<metric>, 1>(
            {clusters_.center(c)}, 1, [](std::size_t, double reduced, double) { return reduced; },
            [&](std::size_t) { return limit; },
            [&](std::size_t, Doubles reduced, Doubles, const std::int32_t* numbers) {
                neighbors::for_bits(neighbors::at_most(reduced, simd::broadcast(limit)), [&](std::size_t l) {
                    const std::int32_t other = numbers[l];
                    if (other == self || other == Nearest::unknown || reduced[l] > limit) return;
                    const double v = value(c, static_cast<std::size_t>(other));
                    if (v < best.value || best.cluster == Nearest::unknown ||
                        (v == best.value && order_of(other) < order_of(best.cluster))) {
                        best = {other, v};
                        limit = limit_of(v);
                    }
                });
            });
        return best;
    }

  private:
    /// Centroids further apart than this belong to clusters whose value is larger.
    double limit_of(double value) const {
        const double distance = height_of<linkage, metric>(value);
        if constexpr (metric == Metric::manhattan || metric == Metric::chebyshev)
            return (distance + slack_) * (1 + 1e-12);
        const double norm = (metric == Metric::cosine ? std::sqrt(2 * distance) : distance) + slack_;
        return norm * norm * (1 + 1e-12);
    }

    const Clusters& clusters_;
    CentroidTree tree_;
    std::vector<double> rows_;
    double slack_;
};

Doubles square_roots(Doubles v) {
    for (std::size_t l = 0; l < lanes; ++l) v[l] = std::sqrt(v[l]); // one instruction, without errno
    return v;
}

/// The matrix between clusters: one pass over all pairs of rows.
template <Pairwise linkage, Metric metric>
ClusterMatrix matrix_of(const RunContext& ctx, const Points& points, const Clusters& clusters) {
    const std::size_t m = clusters.count(), n = points.n, d = points.d, width = simd::round_up(n, lanes);
    require_memory(m * m * sizeof(double) / 2 * 3 + d * width * sizeof(double));
    ClusterMatrix matrix{Buffer<double>(m * m), m};
    Buffer<double> columns(d * width, 0.0); // the rows of all clusters, by columns
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < d; ++j)
            columns[j * width + i] = points.values[static_cast<std::size_t>(clusters.rows[i]) * d + j];
    const double ns = static_cast<double>(n) / static_cast<double>(m) * 0.5 * static_cast<double>(n) *
                      (0.2 * static_cast<double>(d) + 1);
    std::vector<Buffer<double>> scratch(static_cast<std::size_t>(ctx.n_threads));
    parallel_tasks(ctx, m, ns, [&](std::size_t a, int thread) {
        Buffer<double>& all = scratch[static_cast<std::size_t>(thread)];
        if (all.empty()) all = Buffer<double>(width);
        const std::size_t end = clusters.offsets[a + 1];
        for (std::size_t i = clusters.offsets[a]; i < end; ++i) {
            const bool first = i == clusters.offsets[a];
            for (std::size_t k = end / lanes * lanes; k < n; k += lanes) {
                Doubles reduced{};
                for (std::size_t j = 0; j < d; ++j)
                    reduced = SumOf<metric>::add(reduced,
                                                 simd::load(columns.data() + j * width + k) - columns[j * width + i]);
                if constexpr (linkage == Pairwise::average) {
                    if constexpr (metric == Metric::euclidean) reduced = square_roots(reduced);
                    if constexpr (metric == Metric::cosine) reduced *= 0.5;
                    simd::store(all.data() + k, first ? reduced : simd::load(all.data() + k) + reduced);
                } else {
                    const Doubles most = simd::load(all.data() + k);
                    simd::store(all.data() + k, first ? reduced : most > reduced ? most : reduced);
                }
            }
        }
        for (std::size_t b = a + 1; b < m; ++b) {
            double total = 0;
            for (std::size_t k = clusters.offsets[b]; k < clusters.offsets[b + 1]; ++k)
                total = linkage == Pairwise::average ? total + all[k] : std::max(total, all[k]);
            if constexpr (linkage == Pairwise::average)
                total /= static_cast<double>(clusters.size(a)) * static_cast<double>(clusters.size(b));
            matrix.row(a)[b] = total;
        }
    });
    mirror(ctx, matrix);
    return matrix;
}

template <Pairwise linkage, Metric metric>
std::vector<Merge> merges_of(const RunContext& ctx, const Points& points) {
    std::vector<Merge> merges;
    merges.reserve(points.n - 1);
    Clusters clusters = distinct_points(points, merges);
    std::vector<Nearest> nearest(clusters.count());
    while (clusters.count() > few) {
        ctx.checkpoint();
        const std::size_t m = clusters.count();
        const Search<linkage, metric> search(ctx, points, clusters);
        parallel_tasks(ctx, m, 500.0 * static_cast<double>(clusters.d), [&](std::size_t p, int) {
            const auto c = static_cast<std::size_t>(search.order()[p]);
            if (nearest[c].cluster == Nearest::unknown) nearest[c] = search.nearest(c);
        });
        const std::vector<std::int32_t> partner = reciprocal_pairs(nearest);
        const std::size_t before = merges.size();
        for (std::size_t c = 0; c < m; ++c)
            if (const auto other = static_cast<std::size_t>(partner[c]); c < other)
                merges.push_back({clusters.names[c], clusters.names[other],
                                  height_of<linkage, metric>(nearest[c].value) / points.unit});
        const std::size_t n_merges = merges.size() - before;
        clusters = merged(ctx, clusters, partner, nearest);
        if (!worth_another_round(m, n_merges)) break;
    }
    if (clusters.count() == 1) return merges;
    std::vector<double> sizes(clusters.count());
    for (std::size_t c = 0; c < sizes.size(); ++c) sizes[c] = static_cast<double>(clusters.size(c));
    merge_by_matrix(ctx, matrix_of<linkage, metric>(ctx, points, clusters), linkage, clusters.names, std::move(sizes),
                    [&](std::int32_t a, std::int32_t b, double value) {
                        merges.push_back({a, b, height_of<linkage, metric>(value) / points.unit});
                    });
    return merges;
}

} // namespace

std::vector<Merge> pairwise_merges(const RunContext& ctx, const Points& points, Pairwise linkage,
                                   neighbors::Metric metric) {
    return neighbors::with_metric(metric, [&]<Metric M>() {
        return linkage == Pairwise::average ? merges_of<Pairwise::average, M>(ctx, points)
                                            : merges_of<Pairwise::complete, M>(ctx, points);
    });
}

} // namespace mlcore::cluster
