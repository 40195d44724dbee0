// Losses of rows beside loops that follow the formulas.
#include "check.hpp"
#include "metrics/labels/probabilities.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

struct Case {
    std::vector<std::int64_t> labels;
    std::vector<double> values; // (n, k)
    std::size_t k;
};

Case make(std::size_t n, std::size_t k) {
    Case c{std::vector<std::int64_t>(n), std::vector<double>(n * k), k};
    for (std::size_t i = 0; i < n; ++i) {
        c.labels[i] = static_cast<std::int64_t>(i * 31 % std::max<std::size_t>(k, 2)) * 10;
        double sum = 0;
        for (std::size_t j = 0; j < k; ++j)
            sum += c.values[i * k + j] = static_cast<double>((i * 17 + j * 29) % 101) + 0.5;
        for (std::size_t j = 0; j < k; ++j) c.values[i * k + j] /= k == 1 ? 102 : sum;
    }
    return c;
}

double naive(RowLoss loss, const Case& c, std::size_t i) {
    const auto label = static_cast<std::size_t>(c.labels[i] / 10);
    std::vector<double> row(c.values.begin() + static_cast<std::ptrdiff_t>(i * c.k),
                            c.values.begin() + static_cast<std::ptrdiff_t>((i + 1) * c.k));
    if (loss == RowLoss::hinge) {
        if (c.k == 1) return std::max(0.0, 1 - (label == 1 ? row[0] : -row[0]));
        double others = -std::numeric_limits<double>::infinity();
        for (std::size_t j = 0; j < c.k; ++j)
            if (j != label) others = std::max(others, row[j]);
        return std::max(0.0, 1 - (row[label] - others));
    }
    if (c.k == 1) row = {1 - row[0], row[0]};
    if (loss == RowLoss::log) {
        const double eps = std::numeric_limits<double>::epsilon();
        return -std::log(std::clamp(row[label], eps, 1 - eps));
    }
    double sum = 0;
    for (std::size_t j = 0; j < row.size(); ++j) sum += std::pow((j == label ? 1.0 : 0.0) - row[j], 2);
    return sum;
}

LabelledRows rows_of(const Case& c) {
    LabelledRows rows{{LabelType::i64, c.labels.data(), c.labels.size(), sizeof(std::int64_t)}, 0, {}};
    const std::size_t k = std::max<std::size_t>(c.k, 2);
    rows.columns.assign(10 * (k - 1) + 1, LabelledRows::unknown);
    for (std::size_t j = 0; j < k; ++j) rows.columns[10 * j] = static_cast<std::uint32_t>(j);
    return rows;
}

RowValues values_of(const Case& c) {
    return {c.values.data(), c.labels.size(), c.k, static_cast<std::ptrdiff_t>(c.k), 1, true};
}

} // namespace

TEST(losses) {
    for (const RowLoss loss : {RowLoss::log, RowLoss::brier, RowLoss::hinge})
        for (const std::size_t k : {1u, 2u, 5u})
            for (const std::size_t n : {1u, 17u, 4096u, 4097u, 20'000u}) {
                const Case c = make(n, k);
                std::vector<double> weight(n);
                for (std::size_t i = 0; i < n; ++i) weight[i] = static_cast<double>(i % 7);
                double plain = 0, weighted = 0;
                for (std::size_t i = 0; i < n; ++i) {
                    plain += naive(loss, c, i);
                    weighted += weight[i] * naive(loss, c, i);
                }
                double first = 0;
                for (const int n_threads : {1, 2, 3}) {
                    StandaloneRun run(n_threads);
                    const auto a = row_loss_sum(run.context, loss, rows_of(c), values_of(c), {});
                    const auto b = row_loss_sum(run.context, loss, rows_of(c), values_of(c), weight);
                    CHECK(a && b);
                    if (!a || !b) return;
                    CHECK_CLOSE(a->sum, plain, 1e-12 * (1 + std::abs(plain)));
                    CHECK_CLOSE(b->sum, weighted, 1e-12 * (1 + std::abs(weighted)));
                    CHECK(a->in_range && a->sums_to_one);
                    if (n_threads == 1) first = a->sum;
                    CHECK_EQUAL(a->sum, first);
                }
            }
}

TEST(flags) {
    StandaloneRun run;
    for (const std::size_t k : {1u, 3u})
        for (const double odd : {1.5, -0.1, std::numeric_limits<double>::quiet_NaN()}) {
            Case c = make(100, k);
            c.values[50 * k] = odd;
            const auto sum = row_loss_sum(run.context, RowLoss::log, rows_of(c), values_of(c), {});
            CHECK(sum && !sum->in_range);
        }
    Case c = make(100, 3);
    c.values[30] += 0.01;
    const auto sum = row_loss_sum(run.context, RowLoss::brier, rows_of(c), values_of(c), {});
    CHECK(sum && sum->in_range && !sum->sums_to_one);
    c.labels[99] = 5; // has no column
    CHECK(!row_loss_sum(run.context, RowLoss::log, rows_of(c), values_of(c), {}));
    c.labels[99] = 1000; // lies outside
    CHECK(!row_loss_sum(run.context, RowLoss::log, rows_of(c), values_of(c), {}));
}

TEST(sampled) {
    StandaloneRun run;
    const std::vector<std::int64_t> labels{7, -3, 7, 5};
    const LabelColumn column{LabelType::i64, labels.data(), 4, sizeof(std::int64_t)};
    CHECK(sampled_labels(run.context, column) == (std::vector<std::int64_t>{-3, 5, 7}));
    const std::vector<std::int64_t> far{0, 1 << 20};
    CHECK(sampled_labels(run.context, {LabelType::i64, far.data(), 2, sizeof(std::int64_t)}).empty());
}
