// Metrics of rows of a table, bins and resamples, beside plain ones.
#include "check.hpp"
#include "core/random.hpp"
#include "metrics/ranking/areas.hpp"
#include "metrics/ranking/bootstrap.hpp"
#include "metrics/ranking/discounted_gain.hpp"
#include "metrics/ranking/label_ranking.hpp"
#include "metrics/ranking/probability_bins.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

struct Table {
    std::size_t rows, cols;
    std::vector<double> gains, scores;
    std::vector<std::uint8_t> relevant;

    Table(std::size_t n, std::size_t d, bool ties) : rows(n), cols(d) {
        for (std::size_t i = 0; i < n * d; ++i) {
            gains.push_back(static_cast<double>(Philox(1, 1).below(i, 5)));
            const double u = Philox(1, 2).uniform(i);
            scores.push_back(ties ? std::floor(6 * u) : u - 0.5);
            relevant.push_back(Philox(1, 3).uniform(i) < 0.3);
        }
    }
    MatrixView<const double> gain_view() const { return row_major(gains.data(), rows, cols); }
    MatrixView<const double> score_view() const { return row_major(scores.data(), rows, cols); }
    MatrixView<const std::uint8_t> label_view() const { return row_major(relevant.data(), rows, cols); }
};

/// Each document stands on all places of its tie at once.
double naive_gain(const double* gains, const double* scores, std::size_t n, const std::vector<double>& discount) {
    double gain = 0;
    for (std::size_t j = 0; j < n; ++j) {
        std::size_t above = 0, tied = 0;
        for (std::size_t m = 0; m < n; ++m) {
            above += scores[m] > scores[j];
            tied += scores[m] == scores[j];
        }
        double sum = 0;
        for (std::size_t place = above; place < above + tied; ++place)
            sum += place < discount.size() ? discount[place] : 0.0;
        gain += gains[j] * sum / static_cast<double>(tied);
    }
    return gain;
}

std::vector<double> discounts(std::size_t k) {
    std::vector<double> out;
    for (std::size_t i = 0; i < k; ++i) out.push_back(1 / std::log2(static_cast<double>(i) + 2));
    return out;
}

} // namespace

TEST(discounted_gains_share_ties) {
    const StandaloneRun run(2);
    for (const bool ties : {false, true})
        for (const std::size_t cols : {2, 7, 60, 300})
            for (const std::size_t k : {std::size_t{1}, std::size_t{3}, std::size_t{40}, cols}) {
                const Table t(20, cols, ties);
                const auto discount = discounts(std::min(k, cols));
                std::vector<double> plain(t.rows), normalized(t.rows);
                const auto state = discounted_gains(run.context, t.gain_view(), t.score_view(),
                                                    {discount, false, false}, plain.data());
                CHECK(state.finite && !state.negative);
                discounted_gains(run.context, t.gain_view(), t.score_view(), {discount, false, true},
                                 normalized.data());
                for (std::size_t i = 0; i < t.rows; ++i) {
                    const double *gains = &t.gains[i * cols], *scores = &t.scores[i * cols];
                    const double expected = naive_gain(gains, scores, cols, discount);
                    const double best = naive_gain(gains, gains, cols, discount);
                    CHECK_CLOSE(plain[i], expected, 1e-12);
                    CHECK_CLOSE(normalized[i], best == 0 ? 0.0 : expected / best, 1e-12);
                }
            }
}

