#include "cluster/kmeans/lloyd.hpp"

#include "cluster/kmeans/assign.hpp"
#include "cluster/kmeans/update.hpp"
#include "core/parallel.hpp"
#include "core/sums.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::kmeans {
namespace {

constexpr double up = 1 + 0x1p-20, down = 1 - 0x1p-20; // roundings to float32 and before

double squared(const double* a, const double* b, std::size_t d, double scale) {
    return sum_in_lanes<8>(d, [=](std::size_t i) {
        const double z = (a[i] - b[i]) * scale;
        return z * z;
    });
}

/// What the bounds, if there are any, need to know of a move of the centers from `before` to `after`. Returns the sum
/// of squares.
double measure_drift(const RunContext& ctx, const Points& points, const std::vector<double>& before,
                     const std::vector<double>& after, bool has_bounds, Drift& drift) {
    const std::size_t d = points.dim(), k = drift.own.size();
    double total = 0;
    drift.most = drift.second = 0;
    for (std::size_t j = 0; j < k; ++j) {
        const double moved = squared(&before[j * d], &after[j * d], d, points.scale());
        total += moved;
        drift.own[j] = static_cast<float>(std::sqrt(moved) * up);
        if (drift.own[j] > drift.most) {
            drift.second = drift.most;
            drift.most = drift.own[j];
            drift.furthest = static_cast<std::int32_t>(j);
        } else {
            drift.second = std::max(drift.second, drift.own[j]);
        }
    }
    if (!has_bounds) return total;
    parallel_tasks(ctx, k, 0.3 * static_cast<double>(k * d), [&](std::size_t j, int) {
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t l = 0; l < k; ++l)
            if (l != j) least = std::min(least, squared(&after[j * d], &after[l * d], d, points.scale()));
        drift.half_gap[j] = static_cast<float>(std::sqrt(least) / 2 * down);
    });
    return total;
}

/// When to keep bounds: as long as most points are looked at again they only cost, so that after each such iteration
/// some go by without, one, two, four ...
class Patience {
  public:
    /// One iteration without bounds has gone by, or is to be the last.
    bool is_over() {
        if (left_ > 0) --left_;
        return left_ == 0;
    }
    bool waits() const { return left_ > 0; }
    void learn(std::size_t n_looked_at, std::size_t n) {
        if (3 * n_looked_at < 2 * n) {
            next_ = 1;
        } else {
            left_ = next_;
            next_ = std::min<std::size_t>(2 * next_, 8);
        }
    }

  private:
    std::size_t left_ = 0, next_ = 1;
};

double inertia_of(const RunContext& ctx, const Points& points, const Centers& centers,
                  const std::vector<std::int32_t>& labels) {
    std::vector<double> distance(points.size());
    own_distances(ctx, points, centers, labels.data(), distance.data());
    const double total = parallel_reduce(
        ctx, points.size(), 0.5, 0.0,
        [&](std::size_t begin, std::size_t end) {
            double sum = 0;
            for (std::size_t i = begin; i < end; ++i) sum += points.weight(i) * distance[i];
            return sum;
        },
        std::plus<>());
    return total / points.scale() / points.scale();
}

/// f(points), or f of the same points in a unit that serves for these centers (Points::serves).
template <class F>
auto in_common_unit(const RunContext& ctx, const Points& points, const std::vector<double>& centers, F&& f) {
    const std::size_t d = points.dim();
    double reach = std::numeric_limits<double>::infinity();
    for (std::size_t at = 0; at < centers.size(); at += d) {
        double largest = 0;
        for (std::size_t i = 0; i < d; ++i) largest = std::max(largest, std::abs(centers[at + i] - points.mean()[i]));
        reach = std::min(reach, largest);
    }
    return points.serves(reach) ? f(points) : f(Points(ctx, points.table(), {}, reach));
}

} // namespace

Fit fit(const RunContext& ctx, const Points& points, std::vector<double> centers, const FitParams& params) {
    const std::size_t d = points.dim(), k = centers.size() / d, n = points.size();
    Fit out;
    out.labels.resize(n);
    std::vector<double> next(centers.size());
    ClusterSums sums(points, k);
    Bounds bounds(params.bounds ? n : 0);
    Drift drift(k);
    Patience patience;
    bool bounds_hold = false;
    const auto assign_points = [&] {
        const Centers prepared(points, centers.data(), k);
        if (bounds_hold) {
            patience.learn(reassign(ctx, points, prepared, drift, out.labels.data(), bounds), n);
        } else {
            const bool wanted = params.bounds && patience.is_over();
            assign(ctx, points, prepared, out.labels.data(), wanted ? &bounds : nullptr);
            bounds_hold = wanted;
        }
        bounds_hold = bounds_hold && !patience.waits();
    };
    bool settled = false;
    for (std::size_t iteration = 0; iteration < params.max_iter && !settled; ++iteration) {
        assign_points();
        out.n_iter = iteration + 1;
        settled = sums.update(ctx, out.labels.data()) == 0;
        if (settled) { // the centers follow from these labels, and stay: to move one to a point again would not
            ctx.progress.iteration(out.n_iter, 0.0);
            break;
        }
        sums.centers(ctx, centers.data(), next.data());
        const double moved = measure_drift(ctx, points, centers, next, bounds_hold, drift);
        centers.swap(next);
        ctx.progress.iteration(out.n_iter, moved);
        if (moved <= params.tol * points.variance()) break;
    }
    if (!settled) assign_points(); // the labels are those of the last centers
    out.inertia = inertia_of(ctx, points, Centers(points, centers.data(), k), out.labels);
    out.centers = std::move(centers);
    return out;
}

Assigned assign(const RunContext& ctx, const Points& points, const std::vector<double>& centers) {
    Assigned out{std::vector<std::int32_t>(points.size()), std::vector<double>(points.size())};
    in_common_unit(ctx, points, centers, [&](const Points& scaled) {
        const Centers prepared(scaled, centers.data(), centers.size() / scaled.dim());
        assign(ctx, scaled, prepared, out.labels.data(), nullptr);
        own_distances(ctx, scaled, prepared, out.labels.data(), out.squared_distances.data());
        for (double& distance : out.squared_distances) distance = distance / scaled.scale() / scaled.scale();
    });
    return out;
}

void distances(const RunContext& ctx, const Points& points, const std::vector<double>& centers, double* out) {
    const std::size_t d = points.dim(), k = centers.size() / d;
    constexpr std::size_t rows = 64; // of a task
    const std::size_t n_tasks = (points.size() + rows - 1) / rows;
    in_common_unit(ctx, points, centers, [&](const Points& scaled) {
        std::vector<double> squares(k);
        for (std::size_t j = 0; j < k; ++j) squares[j] = scaled.squared_norm(centers.data() + j * d);
        parallel_tasks(ctx, n_tasks, 0.3 * static_cast<double>(rows * k * (d + 4)), [&](std::size_t task, int) {
            std::vector<double> dense(scaled.is_sparse() ? d : 0);
            for (std::size_t i = task * rows; i < std::min((task + 1) * rows, scaled.size()); ++i)
                for (std::size_t j = 0; j < k; ++j)
                    out[i * k + j] =
                        std::sqrt(scaled.squared_distance(i, centers.data() + j * d, squares[j], dense.data())) /
                        scaled.scale();
        });
    });
}

} // namespace mlcore::kmeans
