#include "cluster/kmeans/assign.hpp"

#include "cluster/kmeans/nearest_tile.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <variant>

namespace mlcore::kmeans {
namespace {

constexpr std::size_t chunk_panels = 16; // of a task: bounds are looked at before any of its points are multiplied
constexpr float up = 1 + 0x1p-21F, down = 1 - 0x1p-21F;

/// Memory of one thread.
struct Work {
    Buffer<float> gathered; // a panel of points from here and there
    Buffer<float> values;   // of one sparse point
    Buffer<double> dense;   // one sparse point
    std::vector<std::int32_t> rows;

    Work(const Points& points, const Centers& centers)
        : gathered(points.is_sparse() ? 0 : points.dim() * panel_points, 0.0F),
          values(points.is_sparse() ? centers.stride() : 0), dense(points.is_sparse() ? points.dim() : 0, 0.0) {
        rows.reserve(chunk_panels * panel_points);
    }
};

class Assignment {
  public:
    Assignment(const Points& points, const Centers& centers, std::int32_t* labels, Bounds* bounds)
        : points_(points), centers_(centers), labels_(labels), bounds_(bounds),
          kernel_(nearest_tile_of(kernel_height())) {}

    /// The points [begin, end), one panel or a part of one.
    void panel(std::size_t begin, std::size_t end, Work& work) const {
        PanelNearest found;
        if (points_.is_sparse())
            for (std::size_t i = begin; i < end; ++i) sparse(i, found, i - begin, work);
        else
            multiply(points_.panel(begin / panel_points), found);
        settle([=](std::size_t slot) { return begin + slot; }, end - begin, found, work);
    }

    /// Up to a panel of points.
    void some(std::span<const std::int32_t> rows, Work& work) const {
        PanelNearest found;
        for (std::size_t slot = 0; slot < rows.size(); ++slot) {
            const auto i = static_cast<std::size_t>(rows[slot]);
            if (points_.is_sparse())
                sparse(i, found, slot, work);
            else
                points_.write_scaled(i, work.gathered.data() + slot, panel_points);
        }
        if (!points_.is_sparse()) multiply(work.gathered.data(), found);
        settle([=](std::size_t slot) { return static_cast<std::size_t>(rows[slot]); }, rows.size(), found, work);
    }

    /// Carries the bounds of the points [begin, end), one panel, along. Returns how many points are in doubt, which are
    /// appended to work.rows.
    std::size_t doubtful(std::size_t begin, std::size_t end, const Drift& drift, Work& work) const {
        const std::size_t count = end - begin;
        float *const upper = bounds_->upper.data() + begin, *const lower = bounds_->lower.data() + begin;
        const std::int32_t* labels = labels_ + begin;
        float own[panel_points], gap[panel_points];
        for (std::size_t i = 0; i < count; ++i) {
            own[i] = drift.own[static_cast<std::size_t>(labels[i])];
            gap[i] = drift.half_gap[static_cast<std::size_t>(labels[i])];
        }
        std::int32_t doubt[panel_points];
        for (std::size_t i = 0; i < count; ++i) {
            const float others = labels[i] == drift.furthest ? drift.second : drift.most;
            upper[i] = (upper[i] + own[i]) * up;
            lower[i] = (lower[i] - others) - lower[i] * (1 - down); // infinite where there is one center
            doubt[i] = !(upper[i] < std::max(lower[i], gap[i]));
        }
        const std::size_t before = work.rows.size();
        for (std::size_t i = 0; i < count; ++i)
            if (doubt[i]) work.rows.push_back(static_cast<std::int32_t>(begin + i));
        return work.rows.size() - before;
    }

    /// Measures the distance of a point to its own center. Returns whether it is in doubt still.
    bool tighten(std::size_t i, const Drift& drift, Work& work) const {
        const auto label = static_cast<std::size_t>(labels_[i]);
        const double squared = centers_.squared_distance(points_, i, label, work.dense.data());
        bounds_->upper[i] = above(squared);
        return !(bounds_->upper[i] < std::max(bounds_->lower[i], drift.half_gap[label]));
    }

    /// Up to so many points of a panel are rather gathered than multiplied as they lie with all others.
    std::size_t few() const {
        const double each = point_ns(), gathering = 1.5 * static_cast<double>(points_.dim()) + 15;
        return static_cast<std::size_t>(panel_points * each / (each + gathering) / 1.5);
    }

