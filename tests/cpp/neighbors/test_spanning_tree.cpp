#include "check.hpp"

#include "core/random.hpp"
#include "neighbors/distance_graph.hpp"
#include "neighbors/search.hpp"
#include "neighbors/spanning_tree.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

using namespace mlcore;
using namespace mlcore::neighbors;

namespace {

struct Data {
    std::size_t n, d;
    std::vector<double> values;
    MatrixView<const double> view() const { return row_major(values.data(), n, d); }
};

/// Integers in [0, levels): few levels make many ties and duplicates; 0 levels: real numbers.
Data random_points(std::size_t n, std::size_t d, unsigned levels, std::uint64_t seed) {
    Data data{n, d, std::vector<double>(n * d)};
    std::uint64_t state = seed * 0x9E3779B97F4A7C15U + 1;
    for (double& value : data.values) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        const auto bits = state >> 33U;
        value = levels > 0 ? static_cast<double>(bits % levels) : static_cast<double>(bits) / 0x1p31;
    }
    return data;
}

double reduced(const Data& x, std::size_t i, std::size_t j, Metric metric) {
    double sum = 0;
    for (std::size_t c = 0; c < x.d; ++c) {
        const double difference = x.values[i * x.d + c] - x.values[j * x.d + c];
        if (metric == Metric::manhattan)
            sum += std::abs(difference);
        else if (metric == Metric::chebyshev)
            sum = std::max(sum, std::abs(difference));
        else
            sum += difference * difference;
    }
    return sum;
}

/// Distance to the k-th nearest, the point itself the first.
std::vector<double> core_distances(const Data& x, std::size_t k, Metric metric) {
    std::vector<double> cores(x.n), row(x.n);
    for (std::size_t i = 0; i < x.n; ++i) {
        for (std::size_t j = 0; j < x.n; ++j) row[j] = reduced(x, i, j, metric);
        std::sort(row.begin(), row.end());
        cores[i] = distance_of(metric, row[std::min(k, x.n) - 1]);
    }
    return cores;
}

/// Kruskal over all edges in their order.
SpanningTree kruskal(const Data& x, const std::vector<double>& cores, double alpha, Metric metric) {
    std::vector<Edge> edges, chosen;
    for (std::size_t i = 0; i < x.n; ++i)
        for (std::size_t j = i + 1; j < x.n; ++j) {
            const double distance = reduced(x, i, j, metric);
            double weight = distance * reduced_scale(metric, alpha);
            if (!cores.empty()) weight = std::max({weight, reduce(metric, cores[i]), reduce(metric, cores[j])});
            edges.push_back(make_edge(weight, distance, static_cast<std::int32_t>(i), static_cast<std::int32_t>(j)));
        }
    std::sort(edges.begin(), edges.end());
    std::vector<std::int32_t> set(x.n);
    std::iota(set.begin(), set.end(), 0);
    for (const Edge& edge : edges) {
        const auto a = set[static_cast<std::size_t>(edge.from)], b = set[static_cast<std::size_t>(edge.to)];
        if (a == b) continue;
        chosen.push_back(edge);
        std::replace(set.begin(), set.end(), a, b);
    }
    const StandaloneRun run;
    return sorted_tree(run.context, chosen, cores, alpha, metric);
}

bool same(const SpanningTree& a, const SpanningTree& b) {
    return a.from == b.from && a.to == b.to && a.weights == b.weights;
}

const Metric metrics[] = {Metric::euclidean, Metric::manhattan, Metric::chebyshev, Metric::cosine};

} // namespace

TEST(prim_is_kruskal) {
    const StandaloneRun run(2);
    for (const Metric metric : metrics)
        for (const unsigned levels : {0U, 1U, 3U, 50U})
            for (const std::size_t n : {1, 2, 3, 63, 64, 65, 66, 200})
                for (const std::size_t d : {1, 2, 5})
                    for (const double alpha : {1.0, 1.7}) {
                        const Data x = random_points(n, d, levels, n + d);
                        CHECK(same(prim(run.context, x.view(), {}, alpha, metric), kruskal(x, {}, alpha, metric)));
                        const auto cores = core_distances(x, 4, metric);
                        CHECK(
                            same(prim(run.context, x.view(), cores, alpha, metric), kruskal(x, cores, alpha, metric)));
                    }
}

TEST(boruvka_is_kruskal) {
    for (const Metric metric : metrics)
        for (const unsigned levels : {0U, 1U, 3U, 50U})
            for (const std::size_t n : {1, 2, 3, 9, 64, 65, 200, 300})
                for (const std::size_t d : {1, 2, 5})
                    for (const double alpha : {1.0, 1.7})
                        for (const std::size_t k : {0, 1, 4}) {
                            const StandaloneRun run(1 + n % 3);
                            const Data x = random_points(n, d, levels, n + d);
                            const KdTree tree(run.context, x.view(), metric, n % 2 ? 8 : 16);
                            Neighbors nearest;
                            if (k > 0) nearest = k_nearest(run.context, tree, std::min(k, n));
                            const auto indices = nearest.indices.span();
                            CHECK(same(boruvka(run.context, tree, {}, alpha, indices), kruskal(x, {}, alpha, metric)));
                            const auto cores = core_distances(x, 4, metric);
                            CHECK(same(boruvka(run.context, tree, cores, alpha, indices),
                                       kruskal(x, cores, alpha, metric)));
                        }
}

