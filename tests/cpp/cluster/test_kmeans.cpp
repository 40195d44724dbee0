// k-means beside a naive twin in float64 that compares every point with every center.
#include "check.hpp"

#include "cluster/kmeans/assign.hpp"
#include "cluster/kmeans/lloyd.hpp"
#include "cluster/kmeans/plus_plus.hpp"
#include "core/random.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace mlcore;
using namespace mlcore::kmeans;

namespace {

struct Data {
    std::size_t n, d;
    std::vector<double> x;

    /// Normal numbers around n_blobs places, rounded to multiples of `grid` where that is not 0.
    Data(std::size_t rows, std::size_t cols, std::size_t n_blobs, double grid = 0, double offset = 0)
        : n(rows), d(cols), x(rows * cols) {
        const Philox places(5, 1), noise(5, 2);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t k = 0; k < d; ++k) {
                double value = 3 * places.normal((i % n_blobs) * d + k) + noise.normal(i * d + k);
                if (grid > 0) value = std::round(value / grid) * grid;
                x[i * d + k] = offset + value;
            }
    }
    Table table() const { return row_major<const double>(x.data(), n, d); }
    std::vector<double> first(std::size_t k) const {
        return {x.begin(), x.begin() + static_cast<std::ptrdiff_t>(k * d)};
    }
};

double squared(const double* a, const double* b, std::size_t d) {
    double lane[8] = {};
    for (std::size_t k = 0; k < d; ++k) lane[k % 8] += (a[k] - b[k]) * (a[k] - b[k]);
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

std::vector<std::int32_t> naive_labels(const Data& data, const std::vector<double>& centers) {
    std::vector<std::int32_t> labels;
    for (std::size_t i = 0; i < data.n; ++i) {
        double best = std::numeric_limits<double>::infinity();
        std::int32_t label = 0;
        for (std::size_t j = 0; j < centers.size() / data.d; ++j) {
            const double distance = squared(&data.x[i * data.d], &centers[j * data.d], data.d);
            if (distance < best) {
                best = distance;
                label = static_cast<std::int32_t>(j);
            }
        }
        labels.push_back(label);
    }
    return labels;
}

/// Lloyd's iterations of the twin; clusters must not become empty.
std::vector<double> naive_fit(const Data& data, std::vector<double> centers, std::size_t n_iter) {
    const std::size_t k = centers.size() / data.d;
    for (std::size_t iteration = 0; iteration < n_iter; ++iteration) {
        const auto labels = naive_labels(data, centers);
        std::vector<double> sums(centers.size()), counts(k);
        for (std::size_t i = 0; i < data.n; ++i) {
            const auto j = static_cast<std::size_t>(labels[i]);
            counts[j] += 1;
            for (std::size_t c = 0; c < data.d; ++c) sums[j * data.d + c] += data.x[i * data.d + c];
        }
        for (std::size_t j = 0; j < k; ++j)
            for (std::size_t c = 0; c < data.d; ++c) centers[j * data.d + c] = sums[j * data.d + c] / counts[j];
    }
    return centers;
}

} // namespace

TEST(labels_are_those_of_float64) {
    const StandaloneRun run(3);
    for (const std::size_t d : {1, 2, 3, 8, 17, 40})
        for (const std::size_t k : {1, 2, 5, 14, 15, 50}) {
            for (const double grid : {0.0, 1.0}) { // a grid has many ties
                const Data data(517, d, 9, grid);
                const Points points(run.context, data.table(), {});
                const auto centers = data.first(k);
                CHECK(assign(run.context, points, centers).labels == naive_labels(data, centers));
            }
        }
}

TEST(far_from_the_origin) {
    const StandaloneRun run(2);
    const Data data(700, 3, 5, 1.0, 1e8);
    const Points points(run.context, data.table(), {});
    const auto found = assign(run.context, points, data.first(7));
    CHECK(found.labels == naive_labels(data, data.first(7)));
    for (std::size_t i = 0; i < 7; ++i) CHECK_EQUAL(found.squared_distances[i], 0.0);
}

