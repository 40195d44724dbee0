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

/// Forms of rules with more state. c1 and c2 of nadam are any numbers here: they are the caller's.
const OptimizerParams all_forms[] = {
    {.rule = Rule::rmsprop, .damping = 0.8},
    {.rule = Rule::rmsprop, .epsilon = 1e-3, .centred = true},
    {.rule = Rule::rmsprop, .damping = 0.5, .epsilon = 1e-3, .centred = true},
    {.rule = Rule::adam, .beta2 = 0.5, .amsgrad = true},
    {.rule = Rule::adamw, .beta2 = 0.5, .amsgrad = true},
    {.rule = Rule::nadam, .share_of_gradient = 0.3, .share_of_velocity = 0.8},
    {.rule = Rule::nadam, .is_decoupled = true, .share_of_gradient = 0.3, .share_of_velocity = 0.8},
};

/// One parameter, everything in double, written as the papers do.
struct Twin {
    OptimizerParams params;
    double p, v = 0, s = 0, x = 0, length = 0;
    int t = 0;

    void step(double given) {
        const auto& q = params;
        ++t;
        double g = std::clamp(q.gradient_scale * given, -q.clip_value, q.clip_value);
        const double before = p;
        if (q.rule == Rule::adamw || q.is_decoupled)
            p -= q.learning_rate * q.weight_decay * before;
        else
            g += q.weight_decay * before;
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
            x = q.rho * x + (1 - q.rho) * g;
            length = q.learning_rate / (std::sqrt(q.centred ? s - x * x : s) + q.epsilon);
            v = q.damping * v + length / q.learning_rate * g;
            p -= q.learning_rate * v;
            break;
        case Rule::nadam:
            v = q.beta1 * v + (1 - q.beta1) * g;
            s = q.beta2 * s + (1 - q.beta2) * g * g;
            length = q.learning_rate / (std::sqrt(s / (1 - std::pow(q.beta2, t))) + q.epsilon);
            p -= length * (q.share_of_gradient * g + q.share_of_velocity * v);
            break;
        case Rule::adam:
        case Rule::adamw:
            v = q.beta1 * v + (1 - q.beta1) * g;
            s = q.beta2 * s + (1 - q.beta2) * g * g;
            x = std::max(x, s);
            length = q.learning_rate / (std::sqrt((q.amsgrad ? x : s) / (1 - std::pow(q.beta2, t))) + q.epsilon);
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
void follows_twin(const OptimizerParams& params, double tolerance) {
    for (std::size_t n : {0, 1, 7, 16, 33}) {
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
            if (params.keep_metric && optimizer.metric())
                CHECK_CLOSE(optimizer.metric()[j], twins[j].length, tolerance * (1 + twins[j].length));
        }
    }
}

template <class T>
void all_follow_twins(double tolerance, const OptimizerParams& common) {
    const auto with_common = [&](OptimizerParams params) {
        params.learning_rate = 0.02;
        params.weight_decay = common.weight_decay;
        params.gradient_scale = common.gradient_scale;
        params.clip_value = common.clip_value;
        return params;
    };
    for (const Rule rule : all_rules) follows_twin<T>(with_common({.rule = rule, .keep_metric = true}), tolerance);
    for (const OptimizerParams& form : all_forms) follows_twin<T>(with_common(form), tolerance);
}

} // namespace

TEST(rules_follow_their_papers_in_double) { all_follow_twins<double>(1e-12, {}); }
TEST(rules_follow_their_papers_in_float) { all_follow_twins<float>(2e-5, {}); }
TEST(scale_clipping_and_weight_decay_follow_them_too) {
    all_follow_twins<double>(1e-12, {.weight_decay = 0.1, .gradient_scale = 0.5, .clip_value = 0.2});
    all_follow_twins<float>(2e-5, {.weight_decay = 0.1, .gradient_scale = 0.5, .clip_value = 0.2});
}

TEST(a_negative_scale_climbs) {
    for (const Rule rule : all_rules) {
        Optimizer<double> down({.rule = rule}, 3), up({.rule = rule, .gradient_scale = -1}, 3);
        std::vector<double> a(3, 1.0), b(3, 1.0);
        const std::vector<double> g{1, -2, 0.5}, opposite{-1, 2, -0.5};
        for (int t = 0; t < 3; ++t) {
            down.step(opposite.data(), a.data());
            up.step(g.data(), b.data());
        }
        CHECK(a == b);
    }
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
    std::vector<OptimizerParams> forms(std::begin(all_forms), std::end(all_forms));
    for (const Rule rule : all_rules) forms.push_back({.rule = rule, .keep_metric = true});
    for (const OptimizerParams& params : forms) {
        const std::size_t n = 101;
        Optimizer<float> whole(params, n), pieces(params, n);
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
    std::vector<OptimizerParams> forms(std::begin(all_forms), std::end(all_forms));
    for (const Rule rule : all_rules) forms.push_back({.rule = rule});
    for (OptimizerParams& params : forms) {
        params.epsilon = 0;
        Optimizer<float> optimizer(params, 4);
        const std::vector<float> before = start<float>(4), g(4, 0.0f);
        std::vector<float> p = before;
        for (int t = 0; t < 3; ++t) optimizer.step(g.data(), p.data());
        CHECK(p == before);
    }
}

TEST(a_gradient_of_nan_is_not_lost) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::vector<OptimizerParams> forms(std::begin(all_forms), std::end(all_forms));
    for (const Rule rule : all_rules) forms.push_back({.rule = rule});
    for (OptimizerParams& params : forms) {
        params.clip_value = 1;
        Optimizer<float> optimizer(params, 40);
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
        CHECK_THROWS(ValueError, Optimizer<float>({.damping = bad}, 1));
        CHECK_THROWS(ValueError, Optimizer<float>({.rho = bad}, 1));
        CHECK_THROWS(ValueError, Optimizer<float>({.beta1 = bad}, 1));
        CHECK_THROWS(ValueError, Optimizer<float>({.beta2 = bad}, 1));
    }
    for (const double bad : {-1e-9, nan, inf}) {
        CHECK_THROWS(ValueError, Optimizer<float>({.epsilon = bad}, 1));
        CHECK_THROWS(ValueError, Optimizer<float>({.weight_decay = bad}, 1));
    }
    for (const double bad : {nan, inf, -inf}) CHECK_THROWS(ValueError, Optimizer<float>({.gradient_scale = bad}, 1));
    for (OptimizerParams params : all_forms) {
        params.keep_metric = true;
        CHECK_THROWS(ValueError, Optimizer<float>(params, 1));
    }
    for (const double bad : {0.0, -1.0, nan}) CHECK_THROWS(ValueError, Optimizer<float>({.clip_value = bad}, 1));
}

TEST(rules_are_found_by_name) {
    const char* names[] = {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"};
    for (std::size_t i = 0; i < std::size(names); ++i) CHECK(parse_rule(names[i]) == all_rules[i]);
    CHECK(parse_rule("nadam") == Rule::nadam);
    CHECK_THROWS(ValueError, parse_rule("Adam"));
    CHECK_THROWS(ValueError, parse_rule(""));
}
