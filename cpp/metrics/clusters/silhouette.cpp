#include "metrics/clusters/silhouette.hpp"

#include "core/parallel.hpp"
#include "metrics/clusters/distance_strip.hpp"
#include "metrics/clusters/silhouette_value.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::metrics {
namespace {

constexpr std::size_t task_rows = 64; // rows that pass the packed blocks together
constexpr std::size_t lanes = 8;      // sums of a strip's distances

double sum_of(const double* values, std::size_t n) {
    double sum[lanes] = {};
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes)
        for (std::size_t l = 0; l < lanes; ++l) sum[l] += values[i + l];
    double rest = 0;
    for (; i < n; ++i) rest += values[i];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7])) + rest;
}

template <bool squares>
void pair_silhouettes(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups,
                      std::span<const std::uint32_t> cluster_of, std::span<const std::uint32_t> rows, double* out) {
    const std::size_t n = X.rows, d = X.cols, n_tasks = (rows.size() + task_rows - 1) / task_rows;
    const double scale = unit_scale(ctx, X);
    const PackedRows packed(ctx, X, scale, groups.order);
    parallel_tasks(ctx, n_tasks, 0.15 * static_cast<double>((d + 8) * n * task_rows), [&](std::size_t task, int) {
        const std::size_t first = task * task_rows, m = std::min(task_rows, rows.size() - first);
        Scratch<double> strip(strip_rows * PackedRows::most_columns), queries(task_rows * d);
        SilhouetteValue values[task_rows];
        double running[task_rows] = {};
        for (std::size_t r = 0; r < m; ++r) {
            values[r] = SilhouetteValue(cluster_of[rows[first + r]]);
            for (std::size_t j = 0; j < d; ++j) queries[r * d + j] = scale * X(rows[first + r], j);
        }
        std::size_t cluster = 0; // of the first column of the chunk
        for (std::size_t chunk = 0; chunk < n; chunk += packed.chunk_columns()) {
            ctx.checkpoint();
            const std::size_t end = std::min(n, chunk + packed.chunk_columns());
            while (groups.begin[cluster + 1] <= chunk) ++cluster;
            for (std::size_t group = 0; group < m; group += strip_rows) {
                const std::size_t n_rows = std::min(strip_rows, m - group);
                packed.distances<squares>(queries.data() + group * d, n_rows, chunk, end, strip.data());
                for (std::size_t r = 0; r < n_rows; ++r) {
                    const double* row = strip.data() + r * PackedRows::most_columns;
                    std::size_t c = cluster;
                    for (std::size_t at = chunk; at < end; ++c) {
                        const std::size_t stop = std::min<std::size_t>(end, groups.begin[c + 1]);
                        running[group + r] += sum_of(row + (at - chunk), stop - at);
                        at = stop;
                        if (at < groups.begin[c + 1]) break;
                        values[group + r].add(c, running[group + r], groups.size(c));
                        running[group + r] = 0;
                    }
                }
            }
        }
        for (std::size_t r = 0; r < m; ++r) out[first + r] = values[r].value();
    });
}

/// out (d) = row of X times scale, brought to length 1 if `unit`. Returns whether it has a length.
bool read_row(VectorView<const double> row, double scale, bool unit, double* out) {
    double squares = 0;
    for (std::size_t j = 0; j < row.size; ++j) {
        out[j] = scale * row[j];
        squares += out[j] * out[j];
    }
    if (!unit || squares == 0) return squares != 0;
    const double length = std::sqrt(squares);
    for (std::size_t j = 0; j < row.size; ++j) out[j] /= length;
    return true;
}

