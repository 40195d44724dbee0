// Leaf values that the loss bounds: the inequality itself, single leaves, and whole trainings on hostile rows.
#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/leaf_value.hpp"
#include "boosting/trainer.hpp"

#include <algorithm>
#include <cmath>

using namespace twin;

namespace {

double log_sum_exp(const std::vector<double>& f) {
    const double top = *std::max_element(f.begin(), f.end());
    double sum = 0;
    for (const double v : f) sum += std::exp(v - top);
    return top + std::log(sum);
}

/// Shares that go over many powers of ten.
std::vector<double> random_scores(Random& random, int K, double spread) {
    std::vector<double> f;
    for (int k = 0; k < K; ++k) f.push_back(spread * random.normal());
    return f;
}

struct Case {
    const char* loss;
    double parameter;
};
constexpr Case bounded[] = {{"log_loss", 0}, {"poisson", 0}, {"gamma", 0}, {"tweedie", 1.1}, {"tweedie", 1.9}};

/// Raw scores and targets of a leaf, some of them far apart.
struct Leaf {
    std::vector<double> y, score, weight;
    Objective objective;

    Leaf(Random& random, const Case& c, std::size_t n) : objective(Objective::parse(c.loss, 1, c.parameter)) {
        const double spread = std::min(std::exp(2 * random.normal()), 8.0);
        for (std::size_t i = 0; i < n; ++i) {
            score.push_back(spread * random.normal());
            const double mean = std::exp(spread * random.normal());
            y.push_back(objective.loss == Loss::log_loss ? random.chance(0.1) : mean);
            weight.push_back(std::exp(random.normal()));
        }
    }
    double loss(double step) const {
        StandaloneRun run;
        std::vector<double> moved = score;
        for (double& s : moved) s += step;
        return mean_loss(run.context, objective, {y, weight}, moved.data());
    }
    Sums sums() const {
        std::vector<float> g(y.size()), h(y.size());
        gradients(objective, true, {y, weight}, score.data(), nullptr, 0, 0, y.size(), g.data(), h.data());
        Sums s;
        for (std::size_t i = 0; i < y.size(); ++i) s = s + Sums{g[i], h[i], 1.0};
        return s;
    }
};

Params with_rate(double rate) {
    Params params;
    params.learning_rate = rate;
    return params;
}

} // namespace

TEST(softmax_is_bounded_by_half_the_classes_alone_at_twice_the_step) {
    Random random(1);
    for (int round = 0; round < 4000; ++round) {
        const int K = random.integer(2, 12);
        const auto f = random_scores(random, K, random.uniform(0, 10)),
                   v = random_scores(random, K, random.uniform(0, 6));
        const int y = random.integer(0, K - 1);
        std::vector<double> moved = f;
        for (int k = 0; k < K; ++k) moved[k] += v[k];
        const double total = log_sum_exp(f);
        double bound = 0.0;
        for (int k = 0; k < K; ++k) {
            const double p = std::exp(f[k] - total);
            bound += 0.5 * std::log1p(p * std::expm1(2 * v[k])) - (k == y ? v[k] : 0);
        }
        const double change = (log_sum_exp(moved) - moved[y]) - (total - f[y]);
        CHECK(change <= bound + 1e-9);
    }
}

TEST(no_step_makes_a_leaf_worse) {
    Random random(2);
    for (const Case& c : bounded)
        for (const double rate : {0.1, 0.5, 1.0, 30.0})
            for (int round = 0; round < 200; ++round) {
                const Leaf leaf(random, c, 1 + random.below(30));
                Params params = with_rate(rate);
                params.reg_lambda = round % 3;
                const double step = rate * LeafRule(params, 1.0).value(leaf.sums(), Bounds());
                const double before = leaf.loss(0), after = leaf.loss(step);
                CHECK(std::isfinite(step));
                if (!(after <= before + 1e-6 * std::abs(before)))
                    check::fail(c.loss, step, "the loss of the leaf increases");
            }
}

