// The solvers of logistic regression: all reach the same minimum, which is one by its subgradient; zeros of L1 are
// exact; threads, weights and progress behave.
#include "check.hpp"
#include "core/error.hpp"
#include "linear_model/logistic/fit.hpp"
#include "linear_model/logistic/proximal_newton.hpp"
#include "linear_model/logistic/quadratic_l1.hpp"
#include "linear_model/twin.hpp"

#include <utility>

using namespace mlcore;
using namespace mlcore::linear_model;
using twin::Problem;

namespace {

LogisticFit fit(const Problem& p, const Table& X, const LogisticParams& params, bool weighted = false,
                int n_threads = 2) {
    StandaloneRun run(n_threads, 7);
    const std::vector<double> start(p.n_outputs() * (p.d + 1), 0.0);
    return fit_logistic(run.context, X, p.y, weighted ? std::span<const double>(p.weight) : std::span<const double>(),
                        start, params);
}

LogisticParams params_of(const Problem& p, const std::string& solver, double l1, double l2, double tol) {
    return {.n_classes = p.classes, .l1 = l1, .l2 = l2, .solver = solver, .tol = tol, .max_iter = 20000};
}

/// Largest entry of the minimum-norm subgradient by the coefficients of standardised columns, by the twin.
double violation(const Problem& p, const std::vector<double>& coef, double l1, double l2, bool weighted) {
    std::vector<double> gradient;
    twin::objective(p, coef, l2, weighted, true, &gradient);
    const auto average = [&](auto&& value) {
        double sum = 0, total = 0;
        for (std::size_t i = 0; i < p.n; ++i) {
            const double s = weighted ? p.weight[i] : 1;
            sum += s * value(i);
            total += s;
        }
        return sum / total;
    };
    double most = 0;
    for (std::size_t j = 0; j <= p.d; ++j) {
        const double mean = j < p.d ? average([&](std::size_t i) { return p.x[i * p.d + j]; }) : 0;
        const double variance = average([&](std::size_t i) {
            const double x = j < p.d ? p.x[i * p.d + j] - mean : 0;
            return x * x;
        });
        const double unit = j < p.d ? std::sqrt(variance + 4 * l2) : 1;
        for (std::size_t k = 0; k < p.n_outputs(); ++k) {
            const std::size_t at = k * (p.d + 1) + j, intercept = k * (p.d + 1) + p.d;
            const double slope = j < p.d ? gradient[at] - mean * gradient[intercept] : gradient[at];
            most = std::max(most, std::abs(subgradient(slope / unit, coef[at], j < p.d ? l1 / unit : 0.0)));
        }
    }
    return most;
}

std::size_t n_zeros(const std::vector<double>& coef) {
    return static_cast<std::size_t>(std::count(coef.begin(), coef.end(), 0.0));
}

} // namespace

TEST(solvers_reach_the_same_minimum) {
    for (const std::size_t classes : {2, 4}) {
        const Problem p(300, 9, classes, classes, 0.7);
        const LogisticFit best = fit(p, p.dense(), params_of(p, "newton-cholesky", 0, 0.01, 1e-12), true);
        CHECK(best.converged);
        CHECK(violation(p, best.coef, 0, 0.01, true) < 1e-11);
        for (const Table& X : p.tables())
            for (const char* solver : {"lbfgs", "newton-cholesky", "coordinate_descent", "saga", "gd"}) {
                const LogisticFit other = fit(p, X, params_of(p, solver, 0, 0.01, 1e-9), true);
                CHECK(other.converged);
                CHECK(other.optimality <= 1e-9);
                CHECK(twin::largest_difference(other.coef, best.coef) < 1e-6);
            }
    }
}

