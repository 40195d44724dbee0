#include "cluster/kmeans/plus_plus.hpp"

#include "cluster/kmeans/centers.hpp"
#include "cluster/kmeans/nearest_tile.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "core/sums.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace mlcore::kmeans {
namespace {

constexpr std::size_t block = 32 * panel_points; // points of one sum
constexpr std::size_t few = panel_points / 8;    // points of a panel that are rather measured one by one
constexpr float near = 16; // distances below so many error bounds are measured exactly: products say too little of them

class Seeding {
  public:
    Seeding(const RunContext& ctx, const Points& points, std::size_t k, std::size_t n_trials)
        : ctx_(ctx), points_(points), d_(points.dim()), n_trials_(n_trials),
          n_blocks_((points.size() + block - 1) / block), closest_(simd::round_up(points.size(), panel_points), 0.0F),
          weights_(closest_.size(), 0.0F), nearest_(closest_.size(), 0), sums_(n_blocks_), random_(ctx.seed, 0) {
        double heaviest = 0;
        for (std::size_t i = 0; i < points.size(); ++i) heaviest = std::max(heaviest, points.weight(i));
        if (heaviest == 0) heaviest = 1;
        for (std::size_t i = 0; i < points.size(); ++i) weights_[i] = static_cast<float>(points.weight(i) / heaviest);
        std::fill_n(closest_.begin(), points.size(), std::numeric_limits<float>::infinity());
        chosen_.reserve(k * d_);
    }

    std::vector<std::int64_t> run(std::size_t k) {
        std::vector<std::int64_t> rows;
        for (std::size_t b = 0; b < n_blocks_; ++b)
            for (std::size_t i = b * block; i < end(b); ++i) sums_[b] += static_cast<double>(weights_[i]);
        rows.push_back(draw([&](std::size_t i) { return weights_[i]; }));
        take(rows.back());
        while (rows.size() < k) {
            ctx_.checkpoint();
            rows.push_back(best_of_trials());
            take(rows.back());
        }
        return rows;
    }

  private:
    std::size_t end(std::size_t b) const { return std::min((b + 1) * block, points_.size()); }

    /// A point with probability proportional to mass(i), of which sums_ are the sums of blocks.
    template <class Mass>
    std::int64_t draw(Mass&& mass) {
        double total = 0;
        for (const double s : sums_) total += s;
        double left = random_.uniform(draws_++) * total;
        std::size_t b = 0, last = 0;
        for (; b < n_blocks_; ++b) {
            if (sums_[b] > 0) last = b;
            if (left < sums_[b]) break;
            left -= sums_[b];
        }
        if (b == n_blocks_) { // rounding
            b = last;
            left = sums_[b];
        }
        std::size_t found = b * block;
        for (std::size_t i = b * block; i < end(b); ++i) {
            const auto m = static_cast<double>(mass(i));
            if (m > 0) found = i;
            if (left < m) break;
            left -= m;
        }
        return static_cast<std::int64_t>(found);
    }

    std::int64_t best_of_trials() {
        std::vector<std::int64_t> candidates;
        for (std::size_t t = 0; t < n_trials_; ++t)
            candidates.push_back(draw([&](std::size_t i) { return weights_[i] * closest_[i]; }));
        const std::vector<double> sums = block_sums(candidates, false);
        std::vector<double> potentials(n_trials_);
        for (std::size_t b = 0; b < n_blocks_; ++b)
            for (std::size_t t = 0; t < n_trials_; ++t) potentials[t] += sums[b * n_trials_ + t];
        const auto best = std::min_element(potentials.begin(), potentials.end()) - potentials.begin();
        return candidates[static_cast<std::size_t>(best)];
    }

    void take(std::int64_t row) {
        sums_ = block_sums({row}, true);
        chosen_.resize(chosen_.size() + d_);
        points_.copy(static_cast<std::size_t>(row), chosen_.data() + chosen_.size() - d_);
    }

    /// For each center chosen before: a point whose squared distance to it is not above this is no nearer to any of the
    /// candidates, by the triangle inequality. (A tenth is left for roundings of the distances.)
    std::vector<float> reach(const std::vector<double>& candidates) const {
        std::vector<float> out(chosen_.size() / d_);
        for (std::size_t a = 0; a < out.size(); ++a) {
            double least = std::numeric_limits<double>::infinity();
            for (std::size_t t = 0; t < candidates.size() / d_; ++t)
                least = std::min(least, sum_in_lanes<8>(d_, [&](std::size_t i) {
                                     const double z = (candidates[t * d_ + i] - chosen_[a * d_ + i]) * points_.scale();
                                     return z * z;
                                 }));
            out[a] = static_cast<float>(least * (0.9 / 4));
        }
        return out;
    }

