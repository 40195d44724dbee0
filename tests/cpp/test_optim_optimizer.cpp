// Each rule against its textbook form in plain scalars; what a step in pieces promises; parameters out of range.
#include "check.hpp"

#include "core/error.hpp"
#include "optim/optimizer.hpp"

#include <algorithm>
#include <limits>

using namespace mlcore;
using namespace mlcore::optim;

namespace {

constexpr Rule all_rules[] = {Rule::sgd,     Rule::momentum, Rule::nesterov, Rule::adagrad,
                              Rule::rmsprop, Rule::adam,     Rule::adamw};

/// One parameter, everything in double, written as the papers do.
struct Twin {
    OptimizerParams params;
    double p, v = 0, s = 0, length = 0;
    int t = 0;

    void step(double given) {
        const auto& q = params;
        ++t;
        double g = std::clamp(q.gradient_scale * given, -q.clip_value, q.clip_value);
        if (q.rule == Rule::adamw)
            p -= q.learning_rate * q.weight_decay * p;
        else
            g += q.weight_decay * p;
        length = q.learning_rate;
        switch (q.rule) {
        case Rule::sgd:
            p -= q.learning_rate * g;
            break;
        case Rule::momentum:
            v = q.momentum * v + g;
            p -= q.learning_rate * v;
            break;
        case Rule::nesterov:
            v = q.momentum * v + g;
            p -= q.learning_rate * (g + q.momentum * v);
            break;
        case Rule::adagrad:
            s += g * g;
            length = q.learning_rate / (std::sqrt(s) + q.epsilon);
            p -= length * g;
            break;
        case Rule::rmsprop:
            s = q.rho * s + (1 - q.rho) * g * g;
            length = q.learning_rate / (std::sqrt(s) + q.epsilon);
            p -= length * g;
            break;
        case Rule::adam:
        case Rule::adamw:
            v = q.beta1 * v + (1 - q.beta1) * g;
            s = q.beta2 * s + (1 - q.beta2) * g * g;
            length = q.learning_rate / (std::sqrt(s / (1 - std::pow(q.beta2, t))) + q.epsilon);
            p -= length * v / (1 - std::pow(q.beta1, t));
            break;
        }
    }
};

double curvature(std::size_t j) { return 0.1 + static_cast<double>(j % 7); }

template <class T>
std::vector<T> start(std::size_t n) {
    std::vector<T> p(n);
    for (std::size_t j = 0; j < n; ++j) p[j] = static_cast<T>(std::sin(static_cast<double>(j) + 1));
    return p;
}

template <class T>
void gradient_of(const std::vector<T>& p, std::vector<T>& g) {
    for (std::size_t j = 0; j < p.size(); ++j) g[j] = static_cast<T>(curvature(j)) * p[j];
}

template <class T>
void follows_twin(double tolerance, const OptimizerParams& common) {
    for (const Rule rule : all_rules)
        for (std::size_t n : {0, 1, 7, 16, 33}) {
            OptimizerParams params = common;
            params.rule = rule;
            params.learning_rate = 0.02;
            params.keep_metric = true;
            Optimizer<T> optimizer(params, n);
            std::vector<T> p = start<T>(n), g(n);
            std::vector<Twin> twins;
            for (const T x : p) twins.push_back({.params = params, .p = x});
            for (int t = 1; t <= 50; ++t) {
                gradient_of(p, g);
                for (std::size_t j = 0; j < n; ++j) twins[j].step(g[j]);
                optimizer.step(g.data(), p.data());
                CHECK_EQUAL(optimizer.n_steps(), static_cast<std::uint64_t>(t));
            }
            for (std::size_t j = 0; j < n; ++j) {
                CHECK_CLOSE(p[j], twins[j].p, tolerance);
                if (optimizer.metric())
                    CHECK_CLOSE(optimizer.metric()[j], twins[j].length, tolerance * (1 + twins[j].length));
            }
        }
}

} // namespace

TEST(rules_follow_their_papers_in_double) { follows_twin<double>(1e-12, {}); }
TEST(rules_follow_their_papers_in_float) { follows_twin<float>(2e-5, {}); }
TEST(scale_clipping_and_weight_decay_follow_them_too) {
    follows_twin<double>(1e-12, {.weight_decay = 0.1, .gradient_scale = 0.5, .clip_value = 0.2});
    follows_twin<float>(2e-5, {.weight_decay = 0.1, .gradient_scale = 0.5, .clip_value = 0.2});
}

TEST(every_rule_comes_down_a_quadratic) {
    for (const Rule rule : all_rules) {
        Optimizer<double> optimizer({.rule = rule, .learning_rate = rule == Rule::adagrad ? 0.5 : 0.01}, 20);
        std::vector<double> p = start<double>(20), g(20);
        const auto value = [&] {
            double sum = 0;
            for (std::size_t j = 0; j < p.size(); ++j) sum += curvature(j) * p[j] * p[j] / 2;
            return sum;
        };
        const double before = value();
        for (int t = 0; t < 400; ++t) {
            gradient_of(p, g);
            optimizer.step(g.data(), p.data());
        }
        CHECK(value() < 0.05 * before);
    }
}

