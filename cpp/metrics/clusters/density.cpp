#include "metrics/clusters/density.hpp"

#include "core/parallel.hpp"
#include "metrics/clusters/distance_strip.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

namespace mlcore::metrics {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::size_t most_columns = PackedRows::most_columns;
constexpr std::size_t task_rows = 16; // rows that pass the others together

/// Distances of rows from others, both by their places in a list of rows of X: strips as PackedRows has them.
class PointSource {
  public:
    PointSource(const RunContext& ctx, MatrixView<const double> X, double scale, std::span<const std::uint32_t> order,
                ValidityMetric metric)
        : d_(X.cols), metric_(metric), rows_(order.size() * X.cols), packed_(ctx, X, scale, order) {
        for (std::size_t i = 0; i < order.size(); ++i)
            for (std::size_t j = 0; j < d_; ++j) rows_[i * d_ + j] = scale * X(order[i], j);
    }

    std::size_t chunk_columns() const { return packed_.chunk_columns(); }
    double dimension() const { return static_cast<double>(d_); }

    void strip(std::size_t row, std::size_t n_rows, std::size_t begin, std::size_t end, double* out) const {
        const double* rows = rows_.data() + row * d_;
        if (metric_ == ValidityMetric::euclidean)
            packed_.distances<true>(rows, n_rows, begin, end, out);
        else
            packed_.distances<false>(rows, n_rows, begin, end, out);
    }

  private:
    std::size_t d_;
    ValidityMetric metric_;
    Buffer<double> rows_;
    PackedRows packed_;
};

/// The same of a matrix of distances.
class MatrixSource {
  public:
    MatrixSource(MatrixView<const double> D, double dimension, std::span<const std::uint32_t> order)
        : D_(D), dimension_(dimension), order_(order) {}

    std::size_t chunk_columns() const { return most_columns; }
    double dimension() const { return dimension_; }

    void strip(std::size_t row, std::size_t n_rows, std::size_t begin, std::size_t end, double* out) const {
        for (std::size_t r = 0; r < n_rows; ++r)
            for (std::size_t at = begin; at < end; ++at)
                out[r * most_columns + (at - begin)] = D_(order_[row + r], order_[at]);
    }

