#include "cluster/agglomerative/ward.hpp"

#include "cluster/agglomerative/centroid_tree.hpp"
#include "cluster/agglomerative/chain.hpp"
#include "cluster/agglomerative/cluster_matrix.hpp"
#include "core/parallel.hpp"
#include "neighbors/bits.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace mlcore::cluster {
namespace {

using neighbors::at_most, neighbors::for_bits, simd::Doubles;
constexpr std::size_t lanes = simd::lanes_of<double>;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// So few clusters that their matrix, 32 MiB at most, costs less than searches in d columns.
std::size_t few(std::size_t d) { return std::min<std::size_t>(32 * d, 2048); }

constexpr std::size_t many_columns = 24; // in which a tree leaves out little: searches share what they read

/// The square of the distance. The factor is the same for (a, b) and (b, a), to the bit.
template <class T>
[[gnu::always_inline]] inline T squared_ward(T squared, T a, T b) {
    return squared * (2 * (a * b) / (a + b));
}

/// Sums of squares, the same for (a, b) and (b, a).
struct Squares {
    template <class T>
    static T add(T sum, T difference) {
        return simd::fma(difference, difference, sum);
    }
};

/// Searches through the tree of all, for n <= group clusters.
template <std::size_t group>
void find_nearest(const Clusters& clusters, const CentroidTree& tree, const std::int32_t* selves, std::size_t n,
                  std::vector<Nearest>& nearest) {
    std::array<const double*, group> centers{};
    std::array<double, group> sizes{};
    std::array<Nearest, group> found;
    found.fill({Nearest::unknown, infinity});
    for (std::size_t q = 0; q < n; ++q) {
        centers[q] = clusters.center(static_cast<std::size_t>(selves[q]));
        sizes[q] = static_cast<double>(clusters.size(static_cast<std::size_t>(selves[q])));
    }
    const auto order_of = [&](std::size_t q, std::int32_t k) {
        return tie_order(clusters.names[static_cast<std::size_t>(selves[q])],
                         clusters.names[static_cast<std::size_t>(k)]);
    };
    tree.search<Squares, group>(
        centers, n, [&](std::size_t q, double squared, double least) { return squared_ward(squared, sizes[q], least); },
        [&](std::size_t q) { return found[q].value; },
        [&](std::size_t q, Doubles squared, Doubles others, const std::int32_t* numbers) {
            Nearest& best = found[q];
            const Doubles values = squared_ward(squared, simd::broadcast(sizes[q]), others);
            for_bits(at_most(values, simd::broadcast(best.value)), [&](std::size_t l) {
                if (numbers[l] == selves[q] || numbers[l] == Nearest::unknown) return;
                if (values[l] < best.value || best.cluster == Nearest::unknown ||
                    (values[l] == best.value && order_of(q, numbers[l]) < order_of(q, best.cluster)))
                    best = {numbers[l], values[l]};
            });
        });
    for (std::size_t q = 0; q < n; ++q) nearest[static_cast<std::size_t>(selves[q])] = found[q];
}

/// For all clusters whose nearest is unknown.
template <std::size_t group>
void find_unknown(const RunContext& ctx, const Clusters& clusters, std::vector<Nearest>& nearest) {
    const CentroidTree tree(clusters);
    std::vector<std::int32_t> unknown;
    for (const std::int32_t c : tree.order())
        if (nearest[static_cast<std::size_t>(c)].cluster == Nearest::unknown) unknown.push_back(c);
    parallel_tasks(ctx, (unknown.size() + group - 1) / group, 200.0 * static_cast<double>(group * clusters.d),
                   [&](std::size_t task, int) {
                       const std::size_t first = task * group;
                       find_nearest<group>(clusters, tree, unknown.data() + first,
                                           std::min(group, unknown.size() - first), nearest);
                   });
}

/// The distance of two clusters, rests and all.
double ward_distance(const Clusters& clusters, std::size_t a, std::size_t b, double size_a, double size_b) {
    double squared = 0;
    for (std::size_t j = 0; j < clusters.d; ++j) {
        const double difference = clusters.coordinate(a, j).minus(clusters.coordinate(b, j));
        squared += difference * difference;
    }
    return std::sqrt(squared_ward(squared, size_a, size_b));
}

/// Clusters that are merged pair by pair. Searches compare values of centroids without their rests, which decide among
/// nearly equal ones at most; the heights of merges are exact.
class Merger {
  public:
    Merger(Clusters& clusters, double unit, std::vector<Merge>& merges)
        : clusters_(clusters), unit_(unit), merges_(merges), sizes_(clusters.count()) {
        for (std::size_t c = 0; c < sizes_.size(); ++c) sizes_[c] = static_cast<double>(clusters.size(c));
    }