    double point_ns() const { return 0.02 * static_cast<double>(centers_.stride() * (points_.dim() + 4)) + 5; }

  private:
    std::size_t kernel_height() const { return points_.is_sparse() ? 1 : centers_.height(); }

    static float above(double squared) {
        return static_cast<float>(std::sqrt(squared)) * up + std::numeric_limits<float>::min();
    }

    void multiply(const float* panel, PanelNearest& found) const {
        const std::size_t height = centers_.height();
        found.start();
        for (std::size_t t = 0; t < centers_.n_tiles(); ++t)
            kernel_(centers_.tile(t), centers_.norms() + t * height, centers_.numbers() + t * height, panel,
                    points_.dim(), found);
    }

    /// values[j ...] = |c_j|^2 - 2 x_i'c_j of as many centers from j on as fit into registers. Returns how many.
    template <class X>
    std::size_t sparse_products(const X& table, std::size_t i, std::size_t j, float* values) const {
        const std::size_t vectors = (centers_.stride() - j) / simd::lanes;
        if (vectors >= 8) return sparse_products<8>(table, i, j, values);
        if (vectors >= 4) return sparse_products<4>(table, i, j, values);
        if (vectors >= 2) return sparse_products<2>(table, i, j, values);
        return sparse_products<1>(table, i, j, values);
    }
    template <std::size_t vectors, class X>
    std::size_t sparse_products(const X& table, std::size_t i, std::size_t j, float* values) const {
        simd::Floats sum[vectors];
        for (std::size_t v = 0; v < vectors; ++v) sum[v] = simd::load(centers_.norms() + j + v * simd::lanes);
        for (std::size_t at = table.begin(i); at < table.end(i); ++at) {
            const float* c = centers_.feature(static_cast<std::size_t>(table.indices[at])) + j;
            const simd::Floats x =
                simd::broadcast(static_cast<float>(static_cast<double>(table.data[at]) * points_.scale()));
#pragma GCC unroll 8
            for (std::size_t v = 0; v < vectors; ++v) sum[v] = simd::fma(x, simd::load(c + v * simd::lanes), sum[v]);
        }
        for (std::size_t v = 0; v < vectors; ++v) simd::store(values + j + v * simd::lanes, sum[v]);
        return vectors * simd::lanes;
    }

    void sparse(std::size_t i, PanelNearest& found, std::size_t slot, Work& work) const {
        float* values = work.values.data();
        std::visit(
            [&](const auto& X) {
                if constexpr (!is_dense<std::decay_t<decltype(X)>>)
                    for (std::size_t j = 0; j < centers_.stride();) j += sparse_products(X, i, j, values);
            },
            points_.table());
        float best = std::numeric_limits<float>::infinity(), second = best;
        std::int32_t center = 0;
        for (std::size_t j = 0; j < centers_.size(); ++j) {
            if (values[j] < best) {
                second = best;
                best = values[j];
                center = static_cast<std::int32_t>(j);
            } else {
                second = std::min(second, values[j]);
            }
        }
        found.best[slot] = best;
        found.second[slot] = second;
        found.center[slot] = center;
    }

    /// Writes labels and bounds of the points row_of(0 .. count - 1), and decides those in doubt.
    template <class RowOf>
    void settle(RowOf&& row_of, std::size_t count, const PanelNearest& found, Work& work) const {
        const float largest = centers_.largest();
        float norm[panel_points], upper[panel_points], lower[panel_points];
        std::int32_t clear[panel_points];
        for (std::size_t i = 0; i < count; ++i) norm[i] = points_.norms()[row_of(i)];
        std::int32_t all_clear = 1;
        for (std::size_t i = 0; i < count; ++i) {
            clear[i] = found.second[i] - found.best[i] > 2 * centers_.error(norm[i]);
            all_clear &= clear[i];
        }
        for (std::size_t i = 0; i < count; ++i) labels_[row_of(i)] = found.center[i];
        if (bounds_) {
            for (std::size_t i = 0; i < count; ++i) {
                const float square = norm[i] * norm[i], reach = norm[i] + largest;
                const float slack = centers_.error(norm[i]) + 0x1p-20F * reach * reach;
                const float most = found.best[i] + square + slack, least = found.second[i] + square - slack;
                upper[i] = std::sqrt(most > 0 ? most : 0) * up;
                lower[i] = std::sqrt(least > 0 ? least : 0) * down;
            }
            for (std::size_t i = 0; i < count; ++i) {
                bounds_->upper[row_of(i)] = upper[i];
                bounds_->lower[row_of(i)] = lower[i];
            }
        }
        if (all_clear) return;
        for (std::size_t i = 0; i < count; ++i)
            if (!clear[i]) decide(row_of(i), work);
    }

