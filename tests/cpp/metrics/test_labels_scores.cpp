// Scores of counts by hand, and the coefficients of agreement beside sums over all cells.
#include "check.hpp"
#include "metrics/labels/scores.hpp"

#include <cmath>
#include <limits>
#include <vector>

using namespace mlcore::metrics;

TEST(sums) { // values whose sum is exact in any order
    std::vector<double> x;
    double sum = 0;
    CHECK_EQUAL(numpy_sum(x.data(), 0), 0.0);
    for (int i = 0; i < 1000; ++i) {
        x.push_back(i % 13 - 5);
        sum += x.back();
        CHECK_EQUAL(numpy_sum(x.data(), x.size()), sum);
    }
}

TEST(scores) {
    const std::vector<double> actual{3, 3, 4, 0}, predicted{4, 3, 3, 0}, hits{3, 2, 2, 0};
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const Scores each = label_scores(actual, predicted, hits, {}, {Average::none, 1, 0.5});
    CHECK(each.precision == (std::vector<double>{3.0 / 4, 2.0 / 3, 2.0 / 3, 0.5}));
    CHECK(each.recall == (std::vector<double>{1, 2.0 / 3, 0.5, 0.5}));
    CHECK(each.jaccard == (std::vector<double>{3.0 / 4, 0.5, 2.0 / 5, 0.5}));
    CHECK(each.f == (std::vector<double>{6.0 / 7, 2.0 / 3, 4.0 / 7, 0.5}));
    CHECK(each.precision_undefined && each.recall_undefined && each.f_undefined && each.jaccard_undefined);
    const Scores macro = label_scores(actual, predicted, hits, {}, {Average::macro, 1, nan});
    CHECK_CLOSE(macro.recall[0], (1 + 2.0 / 3 + 0.5) / 3, 1e-15); // NaN is left out
    const Scores micro = label_scores(actual, predicted, hits, {}, {Average::micro, 2, 0});
    CHECK_EQUAL(micro.precision[0], 0.7);
    CHECK(!micro.precision_undefined);
    const Scores weighted = label_scores(actual, predicted, hits, {}, {Average::weighted, 0, 0});
    CHECK_CLOSE(weighted.f[0], (3 * 0.75 + 3 * 2.0 / 3 + 4 * 2.0 / 3) / 10, 1e-15); // beta 0: precision
    const std::vector<double> none(4, 0.0);
    CHECK(std::isnan(label_scores(none, none, none, {}, {Average::macro, 1, nan}).f[0]));
}

TEST(agreement) {
    const std::vector<double> C{3, 0, 0, 0, 2, 1, 1, 1, 2}, actual{3, 3, 4}, predicted{4, 3, 3}, hits{3, 2, 2};
    CHECK_CLOSE(matthews(actual, predicted, hits), (70.0 - 33) / 66, 1e-15);
    CHECK_EQUAL(matthews(std::vector<double>{5}, std::vector<double>{5}, std::vector<double>{5}), 0.0);
    const Disagreement plain = disagreement(actual, predicted, hits);
    CHECK_EQUAL(plain.disagreement, 3.0);
    CHECK_EQUAL(plain.total, 10.0);
    CHECK_CLOSE(plain.expected, 6.7, 1e-14);
    for (const bool quadratic : {false, true}) {
        double differing = 0, expected = 0;
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = 0; j < 3; ++j) {
                const double gap = std::abs(static_cast<double>(i) - static_cast<double>(j));
                differing += (quadratic ? gap * gap : gap) * C[i * 3 + j];
                expected += (quadratic ? gap * gap : gap) * actual[i] * predicted[j] / 10;
            }
        const Disagreement weighted = weighted_disagreement(C.data(), 3, quadratic);
        CHECK_CLOSE(weighted.disagreement, differing, 1e-14);
        CHECK_CLOSE(weighted.expected, expected, 1e-14);
    }
}