    const std::vector<double>& sizes() const { return sizes_; } // 0: gone

    /// Names ascend with positions: the first one, a < b, becomes the cluster of both.
    void merge(std::size_t a, std::size_t b) {
        const std::size_t d = clusters_.d;
        const double height = ward_distance(clusters_, a, b, sizes_[a], sizes_[b]) / unit_;
        merges_.push_back({clusters_.names[a], clusters_.names[b], height});
        const double share = sizes_[b] / (sizes_[a] + sizes_[b]);
        for (std::size_t j = 0; j < d; ++j) {
            const Coordinate mean = clusters_.coordinate(a, j).moved(clusters_.coordinate(b, j), share);
            clusters_.centers[a * d + j] = mean.value;
            clusters_.rests[a * d + j] = mean.rest;
        }
        sizes_[a] += sizes_[b];
        sizes_[b] = 0;
    }

  private:
    Clusters& clusters_;
    double unit_;
    std::vector<Merge>& merges_;
    std::vector<double> sizes_;
};

/// Centroids by columns in blocks of lanes, the last one filled up with infinity.
std::vector<double> blocks_of(const Clusters& clusters) {
    const std::size_t m = clusters.count(), d = clusters.d;
    std::vector<double> columns(simd::round_up(m, lanes) * d, infinity);
    for (std::size_t c = 0; c < m; ++c)
        for (std::size_t j = 0; j < d; ++j) columns[(c / lanes * d + j) * lanes + c % lanes] = clusters.center(c)[j];
    return columns;
}

/// The matrix of squares. Tiles of rows meet groups of blocks, so that both stay in cache.
ClusterMatrix matrix_of(const RunContext& ctx, const Clusters& clusters, const std::vector<double>& sizes) {
    constexpr std::size_t tile = 32, group = 4;
    const std::size_t m = clusters.count(), d = clusters.d, n_blocks = (m + lanes - 1) / lanes;
    const std::vector<double> columns = blocks_of(clusters);
    ClusterMatrix matrix{Buffer<double>(m * m), m};
    const double ns = 0.1 * static_cast<double>(tile * m * (d + 4));
    parallel_tasks(ctx, (m + tile - 1) / tile, ns, [&](std::size_t t, int) {
        for (std::size_t first = t * tile / lanes; first < n_blocks; first += group)
            for (std::size_t a = t * tile; a < std::min((t + 1) * tile, m); ++a)
                for_blocks<Squares>(clusters.center(a), d, columns.data() + first * d * lanes,
                                    std::min(group, n_blocks - first), [&](std::size_t i, Doubles squared) {
                                        const std::size_t begin = (first + i) * lanes, end = std::min(begin + lanes, m);
                                        for (std::size_t b = begin; b < end; ++b)
                                            matrix.row(a)[b] = squared_ward(squared[b - begin], sizes[a], sizes[b]);
                                    });
    });
    mirror(ctx, matrix);
    return matrix;
}

/// Clusters for the chain. A slot that is free has a centroid at infinity.
class Centroids {
  public:
    Centroids(const Clusters& clusters, Merger& merger)
        : clusters_(clusters), merger_(merger), n_alive_(clusters.count()), columns_(blocks_of(clusters)),
          sizes_(simd::round_up(n_alive_, lanes), 1.0) {
        std::copy(merger.sizes().begin(), merger.sizes().end(), sizes_.begin());
    }

