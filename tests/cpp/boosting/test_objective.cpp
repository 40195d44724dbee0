#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/objective.hpp"

using namespace twin;

namespace {

struct Case {
    const char* name;
    double parameter;
    std::vector<double> y;
};

const std::vector<Case> one_output{
    {"log_loss", 0, {0, 1}},      {"squared_error", 0, {-3, 0, 2.5, 1e6}}, {"absolute_error", 0, {-3, 0, 2.5}},
    {"huber", 1.5, {-3, 0, 2.5}}, {"quantile", 0.3, {-3, 0, 2.5}},         {"poisson", 0, {0, 1, 7}},
    {"gamma", 0, {0.1, 1, 7}},    {"tweedie", 1.5, {0, 0.1, 7}},           {"tweedie", 1.1, {0, 0.1, 7}},
};

/// Loss of one row, in double.
double loss(const Objective& objective, double y, const std::vector<double>& score) {
    StandaloneRun run;
    return mean_loss(run.context, objective, {{&y, 1}, {}}, score.data());
}

struct Pair {
    double g, h;
};

Pair gradient(const Objective& objective, bool newton, double y, double weight, const std::vector<double>& score,
              int k = 0) {
    StandaloneRun run;
    std::vector<float> probability(score.size());
    if (objective.softmax()) softmax(run.context, score.data(), 1, objective.n_outputs, probability.data());
    float g = 0, h = 0;
    const Targets targets{{&y, 1}, {&weight, weight == 1 ? 0u : 1u}};
    gradients(objective, newton, targets, score.data(), probability.data(), k, 0, 1, &g, &h);
    return {static_cast<double>(g), static_cast<double>(h)};
}

} // namespace

TEST(gradients_are_derivatives_of_the_loss) {
    for (const Case& c : one_output) {
        const Objective objective = Objective::parse(c.name, 1, c.parameter);
        for (const double y : c.y)
            for (double F = -4.05; F < 4.2; F += 0.31) {
                constexpr double step = 1e-4;
                const double expected = (loss(objective, y, {F + step}) - loss(objective, y, {F - step})) / (2 * step);
                const double got = gradient(objective, true, y, 1, {F}).g;
                CHECK_CLOSE(got, expected, 2e-5 * (1 + std::abs(expected)));
            }
    }
}

TEST(hessians_are_second_derivatives_of_smooth_losses) {
    for (const Case& c : one_output) {
        const Objective objective = Objective::parse(c.name, 1, c.parameter);
        for (const double y : c.y)
            for (double F = -4.05; F < 4.2; F += 0.31) {
                const double got = gradient(objective, true, y, 1, {F}).h;
                if (objective.renews_leaves()) { // leaves are set exactly: the tree only groups rows by gradient
                    CHECK_EQUAL(got, 1.0);
                    continue;
                }
                constexpr double step = 1e-3;
                const double expected =
                    (loss(objective, y, {F + step}) - 2 * loss(objective, y, {F}) + loss(objective, y, {F - step})) /
                    (step * step);
                const double rounding = 1e-9 * std::abs(loss(objective, y, {F}));
                CHECK_CLOSE(got, expected, 2e-5 * (1 + std::abs(expected)) + rounding);
            }
    }
}

TEST(softmax_gradients_are_derivatives_of_the_loss) {
    Random random(1);
    for (const int K : {2, 3, 10}) {
        const Objective objective = Objective::parse("log_loss", K, 0);
        for (int round = 0; round < 30; ++round) {
            std::vector<double> score(static_cast<std::size_t>(K));
            for (double& s : score) s = 3 * random.normal();
            const double y = random.integer(0, K - 1);
            double sum = 0;
            for (int k = 0; k < K; ++k) {
                constexpr double step = 1e-3;
                auto up = score, down = score;
                up[static_cast<std::size_t>(k)] += step;
                down[static_cast<std::size_t>(k)] -= step;
                const double high = loss(objective, y, up), low = loss(objective, y, down);
                const auto [g, h] = gradient(objective, true, y, 1, score, k);
                CHECK_CLOSE(g, (high - low) / (2 * step), 1e-6);
                CHECK_CLOSE(h, (high - 2 * loss(objective, y, score) + low) / (step * step), 1e-6);
                sum += g;
            }
            CHECK_CLOSE(sum, 0, 1e-6);
        }
    }
}

