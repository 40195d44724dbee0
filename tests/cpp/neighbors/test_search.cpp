// Search by tree and by brute force beside a naive twin: all distances, sorted.
#include "check.hpp"
#include "core/context.hpp"
#include "core/random.hpp"
#include "neighbors/brute.hpp"
#include "neighbors/distance.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/search.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

using namespace mlcore;
using namespace mlcore::neighbors;

namespace {

constexpr Metric metrics[] = {Metric::euclidean, Metric::manhattan, Metric::chebyshev, Metric::cosine};

struct Points {
    std::size_t n, d;
    std::vector<double> values;

    Points(std::size_t rows, std::size_t cols, std::vector<double> x) : n(rows), d(cols), values(std::move(x)) {}
    MatrixView<const double> view() const { return row_major(values.data(), n, d); }
};

/// Numbers below 1 from a fixed sequence; levels > 0 rounds them to so many values, for ties.
Points random_points(std::size_t n, std::size_t d, std::uint64_t seed, int levels = 0) {
    std::vector<double> values(n * d);
    std::uint64_t state = seed * 2654435761U + 1;
    for (double& x : values) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        x = static_cast<double>(state >> 11) * 0x1p-53;
        if (levels > 0) x = std::floor(x * levels);
    }
    return {n, d, std::move(values)};
}

double naive_distance(Metric metric, const double* a, const double* b, std::size_t d) {
    double sum = 0;
    for (std::size_t j = 0; j < d; ++j) {
        const double difference = std::abs(a[j] - b[j]);
        if (metric == Metric::manhattan)
            sum += difference;
        else if (metric == Metric::chebyshev)
            sum = std::max(sum, difference);
        else
            sum += difference * difference;
    }
    return sum;
}

using Item = std::pair<double, std::int32_t>;

/// All points by (reduced distance, row); point number `self` first.
std::vector<Item> naive_order(Metric metric, const Points& points, const double* query, int self) {
    std::vector<Item> items;
    for (std::size_t i = 0; i < points.n; ++i)
        items.emplace_back(static_cast<int>(i) == self
                               ? -1.0
                               : naive_distance(metric, points.values.data() + i * points.d, query, points.d),
                           static_cast<std::int32_t>(i));
    std::sort(items.begin(), items.end());
    return items;
}

void check_nearest(const Neighbors& found, Metric metric, const Points& points, const Points& queries, bool self,
                   std::size_t k) {
    CHECK_EQUAL(found.indices.size(), queries.n * k);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < queries.n; ++i) {
        const auto expected =
            naive_order(metric, points, queries.values.data() + i * queries.d, self ? static_cast<int>(i) : -1);
        for (std::size_t r = 0; r < k; ++r) {
            const double distance = distance_of(metric, std::max(expected[r].first, 0.0));
            wrong += found.indices[i * k + r] != expected[r].second || found.distances[i * k + r] != distance;
        }
    }
    CHECK_EQUAL(wrong, 0U);
}

void check_within(const Within& found, Metric metric, const Points& points, const Points& queries, double radius) {
    std::size_t wrong = 0, place = 0;
    for (std::size_t i = 0; i < queries.n; ++i) {
        wrong += found.offsets[i] != static_cast<std::int64_t>(place);
        for (std::size_t p = 0; p < points.n; ++p) {
            const double distance =
                distance_of(metric, naive_distance(metric, points.values.data() + p * points.d,
                                                   queries.values.data() + i * queries.d, points.d));
            if (distance > radius) continue;
            wrong += place >= found.indices.size() || found.indices[place] != static_cast<std::int32_t>(p) ||
                     found.distances[place] != distance;
            ++place;
        }
    }
    CHECK_EQUAL(found.indices.size(), place);
    CHECK_EQUAL(wrong, 0U);
}

void check_all(const Points& points, const Points& queries, std::size_t k, double radius, std::size_t leaf_size) {
    for (const int n_threads : {1, 3})
        for (const Metric metric : metrics) {
            StandaloneRun run(n_threads);
            const RunContext& ctx = run.context;
            const KdTree tree(ctx, points.view(), metric, leaf_size);
            check_nearest(k_nearest(ctx, tree, queries.view(), k), metric, points, queries, false, k);
            check_nearest(k_nearest(ctx, tree, k), metric, points, points, true, k);
            check_nearest(k_nearest(ctx, points.view(), queries.view(), k, metric), metric, points, queries, false, k);
            check_nearest(k_nearest(ctx, points.view(), k, metric), metric, points, points, true, k);
            check_within(within(ctx, tree, queries.view(), radius), metric, points, queries, radius);
            check_within(within(ctx, tree, radius), metric, points, points, radius);
            check_within(within(ctx, points.view(), queries.view(), radius, metric), metric, points, queries, radius);
            check_within(within(ctx, points.view(), radius, metric), metric, points, points, radius);
        }
}

} // namespace

TEST(random_points_of_few_and_many_dimensions) {
    for (const std::size_t d : {1, 2, 3, 8, 19, 40})
        check_all(random_points(500, d, d), random_points(70, d, 100 + d), 10, 0.2 * std::sqrt(static_cast<double>(d)),
                  32);
}

TEST(small_leaves_make_deep_trees) {
    check_all(random_points(403, 2, 1), random_points(50, 2, 2), 7, 0.1, 8);
    check_all(random_points(403, 3, 1), random_points(50, 3, 2), 7, 0.1, 1);
}