TEST(l1_gives_exact_zeros_where_the_subgradient_says_so) {
    for (const std::size_t classes : {2, 3, 5}) {
        const Problem p(200, 30, classes, 40 + classes, 0.6);
        for (const auto& [l1, l2] : {std::pair{0.02, 0.0}, std::pair{0.02, 0.05}, std::pair{0.08, 0.0}})
            for (const Table& X : p.tables()) {
                const LogisticFit a = fit(p, X, params_of(p, "coordinate_descent", l1, l2, 1e-10), true);
                CHECK(a.converged);
                CHECK(violation(p, a.coef, l1, l2, true) < 2e-10);
                CHECK(n_zeros(a.coef) > 0 && n_zeros(a.coef) < a.coef.size());
                const LogisticFit b = fit(p, X, params_of(p, "saga", l1, l2, 1e-8), true);
                CHECK(b.converged);
                CHECK(violation(p, b.coef, l1, l2, true) < 2e-8);
                if (l2 == 0 && classes == 5) continue; // the minimum need not be a single point
                CHECK(twin::largest_difference(a.coef, b.coef) < 1e-4);
                for (std::size_t i = 0; i < a.coef.size(); ++i) CHECK_EQUAL(a.coef[i] == 0, b.coef[i] == 0);
            }
    }
}

TEST(a_large_l1_leaves_intercepts_alone) {
    const Problem p(100, 5, 3, 50);
    const LogisticFit none = fit(p, p.dense(), params_of(p, "coordinate_descent", 10, 0, 1e-10));
    CHECK(none.converged);
    CHECK_EQUAL(n_zeros(none.coef), std::size_t{15});
    CHECK(violation(p, none.coef, 10, 0, false) < 1e-10);
}

TEST(more_columns_than_rows_and_equal_columns) {
    Problem p(30, 60, 2, 51);
    for (std::size_t i = 0; i < p.n; ++i) {
        p.x[i * p.d + 1] = p.x[i * p.d]; // twice the same column
        p.x[i * p.d + 2] = 0;            // and one of zeros
    }
    for (const double l1 : {0.0, 0.01}) {
        const LogisticFit a = fit(p, p.dense(), params_of(p, "coordinate_descent", l1, 1e-3, 1e-9));
        CHECK(a.converged);
        CHECK(violation(p, a.coef, l1, 1e-3, false) < 2e-9);
        CHECK_CLOSE(a.coef[0], a.coef[1], 1e-6);
        CHECK_EQUAL(a.coef[2], 0.0);
    }
}

TEST(no_penalty_and_no_intercept) {
    const Problem p(200, 4, 3, 52);
    for (const char* solver : {"lbfgs", "newton-cholesky", "coordinate_descent"}) {
        LogisticParams params = params_of(p, solver, 0, 0, 1e-9);
        CHECK(fit(p, p.dense(), params).converged);
        params.l2 = 0.01;
        params.fit_intercept = false;
        const LogisticFit through_zero = fit(p, p.dense(), params);
        CHECK(through_zero.converged);
        for (std::size_t k = 0; k < 3; ++k) CHECK_EQUAL(through_zero.coef[k * 5 + 4], 0.0);
        std::vector<double> gradient;
        twin::objective(p, through_zero.coef, 0.01, false, false, &gradient);
        for (const double g : gradient) CHECK(std::abs(g) < 1e-8);
    }
}

TEST(a_start_is_used) {
    const Problem p(100, 5, 3, 53);
    StandaloneRun run(1);
    for (const char* solver : {"lbfgs", "newton-cholesky", "coordinate_descent"}) {
        const LogisticParams params = params_of(p, solver, 0, 0.01, 1e-8);
        const LogisticFit first = fit(p, p.dense(), params);
        const LogisticFit again = fit_logistic(run.context, p.dense(), p.y, {}, first.coef, params);
        CHECK_EQUAL(again.n_iter, 0);
        CHECK(again.converged);
        CHECK(twin::largest_difference(again.coef, first.coef) < 1e-13); // there and back between coordinates
        CHECK_EQUAL(again.losses.size(), std::size_t{1});
    }
}

