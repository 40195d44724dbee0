#include "cluster/mixture/em.hpp"

#include "cluster/mixture/density.hpp"
#include "cluster/mixture/moments.hpp"
#include "core/parallel.hpp"
#include "core/quantile.hpp"
#include "core/sums.hpp"
#include "core/vecmath.hpp"
#include "linalg/row_products.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

namespace mlcore::mixture {
namespace {

/// Difference of the quartiles of a column; rows count by their weights, as copies would.
double quartile_range(const Rows& rows, std::size_t j) {
    std::vector<double> values, weights;
    for (std::size_t i = 0; i < rows.points.rows; ++i) {
        if (!rows.weight.empty()) {
            if (rows.weight[i] == 0) continue;
            weights.push_back(rows.weight[i]);
        }
        values.push_back(rows.points(i, j));
    }
    return weighted_quantile(values, weights, 0.75) - weighted_quantile(values, weights, 0.25);
}

/// The variance of a column, or where a few rows far away make nearly all of it (a deviation of 100 quartile ranges)
/// that range squared: a share of their distance would drown what the other rows say.
double robust_variance(const Rows& rows, std::size_t j, double variance) {
    constexpr double far = 100;
    const double range = variance > 0 ? quartile_range(rows, j) : 0;
    return range > 0 && variance > far * far * range * range ? range * range : variance;
}

/// What is known of the rows before there are components.
struct Frame {
    std::vector<double> centre, ridge; // (d): the mean; reg_covar times the variance, which is 1 for a constant column
    double weight_factor = 1;          // that makes the mean weight 1: the unit of weights says nothing
};

Frame frame_of(const RunContext& ctx, const Rows& rows, Shape shape, double reg_covar) {
    const auto n = static_cast<double>(rows.points.rows);
    const linalg::TableMoments moments = linalg::table_moments(ctx, rows.points, rows.weight, true);
    Frame frame{moments.mean, moments.squares, n / moments.weight_sum};
    parallel_tasks(ctx, frame.ridge.size(), 15 * n, [&](std::size_t j, int) {
        frame.ridge[j] = robust_variance(rows, j, frame.ridge[j] / moments.weight_sum);
    });
    double mean = 0;
    for (const double variance : frame.ridge) mean += variance / static_cast<double>(frame.ridge.size());
    for (double& variance : frame.ridge) {
        if (shape == Shape::spherical) variance = mean; // columns have one unit
        variance = reg_covar * (variance > 0 ? variance : 1);
    }
    return frame;
}

/// How a pass over n rows is cut: by the sizes alone, because the parts decide the bits.
std::size_t n_parts_of(std::size_t n, std::size_t size) {
    constexpr std::size_t least_rows = 16 * block_rows, most_doubles = std::size_t{1} << 24;
    return std::clamp<std::size_t>(std::min(n / least_rows, most_doubles / size), 1, 64);
}

double cost_of_row(const MomentLayout& layout) {
    const auto k = static_cast<double>(layout.k), d = static_cast<double>(layout.d);
    return k * (5 + 0.3 * d + (layout.is_matrix ? 0.06 * d * d : 0));
}

/// Scratch of one thread.
struct Worker {
    Worker(const MomentLayout& layout, std::size_t scratch_size)
        : block(layout.d), adder(layout), scratch(scratch_size), shares(layout.k * block_rows) {}

