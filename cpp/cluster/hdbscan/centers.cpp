#include "cluster/hdbscan/centers.hpp"

#include "cluster/hdbscan/point_columns.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <string>

namespace mlcore::cluster {
namespace {

using Members = std::span<const std::int64_t>;
constexpr double term_ns = 0.3; // one feature of one distance

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

Members list(const PointLists& lists, std::size_t k) {
    return Members(lists.points).subspan(at(lists.offsets[k]), at(lists.offsets[k + 1] - lists.offsets[k]));
}

std::vector<double> weights_of(Members members, std::span<const double> weights) {
    std::vector<double> found;
    for (const std::int64_t i : members) found.push_back(weights[at(i)]);
    if (std::all_of(found.begin(), found.end(), [](double w) { return w == 0; }))
        std::fill(found.begin(), found.end(), 1.0);
    return found;
}

/// From the first member, so that means of points far from the origin lose nothing.
void mean(MatrixView<const double> points, Members members, const std::vector<double>& weights, double* out) {
    const std::size_t first = at(members[0]);
    std::fill(out, out + points.cols, 0.0);
    double total = 0;
    for (std::size_t m = 0; m < members.size(); ++m) {
        for (std::size_t j = 0; j < points.cols; ++j)
            out[j] += weights[m] * (points(at(members[m]), j) - points(first, j));
        total += weights[m];
    }
    for (std::size_t j = 0; j < points.cols; ++j) out[j] = points(first, j) + out[j] / total;
}

/// The search for the medoid of one cluster, a few candidates at a time.
class MedoidSearch {
  public:
    MedoidSearch(const RunContext& ctx, MatrixView<const double> points, Members members,
                 const std::vector<double>& weights, neighbors::Metric metric)
        : ctx_(ctx), points_(points), members_(members), weights_(weights), columns_(points, members, metric),
          total_(std::accumulate(weights.begin(), weights.end(), 0.0)), low_(members.size(), 0.0),
          distances_(batch * columns_.n_blocks() * PointColumns::block) {}

    std::int64_t run() {
        std::array<std::size_t, batch> candidates{};
        std::array<double, batch> sums{};
        std::size_t count = 0;
        const std::vector<std::size_t> order = from_the_middle();
        for (std::size_t next = 0; next < order.size() || count > 0;) {
            while (next < order.size() && count < batch) {
                if (low_[order[next]] <= least_ * (1 + 1e-9)) candidates[count++] = order[next];
                ++next;
            }
            if (count == 0) break;
            parallel_tasks(ctx_, count, task_ns(), [&](std::size_t c, int) { sums[c] = sum_of(candidates[c], c); });
            for (std::size_t c = 0; c < count; ++c)
                if (sums[c] < least_ || (sums[c] == least_ && candidates[c] < best_))
                    least_ = sums[c], best_ = candidates[c];
            raise_bounds(sums, count);
            count = 0;
        }
        return members_[best_];
    }

  private:
    static constexpr std::size_t batch = 16;

    double task_ns() const { return term_ns * static_cast<double>(members_.size() * points_.cols); }

    double* row(std::size_t c) { return distances_.data() + c * columns_.n_blocks() * PointColumns::block; }

    /// Members near the mean first: the first bounds are then the best.
    std::vector<std::size_t> from_the_middle() {
        std::vector<double> middle(points_.cols);
        mean(points_, members_, weights_, middle.data());
        for (std::size_t b = 0; b < columns_.n_blocks(); ++b)
            columns_.distances(middle.data(), b, row(0) + b * PointColumns::block);
        std::vector<std::size_t> order(members_.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [far = row(0)](std::size_t i, std::size_t j) { return far[i] < far[j]; });
        return order;
    }

    double sum_of(std::size_t member, std::size_t c) {
        const double* x = &points_(at(members_[member]), 0);
        double sum = 0;
        for (std::size_t b = 0; b < columns_.n_blocks(); ++b) {
            double* out = row(c) + b * PointColumns::block;
            const std::size_t size = columns_.distances(x, b, out);
            for (std::size_t i = 0; i < size; ++i) sum += weights_[b * PointColumns::block + i] * out[i];
        }
        return sum;
    }

    /// sum(k) is at least |sum(i) - total * d(i, k)|.
    void raise_bounds(const std::array<double, batch>& sums, std::size_t count) {
        parallel_ranges(ctx_, low_.size(), static_cast<double>(count), [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t c = 0; c < count; ++c)
                for (std::size_t k = begin; k < end; ++k)
                    low_[k] = std::max(low_[k], std::abs(sums[c] - total_ * row(c)[k]));
        });
    }