TEST(objectives_are_recorded_and_fall) {
    const Problem p(200, 6, 3, 54);
    for (const char* solver : {"lbfgs", "newton-cholesky", "coordinate_descent", "saga", "gd"}) {
        LogisticParams params = params_of(p, solver, 0, 0.05, 1e-7);
        const LogisticFit a = fit(p, p.dense(), params);
        CHECK_EQUAL(a.losses.size(), static_cast<std::size_t>(a.n_iter) + 1);
        CHECK_CLOSE(a.losses.front(), std::log(3), 1e-12);
        CHECK_CLOSE(a.losses.back(), twin::objective(p, a.coef, 0.05, false, true), 1e-12);
        for (std::size_t i = 1; i < a.losses.size(); ++i) CHECK(a.losses[i] <= a.losses[i - 1] + 1e-12);
        params.max_iter = 2;
        const LogisticFit stopped = fit(p, p.dense(), params);
        CHECK_EQUAL(stopped.n_iter, 2);
        CHECK(!stopped.converged);
        CHECK_CLOSE(stopped.optimality, violation(p, stopped.coef, 0, 0.05, false), 1e-12);
    }
}

TEST(stochastic_rules_come_near_the_minimum) {
    for (const std::size_t classes : {2, 3}) {
        const Problem p(400, 6, classes, 55);
        for (const double l1 : {0.0, 0.02}) {
            const double least = fit(p, p.dense(), params_of(p, "coordinate_descent", l1, 0.01, 1e-9)).losses.back();
            for (const char* rule : {"sgd", "minibatch", "momentum", "nesterov", "adagrad", "rmsprop", "adam"}) {
                LogisticParams params = params_of(p, rule, l1, 0.01, 0);
                params.max_iter = 60;
                params.batch_size = 32;
                std::vector<double> dense;
                for (const Table& X : p.tables()) {
                    const LogisticFit a = fit(p, X, params);
                    CHECK_EQUAL(a.n_iter, 60);
                    CHECK(a.losses.back() - least < 0.25 * (a.losses.front() - least));
                    if (dense.empty()) dense = a.coef;
                    CHECK(twin::largest_difference(a.coef, dense) < 1e-9); // the same rows in the same order
                }
            }
        }
    }
}

TEST(proximal_steps_give_exact_zeros) {
    const Problem p(400, 20, 2, 56);
    for (const char* rule : {"gd", "minibatch", "momentum", "adagrad", "adam"}) {
        LogisticParams params = params_of(p, rule, 0.1, 0, 0);
        params.max_iter = 100;
        CHECK(n_zeros(fit(p, p.dense(), params).coef) > 5);
    }
}

TEST(same_bits_for_any_number_of_threads) {
    for (const std::size_t classes : {2, 5}) {
        const Problem p(3000, 40, classes, 57, 0.5);
        for (const Table& X : {p.tables()[0], p.tables()[3]})
            for (const char* solver :
                 {"lbfgs", "newton-cholesky", "coordinate_descent", "saga", "gd", "minibatch", "adam"}) {
                const bool smooth_only = std::string(solver) == "lbfgs" || std::string(solver) == "newton-cholesky";
                LogisticParams params = params_of(p, solver, smooth_only ? 0 : 0.003, 0.001, 1e-5);
                params.max_iter = 5;
                const LogisticFit one = fit(p, X, params, true, 1);
                for (const int n_threads : {2, 3}) {
                    const LogisticFit other = fit(p, X, params, true, n_threads);
                    CHECK(one.coef == other.coef);
                    CHECK(one.losses == other.losses);
                }
            }
    }
}

TEST(a_weight_of_two_is_a_row_twice_and_of_zero_is_no_row) {
    const Problem p(60, 4, 3, 58);
    std::vector<double> weight(60), twice;
    std::vector<std::int32_t> y;
    for (std::size_t i = 0; i < 60; ++i) {
        weight[i] = static_cast<double>(i % 3);
        for (std::size_t copy = 0; copy < i % 3; ++copy) {
            twice.insert(twice.end(), p.x.begin() + static_cast<std::ptrdiff_t>(4 * i),
                         p.x.begin() + static_cast<std::ptrdiff_t>(4 * i + 4));
            y.push_back(p.y[i]);
        }
    }
    StandaloneRun run(1);
    const std::vector<double> start(15, 0.0);
    for (const char* solver : {"lbfgs", "newton-cholesky", "coordinate_descent"}) {
        const LogisticParams params = params_of(p, solver, 0, 0.02, 1e-11);
        const LogisticFit a = fit_logistic(run.context, p.dense(), p.y, weight, start, params);
        const LogisticFit b =
            fit_logistic(run.context, row_major<const double>(twice.data(), y.size(), 4), y, {}, start, params);
        CHECK(twin::largest_difference(a.coef, b.coef) < 1e-8);
    }
}