    Block block;
    MomentAdder adder;
    Scratch<double> scratch, shares;
};

/// One pass over all rows: fill(worker, begin, n) writes the shares (k, block_rows) of the rows of the worker's block
/// and returns what they add to the log-likelihood. Moments about means (k, d), relative to the frame's centre.
template <class Fill>
std::vector<double> sum_moments(const RunContext& ctx, const Rows& rows, const Frame& frame, const MomentLayout& layout,
                                const double* means, std::size_t scratch_size, Fill&& fill) {
    const std::size_t n = rows.points.rows;
    std::vector<double> sums(layout.size(), 0.0);
    const std::size_t n_parts = n_parts_of(n, layout.size()), each = (n + n_parts - 1) / n_parts;
    const double cost = cost_of_row(layout);
    std::vector<std::unique_ptr<Worker>> workers(static_cast<std::size_t>(ctx.n_threads));
    parallel_sums(ctx, n_parts, cost * static_cast<double>(each), layout.size(), sums.data(),
                  [&](std::size_t part, double* sum, int thread) {
                      auto& worker = workers[static_cast<std::size_t>(thread)];
                      if (!worker) worker = std::make_unique<Worker>(layout, scratch_size);
                      const std::size_t end = std::min((part + 1) * each, n);
                      for (std::size_t begin = std::min(part * each, n); begin < end; begin += block_rows) {
                          worker->block.load(rows.points, frame.centre.data(), begin,
                                             std::min(begin + block_rows, end));
                          *layout.log_likelihood(sum) += fill(*worker, begin);
                          for (std::size_t c = 0; c < layout.k; ++c)
                              worker->adder.add(worker->block, worker->shares.data() + c * block_rows,
                                                means + c * layout.d, c, sum);
                          ctx.checkpoint();
                      }
                  });
    return sums;
}

double weight_of(const Rows& rows, const Frame& frame, std::size_t i) {
    return rows.weight.empty() ? 1.0 : rows.weight[i] * frame.weight_factor;
}

/// Means from their place relative to the centre, and factors.
void finish(const RunContext& ctx, const Frame& frame, Components& components) {
    for (std::size_t c = 0; c < components.k; ++c)
        for (std::size_t j = 0; j < components.d; ++j) components.means[c * components.d + j] += frame.centre[j];
    factorise(ctx, components);
}

} // namespace

Components components_of(const RunContext& ctx, const Rows& rows, std::span<const std::int32_t> labels,
                         std::span<const double> responsibilities, Shape shape, std::size_t k, double reg_covar) {
    const std::size_t d = rows.points.cols;
    const Frame frame = frame_of(ctx, rows, shape, reg_covar);
    const MomentLayout layout(shape, k, d);
    const auto fill = [&](Worker& worker, std::size_t begin) {
        double* shares = worker.shares.data();
        for (std::size_t i = 0; i < worker.block.size(); ++i) {
            const double w = weight_of(rows, frame, begin + i);
            for (std::size_t c = 0; c < k; ++c)
                shares[c * block_rows + i] = labels.empty()
                                                 ? w * responsibilities[(begin + i) * k + c]
                                                 : (labels[begin + i] == static_cast<std::int32_t>(c) ? w : 0.0);
        }
        return 0.0;
    };
    std::vector<double> means(k * d, 0.0);
    Components out;
    for (int pass = 0; pass < 2; ++pass) { // covariances are taken about the means that the first pass has found
        std::vector<double> sums = sum_moments(ctx, rows, frame, layout, means.data(), 0, fill);
        out = maximise(layout, shape, sums.data(), means, frame.ridge);
        means = out.means;
    }
    finish(ctx, frame, out);
    return out;
}

Fit fit(const RunContext& ctx, const Rows& rows, const Components& start, double last, double reg_covar, double tol,
        std::size_t max_iter) {
    const std::size_t k = start.k, d = start.d, n = rows.points.rows;
    const Frame frame = frame_of(ctx, rows, start.shape, reg_covar);
    const MomentLayout layout(start.shape, k, d);
    Fit out{start, {}, false};
    for (std::size_t iteration = 0; iteration < max_iter && !out.converged; ++iteration) {
        const Density density(out.components, frame.centre.data());
        std::vector<double> sums = sum_moments(
            ctx, rows, frame, layout, density.mean(0), density.scratch_size(), [&](Worker& worker, std::size_t begin) {
                double *shares = worker.shares.data(), norm[block_rows], weight[block_rows], total = 0;
                density.log_densities(worker.block, worker.scratch.data(), shares);
                log_sums(shares, k, norm);
                const std::size_t size = worker.block.size();
                for (std::size_t i = 0; i < block_rows; ++i)
                    weight[i] = i < size ? weight_of(rows, frame, begin + i) : 0.0;
                for (std::size_t c = 0; c < k; ++c)
                    for (std::size_t i = 0; i < block_rows; ++i)
                        shares[c * block_rows + i] = weight[i] * vm::exp_(shares[c * block_rows + i] - norm[i]);
                for (std::size_t i = 0; i < size; ++i) total += weight[i] * norm[i];
                return total;
            });
        const double bound = *layout.log_likelihood(sums.data()) / static_cast<double>(n);
        const std::span<const double> means(density.mean(0), k * d);
        out.components = maximise(layout, start.shape, sums.data(), means, frame.ridge);
        finish(ctx, frame, out.components);
        out.lower_bounds.push_back(bound);
        out.converged = std::abs(bound - last) < tol;
        last = bound;
        ctx.progress.iteration(iteration + 1, bound);
    }
    return out;
}

void predict(const RunContext& ctx, MatrixView<const double> points, const Components& components, double* log_density,
             std::int64_t* labels, double* responsibilities) {
    const std::size_t n = points.rows, k = components.k, d = components.d;
    std::vector<double> centre(d, 0.0);
    for (std::size_t c = 0; c < k; ++c)
        for (std::size_t j = 0; j < d; ++j) centre[j] += components.means[c * d + j] / static_cast<double>(k);
    const Density density(components, centre.data());
    const std::size_t n_blocks = (n + block_rows - 1) / block_rows;
    struct Room {
        Block block;
        Scratch<double> scratch, values;
    };
    std::vector<std::unique_ptr<Room>> rooms(static_cast<std::size_t>(ctx.n_threads));
    const double cost = cost_of_row(MomentLayout(components.shape, k, d)) * static_cast<double>(block_rows);
    parallel_tasks(ctx, n_blocks, cost, [&](std::size_t b, int thread) {
        auto& room = rooms[static_cast<std::size_t>(thread)];
        if (!room)
            room.reset(new Room{Block(d), Scratch<double>(density.scratch_size()), Scratch<double>(k * block_rows)});
        const std::size_t begin = b * block_rows, end = std::min(begin + block_rows, n);
        double *values = room->values.data(), norm[block_rows];
        room->block.load(points, centre.data(), begin, end);
        density.log_densities(room->block, room->scratch.data(), values);
        if (labels)
            for (std::size_t i = 0; i < end - begin; ++i) {
                std::size_t best = 0;
                for (std::size_t c = 1; c < k; ++c)
                    if (values[c * block_rows + i] > values[best * block_rows + i]) best = c;
                labels[begin + i] = static_cast<std::int64_t>(best);
            }
        if (!log_density && !responsibilities) return;
        log_sums(values, k, norm);
        if (log_density) std::copy_n(norm, end - begin, log_density + begin);
        if (!responsibilities) return;
        for (std::size_t c = 0; c < k; ++c)
            for (std::size_t i = 0; i < block_rows; ++i)
                values[c * block_rows + i] = vm::exp_(values[c * block_rows + i] - norm[i]);
        for (std::size_t i = 0; i < end - begin; ++i)
            for (std::size_t c = 0; c < k; ++c) responsibilities[(begin + i) * k + c] = values[c * block_rows + i];
    });
}

} // namespace mlcore::mixture