TEST(boruvka_is_prim_on_any_number_of_threads) {
    for (const unsigned levels : {0U, 20U})
        for (const std::size_t d : {1, 2, 3, 9, 16, 33}) {
            const Data x = random_points(2000, d, levels, d);
            for (const int n_threads : {1, 2, 5}) {
                const StandaloneRun run(n_threads);
                const KdTree tree(run.context, x.view(), Metric::euclidean);
                const Neighbors nearest = k_nearest(run.context, tree, 6);
                std::vector<double> cores(x.n);
                for (std::size_t i = 0; i < x.n; ++i) cores[i] = nearest.distances[i * 6 + 4];
                CHECK(same(boruvka(run.context, tree, cores, 1, nearest.indices.span()),
                           prim(run.context, x.view(), cores, 1, Metric::euclidean)));
            }
        }
}

TEST(given_distances_make_the_tree_of_their_points) {
    const StandaloneRun run;
    for (const std::size_t n : {1, 2, 70, 150}) {
        const Data x = random_points(n, 3, 4, n);
        std::vector<double> distances(n * n);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j)
                distances[i * n + j] = i == j ? -1 : reduced(x, i, j, Metric::manhattan);
        const auto cores = core_distances(x, 3, Metric::manhattan);
        CHECK(same(prim_of_distances(run.context, row_major<const double>(distances.data(), n, n), cores, 1.5),
                   kruskal(x, cores, 1.5, Metric::manhattan)));
    }
}

TEST(infinite_distances_join_last) {
    const StandaloneRun run;
    const double inf = std::numeric_limits<double>::infinity();
    const std::vector<double> distances = {0, inf, 2, inf, 0, inf, 2, inf, 0};
    const SpanningTree tree = prim_of_distances(run.context, row_major<const double>(distances.data(), 3, 3), {}, 1);
    CHECK_EQUAL(tree.weights[0], 2.0);
    CHECK_EQUAL(tree.weights[1], inf);
    CHECK_EQUAL(tree.from[1], 0);
    CHECK_EQUAL(tree.to[1], 1);
}

TEST(points_with_infinite_core_distances_join_last) {
    const StandaloneRun run(2);
    for (const std::size_t d : {2, 20})
        for (const std::size_t few : {2, 3, 1000}) { // every 2nd, every 3rd, the first alone
            const Data x = random_points(300, d, 4, d);
            auto cores = core_distances(x, 4, Metric::euclidean);
            for (std::size_t i = 0; i < x.n; i += few) cores[i] = std::numeric_limits<double>::infinity();
            const SpanningTree expected = kruskal(x, cores, 1, Metric::euclidean);
            CHECK(same(prim(run.context, x.view(), cores, 1, Metric::euclidean), expected));
            const KdTree tree(run.context, x.view(), Metric::euclidean);
            CHECK(same(boruvka(run.context, tree, cores, 1, {}), expected));
        }
}

/// A sparse matrix of distances, as it is given and as a dense one.
struct GivenDistances {
    std::size_t n;
    std::vector<double> data, dense;
    std::vector<std::int32_t> indices, indptr;
    CsrView<double, std::int32_t> view() const { return {data.data(), indices.data(), indptr.data(), n, n}; }
};

/// Distances up to `radius` alone, those of every third pair on one side.
GivenDistances given_distances(const Data& x, double radius) {
    const double inf = std::numeric_limits<double>::infinity();
    GivenDistances given{x.n, {}, std::vector<double>(x.n * x.n, inf), {}, {0}};
    for (std::size_t i = 0; i < x.n; ++i) {
        for (std::size_t j = 0; j < x.n; ++j) {
            const double distance = reduced(x, i, j, Metric::manhattan);
            if (distance > radius) continue;
            given.dense[i * x.n + j] = distance;
            if (i > j && (i + j) % 3 == 0) continue;
            given.data.push_back(i == j ? 7 : distance); // the diagonal is not read
            given.indices.push_back(static_cast<std::int32_t>(j));
        }
        given.indptr.push_back(static_cast<std::int32_t>(given.data.size()));
    }
    return given;
}