/// Rows by their centroids. A row of zeros has no direction: its cosine distance from all others is 1, so that such
/// rows are counted and kept out of the centroids.
void centroid_silhouettes(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups, bool cosine,
                          std::span<const std::uint32_t> cluster_of, std::span<const std::uint32_t> rows, double* out) {
    const std::size_t n = X.rows, d = X.cols, k = groups.n_clusters();
    const double scale = unit_scale(ctx, X);
    Buffer<double> unit_rows;
    MatrixView<const double> Y = X;
    GroupedRows directed = groups; // without rows of zeros
    if (cosine) {
        unit_rows = Buffer<double>(n * d);
        Buffer<std::uint8_t> has_length(n);
        parallel_ranges(ctx, n, 2.0 * static_cast<double>(d), [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t i = begin; i < end; ++i)
                has_length[i] = read_row(X.row(i), scale, true, unit_rows.data() + i * d);
        });
        Y = row_major(static_cast<const double*>(unit_rows.data()), n, d);
        directed.order.clear();
        for (std::size_t c = 0; c < k; ++c) {
            for (std::size_t at = groups.begin[c]; at < groups.begin[c + 1]; ++at)
                if (has_length[groups.order[at]]) directed.order.push_back(groups.order[at]);
            directed.begin[c + 1] = static_cast<std::uint32_t>(directed.order.size());
        }
    }
    const double factor = cosine ? 1.0 : scale;
    const Centroids centers = centroids(ctx, Y, factor, directed);
    std::vector<double> within(k, 0.0);
    {
        Buffer<double> each(n, 0.0);
        parallel_ranges(ctx, n, static_cast<double>(d), [&](std::size_t begin, std::size_t end, int) {
            std::vector<double> x(d);
            for (std::size_t i = begin; i < end; ++i) {
                read_row(Y.row(i), factor, false, x.data());
                each[i] = centers.squared_distance(x.data(), cluster_of[i]);
            }
        });
        for (std::size_t c = 0; c < k; ++c)
            for (std::size_t at = directed.begin[c]; at < directed.begin[c + 1]; ++at)
                within[c] += each[directed.order[at]];
    }
    parallel_ranges(ctx, rows.size(), static_cast<double>(k * d), [&](std::size_t begin, std::size_t end, int) {
        std::vector<double> x(d);
        for (std::size_t q = begin; q < end; ++q) {
            const bool has_length = read_row(Y.row(rows[q]), factor, false, x.data());
            SilhouetteValue value(cluster_of[rows[q]]);
            for (std::size_t c = 0; c < k; ++c) {
                const auto all = static_cast<double>(groups.size(c)), m = static_cast<double>(directed.size(c));
                double sum = m * centers.squared_distance(x.data(), c) + within[c];
                if (cosine) sum = has_length ? 0.5 * sum + (all - m) : all - (c == value.own() ? 1.0 : 0.0);
                value.add(c, sum, groups.size(c));
            }
            out[q] = value.value();
        }
    });
}

} // namespace

void silhouettes(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups, SilhouetteMetric metric,
                 std::span<const std::uint32_t> rows, double* out) {
    std::vector<std::uint32_t> cluster_of(X.rows);
    for (std::size_t c = 0; c < groups.n_clusters(); ++c)
        for (std::size_t at = groups.begin[c]; at < groups.begin[c + 1]; ++at)
            cluster_of[groups.order[at]] = static_cast<std::uint32_t>(c);
    if (metric == SilhouetteMetric::euclidean)
        pair_silhouettes<true>(ctx, X, groups, cluster_of, rows, out);
    else if (metric == SilhouetteMetric::manhattan)
        pair_silhouettes<false>(ctx, X, groups, cluster_of, rows, out);
    else
        centroid_silhouettes(ctx, X, groups, metric == SilhouetteMetric::cosine, cluster_of, rows, out);
}

void silhouettes_of_distances(const RunContext& ctx, MatrixView<const double> D, std::size_t first,
                              std::span<const std::int32_t> codes, const GroupedRows& groups, double* out) {
    constexpr std::size_t together = 4; // rows that share a look at the codes; their sums do not wait for each other
    const std::size_t n = codes.size(), k = groups.n_clusters(), n_tasks = (D.rows + together - 1) / together;
    parallel_tasks(ctx, n_tasks, 3.0 * static_cast<double>(n), [&](std::size_t task, int) {
        const std::size_t begin = task * together, m = std::min(together, D.rows - begin);
        const double* row[together];
        for (std::size_t r = 0; r < together; ++r) row[r] = D.row(begin + std::min(r, m - 1)).data;
        Scratch<double> sums(together * k);
        std::fill_n(sums.data(), together * k, 0.0);
        for (std::size_t j = 0; j < n; ++j) {
            double* sum = sums.data() + together * static_cast<std::size_t>(codes[j]);
            for (std::size_t r = 0; r < together; ++r) sum[r] += row[r][j];
        }
        for (std::size_t r = 0; r < m; ++r) {
            SilhouetteValue value(static_cast<std::size_t>(codes[first + begin + r]));
            for (std::size_t c = 0; c < k; ++c) value.add(c, sums[together * c + r], groups.size(c));
            out[begin + r] = value.value();
        }
    });
}

} // namespace mlcore::metrics
