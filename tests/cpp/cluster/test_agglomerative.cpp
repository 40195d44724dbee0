#include "check.hpp"

#include "cluster/agglomerative/agglomerative.hpp"
#include "cluster/agglomerative/connected.hpp"
#include "core/error.hpp"
#include "core/random.hpp"

#include <algorithm>
#include <cmath>
#include <set>

using namespace mlcore;
using namespace mlcore::cluster;
using neighbors::Metric;

namespace {

struct Data {
    std::size_t n, d;
    std::vector<double> x;

    MatrixView<const double> view() const { return row_major(x.data(), n, d); }
};

Data normal(std::size_t n, std::size_t d, std::uint64_t seed) {
    const Philox random(seed, 1);
    Data data{n, d, std::vector<double>(n * d)};
    for (std::size_t i = 0; i < n * d; ++i) data.x[i] = random.normal(i);
    return data;
}

double distance(const Data& data, std::size_t i, std::size_t k, Metric metric) {
    double total = 0;
    for (std::size_t j = 0; j < data.d; ++j) {
        const double difference = std::abs(data.x[i * data.d + j] - data.x[k * data.d + j]);
        if (metric == Metric::manhattan)
            total += difference;
        else if (metric == Metric::chebyshev)
            total = std::max(total, difference);
        else
            total += difference * difference;
    }
    return metric == Metric::euclidean ? std::sqrt(total) : metric == Metric::cosine ? total / 2 : total;
}

/// By the definitions alone: of all pairs of clusters the nearest is merged, from their rows anew each time.
double linkage_of(const Data& data, const std::set<std::size_t>& a, const std::set<std::size_t>& b, Linkage linkage,
                  Metric metric) {
    if (linkage == Linkage::ward) {
        double squared = 0;
        for (std::size_t j = 0; j < data.d; ++j) {
            double of_a = 0, of_b = 0;
            for (const std::size_t i : a) of_a += data.x[i * data.d + j] / static_cast<double>(a.size());
            for (const std::size_t i : b) of_b += data.x[i * data.d + j] / static_cast<double>(b.size());
            squared += (of_a - of_b) * (of_a - of_b);
        }
        const auto m = static_cast<double>(a.size()), n = static_cast<double>(b.size());
        return std::sqrt(2 * m * n / (m + n) * squared);
    }
    double total = 0;
    for (const std::size_t i : a)
        for (const std::size_t k : b)
            total = linkage == Linkage::average ? total + distance(data, i, k, metric)
                                                : std::max(total, distance(data, i, k, metric));
    return linkage == Linkage::average ? total / static_cast<double>(a.size() * b.size()) : total;
}

Hierarchy naive(const Data& data, Linkage linkage, Metric metric) {
    std::vector<std::set<std::size_t>> clusters(data.n);
    for (std::size_t i = 0; i < data.n; ++i) clusters[i] = {i};
    Hierarchy result;
    while (result.distances.size() + 1 < data.n) {
        double least = HUGE_VAL;
        std::size_t a = 0, b = 0;
        for (std::size_t i = 0; i < clusters.size(); ++i)
            for (std::size_t k = i + 1; k < clusters.size(); ++k) {
                if (clusters[i].empty() || clusters[k].empty()) continue;
                const double value = linkage_of(data, clusters[i], clusters[k], linkage, metric);
                if (value < least) least = value, a = i, b = k;
            }
        clusters.push_back(clusters[a]);
        clusters.back().insert(clusters[b].begin(), clusters[b].end());
        clusters[a] = clusters[b] = {};
        result.children.push_back(static_cast<std::int64_t>(a));
        result.children.push_back(static_cast<std::int64_t>(b));
        result.distances.push_back(least);
    }
    return result;
}

void check_same(const Hierarchy& got, const Hierarchy& expected) {
    CHECK((got.children == expected.children));
    CHECK_EQUAL(got.distances.size(), expected.distances.size());
    for (std::size_t i = 0; i < got.distances.size(); ++i)
        CHECK_CLOSE(got.distances[i], expected.distances[i], 1e-12 * (1 + expected.distances[i]));
}

} // namespace

