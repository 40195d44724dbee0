#include "check.hpp"

#include "cluster/dbscan/components.hpp"
#include "cluster/dbscan/dbscan.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <random>

using namespace mlcore;
using namespace mlcore::cluster;
using neighbors::Metric;

namespace {

struct Points {
    std::size_t n, d;
    std::vector<double> values;

    MatrixView<const double> view() const { return row_major<const double>(values.data(), n, d); }
};

/// Normal groups and noise around them; on a grid, so that many distances are equal, with `step` > 0.
Points groups(std::size_t n, std::size_t d, unsigned seed, double step = 0) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    Points points{n, d, std::vector<double>(n * d)};
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < d; ++j) {
            const double x = (i % 7 == 0 ? 3 : 0.5) * normal(random) + 3 * static_cast<double>((i % 3) * (j % 2));
            points.values[i * d + j] = step > 0 ? step * std::round(x / step) : x;
        }
    return points;
}

bool near(const Points& points, Metric metric, double eps, std::size_t a, std::size_t b) {
    double sum = 0;
    for (std::size_t j = 0; j < points.d; ++j) {
        const double x = std::abs(points.values[a * points.d + j] - points.values[b * points.d + j]);
        sum = metric == Metric::manhattan ? sum + x : metric == Metric::chebyshev ? std::max(sum, x) : sum + x * x;
    }
    return sum <= (metric == Metric::euclidean ? eps * eps : eps);
}

/// The search of the paper: clusters grow from their first core points, one after the other.
DbscanResult twin(const Points& points, Metric metric, const DbscanParams& params) {
    const std::size_t n = points.n;
    DbscanResult result{std::vector<std::int64_t>(n, -1), {}};
    for (std::size_t i = 0; i < n; ++i) {
        double weight = 0;
        for (std::size_t j = 0; j < n; ++j)
            if (near(points, metric, params.eps, i, j)) weight += params.weights.empty() ? 1 : params.weights[j];
        if (weight >= params.min_samples) result.core.push_back(static_cast<std::int64_t>(i));
    }
    const auto is_core = [&](std::size_t i) {
        return std::binary_search(result.core.begin(), result.core.end(), static_cast<std::int64_t>(i));
    };
    std::int64_t label = 0;
    for (std::size_t seed = 0; seed < n; ++seed) {
        if (!is_core(seed) || result.labels[seed] >= 0) continue;
        std::vector<std::size_t> stack{seed};
        result.labels[seed] = label;
        while (!stack.empty()) {
            const std::size_t i = stack.back();
            stack.pop_back();
            for (std::size_t j = 0; j < n; ++j)
                if (result.labels[j] < 0 && near(points, metric, params.eps, i, j)) {
                    result.labels[j] = label;
                    if (is_core(j)) stack.push_back(j);
                }
        }
        ++label;
    }
    return result;
}

void check_same(const DbscanResult& found, const DbscanResult& expected) {
    CHECK(found.labels == expected.labels);
    CHECK(found.core == expected.core);
}

} // namespace

TEST(points_against_the_search_of_the_paper) {
    for (const Metric metric : {Metric::euclidean, Metric::manhattan, Metric::chebyshev})
        for (const std::size_t n : {1, 7, 32, 33, 200, 700})
            for (const std::size_t d : {1, 2, 3, 5, 20})
                for (const double eps : {0.05, 0.5, 1.0, 3.0, 100.0}) {
                    const Points points = groups(n, d, static_cast<unsigned>(n + d), n % 2 == 0 ? 0.25 : 0);
                    const DbscanParams params{.eps = eps, .min_samples = 4, .weights = {}};
                    const StandaloneRun run(n % 2 == 0 ? 3 : 1);
                    check_same(dbscan(run.context, points.view(), metric, params), twin(points, metric, params));
                }
}

TEST(products_of_many_dimensions_decide_as_exact_sums_do) {
    for (const std::size_t d : {16, 17, 64})
        for (const double offset : {0.0, 1e4, 1e8, 1e12}) // from where products are right to where they say nothing
            for (const double step : {0.0, 0.25}) {       // on the grid very many distances are equal to eps
                Points points = groups(600, d, static_cast<unsigned>(d), step);
                for (double& x : points.values) x += offset;
                for (const double eps : {0.5, 0.25 * std::sqrt(static_cast<double>(d)), 3.0, 8.0}) {
                    const DbscanParams params{.eps = eps, .min_samples = 4, .weights = {}};
                    const StandaloneRun run(2);
                    check_same(dbscan(run.context, points.view(), Metric::euclidean, params),
                               twin(points, Metric::euclidean, params));
                }
            }
}