TEST(a_step_in_pieces_is_the_same_step) {
    for (const Rule rule : all_rules) {
        const std::size_t n = 101;
        Optimizer<float> whole({.rule = rule, .keep_metric = true}, n), pieces({.rule = rule, .keep_metric = true}, n);
        std::vector<float> a = start<float>(n), b = a, g(n);
        for (int t = 0; t < 5; ++t) {
            gradient_of(a, g);
            whole.step(g.data(), a.data());
            pieces.begin_step();
            for (const auto& [begin, end] : {std::pair{64, 101}, {0, 1}, {1, 64}})
                pieces.update(static_cast<std::size_t>(begin), static_cast<std::size_t>(end), g.data() + begin,
                              b.data() + begin);
            CHECK(a == b);
        }
        CHECK_EQUAL(pieces.n_steps(), 5u);
    }
}

TEST(the_metric_is_uniform_or_kept) {
    for (const Rule rule : {Rule::sgd, Rule::momentum, Rule::nesterov})
        CHECK(Optimizer<double>({.rule = rule, .keep_metric = true}, 3).metric() == nullptr);
    for (const Rule rule : {Rule::adagrad, Rule::rmsprop, Rule::adam, Rule::adamw}) {
        CHECK(Optimizer<double>({.rule = rule, .keep_metric = true}, 3).metric() != nullptr);
        CHECK_THROWS(InternalError, static_cast<void>(Optimizer<double>({.rule = rule}, 3).metric()));
    }
}

TEST(a_zero_gradient_moves_nothing_even_with_a_zero_epsilon) {
    for (const Rule rule : all_rules) {
        Optimizer<float> optimizer({.rule = rule, .epsilon = 0}, 4);
        const std::vector<float> before = start<float>(4), g(4, 0.0f);
        std::vector<float> p = before;
        for (int t = 0; t < 3; ++t) optimizer.step(g.data(), p.data());
        CHECK(p == before);
    }
}

TEST(a_gradient_of_nan_is_not_lost) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const Rule rule : all_rules) {
        Optimizer<float> optimizer({.rule = rule, .clip_value = 1}, 40);
        const std::vector<float> g(40, nan);
        std::vector<float> p = start<float>(40);
        optimizer.step(g.data(), p.data());
        for (const float x : p) CHECK(std::isnan(x));
    }
}

TEST(a_new_learning_rate_counts_from_the_next_step) {
    Optimizer<double> optimizer({.rule = Rule::sgd, .learning_rate = 1}, 1);
    double p = 0;
    const double g = 1;
    optimizer.step(&g, &p);
    CHECK_EQUAL(p, -1.0);
    optimizer.set_learning_rate(0.5);
    optimizer.step(&g, &p);
    CHECK_EQUAL(p, -1.5);
    CHECK_EQUAL(optimizer.learning_rate(), 0.5);
}

TEST(parameters_out_of_range_are_refused) {
    const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
    for (const double bad : {0.0, -1.0, nan, inf}) {
        CHECK_THROWS(ValueError, Optimizer<float>({.learning_rate = bad}, 1));
        Optimizer<float> optimizer({}, 1);
        CHECK_THROWS(ValueError, optimizer.set_learning_rate(bad));
    }
    for (const double bad : {-0.1, 1.0, nan}) {
        CHECK_THROWS(ValueError, Optimizer<float>({.momentum = bad}, 1));
        CHECK_THROWS(ValueError, Optimizer<float>({.rho = bad}, 1));
        CHECK_THROWS(ValueError, Optimizer<float>({.beta1 = bad}, 1));
        CHECK_THROWS(ValueError, Optimizer<float>({.beta2 = bad}, 1));
    }
    for (const double bad : {-1e-9, nan, inf}) {
        CHECK_THROWS(ValueError, Optimizer<float>({.epsilon = bad}, 1));
        CHECK_THROWS(ValueError, Optimizer<float>({.weight_decay = bad}, 1));
        CHECK_THROWS(ValueError, Optimizer<float>({.gradient_scale = bad}, 1));
    }
    for (const double bad : {0.0, -1.0, nan}) CHECK_THROWS(ValueError, Optimizer<float>({.clip_value = bad}, 1));
}

TEST(rules_are_found_by_name) {
    const char* names[] = {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"};
    for (std::size_t i = 0; i < std::size(names); ++i) CHECK(parse_rule(names[i]) == all_rules[i]);
    CHECK_THROWS(ValueError, parse_rule("Adam"));
    CHECK_THROWS(ValueError, parse_rule(""));
}
