// Euclidean neighbours: queries go in chunks against blocks of points, as products in float32 whose tiles are looked at
// while they are in the nearest cache (rounding.hpp); the few points that may be among the nearest are noted, and those
// that still may in the end are scored again as everywhere. Other metrics are no products: a tree whose boxes exclude
// little scans all points with the best use of vectors and caches.
#include "neighbors/brute.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "linalg/gemm_kernel.hpp"
#include "neighbors/best.hpp"
#include "neighbors/bits.hpp"
#include "neighbors/distance.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/rounding.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace mlcore::neighbors {
namespace {

using linalg::tile_cols, linalg::tile_rows;

constexpr std::size_t chunk_tiles = 16;         // tiles of queries that go through the points together
constexpr std::size_t block_bytes = 256 * 1024; // of points that stay in the second-level cache
constexpr std::size_t most_kept = 1 << 18;      // points noted for a chunk of queries
constexpr std::size_t few_queries = 4;          // not worth the packing of the points

void check_queries(MatrixView<const double> points, MatrixView<const double> queries) {
    if (queries.cols != points.cols)
        throw ValueError("queries must have " + std::to_string(points.cols) + " coordinates as the points, got " +
                         std::to_string(queries.cols));
}

/// Reduced distances of a query to up to four points: sums in the order of the dimensions, which wait for themselves
/// alone.
void score_four(const double* query, const double* const* points, std::size_t d, double* out) {
    double a = 0, b = 0, c = 0, e = 0;
    for (std::size_t j = 0; j < d; ++j) {
        a = SquaredEuclidean::add(a, query[j] - points[0][j]);
        b = SquaredEuclidean::add(b, query[j] - points[1][j]);
        c = SquaredEuclidean::add(c, query[j] - points[2][j]);
        e = SquaredEuclidean::add(e, query[j] - points[3][j]);
    }
    out[0] = a, out[1] = b, out[2] = c, out[3] = e;
}

/// found(candidate) for each of n rows, row_of(i) being the i-th.
template <class RowOf, class Found>
void score(MatrixView<const double> points, const double* query, std::size_t n, RowOf&& row_of, Found&& found) {
    for (std::size_t i = 0; i < n; i += 4) {
        const double* places[4];
        double distances[4];
        const std::size_t m = std::min<std::size_t>(4, n - i);
        for (std::size_t l = 0; l < 4; ++l)
            places[l] = &points(static_cast<std::size_t>(row_of(i + std::min(l, m - 1))), 0);
        score_four(query, places, points.cols, distances);
        for (std::size_t l = 0; l < m; ++l) found(Candidate{distances[l], row_of(i + l)});
    }
}

/// One bit for each of tile_cols sums of products and squares that are at most `bound`.
[[gnu::always_inline]] inline Bits screen_row(const float* products, const float* squares, float bound) {
    Bits bits = 0;
#pragma GCC unroll 2
    for (std::size_t v = 0; v < tile_cols; v += simd::lanes)
        bits |= at_most(simd::load(products + v) + simd::load(squares + v), simd::broadcast(bound)) << v;
    return bits;
}

/// The least float that is not below x.
float rounded_up(double x) {
    if (x >= static_cast<double>(std::numeric_limits<float>::max())) return std::numeric_limits<float>::infinity();
    const auto y = static_cast<float>(x);
    return static_cast<double>(y) < x ? std::nextafter(y, std::numeric_limits<float>::infinity()) : y;
}

/// The points, packed for products.
class Panels {
  public:
    Panels(const RunContext& ctx, MatrixView<const double> points, const Rounding& rounding)
        : rounding_(rounding), n_(points.rows), d_(points.cols), coordinates_(size() * d_ * tile_cols),
          squares_(size() * tile_cols), below_(size() * tile_cols) {
        parallel_tasks(ctx, size(), static_cast<double>(d_ * tile_cols), [&](std::size_t p, int) {
            float* panel = coordinates_.data() + p * d_ * tile_cols;
            for (std::size_t i = p * tile_cols; i < (p + 1) * tile_cols; ++i, ++panel) {
                if (i < n_) {
                    squares_[i] = pack(rounding, &points(i, 0), d_, 1, panel, tile_cols);
                    below_[i] = static_cast<float>(rounding.below(squares_[i]));
                    continue;
                }
                for (std::size_t j = 0; j < d_; ++j) panel[j * tile_cols] = 0;
                below_[i] = std::numeric_limits<float>::quiet_NaN();
            }
        });
    }