    std::size_t n_alive() const { return n_alive_; }
    std::size_t any() {
        while (sizes_[first_] == 0) ++first_;
        return first_;
    }
    double value(std::size_t a, std::size_t b) const {
        return squared_ward(
            neighbors::reduced_distance<Squares>(clusters_.center(a), 1, clusters_.center(b), 1, clusters_.d),
            sizes_[a], sizes_[b]);
    }
    Neighbour nearest(const RunContext& ctx, std::size_t slot) const {
        const Neighbour none{clusters_.count(), infinity};
        std::vector<Neighbour> found(static_cast<std::size_t>(ctx.n_threads), none);
        parallel_ranges(ctx, sizes_.size() / lanes, 0.05 * static_cast<double>(lanes * (clusters_.d + 4)),
                        [&](std::size_t begin, std::size_t end, int thread) {
                            Neighbour& best = found[static_cast<std::size_t>(thread)];
                            best = nearer(best, nearest_within(slot, begin, end));
                        });
        return std::accumulate(found.begin(), found.end(), none, nearer);
    }
    void merge(std::size_t a, std::size_t b, double) {
        const std::size_t kept = std::min(a, b), freed = std::max(a, b), d = clusters_.d;
        merger_.merge(kept, freed);
        for (std::size_t j = 0; j < d; ++j) {
            columns_[(kept / lanes * d + j) * lanes + kept % lanes] = clusters_.center(kept)[j];
            columns_[(freed / lanes * d + j) * lanes + freed % lanes] = infinity;
        }
        sizes_[kept] += sizes_[freed];
        sizes_[freed] = 0;
        --n_alive_;
    }

  private:
    static Neighbour nearer(const Neighbour& a, const Neighbour& b) {
        return b.value < a.value || (b.value == a.value && b.slot < a.slot) ? b : a;
    }
    /// Among those of some blocks.
    Neighbour nearest_within(std::size_t slot, std::size_t begin, std::size_t end) const {
        const std::size_t d = clusters_.d;
        const Doubles size = simd::broadcast(sizes_[slot]);
        Neighbour best{clusters_.count(), infinity};
        for_blocks<Squares>(clusters_.center(slot), d, columns_.data() + begin * d * lanes, end - begin,
                            [&](std::size_t i, Doubles squared) {
                                const std::size_t first = (begin + i) * lanes;
                                // A free slot has size 0 here, whose factor would make NaN of infinity.
                                const Doubles values = squared_ward(squared, size, simd::load(sizes_.data() + first));
                                for_bits(at_most(values, simd::broadcast(best.value)), [&](std::size_t l) {
                                    if (first + l != slot && values[l] < best.value) best = {first + l, values[l]};
                                });
                            });
        return best;
    }

    const Clusters& clusters_;
    Merger& merger_;
    std::size_t n_alive_, first_ = 0;
    std::vector<double> columns_; // in blocks
    std::vector<double> sizes_;   // 0: free
};

} // namespace

std::vector<Merge> ward_merges(const RunContext& ctx, const Points& points) {
    std::vector<Merge> merges;
    merges.reserve(points.n - 1);
    Clusters clusters = distinct_points(points, merges);
    std::vector<Nearest> nearest(clusters.count());
    while (clusters.count() > few(points.d)) {
        ctx.checkpoint();
        const std::size_t m = clusters.count();
        if (clusters.d < many_columns)
            find_unknown<1>(ctx, clusters, nearest);
        else
            find_unknown<16>(ctx, clusters, nearest);
        const std::vector<std::int32_t> partner = reciprocal_pairs(nearest);
        const std::size_t before = merges.size();
        for (std::size_t c = 0; c < m; ++c)
            if (const auto other = static_cast<std::size_t>(partner[c]); c < other)
                merges.push_back({clusters.names[c], clusters.names[other],
                                  ward_distance(clusters, c, other, static_cast<double>(clusters.size(c)),
                                                static_cast<double>(clusters.size(other))) /
                                      points.unit});
        const std::size_t n_merges = merges.size() - before;
        clusters = merged(ctx, clusters, partner, nearest);
        if (!worth_another_round(m, n_merges)) break;
    }
    if (clusters.count() == 1) return merges;
    Merger merger(clusters, points.unit, merges);
    if (clusters.count() > few(points.d)) {
        Centroids rest(clusters, merger);
        follow_chain(ctx, rest);
        return merges;
    }
    std::vector<std::int32_t> positions(clusters.count());
    std::iota(positions.begin(), positions.end(), 0);
    const std::vector<double> sizes = merger.sizes();
    merge_by_matrix(ctx, matrix_of(ctx, clusters, sizes), Pairwise::ward, positions, sizes,
                    [&](std::int32_t a, std::int32_t b, double) {
                        merger.merge(static_cast<std::size_t>(a), static_cast<std::size_t>(b));
                    });
    return merges;
}

} // namespace mlcore::cluster