TEST(same_as_the_definition) {
    const StandaloneRun run(3);
    for (const std::size_t n : {2u, 3u, 17u, 60u})
        for (const std::size_t d : {1u, 2u, 9u}) {
            const Data data = normal(n, d, n + d);
            check_same(agglomerate(run.context, data.view(), Linkage::ward, Metric::euclidean),
                       naive(data, Linkage::ward, Metric::euclidean));
            for (const Metric metric : {Metric::euclidean, Metric::manhattan, Metric::chebyshev, Metric::cosine})
                for (const Linkage linkage : {Linkage::average, Linkage::complete})
                    check_same(agglomerate(run.context, data.view(), linkage, metric), naive(data, linkage, metric));
        }
}

TEST(distances_of_rows_make_the_same_tree) {
    const StandaloneRun run(2);
    const Data data = normal(70, 3, 5);
    std::vector<double> matrix(data.n * data.n);
    for (std::size_t i = 0; i < data.n; ++i)
        for (std::size_t k = 0; k < data.n; ++k) matrix[i * data.n + k] = distance(data, i, k, Metric::euclidean);
    for (const Linkage linkage : {Linkage::average, Linkage::complete})
        check_same(agglomerate_distances(run.context, row_major<const double>(matrix.data(), data.n, data.n), linkage),
                   naive(data, linkage, Metric::euclidean));
    CHECK_THROWS(ValueError, agglomerate_distances(run.context, row_major<const double>(matrix.data(), data.n, data.n),
                                                   Linkage::ward));
}

TEST(all_rows_connected_is_as_without_edges) {
    const StandaloneRun run;
    const Data data = normal(40, 2, 6);
    std::vector<std::int32_t> from, to;
    for (std::int32_t i = 0; i < 40; ++i)
        for (std::int32_t k = 0; k < i; ++k) {
            from.push_back(i);
            to.push_back(k);
        }
    const Rows rows{data.view(), {}, Metric::euclidean};
    for (const Linkage linkage : {Linkage::ward, Linkage::average, Linkage::complete})
        check_same(agglomerate_connected(run.context, rows, from, to, linkage),
                   naive(data, linkage, Metric::euclidean));
    CHECK_THROWS(ValueError, agglomerate_connected(run.context, rows, std::vector<std::int32_t>{0},
                                                   std::vector<std::int32_t>{1}, Linkage::ward));
}

TEST(same_bits_for_any_number_of_threads) {
    for (const std::size_t d : {3u, 30u}) {
        const Data data = normal(2500, d, 7); // enough for the tree of centroids
        for (const Linkage linkage : {Linkage::ward, Linkage::average, Linkage::complete}) {
            const StandaloneRun one(1), four(4);
            const Hierarchy a = agglomerate(one.context, data.view(), linkage, Metric::euclidean);
            const Hierarchy b = agglomerate(four.context, data.view(), linkage, Metric::euclidean);
            CHECK((a.children == b.children));
            CHECK((a.distances == b.distances));
        }
    }
}

TEST(closest_rows_of_components) {
    const StandaloneRun run(2);
    const Data data{5, 1, {0, 10, 1, 12, 30}};
    const std::vector<std::int32_t> components{0, 1, 0, 1, 2};
    const auto pairs = closest_pairs(run.context, {data.view(), {}, Metric::euclidean}, components, 3);
    CHECK((pairs == std::vector<std::int32_t>{1, 2, 4, 2, 4, 3}));
}

TEST(labels_of_a_cut) {
    const std::vector<std::int64_t> children{0, 2, 1, 3, 4, 5}, all{6}, two{5, 4};
    CHECK((cut_labels(4, children.data(), 3, two.data(), 2) == std::vector<std::int64_t>{1, 0, 1, 0}));
    CHECK((cut_labels(4, children.data(), 3, all.data(), 1) == std::vector<std::int64_t>{0, 0, 0, 0}));
    CHECK_THROWS(ValueError, cut_labels(4, children.data(), 3, two.data(), 1));
}