    /// A point as float32, times `factor`, its coordinates `step` apart. Returns its square.
    static double pack(const Rounding& rounding, const double* x, std::size_t d, float factor, float* out,
                       std::size_t step) {
        double square = 0;
        for (std::size_t j = 0; j < d; ++j) {
            const float y = rounding(x[j], j);
            square += static_cast<double>(y) * static_cast<double>(y);
            out[j * step] = y * factor;
        }
        return square;
    }

    const Rounding& rounding() const { return rounding_; }
    std::size_t size() const { return (n_ + tile_cols - 1) / tile_cols; }
    const float* panel(std::size_t i) const { return coordinates_.data() + i * d_ * tile_cols; }
    /// below(|x|^2) of the points of a panel, NaN for what is missing, which no bound lets pass then.
    const float* below(std::size_t i) const { return below_.data() + i * tile_cols; }
    /// What the upper bound of a point is above its lower one.
    double width(std::size_t point) const { return rounding_.width(squares_[point]); }

  private:
    const Rounding& rounding_;
    std::size_t n_, d_;
    Buffer<float> coordinates_;
    Buffer<double> squares_;
    Buffer<float> below_;
};

/// Queries against the points. take(query, point, lower bound less |query|^2) gets what passes bounds[query], by query
/// of the chunk, then done(query) is called, which may lower it.
class Chunk {
  public:
    Chunk(const Panels& points, MatrixView<const double> queries, std::size_t first, std::size_t count)
        : points_(points), d_(queries.cols), count_(count), panels_(count * d_), squares(count) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t begin = i / tile_rows * tile_rows, m = std::min(tile_rows, count - begin);
            squares[i] = Panels::pack(points.rounding(), &queries(first + i, 0), d_, -2,
                                      panels_.data() + begin * d_ + i - begin, m);
        }
    }

    template <class Take, class Done>
    void run(const RunContext& ctx, const float* bounds, Take&& take, Done&& done) const {
        const std::size_t step = std::max<std::size_t>(block_bytes / (d_ * tile_cols * sizeof(float)), 1);
        alignas(64) float products[tile_rows * tile_cols];
        for (std::size_t begin = 0; begin < points_.size(); begin += step) {
            ctx.checkpoint();
            const std::size_t end = std::min(begin + step, points_.size());
            for (std::size_t i = 0; i < count_; i += tile_rows) {
                const std::size_t m = std::min(tile_rows, count_ - i);
                const linalg::TileKernel multiply = linalg::tile_kernel(m);
                for (std::size_t p = begin; p < end; ++p) {
                    multiply(panels_.data() + i * d_, points_.panel(p), d_, products, tile_cols, false);
                    const float* below = points_.below(p);
                    for (std::size_t r = 0; r < m; ++r) {
                        const float* row = products + r * tile_cols;
                        const Bits passed = screen_row(row, below, bounds[i + r]);
                        if (passed == 0) continue;
                        for_bits(passed, [&](std::size_t l) { take(i + r, p * tile_cols + l, row[l] + below[l]); });
                        done(i + r);
                    }
                }
            }
        }
    }

  private:
    const Panels& points_;
    std::size_t d_, count_;
    Buffer<float> panels_;

  public:
    std::vector<double> squares; // of the queries
};

/// f(first, count) for chunks of queries, each of which keeps some k points.
template <class F>
void for_chunks(const RunContext& ctx, std::size_t n_points, MatrixView<const double> queries, std::size_t k, F&& f) {
    const std::size_t size = std::clamp<std::size_t>(most_kept / k / tile_rows, 1, chunk_tiles) * tile_rows;
    const std::size_t n_chunks = (queries.rows + size - 1) / size;
    const double ns = 0.02 * static_cast<double>(std::min(size, queries.rows) * n_points * (queries.cols + 8));
    parallel_tasks(ctx, n_chunks, ns,
                   [&](std::size_t c, int) { f(c * size, std::min(size, queries.rows - c * size)); });
}