  private:
    MatrixView<const double> D_;
    double dimension_;
    std::span<const std::uint32_t> order_;
};

/// visit(row, place, distances, n) for each row [first, last) of a source and each chunk of its `size` places.
template <class Source, class Visit>
void for_strips(const RunContext& ctx, const Source& source, std::size_t first, std::size_t last, std::size_t size,
                double* scratch, Visit&& visit) {
    for (std::size_t chunk = 0; chunk < size; chunk += source.chunk_columns()) {
        ctx.checkpoint();
        const std::size_t end = std::min(size, chunk + source.chunk_columns());
        for (std::size_t row = first; row < last; row += strip_rows) {
            const std::size_t n_rows = std::min(strip_rows, last - row);
            source.strip(row, n_rows, chunk, end, scratch);
            for (std::size_t r = 0; r < n_rows; ++r) visit(row + r, chunk, scratch + r * most_columns, end - chunk);
        }
    }
}

/// base^exponent, exponent >= 0; a whole one by squares.
double power(double base, double exponent, unsigned whole) {
    if (static_cast<double>(whole) != exponent) return std::pow(base, exponent);
    double result = 1;
    for (unsigned bits = whole; bits != 0; bits >>= 1, base *= base)
        if (bits & 1U) result *= base;
    return result;
}

/// out (m) = core distances of the m rows of a source.
template <class Source>
void core_distances(const RunContext& ctx, const Source& source, std::size_t m, double* out) {
    const double d = source.dimension();
    const auto whole = d < 1e6 ? static_cast<unsigned>(d) : 0U;
    const std::size_t n_tasks = (m + task_rows - 1) / task_rows;
    parallel_tasks(ctx, n_tasks, 0.3 * (d + 20) * static_cast<double>(m * task_rows), [&](std::size_t task, int) {
        const std::size_t first = task * task_rows, last = std::min(m, first + task_rows);
        Scratch<double> scratch(strip_rows * most_columns);
        double nearest[task_rows], sum[task_rows] = {};
        std::fill_n(nearest, task_rows, infinity);
        for_strips(ctx, source, first, last, m, scratch.data(),
                   [&](std::size_t row, std::size_t, const double* distance, std::size_t n) {
                       double least = nearest[row - first];
                       for (std::size_t i = 0; i < n; ++i)
                           least = std::min(least, distance[i] > 0 ? distance[i] : infinity);
                       nearest[row - first] = least;
                   });
        for_strips(ctx, source, first, last, m, scratch.data(),
                   [&](std::size_t row, std::size_t, const double* distance, std::size_t n) {
                       for (std::size_t i = 0; i < n; ++i)
                           if (distance[i] > 0) sum[row - first] += power(nearest[row - first] / distance[i], d, whole);
                   });
        for (std::size_t row = first; row < last; ++row) {
            const std::size_t r = row - first;
            out[row] = sum[r] > 0 ? nearest[r] * std::pow(sum[r] / static_cast<double>(m - 1), -1 / d) : 0.0;
        }
    });
}

/// What a cluster is to the others.
struct Inner {
    double sparseness = 0;
    std::vector<std::uint32_t> places; // inner rows, by their places in the cluster
};

/// Prim's algorithm over the m rows of a source.
template <class Source>
Inner spanning_tree(const RunContext& ctx, const Source& source, std::size_t m, const double* core) {
    Scratch<double> strip(strip_rows * most_columns);
    std::vector<double> weight(m, infinity);
    std::vector<std::uint32_t> parent(m, 0), degree(m, 0);
    std::vector<std::uint8_t> joined(m, 0);
    struct Edge {
        std::size_t from, to;
        double weight;
    };
    std::vector<Edge> edges;
    std::size_t at = 0;
    for (std::size_t step = 0; step + 1 < m; ++step) {
        ctx.checkpoint();
        joined[at] = 1;
        double least = infinity;
        std::size_t next = m;
        for (std::size_t chunk = 0; chunk < m; chunk += source.chunk_columns()) {
            const std::size_t end = std::min(m, chunk + source.chunk_columns());
            source.strip(at, 1, chunk, end, strip.data());
            for (std::size_t j = chunk; j < end; ++j) {
                if (joined[j]) continue;
                const double r = std::max({core[at], core[j], strip[j - chunk]});
                if (r < weight[j] || (r == weight[j] && at < parent[j])) {
                    weight[j] = r;
                    parent[j] = static_cast<std::uint32_t>(at);
                }
                if (weight[j] < least || next == m) {
                    least = weight[j];
                    next = j;
                }
            }
        }
        edges.push_back({parent[next], next, least});
        ++degree[parent[next]];
        ++degree[next];
        at = next;
    }
    Inner inner;
    double largest = 0;
    bool any = false;
    for (const Edge& edge : edges) {
        largest = std::max(largest, edge.weight);
        if (degree[edge.from] < 2 || degree[edge.to] < 2) continue;
        any = true;
        inner.sparseness = std::max(inner.sparseness, edge.weight);
    }
    if (!any) inner.sparseness = largest;
    for (std::size_t i = 0; i < m; ++i)
        if (degree[i] > 1) inner.places.push_back(static_cast<std::uint32_t>(i));
    if (inner.places.empty()) inner.places.push_back(0);
    return inner;
}

/// make(order) gives the source of the distances of some rows.
template <class MakeSource>
void validity(const RunContext& ctx, const GroupedRows& groups, double* out, MakeSource&& make) {
    const std::size_t k = groups.n_clusters();
    std::vector<Inner> inner(k);
    std::vector<double> cores(groups.order.size());
    const auto members = [&](std::size_t c) {
        return std::span(groups.order).subspan(groups.begin[c], groups.size(c));
    };
    for (std::size_t c = 0; c < k; ++c) core_distances(ctx, make(members(c)), groups.size(c), &cores[groups.begin[c]]);
    const double mean_size = static_cast<double>(groups.order.size()) / static_cast<double>(k);
    parallel_tasks(ctx, k, 3 * mean_size * mean_size, [&](std::size_t c, int) {
        inner[c] = spanning_tree(ctx, make(members(c)), groups.size(c), &cores[groups.begin[c]]);
    });

    // Inner rows of all clusters, one after the other, and their core distances.
    std::vector<std::uint32_t> rows, cluster, begin{0};
    std::vector<double> core;
    for (std::size_t c = 0; c < k; ++c) {
        for (const std::uint32_t place : inner[c].places) {
            rows.push_back(groups.order[groups.begin[c] + place]);
            cluster.push_back(static_cast<std::uint32_t>(c));
            core.push_back(cores[groups.begin[c] + place]);
        }
        begin.push_back(static_cast<std::uint32_t>(rows.size()));
    }
    const std::size_t m = rows.size(), n_tasks = (m + task_rows - 1) / task_rows;
    const auto source = make(std::span<const std::uint32_t>(rows));
    std::vector<double> separation(m, infinity);
    parallel_tasks(ctx, n_tasks, 0.3 * (source.dimension() + 8) * static_cast<double>(m * task_rows),
                   [&](std::size_t task, int) {
                       Scratch<double> scratch(strip_rows * most_columns);
                       const std::size_t first = task * task_rows;
                       for_strips(ctx, source, first, std::min(m, first + task_rows), m, scratch.data(),
                                  [&](std::size_t row, std::size_t place, const double* distance, std::size_t n) {
                                      double least = separation[row];
                                      for (std::size_t i = 0; i < n; ++i) {
                                          const double r = std::max(distance[i], core[place + i]);
                                          least = std::min(least, cluster[place + i] == cluster[row] ? infinity : r);
                                      }
                                      separation[row] = least;
                                  });
                   });
    for (std::size_t c = 0; c < k; ++c) {
        double T = infinity;
        for (std::size_t i = begin[c]; i < begin[c + 1]; ++i) T = std::min(T, std::max(core[i], separation[i]));
        const double S = inner[c].sparseness, most = std::max(T, S);
        out[c] = most > 0 ? (T - S) / most : 0.0;
    }
}

} // namespace

void density_validity(const RunContext& ctx, MatrixView<const double> X, const GroupedRows& groups,
                      ValidityMetric metric, double* out) {
    const double scale = unit_scale(ctx, X);
    validity(ctx, groups, out,
             [&](std::span<const std::uint32_t> order) { return PointSource(ctx, X, scale, order, metric); });
}

void density_validity_of_distances(const RunContext& ctx, MatrixView<const double> D, double d,
                                   const GroupedRows& groups, double* out) {
    validity(ctx, groups, out, [&](std::span<const std::uint32_t> order) { return MatrixSource(D, d, order); });
}

} // namespace mlcore::metrics
