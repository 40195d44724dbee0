#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/objective.hpp"

#include <algorithm>

using namespace twin;

namespace {

struct Leaf {
    std::vector<double> y, weight, score;
    std::vector<std::uint32_t> rows;

    void add(double target, double raw, double w) {
        y.push_back(target);
        score.push_back(raw);
        if (w > 0) weight.push_back(w);
        rows.push_back(static_cast<std::uint32_t>(rows.size()));
    }
    double value(const Objective& objective, double reg_lambda = 0) const {
        return best_leaf_value(objective, {y, weight}, score.data(), nullptr, 0, rows, reg_lambda);
    }
    double loss(const Objective& objective, double v) const {
        StandaloneRun run;
        std::vector<double> moved = score;
        for (double& s : moved) s += v;
        return mean_loss(run.context, objective, {y, weight}, moved.data());
    }
};

/// Residuals of a given size, some of them equal.
Leaf random_leaf(Random& random, std::size_t n, bool weighted, double size) {
    Leaf leaf;
    for (std::size_t i = 0; i < n; ++i) {
        const double r = random.chance(0.3) ? random.integer(-2, 2) : random.normal() * std::exp(random.normal());
        const double raw = random.normal() * size;
        leaf.add(raw + r * size, raw, weighted ? random.uniform(0.1, 3) : 0);
    }
    return leaf;
}

} // namespace

TEST(renewed_leaves_have_the_least_loss_of_all_values) {
    Random random(1);
    for (const double size : {1.0, 1e-9, 1e9})
        for (int round = 0; round < 60; ++round)
            for (const auto& [name, parameter] : {std::pair{"absolute_error", 0.0},
                                                  {"quantile", 0.2},
                                                  {"quantile", 0.9},
                                                  {"quantile", 0.5},
                                                  {"huber", 1.0},
                                                  {"huber", 0.01},
                                                  {"huber", 50.0}}) {
                const bool is_huber = std::string(name) == "huber";
                const Objective objective = Objective::parse(name, 1, is_huber ? parameter * size : parameter);
                const Leaf leaf = random_leaf(random, 1 + random.below(40), round % 2, size);
                const double v = leaf.value(objective), least = leaf.loss(objective, v);
                const double scale = is_huber ? parameter * size * size : size; // of the loss
                bool is_least = true;
                const auto try_value = [&](double other) {
                    is_least &= leaf.loss(objective, other) >= least - 1e-12 * (scale + std::abs(least));
                };
                for (std::size_t i = 0; i < leaf.y.size(); ++i) {
                    const double r = leaf.y[i] - leaf.score[i];
                    try_value(r);
                    try_value((r + v) / 2);
                }
                for (int k = -200; k <= 200; ++k) try_value(v + k * 0.02 * size);
                for (int k = 1; k < 12; ++k)
                    try_value(v + size * std::pow(10, -k)), try_value(v - size * std::pow(10, -k));
                if (!is_least) check::fail(name, round, "a value with less loss exists");
            }
}

TEST(medians_and_quantiles_by_hand) {
    const auto of = [](const char* name, double q, std::vector<double> r, std::vector<double> w = {}) {
        Leaf leaf;
        for (std::size_t i = 0; i < r.size(); ++i) leaf.add(r[i], 0, w.empty() ? 0 : w[i]);
        return leaf.value(Objective::parse(name, 1, q));
    };
    CHECK_EQUAL(of("absolute_error", 0, {5}), 5.0);
    CHECK_EQUAL(of("absolute_error", 0, {3, 1, 2}), 2.0);
    CHECK_EQUAL(of("absolute_error", 0, {4, 1, 2, 3}), 2.5);
    CHECK_EQUAL(of("absolute_error", 0, {1, 2}, {1, 3}), 2.0);
    CHECK_EQUAL(of("absolute_error", 0, {7, 1, 5}, {1, 1, 2}), 5.0);
    CHECK_EQUAL(of("quantile", 0.25, {4, 1, 2, 3}), 1.5);
    CHECK_EQUAL(of("quantile", 0.26, {4, 1, 2, 3}), 2.0);
    CHECK_EQUAL(of("quantile", 0.99, {4, 1, 2, 3}), 4.0);
    CHECK_EQUAL(of("quantile", 0.01, {4, 1, 2, 3}), 1.0);
    CHECK_EQUAL(best_leaf_value(Objective::parse("absolute_error", 1, 0), {}, nullptr, nullptr, 0, {}, 0), 0.0);
}

TEST(a_weight_of_two_is_a_second_copy) {
    Random random(2);
    for (int round = 0; round < 300; ++round) {
        const double q = random.integer(1, 19) / 20.0;
        Leaf copies, weighted;
        for (int i = random.integer(1, 30); i > 0; --i) {
            const double raw = random.normal(), y = random.chance(0.5) ? random.integer(0, 3) + raw : random.normal();
            const int w = random.integer(1, 4);
            weighted.add(y, raw, w);
            for (int k = 0; k < w; ++k) copies.add(y, raw, 0);
        }
        for (const auto& [name, parameter] : {std::pair{"absolute_error", 0.0}, {"quantile", q}}) {
            const Objective objective = Objective::parse(name, 1, parameter);
            CHECK_EQUAL(weighted.value(objective), copies.value(objective));
        }
        const Objective huber = Objective::parse("huber", 1, 0.5);
        CHECK_CLOSE(weighted.value(huber), copies.value(huber), 1e-12);
    }
}