/// The search of one query.
template <class Best>
class Nearest {
  public:
    void start(std::size_t k, std::int32_t self) {
        upper_.start(k);
        exact_.start(k);
        self_ = self;
        most_noted_ = std::max<std::size_t>(8 * k, 512);
        noted_.clear();
    }

    /// A point with its lower and upper bound.
    void note(float lower, double upper, std::int32_t row) {
        if (row == self_) return;
        upper_.add({upper, row});
        noted_.push_back({lower, row});
    }
    bool is_full() const { return noted_.size() >= most_noted_; }
    double upper_bound() const { return upper_.bound(); }

    /// Makes room: forgets what is beyond the bound, and if too little is, scores the rest.
    void settle(MatrixView<const double> points, const double* query, float bound) {
        std::erase_if(noted_, [&](const Noted& item) { return item.lower > bound; });
        if (noted_.size() >= most_noted_ / 2) score_noted(points, query);
    }
    const std::vector<Candidate>& finish(MatrixView<const double> points, const double* query, float bound) {
        std::erase_if(noted_, [&](const Noted& item) { return item.lower > bound; });
        score_noted(points, query);
        return exact_.sorted();
    }

  private:
    struct Noted {
        float lower;
        std::int32_t row;
    };

    void score_noted(MatrixView<const double> points, const double* query) {
        score(
            points, query, noted_.size(), [&](std::size_t i) { return noted_[i].row; },
            [&](const Candidate& candidate) { exact_.add(candidate); });
        noted_.clear();
    }
    Best upper_, exact_;
    std::vector<Noted> noted_;
    std::size_t most_noted_ = 0;
    std::int32_t self_ = -1;
};

template <class Best>
void nearest_by_products(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries,
                         bool is_self, std::size_t k, Metric metric, Neighbors& out) {
    const Rounding rounding(ctx, points, queries);
    const Panels panels(ctx, points, rounding);
    const std::size_t n_others = k - is_self;
    for_chunks(ctx, points.rows, queries, k, [&](std::size_t first, std::size_t count) {
        const Chunk chunk(panels, queries, first, count);
        std::vector<Nearest<Best>> searches(n_others > 0 ? count : 0);
        std::vector<float> bounds(count, std::numeric_limits<float>::infinity());
        for (std::size_t i = 0; i < searches.size(); ++i)
            searches[i].start(n_others, is_self ? static_cast<std::int32_t>(first + i) : -1);
        if (n_others > 0)
            chunk.run(
                ctx, bounds.data(),
                [&](std::size_t i, std::size_t point, float lower) {
                    searches[i].note(lower, static_cast<double>(lower) + panels.width(point),
                                     static_cast<std::int32_t>(point));
                },
                [&](std::size_t i) {
                    bounds[i] = rounded_up(searches[i].upper_bound() + rounding.width(chunk.squares[i]));
                    if (searches[i].is_full()) searches[i].settle(points, &queries(first + i, 0), bounds[i]);
                });
        for (std::size_t i = 0; i < count; ++i) {
            std::int32_t* indices = out.indices.data() + (first + i) * k;
            double* distances = out.distances.data() + (first + i) * k;
            if (is_self) {
                *indices++ = static_cast<std::int32_t>(first + i);
                *distances++ = 0;
            }
            if (n_others == 0) continue;
            for (const Candidate& candidate : searches[i].finish(points, &queries(first + i, 0), bounds[i])) {
                *indices++ = candidate.row;
                *distances++ = distance_of(metric, candidate.distance);
            }
        }
    });
}

/// Few queries: all points are scored.
void nearest_of_few(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries,
                    std::size_t k, Metric metric, Neighbors& out) {
    parallel_tasks(ctx, queries.rows, 0.5 * static_cast<double>(points.rows * points.cols), [&](std::size_t i, int) {
        BufferedBest best;
        best.start(k);
        score(
            points, &queries(i, 0), points.rows, [](std::size_t row) { return static_cast<std::int32_t>(row); },
            [&](const Candidate& candidate) { best.add(candidate); });
        const auto& found = best.sorted();
        for (std::size_t r = 0; r < k; ++r) {
            out.indices[i * k + r] = found[r].row;
            out.distances[i * k + r] = distance_of(metric, found[r].distance);
        }
    });
}

