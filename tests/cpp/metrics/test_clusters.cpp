// Indices of clusterings beside naive twins, for any number of threads.
#include "check.hpp"
#include "core/random.hpp"
#include "metrics/clusters/density.hpp"
#include "metrics/clusters/dispersion.hpp"
#include "metrics/clusters/information.hpp"
#include "metrics/clusters/silhouette.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Data {
    std::size_t n, d, k;
    std::vector<double> x;
    std::vector<std::int32_t> codes;

    Data(std::size_t rows, std::size_t columns, std::size_t clusters)
        : n(rows), d(columns), k(clusters), x(n * d), codes(n) {
        const Philox random(rows, columns);
        for (std::size_t i = 0; i < n * d; ++i) x[i] = random.normal(i);
        for (std::size_t i = 0; i < n; ++i)
            codes[i] = static_cast<std::int32_t>(i < k ? i : random.below(n * d + i, k));
    }

    MatrixView<const double> view() const { return row_major(x.data(), n, d); }

    double distance(SilhouetteMetric metric, std::size_t i, std::size_t j) const {
        double squares = 0, magnitudes = 0, product = 0, a = 0, b = 0;
        for (std::size_t c = 0; c < d; ++c) {
            const double u = x[i * d + c], v = x[j * d + c];
            squares += (u - v) * (u - v);
            magnitudes += std::abs(u - v);
            product += u * v;
            a += u * u;
            b += v * v;
        }
        switch (metric) {
        case SilhouetteMetric::euclidean:
            return std::sqrt(squares);
        case SilhouetteMetric::sqeuclidean:
            return squares;
        case SilhouetteMetric::manhattan:
            return magnitudes;
        default:
            return i == j ? 0 : 1 - (a * b > 0 ? product / std::sqrt(a * b) : 0);
        }
    }

    double silhouette(SilhouetteMetric metric, std::size_t i) const {
        std::vector<double> sums(k, 0.0), sizes(k, 0.0);
        for (std::size_t j = 0; j < n; ++j) {
            sums[static_cast<std::size_t>(codes[j])] += distance(metric, i, j);
            ++sizes[static_cast<std::size_t>(codes[j])];
        }
        const auto own = static_cast<std::size_t>(codes[i]);
        if (sizes[own] == 1) return 0;
        double b = infinity;
        for (std::size_t c = 0; c < k; ++c)
            if (c != own) b = std::min(b, sums[c] / sizes[c]);
        const double a = sums[own] / (sizes[own] - 1);
        return (b - a) / std::max(a, b);
    }
};

const std::vector<SilhouetteMetric> all_metrics{SilhouetteMetric::euclidean, SilhouetteMetric::manhattan,
                                                SilhouetteMetric::sqeuclidean, SilhouetteMetric::cosine};

} // namespace

