// The parts of the solvers of logistic regression: the loss of a block of rows, the line search, and each method by
// itself, against plain loops and the conditions of a minimum.
#include "check.hpp"
#include "core/context.hpp"
#include "linalg/design.hpp"
#include "linear_model/logistic/block.hpp"
#include "linear_model/logistic/first_order.hpp"
#include "linear_model/logistic/lbfgs.hpp"
#include "linear_model/logistic/line_search.hpp"
#include "linear_model/logistic/newton.hpp"
#include "linear_model/logistic/outcome.hpp"
#include "linear_model/logistic/proximal_newton.hpp"
#include "linear_model/logistic/quadratic_l1.hpp"
#include "linear_model/logistic/saga.hpp"
#include "linear_model/twin.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

using namespace mlcore;
using namespace mlcore::linear_model;
using twin::Problem;

namespace {

/// (1 - x)^2 + 100 (y - x^2)^2 in each pair: a curved valley with its end at ones.
double rosenbrock(const double* theta, double* gradient, std::size_t n) {
    double value = 0;
    for (std::size_t i = 0; i < n; i += 2) {
        const double x = theta[i], y = theta[i + 1], off = y - x * x;
        value += (1 - x) * (1 - x) + 100 * off * off;
        gradient[i] = -2 * (1 - x) - 400 * x * off;
        gradient[i + 1] = 200 * off;
    }
    return value;
}

} // namespace

TEST(loss_of_a_block) {
    for (const std::size_t K : {1, 2, 5})
        for (const std::size_t n : {0, 1, 7, 16, 37})
            for (const bool weighted : {false, true}) {
                const std::size_t stride = 40;
                const std::vector<double> z = twin::random_vector(K * stride, K, 4);
                std::vector<double> weight(n), residual = z, p(K * stride), scratch(3 * stride);
                std::vector<std::int32_t> y(n);
                for (std::size_t i = 0; i < n; ++i) {
                    weight[i] = 0.5 + static_cast<double>(i % 3);
                    y[i] = static_cast<std::int32_t>(i % std::max<std::size_t>(K, 2));
                }
                const double loss = logistic_block(n, K, stride, residual.data(), p.data(), scratch.data(), y.data(),
                                                   weighted ? weight.data() : nullptr);
                double expected = 0;
                for (std::size_t i = 0; i < n; ++i) {
                    const double s = weighted ? weight[i] : 1;
                    double sum = K == 1 ? 1 : 0; // the first of two classes has score 0
                    for (std::size_t k = 0; k < K; ++k) sum += std::exp(z[k * stride + i]);
                    const double of_class = K == 1 ? y[i] * z[i] : z[static_cast<std::size_t>(y[i]) * stride + i];
                    expected += s * (std::log(sum) - of_class);
                    for (std::size_t k = 0; k < K; ++k) {
                        const double probability = std::exp(z[k * stride + i]) / sum;
                        const bool hit = K == 1 ? y[i] == 1 : y[i] == static_cast<std::int32_t>(k);
                        CHECK_CLOSE(p[k * stride + i], probability, 1e-14);
                        CHECK_CLOSE(residual[k * stride + i], s * (probability - (hit ? 1 : 0)), 1e-13);
                    }
                }
                CHECK_CLOSE(loss, expected, 1e-12 * (1 + expected));
            }
    for (const std::size_t n : {0, 1, 8, 21}) {
        const std::vector<double> x(n, 0.25);
        CHECK_EQUAL(ordered_sum(x.data(), n), 0.25 * static_cast<double>(n));
    }
}

TEST(line_search_ends_lower_and_flatter) {
    const SmoothFunction f = [](const double* theta, double* gradient) { return rosenbrock(theta, gradient, 2); };
    for (const double scale : {1e-6, 1e-3, 1.0, 1e3}) { // the first step tried is much too short, or too long
        const Point from = point_at(f, {-1.2, 1.0});
        Vector towards = from.gradient;
        for (double& x : towards) x *= -scale;
        const double slope = dot(towards, from.gradient);
        Point to;
        CHECK(search_line(f, from, towards, slope, to));
        CHECK(to.value < from.value);
        CHECK(to.value <= from.value + 1e-4 * dot(from.gradient, to.theta) - 1e-4 * dot(from.gradient, from.theta));
        CHECK(dot(towards, to.gradient) >= 0.9 * slope);
        Vector gradient(2);
        CHECK_EQUAL(to.value, f(to.theta.data(), gradient.data()));
        CHECK(gradient == to.gradient);
    }
}

TEST(vectors) {
    Vector a{1, -3, 2};
    add(2, {1, 1, -1}, a);
    CHECK(a == (Vector{3, -1, 0}));
    CHECK_EQUAL(dot(a, {1, 2, 3}), 1.0);
    CHECK_EQUAL(largest(a), 3.0);
    CHECK_EQUAL(largest({}), 0.0);
    CHECK(std::isnan(largest({1, std::numeric_limits<double>::quiet_NaN(), 2})));
}

