// Prim's algorithm in the form for dense graphs: for each point outside the tree the best edge into the tree is kept,
// and each step compares it with the edge to the point that joined last.
//
// The points outside lie in tiles of 64, by coordinates, so that a step runs over contiguous memory in whole vectors. A
// point that joins leaves its place to the last one: a step costs as much as there are points outside.
#include "core/error.hpp"
#include "core/memory.hpp"
#include "neighbors/distance.hpp"
#include "neighbors/spanning_tree.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

namespace mlcore::neighbors {
namespace {

constexpr std::size_t tile = 64; // points

/// What is known of the points outside the tree, by place.
struct Outside {
    Buffer<double> core;             // reduced core distance
    Buffer<double> weight, distance; // of the best edge into the tree
    Buffer<std::int64_t> neighbor;   // where it ends; as wide as a double, so that lanes fit
    Buffer<std::int64_t> row;

    explicit Outside(std::size_t room)
        : core(room, 0.0), weight(room, std::numeric_limits<double>::infinity()),
          distance(room, std::numeric_limits<double>::infinity()),
          neighbor(room, std::numeric_limits<std::int64_t>::max()), row(room, 0) {}

    void move(std::size_t from, std::size_t to) {
        core[to] = core[from];
        weight[to] = weight[from];
        distance[to] = distance[from];
        neighbor[to] = neighbor[from];
        row[to] = row[from];
    }
    Edge edge(std::size_t place) const {
        return make_edge(weight[place], distance[place], static_cast<std::int32_t>(neighbor[place]),
                         static_cast<std::int32_t>(row[place]));
    }
};

/// Compares the edges between a tile and the new point with the best ones, and returns the least weight of the first
/// `count` points. distances (tile)
double update(Outside& outside, std::size_t begin, std::size_t count, const double* distances, std::int64_t row,
              double core, double scale) {
    const double* cores = outside.core.data() + begin;
    double* weights = outside.weight.data() + begin;
    double* best = outside.distance.data() + begin;
    std::int64_t* neighbors = outside.neighbor.data() + begin;
    for (std::size_t l = 0; l < tile; ++l) {
        const double distance = distances[l], scaled = distance * scale;
        const double cores_both = cores[l] > core ? cores[l] : core;
        const double weight = scaled > cores_both ? scaled : cores_both;
        const bool nearer = (distance < best[l]) | ((distance == best[l]) & (row < neighbors[l]));
        const bool better = (weight < weights[l]) | ((weight == weights[l]) & nearer);
        weights[l] = better ? weight : weights[l];
        best[l] = better ? distance : best[l];
        neighbors[l] = better ? row : neighbors[l];
    }
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t l = 0; l < count; ++l) least = weights[l] < least ? weights[l] : least;
    return least;
}

/// The place of the least edge; `least` is its weight.
std::size_t least_edge(const Outside& outside, std::size_t n, double least) {
    std::size_t place = n;
    Edge best;
    for (std::size_t p = 0; p < n; ++p) {
        if (outside.weight[p] != least) continue;
        const Edge edge = outside.edge(p);
        if (place == n || edge < best) {
            place = p;
            best = edge;
        }
    }
    return place;
}

/// Source is asked for load(place, row), move(from, to), start(row) of the new point and distances(begin, out) to the
/// tile of points outside that begins there.
template <class Source>
std::vector<Edge> grow(const RunContext& ctx, std::size_t n, std::span<const double> core_distances, double alpha,
                       Metric metric, Source& source) {
    const auto core_of = [&](std::size_t row) {
        return core_distances.empty() ? 0.0 : reduce(metric, core_distances[row]);
    };
    const double scale = reduced_scale(metric, alpha);
    Outside outside((n + tile) / tile * tile);
    std::vector<Edge> edges;
    edges.reserve(n - 1);
    std::size_t left = n - 1;
    for (std::size_t p = 0; p < left; ++p) { // row 0 is the first in the tree
        outside.core[p] = core_of(p + 1);
        outside.row[p] = static_cast<std::int64_t>(p + 1);
        source.load(p, p + 1);
    }
    std::size_t row = 0;
    alignas(cache_line) double distances[tile];
    while (left > 0) {
        ctx.checkpoint();
        source.start(row);
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t begin = 0; begin < left; begin += tile) {
            source.distances(begin, outside.row.data() + begin, distances);
            least = std::min(least, update(outside, begin, std::min(tile, left - begin), distances,
                                           static_cast<std::int64_t>(row), core_of(row), scale));
        }
        const std::size_t place = least_edge(outside, left, least);
        edges.push_back(outside.edge(place));
        row = static_cast<std::size_t>(outside.row[place]);
        --left;
        outside.move(left, place);
        source.move(left, place);
    }
    return edges;
}

