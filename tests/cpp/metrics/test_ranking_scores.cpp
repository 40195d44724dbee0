// Sorting of scores, and what is read from sorted ones, beside sums over all pairs of rows and over all cuts.
#include "check.hpp"
#include "core/random.hpp"
#include "metrics/ranking/areas.hpp"
#include "metrics/ranking/binary_labels.hpp"
#include "metrics/ranking/cuts.hpp"
#include "metrics/ranking/score_columns.hpp"
#include "metrics/ranking/score_sort.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Column {
    std::vector<double> scores, weights;
    std::vector<std::uint8_t> labels;

    std::size_t size() const { return scores.size(); }
    VectorView<const double> view() const { return {scores.data(), size(), 1}; }
    VectorView<const double> weight_view() const { return {weights.data(), size(), 1}; }
};

const std::vector<std::string> shapes{"even", "normal", "ties", "constant", "near 0", "near 1", "wide", "zeros"};

Column column(std::size_t n, const std::string& shape) {
    const Philox random(n, 1);
    Column c;
    for (std::size_t i = 0; i < n; ++i) {
        const double u = random.uniform(i), z = Philox(n, 2).normal(i);
        double s = u;
        if (shape == "normal") s = 5 * z;
        if (shape == "ties") s = std::floor(7 * u) - 3;
        if (shape == "constant") s = -2.5;
        if (shape == "near 0") s = std::pow(u, 40);
        if (shape == "near 1") s = 1 - std::pow(u, 40);
        if (shape == "wide") s = z * std::exp2(100 * Philox(n, 3).normal(i));
        if (shape == "zeros") s = u < 0.3 ? 0.0 : u < 0.6 ? -0.0 : z;
        c.scores.push_back(s);
        c.labels.push_back(Philox(n, 4).uniform(i) < 0.4);
        c.weights.push_back(Philox(n, 5).uniform(i) < 0.1 ? 0.0 : Philox(n, 6).uniform(i));
    }
    return c;
}

/// Rows in descending order of scores, equal ones in their order.
std::vector<std::size_t> sorted_rows(const Column& c) {
    std::vector<std::size_t> rows(c.size());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    std::stable_sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) { return c.scores[a] > c.scores[b]; });
    return rows;
}

/// Sum over pairs of a positive and a negative row of 1, 1/2 or 0, over all pairs.
double pair_area(const Column& c, bool weighted) {
    double won = 0, all = 0;
    for (std::size_t i = 0; i < c.size(); ++i)
        for (std::size_t j = 0; j < c.size(); ++j) {
            if (c.labels[i] == 0 || c.labels[j] != 0) continue;
            const double w = weighted ? c.weights[i] * c.weights[j] : 1.0;
            all += w;
            won += w * (c.scores[i] > c.scores[j] ? 1.0 : c.scores[i] == c.scores[j] ? 0.5 : 0.0);
        }
    return won / all;
}

struct NaiveCut {
    double threshold, tp, fp;
};

std::vector<NaiveCut> naive_cuts(const Column& c, bool weighted) {
    std::vector<NaiveCut> cuts;
    double tp = 0, fp = 0;
    for (const std::size_t i : sorted_rows(c)) {
        const double w = weighted ? c.weights[i] : 1.0;
        if (w == 0) continue;
        (c.labels[i] != 0 ? tp : fp) += w;
        if (cuts.empty() || cuts.back().threshold != c.scores[i]) cuts.push_back({c.scores[i], 0, 0});
        cuts.back().tp = tp;
        cuts.back().fp = fp;
    }
    return cuts;
}

template <class Row>
SortedScores<Row> sort(const Column& c, int n_threads, bool weighted = false) {
    const StandaloneRun run(n_threads);
    return sort_scores<Row, double>(run.context, c.view(), c.labels.data(),
                                    weighted ? c.weight_view() : VectorView<const double>{});
}

} // namespace

