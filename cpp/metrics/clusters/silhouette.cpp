#include "metrics/clusters/silhouette.hpp"

#include "core/parallel.hpp"
#include "metrics/clusters/distance_strip.hpp"
#include "metrics/clusters/silhouette_value.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::metrics {
namespace {

constexpr std::size_t task_rows = 64;      // rows that pass the packed blocks together
constexpr std::size_t most_blocks = 16;    // of rows, for pairs to be measured once
constexpr std::size_t most_sums = 1 << 20; // of rows and clusters, likewise: at most 75 MB are used
constexpr std::size_t least_rows = 256;    // of a cluster on average, likewise: else tables cost what pairs save

/// f(c, begin, end) for the parts of [begin, end) that are of one cluster, by places in groups.order.
template <class F>
void for_clusters(const GroupedRows& groups, std::size_t begin, std::size_t end, F&& f) {
    auto c = static_cast<std::size_t>(std::upper_bound(groups.begin.begin(), groups.begin.end(), begin) -
                                      groups.begin.begin() - 1);
    for (; begin < end; ++c) {
        const std::size_t stop = std::min<std::size_t>(end, groups.begin[c + 1]);
        f(c, begin, stop);
        begin = stop;
    }
}

void read_scaled(VectorView<const double> row, double scale, double* out) {
    for (std::size_t j = 0; j < row.size; ++j) out[j] = scale * row[j];
}

/// Some rows, each against all.
template <bool squares>
void row_silhouettes(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups,
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
            read_scaled(X.row(rows[first + r]), scale, queries.data() + r * d);
        }
        for (std::size_t chunk = 0; chunk < n; chunk += packed.chunk_columns()) {
            ctx.checkpoint();
            const std::size_t end = std::min(n, chunk + packed.chunk_columns());
            for (std::size_t group = 0; group < m; group += strip_rows) {
                const std::size_t n_rows = std::min(strip_rows, m - group);
                packed.distances<squares>(queries.data() + group * d, n_rows, chunk, end, strip.data());
                for_clusters(groups, chunk, end, [&](std::size_t c, std::size_t begin, std::size_t stop) {
                    add_strip(strip.data() + (begin - chunk), stop - begin, running + group, nullptr);
                    if (stop < groups.begin[c + 1]) return; // it goes on in the next chunk
                    for (std::size_t r = group; r < group + n_rows; ++r) {
                        values[r].add(c, running[r], groups.size(c));
                        running[r] = 0;
                    }
                });
            }
        }
        for (std::size_t r = 0; r < m; ++r) out[first + r] = values[r].value();
    });
}

/// All rows, each pair once, by places in groups.order.
template <bool squares>
class PairSums {
  public:
    PairSums(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups)
        : ctx_(ctx), X_(X), groups_(groups), scale_(unit_scale(ctx, X)), packed_(ctx, X, scale_, groups.order) {
        constexpr std::size_t unit = most_blocks * PackedRows::column_unit;
        block_ = (X.rows + unit - 1) / unit * PackedRows::column_unit;
        n_blocks_ = (X.rows + block_ - 1) / block_;
        by_row_ = Buffer<double>(X.rows * groups.n_clusters(), 0.0);
        by_column_ = Buffer<double>(n_blocks_ * X.rows * groups.n_clusters());
    }

    void write_silhouettes(double* out) {
        const std::size_t n = X_.rows, k = groups_.n_clusters();
        const double ns = 0.015 * static_cast<double>((X_.cols + 8) * n * block_);
        parallel_tasks(ctx_, n_blocks_, ns, [&](std::size_t b, int) {
            for (std::size_t step = 0; step < n_blocks_; ++step)
                if (step == 0 || meets(b, step)) meet(b, (b + step) % n_blocks_);
        });
        parallel_tasks(ctx_, n_blocks_, 8.0 * static_cast<double>(k * block_), [&](std::size_t b, int) {
            const std::size_t begin = b * block_, end = std::min(n, begin + block_);
            for (std::size_t step = 1; step < n_blocks_; ++step) {
                const std::size_t other = (b + n_blocks_ - step) % n_blocks_;
                if (!meets(other, step)) continue;
                for (std::size_t c = 0; c < k; ++c)
                    for (std::size_t i = begin; i < end; ++i) by_row_[c * n + i] += columns_of(other, c)[i];
            }
            for_clusters(groups_, begin, end, [&](std::size_t own, std::size_t from, std::size_t to) {
                for (std::size_t i = from; i < to; ++i) {
                    SilhouetteValue value(own);
                    for (std::size_t c = 0; c < k; ++c) value.add(c, by_row_[c * n + i], groups_.size(c));
                    out[groups_.order[i]] = value.value();
                }
            });
        });
    }