TEST(silhouettes) {
    for (const auto& [n, d, k] : {std::array<std::size_t, 3>{3, 1, 2},
                                  {16, 2, 3},
                                  {17, 3, 8},
                                  {65, 1, 2},
                                  {130, 5, 60},
                                  {600, 2, 5},
                                  {513, 3, 2},
                                  {1030, 7, 4},
                                  {1100, 17, 3},
                                  {530, 33, 3},
                                  {70, 300, 4}}) {
        Data data(n, d, k);
        if (n == 130) std::fill_n(data.x.begin(), 2 * d, 0.0); // rows of zeros
        const GroupedRows groups = group_rows(data.codes, k);
        std::vector<std::uint32_t> rows(n);
        std::iota(rows.begin(), rows.end(), 0U);
        for (const SilhouetteMetric metric : all_metrics) {
            std::vector<double> out(n), again(n);
            silhouettes(StandaloneRun(1).context, data.view(), groups, metric, rows, out.data());
            for (std::size_t i = 0; i < n; ++i) CHECK_CLOSE(out[i], data.silhouette(metric, i), 1e-11);
            for (const int n_threads : {2, 3, 8}) {
                silhouettes(StandaloneRun(n_threads).context, data.view(), groups, metric, rows, again.data());
                CHECK(again == out);
            }
            const std::vector<std::uint32_t> some{2, 0, static_cast<std::uint32_t>(n - 1)};
            std::vector<double> chosen(3), alone(1);
            silhouettes(StandaloneRun(1).context, data.view(), groups, metric, some, chosen.data());
            for (std::size_t q = 0; q < 3; ++q) {
                CHECK_CLOSE(chosen[q], out[some[q]], 1e-12); // of all rows, sums have another order
                silhouettes(StandaloneRun(1).context, data.view(), groups, metric, {&some[q], 1}, alone.data());
                CHECK(alone[0] == chosen[q]); // the same bits in any company
            }
        }
        std::vector<double> D(n * n), out(n), chunk(n - 1);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j) D[i * n + j] = data.distance(SilhouetteMetric::euclidean, i, j);
        const auto distances = row_major(static_cast<const double*>(D.data()), n, n);
        silhouettes_of_distances(StandaloneRun(2).context, distances, 0, data.codes, groups, out.data());
        for (std::size_t i = 0; i < n; ++i) CHECK_CLOSE(out[i], data.silhouette(SilhouetteMetric::euclidean, i), 1e-12);
        silhouettes_of_distances(StandaloneRun(1).context,
                                 row_major(static_cast<const double*>(D.data() + n), n - 1, n), 1, data.codes, groups,
                                 chunk.data());
        CHECK(std::equal(chunk.begin(), chunk.end(), out.begin() + 1));
    }
}

TEST(groups) {
    const std::vector<std::int32_t> codes{2, 0, 2, 1, 0};
    const GroupedRows groups = group_rows(codes, 3);
    CHECK(groups.order == (std::vector<std::uint32_t>{1, 4, 3, 0, 2}));
    CHECK(groups.begin == (std::vector<std::uint32_t>{0, 2, 3, 5}));
    for (const std::size_t k : {2, 4}) {
        bool refused = false;
        try {
            group_rows(codes, k);
        } catch (const ValueError&) {
            refused = true;
        }
        CHECK(refused);
    }
    for (const double value : {0.0, 1.0, 3e-310, 1e308, 0.7e-5}) {
        const std::vector<double> x{0.0, -value};
        const double scaled = unit_scale(StandaloneRun(1).context, row_major(x.data(), 1, 2)) * value;
        CHECK(value == 0 || (scaled < 1 && (scaled >= 0.5 || value < 1e-300)));
    }
}

TEST(dispersion) {
    const Data data(5000, 3, 7);
    const GroupedRows groups = group_rows(data.codes, 7);
    std::vector<double> center(7 * 3, 0.0), mean(3, 0.0);
    for (std::size_t i = 0; i < data.n; ++i)
        for (std::size_t j = 0; j < 3; ++j) {
            const auto c = static_cast<std::size_t>(data.codes[i]);
            center[c * 3 + j] += data.x[i * 3 + j] / static_cast<double>(groups.size(c));
            mean[j] += data.x[i * 3 + j] / 5000;
        }
    double within = 0, between = 0;
    std::vector<double> extent(7, 0.0);
    const auto square = [&](const double* a, const double* b) {
        double sum = 0;
        for (std::size_t j = 0; j < 3; ++j) sum += (a[j] - b[j]) * (a[j] - b[j]);
        return sum;
    };
    for (std::size_t i = 0; i < data.n; ++i) {
        const auto c = static_cast<std::size_t>(data.codes[i]);
        const double s = square(&data.x[i * 3], &center[c * 3]);
        within += s;
        between += square(&center[c * 3], mean.data());
        extent[c] += std::sqrt(s) / static_cast<double>(groups.size(c));
    }
    double likeness = 0;
    for (std::size_t c = 0; c < 7; ++c) {
        double worst = 0;
        for (std::size_t e = 0; e < 7; ++e)
            if (e != c)
                worst = std::max(worst, (extent[c] + extent[e]) / std::sqrt(square(&center[c * 3], &center[e * 3])));
        likeness += worst / 7;
    }
    const double ch = calinski_harabasz(StandaloneRun(1).context, data.view(), groups);
    const double db = davies_bouldin(StandaloneRun(1).context, data.view(), groups);
    CHECK_CLOSE(ch, between / 6 / (within / 4993), 1e-9);
    CHECK_CLOSE(db, likeness, 1e-9 * likeness);
    CHECK_EQUAL(calinski_harabasz(StandaloneRun(3).context, data.view(), groups), ch);
    CHECK_EQUAL(davies_bouldin(StandaloneRun(3).context, data.view(), groups), db);
}