TEST(rows_come_in_the_order_of_a_stable_sort) {
    for (const std::string& shape : shapes)
        for (const std::size_t n : {1, 2, 25, 300, 4095, 4096, 30000}) {
            const Column c = column(n, shape);
            const auto expected = sorted_rows(c);
            const auto plain = sort<LabelledKey>(c, 1);
            const auto weighted = sort<WeightedKey>(c, 3, true);
            CHECK_EQUAL(plain.n, n);
            std::size_t differ = 0, place = 0;
            for (std::size_t i = 0; i < n; ++i) {
                const std::size_t row = expected[i];
                differ += plain.form.score<double>(plain.memory[i].key()) != c.scores[row];
                differ += (plain.memory[i].bits & 1) != c.labels[row];
                if (c.weights[row] == 0) continue;
                differ += weighted.memory[place].weight != c.weights[row];
                differ += (weighted.memory[place].bits & 1) != c.labels[row];
                ++place;
            }
            CHECK_EQUAL(differ, 0U);
            CHECK_EQUAL(weighted.n, place);
        }
}

TEST(float_scores_sort_as_their_doubles) {
    const StandaloneRun run(2);
    Column c = column(20000, "normal");
    std::vector<float> narrow(c.scores.begin(), c.scores.end());
    c.scores.assign(narrow.begin(), narrow.end());
    const auto a = sort_scores<LabelledKey, float>(run.context, {narrow.data(), narrow.size(), 1}, c.labels.data());
    const auto rows = sorted_rows(c);
    std::size_t differ = 0;
    for (std::size_t i = 0; i < rows.size(); ++i)
        differ += static_cast<double>(a.form.score<float>(a.memory[i].key())) != c.scores[rows[i]];
    CHECK_EQUAL(differ, 0U);
}

TEST(areas_equal_sums_over_all_pairs) {
    const StandaloneRun run(2);
    for (const std::string& shape : shapes)
        for (const std::size_t n : {7, 200, 900}) {
            const Column c = column(n, shape);
            const auto plain = sort<LabelledKey>(c, 2);
            const auto weighted = sort<WeightedKey>(c, 2, true);
            CHECK_CLOSE(roc_area(run.context, plain).value, pair_area(c, false), 1e-13);
            CHECK_CLOSE(roc_area(run.context, weighted).value, pair_area(c, true), 1e-12);
        }
}

TEST(an_area_is_the_same_for_any_number_of_threads) {
    for (const std::string& shape : shapes) {
        const Column c = column(50000, shape);
        const StandaloneRun one(1), many(5);
        const auto a = sort<LabelledKey>(c, 1), b = sort<LabelledKey>(c, 5);
        CHECK_EQUAL(roc_area(one.context, a).value, roc_area(many.context, b).value);
        CHECK_EQUAL(average_precision(one.context, a).value, average_precision(many.context, b).value);
        const auto v = sort<WeightedKey>(c, 1, true), w = sort<WeightedKey>(c, 5, true);
        CHECK_EQUAL(roc_area(one.context, v).value, roc_area(many.context, w).value);
    }
}

TEST(cuts_average_precision_and_distance_equal_a_plain_pass) {
    const StandaloneRun run(3);
    for (const std::string& shape : shapes)
        for (const std::size_t n : {9, 500, 20000})
            for (const bool weighted : {false, true}) {
                const Column c = column(n, shape);
                const auto expected = naive_cuts(c, weighted);
                const auto check = [&](const auto& sorted) {
                    const auto cuts = count_cuts<double>(run.context, sorted);
                    CHECK_EQUAL(cuts.n, expected.size());
                    std::size_t differ = 0;
                    double precision = 0, last = 0, distance = 0;
                    const double P = expected.back().tp, N = expected.back().fp;
                    for (std::size_t i = 0; i < std::min(cuts.n, expected.size()); ++i) {
                        const auto& [threshold, tp, fp] = expected[i];
                        differ += cuts.threshold[i] != threshold || cuts.tp[i] != tp || cuts.fp[i] != fp;
                        precision += (tp - last) / P * (tp / (tp + fp));
                        distance = std::max(distance, std::abs(tp / P - fp / N));
                        last = tp;
                    }
                    CHECK_EQUAL(differ, 0U);
                    CHECK_CLOSE(average_precision(run.context, sorted).value, precision, 1e-12);
                    CHECK_CLOSE(ks_statistic(sorted).value, distance, 1e-12);
                };
                if (weighted)
                    check(sort<WeightedKey>(c, 3, true));
                else
                    check(sort<LabelledKey>(c, 3));
            }
}