Neighbors nearest(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries,
                  bool is_self, std::size_t k, Metric metric) {
    if (k < 1 || k > points.rows)
        throw ValueError("k must be from 1 to the number of points, " + std::to_string(points.rows) + ", got " +
                         std::to_string(k));
    Neighbors out{Buffer<std::int32_t>(queries.rows * k), Buffer<double>(queries.rows * k)};
    if (queries.rows == 0) return out;
    if (!is_self && queries.rows <= few_queries)
        nearest_of_few(ctx, points, queries, k, metric, out);
    else if (k <= most_sorted)
        nearest_by_products<SortedBest>(ctx, points, queries, is_self, k, metric, out);
    else
        nearest_by_products<BufferedBest>(ctx, points, queries, is_self, k, metric, out);
    return out;
}

Within inside(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries, double radius,
              Metric metric) {
    if (!(radius >= 0)) throw ValueError("radius must not be negative");
    Within out;
    out.offsets.assign(queries.rows + 1, 0);
    if (queries.rows == 0) return out;
    const double most = largest_reduced(metric, radius);
    const Rounding rounding(ctx, points, queries);
    const Panels panels(ctx, points, rounding);
    std::vector<std::vector<Candidate>> found(queries.rows);
    for_chunks(ctx, points.rows, queries, 1, [&](std::size_t first, std::size_t count) {
        const Chunk chunk(panels, queries, first, count);
        std::vector<float> bounds(count);
        for (std::size_t i = 0; i < count; ++i)
            bounds[i] = rounded_up(rounding.in_unit(most) - rounding.below(chunk.squares[i]));
        std::vector<std::int32_t> rows;
        chunk.run(
            ctx, bounds.data(),
            [&](std::size_t, std::size_t point, float) { rows.push_back(static_cast<std::int32_t>(point)); },
            [&](std::size_t i) {
                score(
                    points, &queries(first + i, 0), rows.size(), [&](std::size_t r) { return rows[r]; },
                    [&](const Candidate& candidate) {
                        if (candidate.distance <= most) found[first + i].push_back(candidate);
                    });
                rows.clear();
            });
    });
    for (std::size_t i = 0; i < queries.rows; ++i)
        out.offsets[i + 1] = out.offsets[i] + static_cast<std::int64_t>(found[i].size());
    out.indices = Buffer<std::int32_t>(static_cast<std::size_t>(out.offsets.back()));
    out.distances = Buffer<double>(out.indices.size());
    parallel_tasks(ctx, queries.rows, 2.0 * static_cast<double>(out.indices.size() / queries.rows),
                   [&](std::size_t i, int) {
                       auto place = static_cast<std::size_t>(out.offsets[i]);
                       for (const Candidate& candidate : found[i]) { // blocks of points come in order
                           out.indices[place] = candidate.row;
                           out.distances[place++] = distance_of(metric, candidate.distance);
                       }
                       found[i] = {};
                   });
    return out;
}

bool by_products(MatrixView<const double> points, Metric metric) { return Rounding::serves(metric, points.cols); }

} // namespace

Neighbors k_nearest(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries,
                    std::size_t k, Metric metric) {
    check_queries(points, queries);
    if (!by_products(points, metric)) return k_nearest(ctx, KdTree(ctx, points, metric), queries, k);
    return nearest(ctx, points, queries, false, k, metric);
}

Neighbors k_nearest(const RunContext& ctx, MatrixView<const double> points, std::size_t k, Metric metric) {
    if (!by_products(points, metric)) return k_nearest(ctx, KdTree(ctx, points, metric), k);
    return nearest(ctx, points, points, true, k, metric);
}

Within within(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries, double radius,
              Metric metric) {
    check_queries(points, queries);
    if (!by_products(points, metric)) return within(ctx, KdTree(ctx, points, metric), queries, radius);
    return inside(ctx, points, queries, radius, metric);
}

Within within(const RunContext& ctx, MatrixView<const double> points, double radius, Metric metric) {
    return within(ctx, points, points, radius, metric);
}

} // namespace mlcore::neighbors