    /// (n_blocks, candidates): sums over blocks of what would be left with each of the candidates. `take_it`: of the
    /// only one, which is from now on one of the centers.
    std::vector<double> block_sums(const std::vector<std::int64_t>& candidates, bool take_it) {
        const std::size_t m = candidates.size();
        std::vector<double> centers(m * d_), sums(n_blocks_ * m);
        for (std::size_t t = 0; t < m; ++t)
            points_.copy(static_cast<std::size_t>(candidates[t]), centers.data() + t * d_);
        const Centers prepared(points_, centers.data(), m);
        const std::vector<float> near_enough = reach(centers);
        const double ns = 0.03 * static_cast<double>(prepared.stride() * d_) + 4;
        parallel_tasks(ctx_, n_blocks_, block * ns, [&](std::size_t b, int) {
            Buffer<float> distances(m * panel_points);
            std::vector<double> dense(points_.is_sparse() ? d_ : 0);
            for (std::size_t p = b * block; p < end(b); p += panel_points) {
                const std::size_t count = std::min(panel_points, end(b) - p);
                std::int32_t is_open[panel_points], any_open = near_enough.empty();
                for (std::size_t i = 0; i < panel_points && !near_enough.empty(); ++i) {
                    is_open[i] = closest_[p + i] > near_enough[static_cast<std::size_t>(nearest_[p + i])];
                    any_open |= is_open[i];
                }
                if (!any_open) {
                    const double sum = weighted(closest_.data() + p, p);
                    for (std::size_t t = 0; t < m; ++t) sums[b * m + t] += sum;
                    continue;
                }
                std::size_t open[panel_points], n_open = 0;
                for (std::size_t i = 0; i < count; ++i) {
                    open[n_open] = i;
                    n_open += near_enough.empty() || is_open[i];
                }
                measure(prepared, p, count, {open, n_open}, distances.data(), dense.data());
                for (std::size_t t = 0; t < m; ++t) {
                    float* left = distances.data() + t * panel_points;
                    if (take_it) {
                        const auto number = static_cast<std::int32_t>(near_enough.size());
                        for (std::size_t i = 0; i < count; ++i)
                            if (left[i] < closest_[p + i]) nearest_[p + i] = number;
                    }
                    for (std::size_t i = 0; i < panel_points; ++i)
                        left[i] = left[i] < closest_[p + i] ? left[i] : closest_[p + i];
                    sums[b * m + t] += weighted(left, p);
                }
                if (take_it) std::copy_n(distances.data(), panel_points, closest_.data() + p);
            }
        });
        return sums;
    }

    double weighted(const float* values, std::size_t p) const {
        const float* w = weights_.data() + p;
        return static_cast<double>(sum_in_lanes<16>(panel_points, [=](std::size_t i) { return w[i] * values[i]; }));
    }

    /// distances (m, panel width): squared ones of the points p .. p + count; of those that are not open, infinity will
    /// do.
    void measure(const Centers& centers, std::size_t p, std::size_t count, std::span<const std::size_t> open,
                 float* distances, double* dense) const {
        const std::size_t m = centers.size();
        const auto exact = [&](std::size_t i, std::size_t t) {
            return static_cast<float>(centers.squared_distance(points_, p + i, t, dense));
        };
        if (points_.is_sparse() || open.size() <= few) {
            std::fill_n(distances, m * panel_points, std::numeric_limits<float>::infinity());
            for (std::size_t t = 0; t < m; ++t)
                for (const std::size_t i : open) distances[t * panel_points + i] = exact(i, t);
            return;
        }
        const std::size_t height = centers.height();
        const ValuesTile kernel = values_tile_of(height);
        float values[tile_centers * panel_points], squares[panel_points], errors[panel_points];
        for (std::size_t i = 0; i < panel_points; ++i) {
            const float norm = points_.norms()[p + i], reach = norm + centers.largest();
            squares[i] = norm * norm;
            errors[i] = near * (centers.error(norm) + 0x1p-20F * reach * reach);
        }
        const float* closest = closest_.data() + p;
        for (std::size_t tile = 0; tile < centers.n_tiles(); ++tile) {
            kernel(centers.tile(tile), centers.norms() + tile * height, points_.panel(p / panel_points), d_, values);
            for (std::size_t j = 0; j < std::min(height, m - tile * height); ++j) {
                float* out = distances + (tile * height + j) * panel_points;
                std::int32_t is_vague[panel_points], any_vague = 0; // and may be nearer than what is known
                for (std::size_t i = 0; i < panel_points; ++i) {
                    out[i] = values[j * panel_points + i] + squares[i];
                    is_vague[i] = (out[i] <= errors[i]) & (out[i] - errors[i] < closest[i]);
                    any_vague |= is_vague[i];
                }
                if (any_vague)
                    for (std::size_t i = 0; i < count; ++i)
                        if (is_vague[i]) out[i] = exact(i, tile * height + j);
            }
        }
    }

    const RunContext& ctx_;
    const Points& points_;
    std::size_t d_, n_trials_, n_blocks_;
    // Padded to whole panels by points without weight on a center.
    Buffer<float> closest_;        // squared distance of each point to the nearest center so far, scaled
    Buffer<float> weights_;        // in units of the largest
    Buffer<std::int32_t> nearest_; // which center that is
    std::vector<double> chosen_;   // centers so far (., d)
    std::vector<double> sums_;     // of weight times closest_, by blocks
    Philox random_;
    std::uint64_t draws_ = 0;
};

} // namespace

std::vector<std::int64_t> plus_plus(const RunContext& ctx, const Points& points, std::size_t k, std::size_t n_trials) {
    return Seeding(ctx, points, k, n_trials).run(k);
}

} // namespace mlcore::kmeans