TEST(extreme_scores_stay_finite_where_the_loss_is) {
    for (const double F : {-1e300, -800.0, -40.0, 40.0, 800.0, 1e300})
        for (const double y : {0.0, 1.0}) {
            const Objective objective = Objective::parse("log_loss", 1, 0);
            const auto [g, h] = gradient(objective, true, y, 1, {F});
            CHECK_CLOSE(g, (F > 0 ? 1 : 0) - y, 1e-16);
            CHECK(h >= 0 && h < 1e-16);
            CHECK_CLOSE(loss(objective, y, {F}), (F > 0) == (y > 0) ? 0.0 : std::abs(F), 1e-16);
            const Objective three = Objective::parse("log_loss", 3, 0);
            for (int k = 0; k < 3; ++k) {
                const auto [gk, hk] = gradient(three, true, y, 1, {F, -F, 0}, k);
                CHECK(std::abs(gk) <= 1 && hk >= 0 && hk <= 0.25);
            }
            CHECK(std::isfinite(loss(three, y, {F, -F, 0})));
        }
}

TEST(weights_multiply) {
    for (const Case& c : one_output) {
        const Objective objective = Objective::parse(c.name, 1, c.parameter);
        const Pair once = gradient(objective, true, c.y[1], 1, {0.7});
        const Pair twice = gradient(objective, true, c.y[1], 2, {0.7});
        CHECK(twice.g == 2 * once.g && twice.h == 2 * once.h);
    }
    const Objective three = Objective::parse("log_loss", 3, 0);
    CHECK_EQUAL(gradient(three, true, 2, 4, {1, 2, 3}, 2).g, 4 * gradient(three, true, 2, 1, {1, 2, 3}, 2).g);
}

TEST(first_order_hessians_are_weights) {
    for (const Case& c : one_output) {
        const Objective objective = Objective::parse(c.name, 1, c.parameter);
        const Pair newton = gradient(objective, true, c.y[1], 3, {0.7}),
                   first = gradient(objective, false, c.y[1], 3, {0.7});
        CHECK_EQUAL(first.g, newton.g);
        CHECK_EQUAL(first.h, 3.0);
    }
}

TEST(many_rows_give_the_same_on_any_number_of_threads) {
    Random random(2);
    constexpr std::size_t n = 50'003;
    for (const int K : {1, 3}) {
        const Objective objective = Objective::parse("log_loss", K, 0);
        std::vector<double> y(n), weight(n), score(n * static_cast<std::size_t>(K));
        for (std::size_t i = 0; i < n; ++i) {
            y[i] = random.integer(0, std::max(1, K - 1));
            weight[i] = random.uniform(0.5, 2);
        }
        for (double& s : score) s = random.normal();
        std::vector<float> expected_g, expected_h;
        double expected_loss = 0;
        for (const int n_threads : {1, 2, 3, 8}) {
            StandaloneRun run(n_threads);
            std::vector<float> p(score.size()), g(n), h(n);
            if (K > 1) softmax(run.context, score.data(), n, K, p.data());
            gradients(objective, true, {y, weight}, score.data(), p.data(), K - 1, 0, n, g.data(), h.data());
            const double value = mean_loss(run.context, objective, {y, weight}, score.data());
            if (n_threads == 1) expected_g = g, expected_h = h, expected_loss = value;
            CHECK(g == expected_g && h == expected_h && value == expected_loss);
        }
        double sum = 0, total = 0; // the mean itself
        for (std::size_t i = 0; i < n; i += 1) {
            std::vector<double> row;
            for (int k = 0; k < K; ++k) row.push_back(score[static_cast<std::size_t>(k) * n + i]);
            sum += weight[i] * loss(objective, y[i], row);
            total += weight[i];
        }
        CHECK_CLOSE(expected_loss, sum / total, 1e-12);
    }
}

TEST(names_are_checked) {
    CHECK_THROWS(ValueError, Objective::parse("nonsense", 1, 0));
    CHECK_THROWS(ValueError, Objective::parse("squared_error", 2, 0));
    CHECK_THROWS(ValueError, Objective::parse("log_loss", 0, 0));
    const Objective custom = Objective::parse("custom", 3, 0);
    StandaloneRun run;
    const std::vector<double> y{0}, score{0, 0, 0};
    CHECK_THROWS(ValueError, mean_loss(run.context, custom, {y, {}}, score.data()));
}