TEST(line_search_reaches_a_zero_derivative) {
    Random random(3);
    for (int round = 0; round < 300; ++round)
        for (const auto& [name, parameter] : {std::pair{"log_loss", 0.0},
                                              {"squared_error", 0.0},
                                              {"poisson", 0.0},
                                              {"gamma", 0.0},
                                              {"tweedie", 1.5},
                                              {"tweedie", 1.05},
                                              {"tweedie", 1.95}}) {
            const Objective objective = Objective::parse(name, 1, parameter);
            const double reg_lambda = round % 3 ? 0 : random.uniform(0, 5);
            Leaf leaf;
            for (int i = random.integer(2, 60); i > 0; --i) {
                double y = std::exp(random.normal());
                if (objective.loss == Loss::log_loss) y = leaf.rows.size() < 2 ? i % 2 : random.integer(0, 1);
                if (objective.loss == Loss::squared_error) y = 1e4 * random.normal();
                leaf.add(y, random.normal() * 2, round % 2 ? random.uniform(0.1, 3) : 0);
            }
            const double v = leaf.value(objective, reg_lambda);
            CHECK(std::isfinite(v));
            // Central differences of the whole objective, beside its slope a little further on.
            const double total = leaf.weight.empty() ? static_cast<double>(leaf.y.size())
                                                     : std::accumulate(leaf.weight.begin(), leaf.weight.end(), 0.0);
            const auto whole = [&](double u) { return total * leaf.loss(objective, u) + reg_lambda * u * u / 2; };
            constexpr double step = 1e-4;
            const double slope = (whole(v + step) - whole(v - step)) / (2 * step);
            const double curvature = (whole(v + 100 * step) - 2 * whole(v) + whole(v - 100 * step)) / 1e-4;
            if (!(std::abs(slope) <= 1e-5 * curvature + 1e-9 * std::abs(whole(v)) / step))
                check::fail(name, round, "derivative " + std::to_string(slope) + " at " + std::to_string(v));
        }
}

TEST(line_search_crosses_any_distance) {
    // All rows alike: the answer is known. Far beyond the bound it stops there.
    for (const double distance : {-7.5, -3.0, -0.5, 0.0, 1.0, 2.0, 4.0, 7.5}) {
        Leaf counts, amounts, odds;
        for (int i = 0; i < 10; ++i) {
            counts.add(std::exp(distance + 1), 1, 0);
            amounts.add(std::exp(distance - 2), -2, 0);
        }
        CHECK_CLOSE(counts.value(Objective::parse("poisson", 1, 0)), distance, 1e-8);
        CHECK_CLOSE(counts.value(Objective::parse("tweedie", 1, 1.3)), distance, 1e-8);
        CHECK_CLOSE(amounts.value(Objective::parse("gamma", 1, 0)), distance, 1e-8);
        for (int i = 0; i < 1000; ++i) odds.add(i < 300, distance, 0); // log odds of 0.3, wherever it starts
        if (std::abs(distance) < 7)
            CHECK_CLOSE(odds.value(Objective::parse("log_loss", 1, 0)), std::log(3.0 / 7) - distance, 1e-8);
    }
    Leaf pure;
    for (int i = 0; i < 10; ++i) pure.add(1, 0, 0);
    CHECK_EQUAL(pure.value(Objective::parse("log_loss", 1, 0)), 8.0);
    Leaf none;
    for (int i = 0; i < 10; ++i) none.add(0, 0, 0);
    CHECK_EQUAL(none.value(Objective::parse("poisson", 1, 0)), -8.0);
}

TEST(line_search_of_softmax_moves_one_class) {
    Random random(4);
    constexpr int K = 4;
    constexpr std::size_t n = 200;
    const Objective objective = Objective::parse("log_loss", K, 0);
    StandaloneRun run;
    std::vector<double> y(n), score(n * K);
    for (double& c : y) c = random.integer(0, K - 1);
    for (double& s : score) s = random.normal();
    std::vector<float> probability(n * K);
    softmax(run.context, score.data(), n, K, probability.data());
    std::vector<std::uint32_t> rows;
    for (std::uint32_t i = 0; i < n; i += 3) rows.push_back(i);
    for (int k = 0; k < K; ++k) {
        const double v = best_leaf_value(objective, {y, {}}, nullptr,
                                         probability.data() + static_cast<std::size_t>(k) * n, k, rows, 0);
        double slope = 0;
        for (const std::uint32_t i : rows) {
            double total = 0;
            for (std::size_t c = 0; c < K; ++c)
                total += std::exp(score[c * n + i] + (c == static_cast<std::size_t>(k) ? v : 0));
            slope += std::exp(score[static_cast<std::size_t>(k) * n + i] + v) / total - (y[i] == k);
        }
        CHECK_CLOSE(slope, 0, 1e-4); // probabilities are floats
    }
}