/// Points outside, in tiles (d, tile) by coordinates.
template <class Sum>
class Points {
  public:
    Points(MatrixView<const double> points, std::size_t room) : points_(points), tiles_(room * points.cols, 0.0) {}

    void load(std::size_t place, std::size_t row) {
        const double* from = points_.row(row).data;
        double* to = at(place);
        for (std::size_t c = 0; c < points_.cols; ++c) to[c * tile] = from[c];
    }
    void move(std::size_t from, std::size_t to) {
        const double* source = at(from);
        double* target = at(to);
        for (std::size_t c = 0; c < points_.cols; ++c) target[c * tile] = source[c * tile];
    }
    void start(std::size_t row) { current_ = points_.row(row).data; }

    /// Sums over the coordinates in order, as every search for neighbours makes them.
    void distances(std::size_t begin, const std::int64_t*, double* out) const {
        const double* coordinates = at(begin);
        double sum[tile] = {};
        for (std::size_t c = 0; c < points_.cols; ++c, coordinates += tile) {
            const double x = current_[c];
            for (std::size_t l = 0; l < tile; ++l) sum[l] = Sum::add(sum[l], coordinates[l] - x);
        }
        for (std::size_t l = 0; l < tile; ++l) out[l] = sum[l];
    }

  private:
    double* at(std::size_t place) { return tiles_.data() + place / tile * tile * points_.cols + place % tile; }
    const double* at(std::size_t place) const {
        return tiles_.data() + place / tile * tile * points_.cols + place % tile;
    }

    MatrixView<const double> points_;
    Buffer<double> tiles_;
    const double* current_ = nullptr;
};

/// Distances that are given.
class Given {
  public:
    explicit Given(MatrixView<const double> distances) : distances_(distances) {}

    void load(std::size_t, std::size_t) {}
    void move(std::size_t, std::size_t) {}
    void start(std::size_t row) {
        current_ = distances_.row(row);
        bool good = true;
        for (std::size_t j = 0; j < current_.size; ++j) good &= current_[j] >= 0 || j == row;
        if (!good) throw ValueError("distances must be >= 0, but not all of row " + std::to_string(row) + " are");
    }
    void distances(std::size_t, const std::int64_t* rows, double* out) const {
        for (std::size_t l = 0; l < tile; ++l) out[l] = current_[static_cast<std::size_t>(rows[l])];
    }

  private:
    MatrixView<const double> distances_;
    VectorView<const double> current_;
};

void check_finite(MatrixView<const double> points) {
    for (std::size_t i = 0; i < points.rows; ++i) {
        const double* row = points.row(i).data;
        bool good = true;
        for (std::size_t c = 0; c < points.cols; ++c) good &= std::isfinite(row[c]);
        if (!good) throw ValueError("points must be finite, but row " + std::to_string(i) + " is not");
    }
}

} // namespace

SpanningTree prim(const RunContext& ctx, MatrixView<const double> points, std::span<const double> core_distances,
                  double alpha, Metric metric) {
    check_spanning_tree(points.rows, core_distances, alpha);
    if (!points.rows_contiguous()) throw ValueError("the rows of points must be contiguous");
    check_finite(points);
    const auto edges = with_sum(metric, [&]<class Sum>(Sum) {
        Points<Sum> source(points, (points.rows + tile) / tile * tile);
        return grow(ctx, points.rows, core_distances, alpha, metric, source);
    });
    return sorted_tree(ctx, edges, core_distances, alpha, metric);
}

SpanningTree prim_of_distances(const RunContext& ctx, MatrixView<const double> distances,
                               std::span<const double> core_distances, double alpha) {
    check_spanning_tree(distances.rows, core_distances, alpha);
    if (distances.rows != distances.cols)
        throw ValueError("a matrix of distances must be square, got shape (" + std::to_string(distances.rows) + ", " +
                         std::to_string(distances.cols) + ")");
    Given source(distances);
    // Given distances are not reduced: those of Manhattan are not either.
    const Metric metric = Metric::manhattan;
    return sorted_tree(ctx, grow(ctx, distances.rows, core_distances, alpha, metric, source), core_distances, alpha,
                       metric);
}

} // namespace mlcore::neighbors
