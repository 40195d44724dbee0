#include "cluster/kmeans/plus_plus.hpp"

#include "core/parallel.hpp"
#include "core/random.hpp"

#include <algorithm>
#include <limits>

namespace mlcore::kmeans {
namespace {

constexpr std::size_t block = 1024; // points of one sum

class Seeding {
  public:
    Seeding(const RunContext& ctx, const Points& points, std::size_t n_trials)
        : ctx_(ctx), points_(points), n_trials_(n_trials), n_blocks_((points.size() + block - 1) / block),
          closest_(points.size(), std::numeric_limits<double>::infinity()), sums_(n_blocks_), random_(ctx.seed, 0) {}

    std::vector<std::int64_t> run(std::size_t k) {
        std::vector<std::int64_t> chosen;
        for (std::size_t b = 0; b < n_blocks_; ++b)
            for (std::size_t i = b * block; i < end(b); ++i) sums_[b] += points_.weight(i);
        chosen.push_back(draw([&](std::size_t i) { return points_.weight(i); }));
        take(chosen.back());
        while (chosen.size() < k) {
            ctx_.checkpoint();
            chosen.push_back(best_of_trials());
            take(chosen.back());
        }
        return chosen;
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
            const double m = mass(i);
            if (m > 0) found = i;
            if (left < m) break;
            left -= m;
        }
        return static_cast<std::int64_t>(found);
    }

    std::int64_t best_of_trials() {
        std::vector<std::int64_t> candidates;
        for (std::size_t t = 0; t < n_trials_; ++t)
            candidates.push_back(draw([&](std::size_t i) { return points_.weight(i) * closest_[i]; }));
        std::vector<double> potentials(n_trials_);
        for (std::size_t t = 0; t < n_trials_; ++t)
            for (const double s : block_sums(candidates[t], false)) potentials[t] += s;
        const auto best = std::min_element(potentials.begin(), potentials.end()) - potentials.begin();
        return candidates[static_cast<std::size_t>(best)];
    }

    /// Sums of blocks of what would be left with one more center.
    std::vector<double> block_sums(std::int64_t candidate, bool take_it) {
        const std::size_t d = points_.dim();
        std::vector<double> center(d), sums(n_blocks_);
        points_.copy(static_cast<std::size_t>(candidate), center.data());
        parallel_tasks(ctx_, n_blocks_, block * (0.5 * static_cast<double>(d) + 3), [&](std::size_t b, int) {
            std::vector<double> dense(points_.is_sparse() ? d : 0);
            double sum = 0;
            for (std::size_t i = b * block; i < end(b); ++i) {
                const double distance =
                    std::min(closest_[i], points_.squared_distance(i, center.data(), dense.data()));
                sum += points_.weight(i) * distance;
                if (take_it) closest_[i] = distance;
            }
            sums[b] = sum;
        });
        return sums;
    }

    void take(std::int64_t candidate) { sums_ = block_sums(candidate, true); }

    const RunContext& ctx_;
    const Points& points_;
    std::size_t n_trials_, n_blocks_;
    std::vector<double> closest_, sums_;
    Philox random_;
    std::uint64_t draws_ = 0;
};

} // namespace

std::vector<std::int64_t> plus_plus(const RunContext& ctx, const Points& points, std::size_t k, std::size_t n_trials) {
    return Seeding(ctx, points, n_trials).run(k);
}

} // namespace mlcore::kmeans