TEST(label_ranking_equals_sums_over_labels) {
    const StandaloneRun run(2);
    for (const bool ties : {false, true}) {
        const Table t(60, 9, ties);
        std::vector<double> precision(t.rows), loss(t.rows), coverage(t.rows), ranks(t.rows);
        CHECK(rank_labels(run.context, LabelRanking::average_precision, t.label_view(), t.score_view(),
                          precision.data()));
        CHECK(rank_labels(run.context, LabelRanking::loss, t.label_view(), t.score_view(), loss.data()));
        CHECK(rank_labels(run.context, LabelRanking::coverage, t.label_view(), t.score_view(), coverage.data()));
        CHECK(first_relevant_ranks(run.context, t.label_view(), t.score_view(), TiedRank::worst, ranks.data()));
        for (std::size_t i = 0; i < t.rows; ++i) {
            double sum = 0, wrong = 0, pairs = 0, covered = 0, n_relevant = 0, first = INFINITY;
            for (std::size_t j = 0; j < t.cols; ++j) {
                if (t.relevant[i * t.cols + j] == 0) continue;
                ++n_relevant;
                double with_score = 0, relevant_with_score = 0, irrelevant_with_score = 0;
                for (std::size_t m = 0; m < t.cols; ++m) {
                    const bool at_least = t.scores[i * t.cols + m] >= t.scores[i * t.cols + j];
                    const bool relevant = t.relevant[i * t.cols + m] != 0;
                    with_score += at_least;
                    relevant_with_score += at_least && relevant;
                    irrelevant_with_score += at_least && !relevant;
                    pairs += !relevant;
                }
                wrong += irrelevant_with_score;
                sum += relevant_with_score / with_score;
                covered = std::max(covered, with_score);
                first = std::min(first, 1 + irrelevant_with_score);
            }
            const bool trivial = n_relevant == 0 || n_relevant == static_cast<double>(t.cols);
            CHECK_CLOSE(precision[i], trivial ? 1.0 : sum / n_relevant, 1e-14);
            CHECK_CLOSE(loss[i], trivial ? 0.0 : wrong / pairs, 1e-14);
            CHECK_CLOSE(coverage[i], covered, 0);
            CHECK_EQUAL(ranks[i], first);
        }
    }
}

TEST(bins_hold_what_is_between_their_edges) {
    const StandaloneRun run(3);
    for (const std::size_t n_bins : {1, 10, 100}) {
        std::vector<double> p, edges;
        std::vector<std::uint8_t> truth;
        for (std::size_t i = 0; i < 150000; ++i) {
            p.push_back(std::floor(200 * Philox(5, 0).uniform(i)) / 200); // some lie on edges
            truth.push_back(Philox(5, 1).uniform(i) < p.back());
        }
        for (std::size_t b = 1; b < n_bins; ++b) edges.push_back(static_cast<double>(b) / static_cast<double>(n_bins));
        std::vector<double> out(3 * n_bins), expected(3 * n_bins);
        fill_bins(run.context, {p.data(), p.size(), 1}, truth.data(), edges, out);
        for (std::size_t i = 0; i < p.size(); ++i) {
            const auto bin = static_cast<std::size_t>(
                std::count_if(edges.begin(), edges.end(), [&](double edge) { return edge < p[i]; }));
            expected[3 * bin] += p[i];
            expected[3 * bin + 1] += truth[i];
            expected[3 * bin + 2] += 1;
        }
        for (std::size_t b = 0; b < 3 * n_bins; ++b) CHECK_CLOSE(out[b], expected[b], 1e-9 * expected[b]);
    }
}

TEST(resamples_draw_every_row_alike) {
    constexpr std::size_t n = 1000, n_resamples = 2000;
    std::vector<double> drawn(n);
    std::vector<std::uint8_t> counts(n), strata(n);
    for (std::size_t i = 0; i < n; ++i) strata[i] = i % 10 == 0;
    double of_first_kind = 0;
    for (std::size_t r = 0; r < n_resamples; ++r) {
        draw_counts(3, r, n, {}, counts.data());
        CHECK_EQUAL(std::accumulate(counts.begin(), counts.end(), 0UL), n);
        for (std::size_t i = 0; i < n; ++i) drawn[i] += counts[i];
        draw_counts(3, r, n, {strata}, counts.data());
        std::size_t stratum = 0;
        for (std::size_t i = 0; i < n; ++i) stratum += strata[i] != 0 ? counts[i] : 0U;
        CHECK_EQUAL(stratum, n / 10);
        of_first_kind += counts[0];
    }
    double chi_square = 0;
    const double mean = n_resamples;
    for (const double d : drawn) chi_square += (d - mean) * (d - mean) / mean;
    CHECK(std::abs(chi_square - n) < 5 * std::sqrt(2.0 * n)); // five standard deviations
    CHECK(std::abs(of_first_kind - mean) < 5 * std::sqrt(mean));
}