TEST(ties_are_broken_by_the_lower_row) {
    check_all(random_points(600, 2, 3, 6), random_points(80, 2, 4, 6), 12, 1.0, 16);
    check_all(random_points(600, 3, 3, 2), random_points(80, 3, 4, 3), 12, 1.0, 32);
    check_all(random_points(300, 24, 3, 2), random_points(40, 24, 4, 2), 12, 2.0, 32);
}

TEST(duplicates_only) {
    const Points same(200, 3, std::vector<double>(600, 0.1));
    check_all(same, random_points(10, 3, 5), 200, 0.0, 32);
}

TEST(one_point_and_all_points_as_neighbours) {
    check_all(random_points(1, 2, 1), random_points(5, 2, 2), 1, 10, 32);
    check_all(random_points(37, 2, 1), random_points(5, 2, 2), 37, 10, 32);
}

TEST(constant_columns_and_distant_origins) {
    Points points = random_points(300, 4, 7, 20);
    for (std::size_t i = 0; i < points.n; ++i) {
        points.values[i * 4] = 3;
        for (std::size_t j = 1; j < 4; ++j) points.values[i * 4 + j] += 1e8;
    }
    check_all(points, points, 5, 2, 32);
}

TEST(products_in_float32_say_little_of_tight_clusters_and_beside_outliers) {
    Points points = random_points(400, 20, 11), tiny = random_points(300, 20, 12);
    for (std::size_t i = 0; i < points.n; ++i)
        for (std::size_t j = 0; j < points.d; ++j)
            points.values[i * 20 + j] = (i % 5 == j % 5 ? 1e6 : 0) + 1e-3 * points.values[i * 20 + j];
    check_all(points, points, 9, 2e-3, 32);
    tiny.values[17] = 1e12;
    check_all(tiny, tiny, 9, 1, 32);
    for (double& x : tiny.values) x *= 1e-120;
    check_all(tiny, tiny, 9, 1e-120, 32);
}

TEST(many_neighbours) {
    const Points points = random_points(700, 6, 13), queries = random_points(30, 6, 14);
    check_all(points, queries, 130, 0.1, 32);
    check_all(points, queries, 699, 0.1, 32);
}

TEST(the_share_that_is_looked_at) {
    StandaloneRun run;
    const Points few = random_points(20000, 2, 15), many = random_points(2000, 60, 16);
    const auto share = [&](const Points& points) {
        return scanned_share(run.context, KdTree(run.context, points.view(), Metric::euclidean), 10);
    };
    CHECK(share(few) < 0.02);
    CHECK(share(many) > 0.5);
    CHECK_EQUAL(share(random_points(5, 2, 1)), 1.0);
}

TEST(wrong_arguments) {
    StandaloneRun run;
    const RunContext& ctx = run.context;
    const Points points = random_points(20, 2, 1), queries = random_points(5, 3, 1);
    const KdTree tree(ctx, points.view(), Metric::euclidean);
    CHECK_THROWS(ValueError, k_nearest(ctx, tree, 21));
    CHECK_THROWS(ValueError, k_nearest(ctx, tree, 0));
    CHECK_THROWS(ValueError, k_nearest(ctx, tree, queries.view(), 2));
    CHECK_THROWS(ValueError, within(ctx, tree, -1));
    CHECK_THROWS(ValueError, within(ctx, tree, std::nan("")));
    CHECK_THROWS(ValueError, KdTree(ctx, row_major(points.values.data(), 0, 2), Metric::euclidean));
    CHECK_THROWS(ValueError, KdTree(ctx, points.view(), Metric::euclidean, 0));
    CHECK_THROWS(ValueError, k_nearest(ctx, points.view(), 21, Metric::euclidean));
    CHECK_THROWS(ValueError, k_nearest(ctx, points.view(), queries.view(), 2, Metric::euclidean));
    CHECK_THROWS(ValueError, within(ctx, points.view(), -1, Metric::euclidean));
}

TEST(the_tree_holds_each_point_once_in_tight_boxes) {
    StandaloneRun one(1), four(4);
    const Points points = random_points(50000, 3, 9);
    const KdTree tree(one.context, points.view(), Metric::euclidean),
        again(four.context, points.view(), Metric::euclidean);
    std::vector<int> seen(points.n);
    std::size_t wrong = 0;
    for (std::size_t p = 0; p < points.n; ++p) {
        const auto row = static_cast<std::size_t>(tree.order()[p]);
        ++seen[row];
        wrong += tree.order()[p] != again.order()[p];
        for (std::size_t j = 0; j < 3; ++j) wrong += tree.point(p)[j * tree.leaf_size()] != points.values[row * 3 + j];
    }
    CHECK_EQUAL(wrong, 0U);
    CHECK(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }));
    for (std::size_t i = 0; i < tree.n_nodes(); ++i) {
        const KdTree::Node& node = tree.node(i);
        for (std::size_t j = 0; j < 3; ++j) {
            double lower = 2, upper = -1;
            for (std::size_t p = node.begin; p < node.end; ++p) {
                lower = std::min(lower, tree.point(p)[j * tree.leaf_size()]);
                upper = std::max(upper, tree.point(p)[j * tree.leaf_size()]);
            }
            wrong += lower != tree.lower(i)[j] || upper != tree.upper(i)[j];
        }
        if (node.is_leaf())
            wrong += tree.leaf_node(node.begin / tree.leaf_size()) != i;
        else
            wrong += tree.node(i + 1).begin != node.begin || tree.node(i + 1).end != tree.node(node.right).begin ||
                     tree.node(node.right).end != node.end;
    }
    CHECK_EQUAL(wrong, 0U);
}