  private:
    /// Whether rows of block b meet columns of block b + step, so that each two blocks meet once.
    bool meets(std::size_t b, std::size_t step) const {
        return step > 0 && (2 * step < n_blocks_ || (2 * step == n_blocks_ && b < step));
    }
    double* columns_of(std::size_t b, std::size_t c) {
        return by_column_.data() + (b * groups_.n_clusters() + c) * X_.rows;
    }

    void meet(std::size_t row_block, std::size_t column_block) {
        const std::size_t n = X_.rows, d = X_.cols, step = packed_.chunk_columns();
        const std::size_t begin = row_block * block_, end = std::min(n, begin + block_);
        const std::size_t first = column_block * block_, last = std::min(n, first + block_);
        const bool both = row_block != column_block;
        for (std::size_t c = 0; both && c < groups_.n_clusters(); ++c)
            std::fill(columns_of(row_block, c) + first, columns_of(row_block, c) + last, 0.0);
        Scratch<double> strip(strip_rows * PackedRows::most_columns), queries((end - begin) * d);
        for (std::size_t i = begin; i < end; ++i)
            read_scaled(X_.row(groups_.order[i]), scale_, queries.data() + (i - begin) * d);
        for (std::size_t chunk = first; chunk < last; chunk += step) {
            ctx_.checkpoint();
            const std::size_t stop = std::min(last, chunk + step);
            for_clusters(groups_, begin, end, [&](std::size_t own, std::size_t from, std::size_t to) {
                for (std::size_t i = from; i < to; i += strip_rows) {
                    const std::size_t n_rows = std::min(strip_rows, to - i);
                    packed_.template distances<squares>(queries.data() + (i - begin) * d, n_rows, chunk, stop,
                                                        strip.data());
                    for (std::size_t r = n_rows; r < strip_rows; ++r)
                        std::fill_n(strip.data() + r * PackedRows::most_columns, stop - chunk, 0.0);
                    for_clusters(groups_, chunk, stop, [&](std::size_t c, std::size_t low, std::size_t high) {
                        double sums[strip_rows] = {};
                        add_strip(strip.data() + (low - chunk), high - low, sums,
                                  both ? columns_of(row_block, own) + low : nullptr);
                        for (std::size_t r = 0; r < n_rows; ++r) by_row_[c * n + i + r] += sums[r];
                    });
                }
            });
        }
    }

    const RunContext& ctx_;
    MatrixView<const double> X_;
    const GroupedRows& groups_;
    double scale_;
    PackedRows packed_;
    std::size_t block_, n_blocks_;
    Buffer<double> by_row_;    // (k, n): sums of the distances of rows from clusters, as far as they were rows
    Buffer<double> by_column_; // (blocks, k, n): as far as they were columns of the rows of a block
};

template <bool squares>
void pair_silhouettes(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups,
                      std::span<const std::uint32_t> cluster_of, std::span<const std::uint32_t> rows, double* out) {
    const std::size_t n = X.rows, k = groups.n_clusters();
    bool all = rows.size() == n && n * k <= most_sums && n >= least_rows * k;
    for (std::size_t i = 0; all && i < rows.size(); ++i) all = rows[i] == i;
    if (all)
        PairSums<squares>(ctx, X, groups).write_silhouettes(out);
    else
        row_silhouettes<squares>(ctx, X, groups, cluster_of, rows, out);
}

/// out (d) = row of X times scale, brought to length 1 if `unit`. Returns whether it has a length.
bool read_row(VectorView<const double> row, double scale, bool unit, double* out) {
    read_scaled(row, scale, out);
    double squares = 0;
    for (std::size_t j = 0; j < row.size; ++j) squares += out[j] * out[j];
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