TEST(short_steps_are_newtons_to_the_last_bit) {
    Random random(3);
    for (int round = 0; round < 500; ++round) {
        const Sums s{random.normal(), random.uniform(0.01, 3), 20.0};
        Params params = with_rate(0.1);
        params.reg_lambda = random.uniform(0, 1);
        LeafRule rule(params, 2.0);
        rule.set_hessian_unit(1e-15);
        const double newton = -s.g / (s.h + params.reg_lambda);
        if (0.2 * std::abs(newton) <= std::min(std::abs(newton), 1.0)) CHECK_EQUAL(rule.value(s, Bounds()), newton);
    }
}

TEST(a_leaf_without_hessian_has_a_finite_value) {
    const Params params = with_rate(0.1);
    LeafRule rule(params, 1.0);
    rule.set_hessian_unit(1e-12);
    const double value = rule.value({-3.0, 0.0, 10.0}, Bounds());
    CHECK_CLOSE(value, std::log1p(3.0 / 5e-12) / 0.1, 1e-9);
    CHECK_EQUAL(rule.value({0.0, 0.0, 10.0}, Bounds()), 0.0);
    CHECK_EQUAL(LeafRule(params, 0.0).value({-3.0, 0.0, 10.0}, Bounds()), 0.0); // no loss to go by
}

TEST(max_delta_step_limits_values_and_what_they_earn) {
    Random random(4);
    for (int round = 0; round < 200; ++round) {
        Params params;
        params.max_delta_step = random.uniform(0.05, 2);
        params.reg_lambda = random.chance(0.5) ? 0 : 1;
        params.reg_alpha = random.chance(0.5) ? 0 : 0.3;
        const LeafRule rule(params, 0.0);
        const Sums s{random.normal(), random.uniform(0.01, 3), 20.0};
        const double value = rule.value(s, Bounds());
        CHECK(std::abs(value) <= params.max_delta_step);
        CHECK_CLOSE(rule.score(s.g, s.h, params.reg_lambda), rule.score_at(s, value), 1e-12);
        for (int j = -20; j <= 20; ++j) // no value of that size gains more
            CHECK(rule.score_at(s, params.max_delta_step * j / 20) <= rule.score_at(s, value) + 1e-12);
    }
}

namespace {

/// Classes of shrinking size, or targets over many powers of ten, on columns that know something of them.
std::unique_ptr<Trainer> hostile(Random& random, const Case& c, int K, const Params& params) {
    Data data;
    data.rows = 400;
    data.cols = 3;
    data.n_categories.assign(3, 0);
    std::vector<double> y;
    for (std::size_t i = 0; i < data.rows; ++i) {
        const double size = std::exp(2 * random.normal());
        const int rare = std::min(static_cast<int>(-std::log(random.uniform() + 1e-12)), std::max(K, 2) - 1);
        y.push_back(std::string(c.loss) == "log_loss" ? rare : size * size);
        for (std::size_t j = 0; j < 3; ++j) data.x.push_back(std::log(size) * (j == 0) + rare + random.normal());
    }
    data.bin(64);
    std::vector<double> baseline(static_cast<std::size_t>(K), 0.0);
    if (K == 1) baseline[0] = random.normal();
    return std::make_unique<Trainer>(data.mapper, data.binned, y, std::vector<double>(),
                                     Objective::parse(c.loss, K, c.parameter), params, baseline);
}

void check_falling(Trainer& trainer, const char* name, double rate) {
    StandaloneRun run;
    double before = trainer.train_loss(run.context);
    for (int i = 0; i < 20; ++i) {
        trainer.step(run.context);
        const double after = trainer.train_loss(run.context);
        if (!(after <= before + 1e-9 * std::abs(before))) check::fail(name, rate, "the training loss increases");
        before = after;
    }
}

} // namespace