TEST(sparse_distances_are_dense_ones_with_infinity) {
    for (const std::size_t n : {1, 2, 70, 150, 400})
        for (const unsigned levels : {3U, 30U, 0U})
            for (const double share : {0.0, 0.05, 0.2, 3.0})
                for (const std::size_t k : {1, 4}) {
                    const Data x = random_points(n, 3, levels, n);
                    const GivenDistances given = given_distances(x, share * std::max(1U, levels));
                    const StandaloneRun run(1 + static_cast<int>(n) % 3);
                    const auto D = row_major<const double>(given.dense.data(), n, n);
                    std::vector<double> cores(n);
                    for (std::size_t i = 0; i < n; ++i) {
                        std::vector<double> row(D.row(i).data, D.row(i).data + n);
                        std::sort(row.begin(), row.end());
                        cores[i] = k <= n ? row[k - 1] : std::numeric_limits<double>::infinity();
                    }
                    DistanceGraph graph = read_distance_graph(run.context, given.view());
                    CHECK(core_distances(run.context, graph, k) == cores);
                    CHECK(same(boruvka(run.context, std::move(graph), cores, 1.5),
                               prim_of_distances(run.context, D, cores, 1.5)));
                    CHECK(same(boruvka(run.context, read_distance_graph(run.context, given.view()), {}, 1),
                               prim_of_distances(run.context, D, {}, 1)));
                }
}

TEST(sparse_distances_are_checked) {
    const StandaloneRun run;
    const auto read = [&](std::vector<double> data, std::vector<std::int32_t> indices, std::size_t cols = 2) {
        const std::vector<std::int32_t> indptr = {0, 2, static_cast<std::int32_t>(data.size())};
        const CsrView<double, std::int32_t> D{data.data(), indices.data(), indptr.data(), 2, cols};
        return read_distance_graph(run.context, D);
    };
    CHECK_EQUAL(read({0, 3, 3, 0}, {0, 1, 0, 1}).distances[0], 3.0);
    CHECK_EQUAL(read({0, 3, 3 - 1e-9, 0}, {0, 1, 0, 1}).distances[0], 3 - 1e-9);
    CHECK_EQUAL(read({0, std::numeric_limits<double>::infinity()}, {0, 1}).offsets[2], std::size_t{0});
    CHECK_THROWS(ValueError, read({0, 3, 4, 0}, {0, 1, 0, 1}));
    CHECK_THROWS(ValueError, read({0, -3}, {0, 1}));
    CHECK_THROWS(ValueError, read({0, std::nan("")}, {0, 1}));
    CHECK_THROWS(ValueError, read({3, 0}, {1, 0}));
    CHECK_THROWS(ValueError, read({0, 3}, {0, 1}, 3));
}

TEST(huge_and_far_points) {
    const StandaloneRun run;
    Data x = random_points(40, 2, 0, 3);
    for (double& value : x.values) value = 1e8 + std::floor(20 * value);
    CHECK(same(prim(run.context, x.view(), {}, 1, Metric::euclidean), kruskal(x, {}, 1, Metric::euclidean)));
    for (double& value : x.values) value = (value - 1e8) * 1e180; // squares overflow
    CHECK_EQUAL(prim(run.context, x.view(), {}, 1, Metric::euclidean).weights.size(), std::size_t{39});
}

/// In many dimensions points are filtered by float32 products.
TEST(scales_that_float32_does_not_hold) {
    const StandaloneRun run(2);
    for (const double scale : {1e-170, 1e-40, 1.0, 1e30, 1e150})
        for (const double shift : {0.0, 1e6})
            for (const bool far : {false, true}) {
                Data x = random_points(400, 20, far ? 5 : 0, 7);
                for (double& value : x.values) value = (value + shift) * scale;
                if (far)
                    for (std::size_t i = 0; i < 200 * x.d; ++i) x.values[i] += 1e8 * scale;
                const auto cores = core_distances(x, 3, Metric::euclidean);
                const KdTree tree(run.context, x.view(), Metric::euclidean, 40);
                const Neighbors nearest = k_nearest(run.context, tree, 5);
                CHECK(same(boruvka(run.context, tree, cores, 1, nearest.indices.span()),
                           prim(run.context, x.view(), cores, 1, Metric::euclidean)));
            }
}

TEST(bad_input_is_an_error) {
    const StandaloneRun run;
    const Data x = random_points(5, 2, 0, 3);
    const std::vector<double> short_cores(4), negative_cores(5, -1.0);
    CHECK_THROWS(ValueError, prim(run.context, x.view(), short_cores, 1, Metric::euclidean));
    CHECK_THROWS(ValueError, prim(run.context, x.view(), negative_cores, 1, Metric::euclidean));
    CHECK_THROWS(ValueError, prim(run.context, x.view(), {}, 0, Metric::euclidean));
    CHECK_THROWS(ValueError,
                 prim(run.context, row_major<const double>(x.values.data(), 0, 2), {}, 1, Metric::euclidean));
    CHECK_THROWS(ValueError, prim_of_distances(run.context, x.view(), {}, 1));
    const std::vector<double> negative = {0, -1, -1, 0};
    CHECK_THROWS(ValueError, prim_of_distances(run.context, row_major<const double>(negative.data(), 2, 2), {}, 1));
    Data bad = random_points(5, 2, 0, 3);
    bad.values[3] = std::nan("");
    CHECK_THROWS(ValueError, prim(run.context, bad.view(), {}, 1, Metric::euclidean));
}