TEST(lbfgs_follows_a_curved_valley) {
    StandaloneRun run(1);
    for (const std::size_t n : {2, 10}) {
        Vector theta(n, -1.2);
        const auto f = [n](const double* at, double* gradient) { return rosenbrock(at, gradient, n); };
        const Outcome out = minimise_lbfgs(run.context, theta, f, {1e-9, 200});
        CHECK(out.converged && out.optimality <= 1e-9);
        CHECK(out.n_iter > 5 && out.n_iter < 100);
        CHECK_EQUAL(out.losses.size(), static_cast<std::size_t>(out.n_iter) + 1);
        for (const double x : theta) CHECK_CLOSE(x, 1, 1e-8);
        const Outcome again = minimise_lbfgs(run.context, theta, f, {1e-8, 200});
        CHECK_EQUAL(again.n_iter, 0);
        theta.assign(n, -1.2);
        const Outcome stopped = minimise_lbfgs(run.context, theta, f, {1e-9, 3});
        CHECK(!stopped.converged && stopped.n_iter == 3);
    }
}

TEST(each_method_finds_the_minimum_of_the_loss_it_is_given) {
    for (const std::size_t classes : {2, 3}) {
        const Problem p(120, 5, classes, 60 + classes);
        const double l2 = 0.05;
        StandaloneRun run(2, 3);
        const Table X = p.dense();
        const auto design = linalg::make_design(X);
        const std::vector<std::string> methods{"newton", "proximal", "saga", "gd", "lbfgs"};
        for (const std::string& method : methods) {
            LogisticLoss loss(*design, p.y, p.weight, classes, true, l2);
            Vector theta(loss.n_parameters(), 0.0);
            const StopRule stop{1e-8, 20000};
            Outcome out;
            if (method == "newton")
                out = minimise_newton(run.context, loss, theta, stop);
            else if (method == "proximal")
                out = minimise_proximal_newton(run.context, loss, 0, theta, stop);
            else if (method == "saga")
                out = minimise_saga(run.context, loss, 0, theta, stop);
            else if (method == "gd")
                out = minimise_first_order(run.context, loss, X, theta, {}, stop);
            else
                out = minimise_lbfgs(
                    run.context, theta,
                    [&](const double* at, double* gradient) {
                        return loss.value_and_gradient(run.context, at, gradient);
                    },
                    stop);
            CHECK(out.converged);
            std::vector<double> gradient;
            CHECK_CLOSE(out.losses.back(), twin::objective(p, theta, l2, true, true, &gradient), 1e-12);
            for (const double g : gradient) CHECK(std::abs(g) <= 1.1e-8);
        }
    }
}

TEST(subgradient_of_an_l1_term) {
    const Problem p(120, 6, 2, 70);
    const double l1 = 0.05, l2 = 0.01;
    StandaloneRun run(1, 3);
    const Table X = p.dense();
    const auto design = linalg::make_design(X);
    for (const bool by_saga : {false, true}) {
        LogisticLoss loss(*design, p.y, {}, 2, true, l2);
        Vector theta(loss.n_parameters(), 0.0);
        const StopRule stop{1e-8, 20000};
        const Outcome out = by_saga ? minimise_saga(run.context, loss, l1, theta, stop)
                                    : minimise_proximal_newton(run.context, loss, l1, theta, stop);
        CHECK(out.converged);
        std::vector<double> gradient;
        double value = twin::objective(p, theta, l2, false, true, &gradient), most = std::abs(gradient[p.d]);
        for (std::size_t j = 0; j < p.d; ++j) {
            value += l1 * std::abs(theta[j]);
            most = std::max(most, std::abs(subgradient(gradient[j], theta[j], l1)));
        }
        CHECK(most <= 1.1e-8);
        CHECK_CLOSE(largest_subgradient(loss, l1, theta, gradient), most, 1e-15);
        CHECK_CLOSE(out.losses.back(), value, 1e-12);
        CHECK(std::count(theta.begin(), theta.end(), 0.0) > 0);
    }
}

TEST(record_of_a_minimisation) {
    StandaloneRun run(1);
    Record record(run.context, {0.1, 2}, 5, 1);
    CHECK(record.goes_on());
    record.iteration(4, 0.5);
    CHECK(record.goes_on() && record.n_iter() == 1 && record.loss() == 4 && record.optimality() == 0.5);
    record.iteration(3, 0.4);
    CHECK(!record.goes_on());
    const Outcome out = record.take();
    CHECK(!out.converged && out.n_iter == 2);
    CHECK(out.losses == (std::vector<double>{5, 4, 3}));
    CHECK(!Record(run.context, {0.1, 2}, 5, 0.1).goes_on());
    CHECK(!Record(run.context, {0.1, 2}, 5, std::numeric_limits<double>::quiet_NaN()).goes_on());
}