TEST(the_training_loss_never_rises) {
    Random random(5);
    for (const double rate : {0.1, 1.0, 7.0})
        for (const bool newton : {true, false})
            for (const double min_child_weight : {0.0, 1e-3}) {
                Params params = with_rate(rate);
                params.newton = newton;
                params.min_samples_leaf = random.chance(0.5) ? 1 : 20;
                params.min_child_weight = min_child_weight;
                for (const Case& c : bounded) check_falling(*hostile(random, c, 1, params), c.loss, rate);
                for (const int K : {3, 8}) check_falling(*hostile(random, bounded[0], K, params), "softmax", rate);
                for (const Case& c :
                     {Case{"squared_error", 0}, {"absolute_error", 0}, {"huber", 0.5}, {"quantile", 0.9}})
                    check_falling(*hostile(random, c, 1, params), c.loss, rate);
            }
}

// Bounds of monotone constraints may force a leaf beyond its own optimum.
TEST(nor_under_monotone_constraints) {
    Random random(6);
    for (int round = 0; round < 60; ++round) {
        Params params = with_rate(round % 2 ? 1.0 : 3.0);
        params.min_samples_leaf = 1;
        params.min_child_weight = 0.0;
        params.monotonic_cst = {random.integer(-1, 1), random.integer(-1, 1), 1};
        const Case& c = bounded[random.below(std::size(bounded))];
        check_falling(*hostile(random, c, 1, params), c.loss, params.learning_rate);
    }
}

TEST(halving_the_last_iteration_moves_forest_and_scores_alike) {
    Random random(8);
    Params params = with_rate(0.3);
    const auto trainer = hostile(random, bounded[0], 3, params);
    StandaloneRun run;
    trainer->step(run.context);
    const auto first = trainer->scores();
    const std::vector<double> value = trainer->forest().value;
    trainer->step(run.context);
    const auto second = trainer->scores();
    const std::vector<double> whole = trainer->forest().value;
    trainer->scale_latest(run.context, 0.5);
    const auto halved = trainer->scores();
    for (std::size_t i = 0; i < halved.size(); ++i) CHECK_CLOSE(halved[i], (first[i] + second[i]) / 2, 1e-12);
    for (std::size_t i = 0; i < whole.size(); ++i)
        CHECK_EQUAL(trainer->forest().value[i], i < value.size() ? value[i] : whole[i] / 2);
    const double loss = trainer->train_loss(run.context);
    trainer->set_scores(halved);
    CHECK_EQUAL(trainer->train_loss(run.context), loss);
    trainer->set_scores(first);
    CHECK(trainer->train_loss(run.context) > loss); // the loss is that of the scores as they are
}

TEST(gradients_of_poisson_and_tweedie_have_no_unit) {
    Random random(7);
    for (const Case& c : {Case{"poisson", 0}, {"tweedie", 1.3}}) {
        Data data;
        data.rows = 300;
        data.cols = 1;
        data.n_categories.assign(1, 0);
        std::vector<double> y, tiny;
        for (std::size_t i = 0; i < data.rows; ++i) {
            data.x.push_back(random.normal());
            y.push_back(std::exp(data.x.back() + random.normal()));
            tiny.push_back(y.back() * 1e-8);
        }
        data.bin(64);
        Params params;
        params.reg_lambda = 1.0;
        params.min_child_weight = 3.0;
        Trainer a(data.mapper, data.binned, y, {}, Objective::parse(c.loss, 1, c.parameter), params, {0.3});
        Trainer b(data.mapper, data.binned, tiny, {}, Objective::parse(c.loss, 1, c.parameter), params,
                  {0.3 + std::log(1e-8)});
        StandaloneRun run;
        for (int i = 0; i < 5; ++i) {
            a.step(run.context);
            b.step(run.context);
        }
        CHECK(a.forest().n_nodes() > 25);
        CHECK_EQUAL(a.forest().n_nodes(), b.forest().n_nodes());
        for (std::size_t i = 0; i < a.forest().n_nodes(); ++i)
            CHECK_CLOSE(a.forest().value[i], b.forest().value[i], 1e-5);
    }
}
