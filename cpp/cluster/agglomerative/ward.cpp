#include "cluster/agglomerative/ward.hpp"

#include "cluster/agglomerative/centroid_tree.hpp"
#include "cluster/agglomerative/chain.hpp"
#include "core/parallel.hpp"

#include <cmath>
#include <limits>

namespace mlcore::cluster {
namespace {

using simd::Doubles;
constexpr std::size_t lanes = simd::lanes_of<double>;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// The square of the distance. The factor is the same for (a, b) and (b, a), to the bit.
template <class T>
[[gnu::always_inline]] inline T squared_ward(T squared, T a, T b) {
    return squared * (2 * (a * b) / (a + b));
}

/// One cluster's search through the tree of all.
Nearest nearest_of(const Clusters& clusters, const CentroidTree& tree, std::size_t c) {
    const auto self = static_cast<std::int32_t>(c);
    const auto size = static_cast<double>(clusters.size(c));
    const Doubles sizes_of_self = simd::broadcast(size);
    Nearest best{Nearest::unknown, infinity};
    tree.search<neighbors::SquaredEuclidean>(
        clusters.center(c), [&](double squared, double least) { return squared_ward(squared, size, least); },
        [&] { return best.value; },
        [&](Doubles squared, Doubles sizes, const std::int32_t* numbers) {
            const Doubles values = squared_ward(squared, sizes_of_self, sizes);
            const auto candidates = values <= simd::broadcast(best.value);
            for (std::size_t l = 0; l < lanes; ++l) {
                if (!candidates[l] || numbers[l] == self || numbers[l] == Nearest::unknown) continue;
                const auto name = [&](std::int32_t k) { return clusters.names[static_cast<std::size_t>(k)]; };
                if (values[l] < best.value || best.cluster == Nearest::unknown ||
                    (values[l] == best.value &&
                     tie_order(name(self), name(numbers[l])) < tie_order(name(self), name(best.cluster))))
                    best = {numbers[l], values[l]};
            }
        });
    return best;
}

/// The distance of two clusters. A search compares values of centroids without their rests, which decide among nearly
/// equal ones at most.
double ward_distance(const Clusters& clusters, std::size_t a, std::size_t b) {
    double squared = 0;
    for (std::size_t j = 0; j < clusters.d; ++j) {
        const double difference = clusters.coordinate(a, j).minus(clusters.coordinate(b, j));
        squared += difference * difference;
    }
    return std::sqrt(
        squared_ward(squared, static_cast<double>(clusters.size(a)), static_cast<double>(clusters.size(b))));
}

/// Clusters for the chain: centroids by columns, so that a search reads whole vectors. A slot that is free has a
/// centroid at infinity.
class Centroids {
  public:
    Centroids(const Clusters& clusters, double unit, std::vector<Merge>& merges)
        : d_(clusters.d), n_slots_(clusters.count()), width_(simd::round_up(n_slots_, lanes)), n_alive_(n_slots_),
          unit_(unit), names_(clusters.names), columns_(d_ * width_, infinity), rests_(d_ * width_, 0.0),
          sizes_(width_, 1.0), merges_(merges) {
        for (std::size_t c = 0; c < n_slots_; ++c) {
            sizes_[c] = static_cast<double>(clusters.size(c));
            for (std::size_t j = 0; j < d_; ++j) put(c, j, clusters.coordinate(c, j));
        }
    }

