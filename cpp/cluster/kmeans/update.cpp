#include "cluster/kmeans/update.hpp"

#include "cluster/kmeans/assign.hpp"
#include "core/parallel.hpp"
#include "core/sums.hpp"

#include <algorithm>
#include <numeric>

namespace mlcore::kmeans {
namespace {

/// Parts of the sums: enough for threads, and all of them together no larger than the table.
std::size_t parts_of(std::size_t n, std::size_t k) { return std::clamp<std::size_t>(n / (4 * k + 1024), 1, 64); }

} // namespace

std::size_t ClusterSums::update(const RunContext& ctx, const std::int32_t* labels) {
    const std::size_t n = points_.size(), d = points_.dim(), size = k_ * d + k_;
    const std::size_t moved = parallel_reduce(
        ctx, n, 0.3, std::size_t{0},
        [&](std::size_t begin, std::size_t end) {
            std::size_t count = 0;
            for (std::size_t i = begin; i < end; ++i) count += labels[i] != labels_[i];
            return count;
        },
        std::plus<>());
    if (moved == 0) return 0;
    const bool afresh = points_.has_weights() || moved > n / 4;
    std::vector<double> change(size, 0.0);
    const double ns = afresh ? 0.5 * static_cast<double>(d) + 4 : 0.3 * static_cast<double>(d) + 2;
    parallel_sums_over(ctx, n, parts_of(n, k_), ns, size, change.data(),
                       [&](std::size_t begin, std::size_t end, double* sum, int) {
                           double* weight = sum + k_ * d;
                           const auto add = [&](std::size_t i, std::int32_t label, double factor) {
                               points_.add_to(i, factor, sum + static_cast<std::size_t>(label) * d);
                               weight[label] += factor;
                           };
                           if (afresh) {
                               for (std::size_t i = begin; i < end; ++i) add(i, labels[i], points_.weight(i));
                               return;
                           }
                           for (std::size_t i = begin; i < end; ++i) {
                               if (labels[i] == labels_[i]) continue;
                               add(i, labels[i], 1);
                               add(i, labels_[i], -1);
                           }
                       });
    if (afresh) {
        std::fill(sums_.begin(), sums_.end(), 0.0);
        std::fill(weights_.begin(), weights_.end(), 0.0);
    }
    for (std::size_t at = 0; at < k_ * d; ++at) sums_[at] += change[at];
    for (std::size_t j = 0; j < k_; ++j) weights_[j] += change[k_ * d + j];
    std::copy_n(labels, n, labels_.begin());
    return moved;
}

void ClusterSums::relocate(const RunContext& ctx, const double* centers, std::vector<double>& sums,
                           std::vector<double>& weights) const {
    const std::size_t n = points_.size(), d = points_.dim();
    std::vector<double> distance(n);
    own_distances(ctx, points_, Centers(points_, centers, k_), labels_.data(), distance.data());
    std::vector<std::size_t> furthest;
    for (std::size_t i = 0; i < n; ++i)
        if (points_.weight(i) > 0) furthest.push_back(i);
    const auto n_empty = static_cast<std::size_t>(std::count(weights.begin(), weights.end(), 0.0));
    const std::size_t taken = std::min(n_empty, furthest.size());
    std::partial_sort(furthest.begin(), furthest.begin() + static_cast<std::ptrdiff_t>(taken), furthest.end(),
                      [&](std::size_t a, std::size_t b) {
                          return distance[a] > distance[b] || (distance[a] == distance[b] && a < b);
                      });
    if (taken == 0 || distance[furthest[0]] == 0) return;
    std::vector<std::size_t> n_left(k_, 0); // points with a weight
    for (std::size_t i = 0; i < n; ++i) n_left[static_cast<std::size_t>(labels_[i])] += points_.weight(i) > 0;
    std::size_t next = 0;
    for (std::size_t j = 0; j < k_ && next < taken; ++j) {
        if (weights_[j] != 0) continue;
        const std::size_t i = furthest[next++];
        const auto loser = static_cast<std::size_t>(labels_[i]);
        const double weight = points_.weight(i);
        points_.add_to(i, -weight, sums.data() + loser * d);
        weights[loser] = --n_left[loser] == 0 ? 0.0 : weights[loser] - weight; // 0 without what rounding leaves
        std::fill_n(sums.data() + j * d, d, 0.0);
        points_.add_to(i, weight, sums.data() + j * d);
        weights[j] = weight;
    }
}

void ClusterSums::centers(const RunContext& ctx, const double* centers, double* out) const {
    const std::size_t d = points_.dim();
    const auto average = [&](const std::vector<double>& sums, const std::vector<double>& weights) {
        const auto heaviest =
            static_cast<std::size_t>(std::max_element(weights.begin(), weights.end()) - weights.begin());
        for (std::size_t j = 0; j < k_; ++j) {
            const std::size_t from = weights[j] > 0 ? j : heaviest;
            for (std::size_t i = 0; i < d; ++i)
                out[j * d + i] = points_.mean()[i] + (weights[from] > 0 ? sums[from * d + i] / weights[from] : 0.0);
        }
    };
    if (std::find(weights_.begin(), weights_.end(), 0.0) == weights_.end()) return average(sums_, weights_);
    std::vector<double> sums = sums_, weights = weights_;
    relocate(ctx, centers, sums, weights);
    average(sums, weights);
}

} // namespace mlcore::kmeans