TEST(a_partial_area_is_the_area_under_a_cut_curve) {
    // All of the curve but its last trapezoid lies under max_fpr = 1 - 1e-12.
    const StandaloneRun run(1);
    const Column c = column(400, "normal");
    const auto sorted = sort<LabelledKey>(c, 1);
    const double whole = roc_area(run.context, sorted).value, limit = 1 - 1e-12;
    const double least = 0.5 * limit * limit;
    CHECK_CLOSE(partial_roc_area(sorted, limit).value, 0.5 * (1 + (whole - least) / (limit - least)), 1e-9);
    CHECK(partial_roc_area(sorted, 1e-3).value >= 0.49);
}

TEST(a_class_without_rows_has_no_area) {
    const StandaloneRun run(1);
    Column c = column(50, "even");
    std::fill(c.labels.begin(), c.labels.end(), std::uint8_t{1});
    const auto sorted = sort<LabelledKey>(c, 1);
    CHECK(std::isnan(roc_area(run.context, sorted).value));
    CHECK(std::isnan(ks_statistic(sorted).value));
    CHECK_CLOSE(average_precision(run.context, sorted).value, 1.0, 1e-15);
}

TEST(what_has_no_key_is_told) {
    for (const std::size_t n : {10, 10000}) {
        Column c = column(n, "normal");
        c.scores[n / 2] = infinity;
        CHECK(sort<LabelledKey>(c, 2).state == ScoreState::not_finite);
        c.scores[n / 2] = std::numeric_limits<double>::quiet_NaN();
        CHECK(sort<LabelledKey>(c, 2).state == ScoreState::not_finite);
        c.scores[n / 2] = 5e-324; // beside numbers above 2
        CHECK(sort<LabelledKey>(c, 2).state == ScoreState::too_wide);
        c = column(n, "even");
        c.scores[n / 2] = 5e-324; // beside numbers below 2
        CHECK(sort<LabelledKey>(c, 2).state == ScoreState::sorted);
    }
}

TEST(labels_become_bytes) {
    const StandaloneRun run(2);
    const std::vector<std::int64_t> labels{-1, 1, 1, -1};
    std::vector<std::uint8_t> codes(4);
    CHECK(read_binary_labels<std::int64_t>(run.context, {labels.data(), 4, 1}, codes.data()).plain());
    CHECK(codes == (std::vector<std::uint8_t>{0, 1, 1, 0}));
    const std::vector<float> mixed{0, 1, -1}, other{0, 0.5F, 1};
    CHECK(!read_binary_labels<float>(run.context, {mixed.data(), 3, 1}, codes.data()).plain());
    CHECK(!read_binary_labels<float>(run.context, {other.data(), 3, 1}, codes.data()).plain());
    read_labels_against<std::int64_t>(run.context, {labels.data(), 4, 1}, -1, codes.data());
    CHECK(codes == (std::vector<std::uint8_t>{1, 0, 0, 1}));
}

TEST(pairs_of_classes_equal_columns_of_their_rows) {
    const StandaloneRun run(2);
    constexpr std::size_t n = 400, k = 4;
    std::vector<std::int32_t> classes;
    std::vector<double> table;
    for (std::size_t i = 0; i < n; ++i) {
        classes.push_back(static_cast<std::int32_t>(Philox(1, 1).below(i, k)));
        for (std::size_t c = 0; c < k; ++c) table.push_back(std::floor(20 * Philox(2, c).uniform(i)));
    }
    const auto columns = columns_of<double>(run.context, row_major<const double>(table.data(), n, k));
    std::vector<double> areas(k * k);
    CHECK(areas_of_pairs<double>(run.context, columns.data(), k, {classes.data(), n, 1}, areas.data()));
    for (std::size_t a = 0; a < k; ++a)
        for (std::size_t b = 0; b < k; ++b) {
            if (a == b) continue;
            Column c;
            for (std::size_t i = 0; i < n; ++i) {
                const auto own = static_cast<std::size_t>(classes[i]);
                if (own != a && own != b) continue;
                c.scores.push_back(table[i * k + a]);
                c.labels.push_back(own == a);
            }
            CHECK_CLOSE(areas[a * k + b], pair_area(c, false), 1e-13);
        }
}