    std::size_t n_alive() const { return n_alive_; }
    std::size_t any() {
        while (free(first_)) ++first_;
        return first_;
    }
    double value(std::size_t a, std::size_t b) const {
        double squared = 0;
        for (std::size_t j = 0; j < d_; ++j) {
            const double difference = at(a, j) - at(b, j);
            squared += difference * difference;
        }
        return squared_ward(squared, sizes_[a], sizes_[b]);
    }
    Neighbour nearest(const RunContext& ctx, std::size_t slot) const {
        std::vector<Neighbour> found(static_cast<std::size_t>(ctx.n_threads), {n_slots_, infinity});
        parallel_ranges(ctx, n_slots_, 0.1 * static_cast<double>(d_ + 4),
                        [&](std::size_t begin, std::size_t end, int thread) {
                            // Cut at multiples of 64: of whole vectors.
                            const Neighbour here = nearest_within(slot, begin, simd::round_up(end, lanes));
                            auto& best = found[static_cast<std::size_t>(thread)];
                            if (here.value < best.value || (here.value == best.value && here.slot < best.slot))
                                best = here;
                        });
        Neighbour best = found[0];
        for (const Neighbour& other : found)
            if (other.value < best.value || (other.value == best.value && other.slot < best.slot)) best = other;
        return best;
    }
    void merge(std::size_t a, std::size_t b, double) {
        const std::size_t kept = names_[a] < names_[b] ? a : b, freed = kept == a ? b : a;
        const double share = sizes_[freed] / (sizes_[kept] + sizes_[freed]);
        double squared = 0;
        for (std::size_t j = 0; j < d_; ++j) {
            const Coordinate x = coordinate(kept, j), y = coordinate(freed, j);
            squared += x.minus(y) * x.minus(y);
            put(kept, j, x.moved(y, share));
            put(freed, j, {infinity, 0});
        }
        const double distance = std::sqrt(squared_ward(squared, sizes_[kept], sizes_[freed]));
        merges_.push_back({names_[kept], names_[freed], distance / unit_});
        sizes_[kept] += sizes_[freed];
        sizes_[freed] = 0;
        --n_alive_;
    }

  private:
    Coordinate coordinate(std::size_t slot, std::size_t j) const { return {at(slot, j), rests_[j * width_ + slot]}; }
    void put(std::size_t slot, std::size_t j, Coordinate x) {
        columns_[j * width_ + slot] = x.value;
        rests_[j * width_ + slot] = x.rest;
    }
    double at(std::size_t slot, std::size_t j) const { return columns_[j * width_ + slot]; }
    bool free(std::size_t slot) const { return sizes_[slot] == 0; }

    Neighbour nearest_within(std::size_t slot, std::size_t begin, std::size_t end) const {
        const Doubles size = simd::broadcast(sizes_[slot]);
        Neighbour best{n_slots_, infinity};
        for (std::size_t s = begin; s < end; s += lanes) {
            Doubles squared{};
            for (std::size_t j = 0; j < d_; ++j) {
                const Doubles difference = simd::load(columns_.data() + j * width_ + s) - at(slot, j);
                squared += difference * difference;
            }
            // A free slot has size 0 here, whose factor would make NaN of infinity.
            const Doubles other = simd::load(sizes_.data() + s);
            const Doubles values = squared_ward(squared, size, other);
            const auto candidates = values < simd::broadcast(best.value);
            for (std::size_t l = 0; l < lanes; ++l)
                if (candidates[l] && s + l != slot && values[l] < best.value) best = {s + l, values[l]};
        }
        return best;
    }

    std::size_t d_, n_slots_, width_, n_alive_, first_ = 0;
    double unit_;
    std::vector<std::int32_t> names_;
    std::vector<double> columns_, rests_; // (d, width)
    std::vector<double> sizes_;           // 0: free
    std::vector<Merge>& merges_;
};

} // namespace

std::vector<Merge> ward_merges(const RunContext& ctx, const Points& points) {
    std::vector<Merge> merges;
    merges.reserve(points.n - 1);
    Clusters clusters = distinct_points(points, merges);
    std::vector<Nearest> nearest(clusters.count());
    while (clusters.count() > 1) {
        ctx.checkpoint();
        const std::size_t m = clusters.count();
        const CentroidTree tree(clusters);
        parallel_tasks(ctx, m, 200.0 * static_cast<double>(clusters.d), [&](std::size_t p, int) {
            const auto c = static_cast<std::size_t>(tree.order()[p]);
            if (nearest[c].cluster == Nearest::unknown) nearest[c] = nearest_of(clusters, tree, c);
        });
        const std::vector<std::int32_t> partner = reciprocal_pairs(nearest);
        const std::size_t before = merges.size();
        for (std::size_t c = 0; c < m; ++c)
            if (const auto other = static_cast<std::size_t>(partner[c]); c < other)
                merges.push_back(
                    {clusters.names[c], clusters.names[other], ward_distance(clusters, c, other) / points.unit});
        const std::size_t n_merges = merges.size() - before;
        clusters = merged(ctx, clusters, partner, nearest);
        if (!worth_another_round(m, n_merges)) break;
    }
    Centroids rest(clusters, points.unit, merges);
    follow_chain(ctx, rest);
    return merges;
}

} // namespace mlcore::cluster