    const RunContext& ctx_;
    MatrixView<const double> points_;
    Members members_;
    const std::vector<double>& weights_;
    PointColumns columns_;
    const double total_;
    std::vector<double> low_;       // by member, what its sum is at least
    std::vector<double> distances_; // (batch, members)
    double least_ = std::numeric_limits<double>::infinity();
    std::size_t best_ = 0;
};

/// sum_j w_j (1 - x_i x_j) is least where the product with sum_j w_j x_j is greatest.
std::int64_t cosine_medoid(MatrixView<const double> points, Members members, const std::vector<double>& weights) {
    std::vector<double> sum(points.cols, 0.0);
    for (std::size_t m = 0; m < members.size(); ++m)
        for (std::size_t j = 0; j < points.cols; ++j) sum[j] += weights[m] * points(at(members[m]), j);
    std::int64_t best = members[0];
    double most = -std::numeric_limits<double>::infinity();
    for (const std::int64_t i : members) {
        double product = 0;
        for (std::size_t j = 0; j < points.cols; ++j) product += points(at(i), j) * sum[j];
        if (product > most) most = product, best = i;
    }
    return best;
}

} // namespace

PointLists members_of(std::span<const std::int64_t> labels, std::size_t k) {
    PointLists lists;
    lists.offsets.assign(k + 1, 0);
    for (const std::int64_t label : labels)
        if (label >= 0) ++lists.offsets[at(label) + 1];
    for (std::size_t c = 1; c <= k; ++c) lists.offsets[c] += lists.offsets[c - 1];
    lists.points.resize(at(lists.offsets.back()));
    std::vector<std::int64_t> next = lists.offsets;
    for (std::size_t i = 0; i < labels.size(); ++i)
        if (labels[i] >= 0) lists.points[at(next[at(labels[i])]++)] = static_cast<std::int64_t>(i);
    return lists;
}

std::vector<double> centroids(const RunContext& ctx, MatrixView<const double> points, const PointLists& members,
                              std::span<const double> weights) {
    const std::size_t k = members.offsets.size() - 1, d = points.cols;
    std::vector<double> found(k * d);
    if (k == 0) return found;
    const double all_ns = static_cast<double>(members.points.size() * d);
    parallel_tasks(ctx, k, all_ns / static_cast<double>(k), [&](std::size_t c, int) {
        const Members own = list(members, c);
        if (!own.empty()) mean(points, own, weights_of(own, weights), found.data() + c * d);
    });
    return found;
}

std::vector<std::int64_t> medoids(const RunContext& ctx, MatrixView<const double> points, const PointLists& members,
                                  std::span<const double> weights, neighbors::Metric metric) {
    std::vector<std::int64_t> found;
    for (std::size_t c = 0; c + 1 < members.offsets.size(); ++c) {
        ctx.checkpoint();
        const Members own = list(members, c);
        if (own.empty()) throw ValueError("cluster " + std::to_string(c) + " has no members");
        const std::vector<double> own_weights = weights_of(own, weights);
        found.push_back(metric == neighbors::Metric::cosine
                            ? cosine_medoid(points, own, own_weights)
                            : MedoidSearch(ctx, points, own, own_weights, metric).run());
    }
    return found;
}

std::vector<double> nearest_of_lists(const RunContext& ctx, MatrixView<const double> queries,
                                     MatrixView<const double> points, const PointLists& lists,
                                     neighbors::Metric metric) {
    const std::size_t k = lists.offsets.size() - 1;
    std::vector<double> nearest(queries.rows * k, std::numeric_limits<double>::infinity());
    const PointColumns columns(points, lists.points, metric);
    std::vector<std::size_t> list_of(lists.points.size());
    for (std::size_t c = 0; c < k; ++c)
        std::fill(list_of.begin() + lists.offsets[c], list_of.begin() + lists.offsets[c + 1], c);
    const double row_ns = 20 + (term_ns * static_cast<double>(queries.cols) + 1) * static_cast<double>(list_of.size());
    parallel_ranges(ctx, queries.rows, row_ns, [&](std::size_t begin, std::size_t end, int) {
        std::array<double, PointColumns::block> far{};
        for (std::size_t i = begin; i < end; ++i) {
            ctx.checkpoint();
            double* row = nearest.data() + i * k;
            for (std::size_t b = 0; b < columns.n_blocks(); ++b) {
                const std::size_t size = columns.distances(&queries(i, 0), b, far.data());
                const std::size_t* of = list_of.data() + b * PointColumns::block;
                for (std::size_t e = 0; e < size; ++e) row[of[e]] = std::min(row[of[e]], far[e]);
            }
        }
    });
    return nearest;
}

} // namespace mlcore::cluster