TEST(weights_negative_ones_too) {
    const Points points = groups(500, 2, 5);
    std::vector<double> weights(points.n);
    for (const int least : {0, -2}) {
        for (std::size_t i = 0; i < points.n; ++i) weights[i] = least + static_cast<double>(i * 31 % 7) / 2;
        for (const double eps : {0.2, 0.6, 50.0})
            for (const double min_samples : {3.0, 9.0, 400.0}) {
                const DbscanParams params{.eps = eps, .min_samples = min_samples, .weights = weights};
                const StandaloneRun run(2);
                check_same(dbscan(run.context, points.view(), Metric::euclidean, params),
                           twin(points, Metric::euclidean, params));
            }
    }
}

TEST(ten_weights_of_a_tenth_make_one) {
    const Points points{10, 1, std::vector<double>(10, 3.0)};
    const std::vector<double> weights(10, 0.1);
    const StandaloneRun run;
    const DbscanParams params{.eps = 1, .min_samples = 1, .weights = weights};
    CHECK(dbscan(run.context, points.view(), Metric::euclidean, params).core.size() == 10);
}

TEST(given_distances_are_as_points) {
    const Points points = groups(300, 2, 9);
    const DbscanParams params{.eps = 0.4, .min_samples = 4, .weights = {}};
    const DbscanResult expected = twin(points, Metric::chebyshev, params);
    std::vector<double> dense(points.n * points.n), data;
    std::vector<std::int32_t> indices, indptr{0};
    for (std::size_t i = 0; i < points.n; ++i) {
        for (std::size_t j = 0; j < points.n; ++j) {
            double distance = 0;
            for (std::size_t k = 0; k < points.d; ++k)
                distance = std::max(distance, std::abs(points.values[i * 2 + k] - points.values[j * 2 + k]));
            dense[i * points.n + j] = distance;
            if (distance < 1 && i != j) {
                data.push_back(distance);
                indices.push_back(static_cast<std::int32_t>(j));
            }
        }
        indptr.push_back(static_cast<std::int32_t>(data.size()));
    }
    const StandaloneRun run(2);
    check_same(dbscan(run.context, row_major<const double>(dense.data(), points.n, points.n), params), expected);
    const CsrView<double, std::int32_t> csr{data.data(), indices.data(), indptr.data(), points.n, points.n};
    check_same(dbscan(run.context, csr, params), expected);
}

TEST(units_beyond_the_squares_of_float64) {
    const Points points = groups(200, 2, 3);
    const DbscanParams params{.eps = 0.5, .min_samples = 4, .weights = {}};
    const DbscanResult expected = twin(points, Metric::euclidean, params);
    const StandaloneRun run;
    for (const int exponent : {-900, -400, 400, 900}) {
        Points scaled = points;
        for (double& x : scaled.values) x = std::scalbn(x, exponent);
        const DbscanParams in_units{.eps = std::scalbn(0.5, exponent), .min_samples = 4, .weights = {}};
        check_same(dbscan(run.context, scaled.view(), Metric::euclidean, in_units), expected);
    }
    const Points far{2, 1, {1e300, 2e300}};
    const DbscanParams tiny{.eps = 1e-200, .min_samples = 1, .weights = {}};
    CHECK_THROWS(ValueError, dbscan(run.context, far.view(), Metric::euclidean, tiny));
}

TEST(sets_are_united_by_all_threads) {
    constexpr std::size_t n = 20000;
    const StandaloneRun run(4);
    Components components(n);
    parallel_tasks(run.context, n, 1000, [&](std::size_t i, int) {
        if (i + 30 < n && i % 30 != 0)
            components.unite(static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i + 30));
    });
    for (std::size_t i = 0; i < n; ++i)
        CHECK(components.root(static_cast<std::uint32_t>(i)) == (i % 30 == 0 ? i : i % 30));
}