TEST(contingency) {
    const Philox random(1, 0);
    for (const auto& [n, r, c] : {std::array<std::size_t, 3>{1, 1, 1}, {50, 3, 5}, {5000, 90, 800}}) {
        std::vector<std::uint32_t> t(n), p(n);
        for (std::size_t i = 0; i < n; ++i) {
            t[i] = static_cast<std::uint32_t>(random.below(2 * i, r));
            p[i] = static_cast<std::uint32_t>(random.below(2 * i + 1, c));
        }
        const Contingency counts = contingency_of_codes(t, r, p, c);
        std::int64_t in_both = 0, in_class = 0, in_cluster = 0, apart = 0;
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j) {
                const bool a = t[i] == t[j], b = p[i] == p[j];
                if (i != j) ++(a ? b ? in_both : in_class : b ? in_cluster : apart);
            }
        const PairCounts pairs = pair_counts(counts);
        CHECK_EQUAL(pairs.in_both, in_both);
        CHECK_EQUAL(pairs.in_class, in_class);
        CHECK_EQUAL(pairs.in_cluster, in_cluster);
        CHECK_EQUAL(pairs.apart, apart);
        std::vector<Contingency::Cell> cells(counts.cells.rbegin(), counts.cells.rend());
        const Contingency again = contingency_of_cells(cells);
        CHECK(again.a == counts.a && again.b == counts.b && again.cells.size() == counts.cells.size());
        CHECK_EQUAL(expected_mutual_information(StandaloneRun(3).context, counts),
                    expected_mutual_information(StandaloneRun(1).context, counts));
        CHECK_EQUAL(mutual_information(again), mutual_information(counts));
    }
}

TEST(expected_information) { // two and two of four: p(0) = p(2) = 1/6, p(1) = 2/3, and only m = 2 tells anything
    const std::vector<std::uint32_t> t{0, 0, 1, 1}, p{0, 1, 0, 1};
    const Contingency counts = contingency_of_codes(t, 2, p, 2);
    CHECK_CLOSE(expected_mutual_information(StandaloneRun(1).context, counts), 4 * (0.5 * std::log(2.0) / 6), 1e-15);
    CHECK_EQUAL(mutual_information(counts), 0.0);
}

TEST(density_does_not_depend_on_threads) {
    Data data(700, 3, 4);
    for (std::size_t i = 0; i < data.n; ++i) data.x[3 * i] += 6.0 * data.codes[i];
    const GroupedRows groups = group_rows(data.codes, 4);
    std::vector<double> one(4), more(4), of_distances(4), D(700 * 700);
    density_validity(StandaloneRun(1).context, data.view(), groups, ValidityMetric::euclidean, one.data());
    density_validity(StandaloneRun(3).context, data.view(), groups, ValidityMetric::euclidean, more.data());
    CHECK(one == more);
    for (std::size_t i = 0; i < 700; ++i)
        for (std::size_t j = 0; j < 700; ++j) D[i * 700 + j] = data.distance(SilhouetteMetric::euclidean, i, j);
    density_validity_of_distances(StandaloneRun(2).context, row_major(static_cast<const double*>(D.data()), 700, 700),
                                  3, groups, of_distances.data());
    for (std::size_t c = 0; c < 4; ++c) CHECK_CLOSE(of_distances[c], one[c], 1e-9);
}