TEST(progress_hears_of_each_iteration_and_a_stop_is_seen) {
    struct Listener final : Progress {
        std::vector<double> figures;
        StopFlag* stop = nullptr;
        void iteration(std::uint64_t done, double figure) override {
            figures.push_back(figure);
            CHECK_EQUAL(done, figures.size());
            if (stop && done == 2) stop->request();
        }
    };
    const Problem p(200, 6, 3, 59);
    const std::vector<double> start(21, 0.0);
    for (const char* solver : {"lbfgs", "newton-cholesky", "coordinate_descent", "saga", "gd", "adam"}) {
        LogisticParams params = params_of(p, solver, 0, 0.001, 1e-9);
        params.max_iter = 10;
        Listener listener;
        StopFlag stop;
        const RunContext ctx{1, 0, listener, stop};
        const LogisticFit a = fit_logistic(ctx, p.dense(), p.y, {}, start, params);
        CHECK(std::vector<double>(a.losses.begin() + 1, a.losses.end()) == listener.figures);
        listener.figures.clear();
        listener.stop = &stop;
        CHECK_THROWS(Interrupted, fit_logistic(ctx, p.dense(), p.y, {}, start, params));
        CHECK_EQUAL(listener.figures.size(), std::size_t{2});
    }
}

TEST(wrong_parameters_are_refused) {
    const Problem p(20, 3, 2, 60);
    for (const char* solver : {"lbfgs", "newton-cholesky"})
        CHECK_THROWS(ValueError, fit(p, p.dense(), params_of(p, solver, 0.1, 0, 1e-4)));
    CHECK_THROWS(ValueError, fit(p, p.dense(), params_of(p, "newton", 0, 0, 1e-4)));
    CHECK_THROWS(ValueError, fit(p, p.dense(), params_of(p, "lbfgs", 0, -1, 1e-4)));
    CHECK_THROWS(ValueError, fit(p, p.dense(), params_of(p, "saga", NAN, 0, 1e-4)));
    LogisticParams no_batch = params_of(p, "adam", 0, 0, 1e-4);
    no_batch.batch_size = 0;
    CHECK_THROWS(ValueError, fit(p, p.dense(), no_batch));
    StandaloneRun run(1);
    const std::vector<double> start(3, 0.0);
    CHECK_THROWS(ValueError, fit_logistic(run.context, p.dense(), p.y, {}, start, params_of(p, "lbfgs", 0, 0, 1e-4)));
}

TEST(quadratic_with_l1) {
    StandaloneRun run(1);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const std::size_t n = 1 + seed;
        const std::vector<double> a = twin::random_vector(2 * n * n, seed, 1), g = twin::random_vector(n, seed + 99, 3);
        Buffer<double> H(n * n, 0.0);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j)
                for (std::size_t r = 0; r < 2 * n; ++r) H[i * n + j] += a[r * n + i] * a[r * n + j];
        Vector l1(n, 0.5 * static_cast<double>(n)), x = twin::random_vector(n, seed + 7, 1), gradient = g;
        l1[0] = 0;
        const Vector from = x;
        minimise_quadratic_l1(run.context, H, l1, 1e-10, 1000, x, gradient);
        for (std::size_t i = 0; i < n; ++i) {
            double expected = g[i];
            for (std::size_t j = 0; j < n; ++j) expected += H[i * n + j] * (x[j] - from[j]);
            CHECK_CLOSE(gradient[i], expected, 1e-9);
            CHECK(std::abs(subgradient(expected, x[i], l1[i])) < 1e-9);
        }
    }
}