    /// The nearest center by float64, and bounds.
    void decide(std::size_t i, Work& work) const {
        double best = std::numeric_limits<double>::infinity(), second = best;
        std::int32_t center = 0;
        for (std::size_t j = 0; j < centers_.size(); ++j) {
            const double squared = centers_.squared_distance(points_, i, j, work.dense.data());
            if (squared < best) {
                second = best;
                best = squared;
                center = static_cast<std::int32_t>(j);
            } else {
                second = std::min(second, squared);
            }
        }
        labels_[i] = center;
        if (!bounds_) return;
        bounds_->upper[i] = above(best);
        bounds_->lower[i] = static_cast<float>(std::min(std::sqrt(second), 1e30)) * down;
    }

    const Points& points_;
    const Centers& centers_;
    std::int32_t* labels_;
    Bounds* bounds_;
    NearestTile kernel_;
};

/// f(begin, end, work) over chunks of whole panels.
template <class F>
void over_chunks(const RunContext& ctx, const Points& points, const Centers& centers, double point_ns, F&& f) {
    constexpr std::size_t chunk = chunk_panels * panel_points;
    const std::size_t n_chunks = (points.size() + chunk - 1) / chunk;
    const double ns = point_ns * chunk;
    const auto threads = static_cast<std::size_t>(threads_for(ctx, ns * static_cast<double>(n_chunks)));
    std::vector<Work> work;
    for (std::size_t t = 0; t < threads; ++t) work.emplace_back(points, centers);
    parallel_tasks(ctx, n_chunks, ns, [&](std::size_t c, int thread) {
        f(c * chunk, std::min((c + 1) * chunk, points.size()), work[static_cast<std::size_t>(thread)]);
    });
}

} // namespace

void assign(const RunContext& ctx, const Points& points, const Centers& centers, std::int32_t* labels, Bounds* bounds) {
    const Assignment assignment(points, centers, labels, bounds);
    over_chunks(ctx, points, centers, assignment.point_ns(), [&](std::size_t begin, std::size_t end, Work& work) {
        for (std::size_t p = begin; p < end; p += panel_points)
            assignment.panel(p, std::min(p + panel_points, end), work);
    });
}

std::size_t reassign(const RunContext& ctx, const Points& points, const Centers& centers, const Drift& drift,
                     std::int32_t* labels, Bounds& bounds) {
    std::atomic<std::size_t> n_doubtful{0};
    const Assignment assignment(points, centers, labels, &bounds);
    over_chunks(ctx, points, centers, assignment.point_ns() / 4, [&](std::size_t begin, std::size_t end, Work& work) {
        work.rows.clear();
        std::size_t doubtful = 0;
        for (std::size_t p = begin; p < end; p += panel_points) {
            const std::size_t last = std::min(p + panel_points, end), before = work.rows.size();
            const std::size_t found = assignment.doubtful(p, last, drift, work);
            doubtful += found;
            if (found <= assignment.few()) continue;
            work.rows.resize(before);
            assignment.panel(p, last, work);
        }
        n_doubtful.fetch_add(doubtful, std::memory_order_relaxed);
        std::size_t kept = 0;
        for (const std::int32_t i : work.rows)
            if (assignment.tighten(static_cast<std::size_t>(i), drift, work)) work.rows[kept++] = i;
        const std::span<const std::int32_t> rows(work.rows.data(), kept);
        for (std::size_t r = 0; r < kept; r += panel_points)
            assignment.some(rows.subspan(r, std::min(panel_points, kept - r)), work);
    });
    return n_doubtful;
}

void own_distances(const RunContext& ctx, const Points& points, const Centers& centers, const std::int32_t* labels,
                   double* out) {
    const double ns = 0.5 * static_cast<double>(points.dim()) + 3;
    over_chunks(ctx, points, centers, ns, [&](std::size_t begin, std::size_t end, Work& work) {
        for (std::size_t i = begin; i < end; ++i)
            out[i] = centers.squared_distance(points, i, static_cast<std::size_t>(labels[i]), work.dense.data());
    });
}

} // namespace mlcore::kmeans