TEST(a_resampled_metric_is_that_of_the_counted_rows) {
    constexpr std::size_t n = 700;
    constexpr std::uint64_t seed = 11;
    for (const bool ties : {false, true}) {
        std::vector<double> scores;
        std::vector<std::uint8_t> labels;
        for (std::size_t i = 0; i < n; ++i) {
            const double u = Philox(7, 0).uniform(i);
            scores.push_back(-(ties ? std::floor(20 * u) : static_cast<double>(i))); // descending: rows are in order
            labels.push_back(Philox(7, 1).uniform(i) < 0.4);
        }
        if (ties) std::sort(scores.rbegin(), scores.rend());
        const StandaloneRun one(1, seed), many(4, seed);
        const VectorView<const double> view{scores.data(), n, 1};
        const auto sorted = sort_scores<LabelledKey, double>(one.context, view, labels.data());
        std::vector<double> areas(20), again(20), precisions(20), distances(20);
        resample_metric(one.context, ResampledMetric::roc_auc, sorted, false, areas);
        resample_metric(many.context, ResampledMetric::roc_auc, sorted, false, again);
        CHECK(areas == again);
        resample_metric(many.context, ResampledMetric::average_precision, sorted, false, precisions);
        resample_metric(many.context, ResampledMetric::ks_statistic, sorted, false, distances);
        for (std::size_t r = 0; r < areas.size(); ++r) {
            std::vector<std::uint8_t> counts(n);
            draw_counts(seed, r, n, {}, counts.data());
            const std::vector<double> weights(counts.begin(), counts.end());
            const auto weighted =
                sort_scores<WeightedKey, double>(one.context, view, labels.data(), {weights.data(), n, 1});
            CHECK_CLOSE(areas[r], roc_area(one.context, weighted).value, 1e-13);
            CHECK_CLOSE(precisions[r], average_precision(one.context, weighted).value, 1e-13);
            CHECK_CLOSE(distances[r], ks_statistic(weighted).value, 1e-13);
        }
    }
}

TEST(resampled_means_and_cells_equal_plain_sums) {
    constexpr std::size_t n = 333, n_resamples = 7;
    constexpr std::uint64_t seed = 4;
    std::vector<double> values, weights;
    std::vector<std::uint8_t> cells;
    for (std::size_t i = 0; i < n; ++i) {
        values.push_back(Philox(8, 0).normal(i));
        weights.push_back(Philox(8, 1).uniform(i));
        cells.push_back(static_cast<std::uint8_t>(i % 4));
    }
    const StandaloneRun run(3, seed);
    std::vector<double> means(n_resamples), plain(n_resamples), sums(4 * n_resamples), numbers(4 * n_resamples);
    resample_means(run.context, values, weights, {}, means);
    resample_means(run.context, values, {}, {}, plain);
    resample_cells(run.context, cells, 4, weights, {}, sums);
    resample_cells(run.context, cells, 4, {}, {}, numbers);
    for (std::size_t r = 0; r < n_resamples; ++r) {
        std::vector<std::uint8_t> counts(n);
        draw_counts(seed, r, n, {}, counts.data());
        double sum = 0, total = 0, unweighted = 0, cell_sum[4] = {}, cell_number[4] = {};
        for (std::size_t i = 0; i < n; ++i) {
            sum += values[i] * weights[i] * counts[i];
            total += weights[i] * counts[i];
            unweighted += values[i] * counts[i];
            cell_sum[cells[i]] += weights[i] * counts[i];
            cell_number[cells[i]] += counts[i];
        }
        CHECK_CLOSE(means[r], sum / total, 1e-12);
        CHECK_CLOSE(plain[r], unweighted / n, 1e-12);
        for (std::size_t c = 0; c < 4; ++c) {
            CHECK_CLOSE(sums[4 * r + c], cell_sum[c], 1e-12);
            CHECK_EQUAL(numbers[4 * r + c], cell_number[c]);
        }
    }
}