TEST(bounds_change_no_label) {
    const StandaloneRun run(2);
    for (const std::size_t d : {2, 16})
        for (const std::size_t k : {3, 20, 60}) {
            const Data data(4000, d, 12);
            const Points points(run.context, data.table(), {});
            for (const std::size_t max_iter : {1, 2, 5, 40}) {
                const Fit all = fit(run.context, points, data.first(k), {max_iter, 0, false});
                const Fit some = fit(run.context, points, data.first(k), {max_iter, 0, true});
                CHECK(all.labels == some.labels);
                CHECK(all.centers == some.centers);
                CHECK_EQUAL(all.n_iter, some.n_iter);
                CHECK(all.labels == naive_labels(data, all.centers));
            }
        }
}

TEST(centers_are_those_of_the_twin) {
    const StandaloneRun run(2);
    const Data data(3000, 5, 8);
    const Points points(run.context, data.table(), {});
    const Fit found = fit(run.context, points, data.first(8), {7, 0, true});
    const auto expected = naive_fit(data, data.first(8), 7);
    for (std::size_t at = 0; at < expected.size(); ++at) CHECK_CLOSE(found.centers[at], expected[at], 1e-12);
}

TEST(same_bits_for_any_threads) {
    const Data data(9000, 7, 10);
    const StandaloneRun one(1, 3), many(4, 3);
    const Points a(one.context, data.table(), {}), b(many.context, data.table(), {});
    const auto rows = plus_plus(one.context, a, 30, 5);
    CHECK(rows == plus_plus(many.context, b, 30, 5));
    const Fit x = fit(one.context, a, data.first(30), {}), y = fit(many.context, b, data.first(30), {});
    CHECK(x.labels == y.labels);
    CHECK(x.centers == y.centers);
    CHECK_EQUAL(x.inertia, y.inertia);
}

TEST(seeds_are_different_points) {
    const StandaloneRun run(2, 1);
    Data data(600, 4, 6);
    for (std::size_t i = 10; i < data.n; ++i) // ten distinct points
        std::copy_n(&data.x[i % 10 * data.d], data.d, &data.x[i * data.d]);
    const Points points(run.context, data.table(), {});
    auto rows = plus_plus(run.context, points, 10, 4);
    for (auto& row : rows) row %= 10;
    std::sort(rows.begin(), rows.end());
    CHECK(std::adjacent_find(rows.begin(), rows.end()) == rows.end());
}

TEST(sparse_as_dense) {
    const StandaloneRun run(2);
    Data data(900, 12, 7);
    for (std::size_t at = 0; at < data.x.size(); ++at)
        if (at * 7919 % 10 < 6) data.x[at] = 0;
    std::vector<double> values;
    std::vector<std::int32_t> indices, indptr{0};
    for (std::size_t i = 0; i < data.n; ++i) {
        for (std::size_t k = 0; k < data.d; ++k)
            if (data.x[i * data.d + k] != 0) {
                values.push_back(data.x[i * data.d + k]);
                indices.push_back(static_cast<std::int32_t>(k));
            }
        indptr.push_back(static_cast<std::int32_t>(values.size()));
    }
    const Points sparse(
        run.context, CsrView<double, std::int32_t>{values.data(), indices.data(), indptr.data(), data.n, data.d}, {});
    const Points dense(run.context, data.table(), {});
    const Fit a = fit(run.context, sparse, data.first(20), {}), b = fit(run.context, dense, data.first(20), {});
    CHECK(a.labels == b.labels);
    CHECK_CLOSE(a.inertia, b.inertia, 1e-9 * b.inertia);
    for (std::size_t at = 0; at < a.centers.size(); ++at) CHECK_CLOSE(a.centers[at], b.centers[at], 1e-12);
}
