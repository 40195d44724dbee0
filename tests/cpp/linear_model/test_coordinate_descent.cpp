// The engines below the elastic net and ridge, each by itself, against the conditions of a minimum in plain loops.
#include "check.hpp"
#include "core/context.hpp"
#include "core/random.hpp"
#include "linalg/columns.hpp"
#include "linalg/normal_equations.hpp"
#include "linear_model/least_squares/gram_descent.hpp"
#include "linear_model/least_squares/gram_path.hpp"
#include "linear_model/least_squares/path_step.hpp"
#include "linear_model/least_squares/regularised_gram.hpp"
#include "linear_model/least_squares/residual_descent.hpp"
#include "linear_model/least_squares/ridge_gradients.hpp"
#include "linear_model/least_squares/working_columns.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

using namespace mlcore;
using namespace mlcore::linalg;
using namespace mlcore::linear_model;

namespace {

/// Correlated columns, a few of which make y; weights on the rows. Everything is centred, so that no intercept is left.
struct Problem {
    std::size_t n, d;
    std::vector<double> x, y, weight; // x column by column
    std::vector<double> gram, b;
    double yy = 0;

    Problem(std::size_t rows, std::size_t cols, bool weighted, std::uint64_t seed) : n(rows), d(cols), x(n * d), y(n) {
        const Philox random(seed, 0), common(seed, 1), noise(seed, 2);
        if (weighted)
            for (std::size_t i = 0; i < n; ++i) weight.push_back(0.5 + static_cast<double>(i % 4));
        for (std::size_t j = 0; j < d; ++j)
            for (std::size_t i = 0; i < n; ++i) x[j * n + i] = random.normal(j * n + i) + common.normal(i);
        for (std::size_t j = 0; j < d; ++j) centre(&x[j * n]);
        for (std::size_t i = 0; i < n; ++i) y[i] = 2 * x[i] - x[(d / 2) * n + i] + 0.5 * noise.normal(i);
        centre(y.data());
        for (std::size_t j = 0; j < d; ++j) {
            for (std::size_t k = 0; k < d; ++k) gram.push_back(product(&x[j * n], &x[k * n]));
            b.push_back(product(&x[j * n], y.data()));
        }
        yy = product(y.data(), y.data());
    }

    double s(std::size_t i) const { return weight.empty() ? 1 : weight[i]; }
    double product(const double* a, const double* c) const {
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += s(i) * a[i] * c[i];
        return sum;
    }
    void centre(double* v) const {
        double sum = 0, total = 0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += s(i) * v[i];
            total += s(i);
        }
        for (std::size_t i = 0; i < n; ++i) v[i] -= sum / total;
    }
    MatrixView<const double> table() const { return {x.data(), n, d, 1, static_cast<std::ptrdiff_t>(n)}; }
    std::vector<std::int32_t> everything() const {
        std::vector<std::int32_t> ids(d);
        std::iota(ids.begin(), ids.end(), 0);
        return ids;
    }
    std::vector<double> residual(const std::vector<double>& w) const {
        std::vector<double> r = y;
        for (std::size_t j = 0; j < d; ++j)
            for (std::size_t i = 0; i < n; ++i) r[i] -= w[j] * x[j * n + i];
        return r;
    }

    /// How far w is from optimal: the largest entry of the least subgradient.
    double violation(const std::vector<double>& w, const Penalty& penalty) const {
        const std::vector<double> r = residual(w);
        double most = 0;
        for (std::size_t j = 0; j < d; ++j) {
            const double slope = product(&x[j * n], r.data()) - penalty.l2 * w[j]; // downhill
            if (w[j] > 0)
                most = std::max(most, std::abs(slope - penalty.l1));
            else if (w[j] < 0)
                most = std::max(most, penalty.positive ? 1e300 : std::abs(slope + penalty.l1));
            else
                most = std::max(most, (penalty.positive ? slope : std::abs(slope)) - penalty.l1);
        }
        return most;
    }
};

std::vector<Penalty> penalties(const Problem& p) {
    double top = 0;
    for (const double c : p.b) top = std::max(top, std::abs(c));
    return {
        {0.3 * top, 0, false}, {0.05 * top, 0, false}, {0.05 * top, 3, false}, {0.05 * top, 0, true}, {0, 5, false}};
}

constexpr Stop exact{1e-13, 1e-13, 20000};

} // namespace

TEST(minimum_of_one_coordinate) {
    for (const bool positive : {false, true})
        for (const double t : {-3.0, -0.5, 0.0, 0.5, 3.0}) {
            const Penalty penalty{1, 0.5, positive};
            const auto value = [&](double w) { return w * w - t * w + std::abs(w) + 0.25 * w * w; };
            const double w = penalty.minimiser(t, 2);
            CHECK(!positive || w >= 0);
            for (double other = positive ? 0 : -3; other <= 3; other += 0.01) CHECK(value(w) <= value(other) + 1e-12);
        }
}

TEST(descents_reach_the_same_minimum) {
    StandaloneRun run(1);
    for (const bool weighted : {false, true})
        for (const auto& [n, d] : {std::pair<std::size_t, std::size_t>{40, 6}, {200, 30}, {15, 25}}) {
            const Problem p(n, d, weighted, n + d);
            const DenseColumns<double> columns(run.context, p.table());
            const ColumnMoments moments = column_moments(run.context, columns, p.weight, true);
            const std::vector<std::int32_t> work = p.everything();
            const double tolerance = 1e-6 * std::sqrt(p.yy);
            for (const Penalty& penalty : penalties(p)) {
                std::vector<double> by_gram(d), c = p.b;
                std::uint64_t draws = 0;
                GramDescent descent;
                const Philox random(1, 1);
                const Philox* order = weighted ? &random : nullptr;
                const int sweeps =
                    descent.solve(run.context, {p.gram.data(), d, d, p.b.data(), by_gram.data(), c.data(), p.yy},
                                  penalty, work, exact, order, draws);
                CHECK(sweeps > 0 && sweeps <= exact.max_sweeps);
                CHECK(p.violation(by_gram, penalty) <= tolerance);
                const std::vector<double> left = p.residual(by_gram);
                for (std::size_t j = 0; j < d; ++j) CHECK_CLOSE(c[j], p.product(&p.x[j * n], left.data()), 1e-9 * p.yy);

                std::vector<double> by_residual(d), r = p.y, slopes(d);
                residual_descent(run.context, columns, moments,
                                 ResidualProblem{p.y, p.weight, by_residual.data(), r.data(), slopes.data(), p.yy},
                                 penalty, work, exact, order, draws);
                CHECK(p.violation(by_residual, penalty) <= tolerance);
                const std::vector<double> of_w = p.residual(by_residual);
                for (std::size_t i = 0; i < n; ++i) CHECK_CLOSE(r[i], of_w[i], 1e-9);

                WorkingColumns<DenseColumns<double>> working(run.context, columns, p.weight, true, 10);
                std::vector<double> w(d);
                working.begin_target(run.context, {p.y.data(), n, 1}, w, true);
                CHECK_CLOSE(working.yy(), p.yy, 1e-12 * p.yy);
                working.descend(run.context, penalty, work, exact, order, draws);
                CHECK(p.violation(w, penalty) <= tolerance);
                const std::vector<double> rest = p.residual(w);
                CHECK_CLOSE(working.rr(), p.product(rest.data(), rest.data()), 1e-9 * p.yy);
                CHECK_CLOSE(working.ry(), p.product(rest.data(), p.y.data()), 1e-9 * p.yy);
                working.look(run.context, 0);
                for (std::size_t j = 0; j < d; ++j)
                    CHECK_CLOSE(working.c(j), p.product(&p.x[j * n], rest.data()), 1e-9 * p.yy);
                if (n < d) continue; // the minimum need not be a single point
                for (std::size_t j = 0; j < d; ++j) {
                    CHECK_CLOSE(by_residual[j], by_gram[j], 1e-5);
                    CHECK_CLOSE(w[j], by_gram[j], 1e-5);
                }
            }
        }
}

TEST(a_path_by_the_gram_matrix) {
    StandaloneRun run(1);
    const Problem p(200, 30, true, 3);
    NormalEquations normal = normal_equations(run.context, p.table(), {p.y.data(), p.n, 1, 1, 1}, p.weight, true);
    ElasticNetParams params;
    params.tol = 1e-12;
    GramPath path(normal, params);
    std::vector<double> w(p.d);
    path.begin_target(run.context, 0, w);
    double l1 = path.largest_correlation(), top = 0;
    for (const double c : p.b) top = std::max(top, std::abs(c));
    CHECK_CLOSE(l1, top, 1e-9 * top);
    std::uint64_t draws = 0;
    for (const double share : {0.9, 0.5, 0.2, 0.05}) {
        const Penalty penalty{share * top, 1, false};
        const Solution solution = path.solve(run.context, penalty, l1, nullptr, draws);
        CHECK(solution.converged && solution.gap <= params.tol * p.yy);
        CHECK(p.violation(w, penalty) <= 1e-5 * std::sqrt(p.yy));
        const std::vector<double> r = p.residual(w);
        double objective = p.product(r.data(), r.data()) / 2;
        for (const double v : w) objective += penalty.l1 * std::abs(v) + penalty.l2 / 2 * v * v;
        CHECK_CLOSE(solution.objective, objective, 1e-9 * p.yy);
        l1 = penalty.l1;
    }
}

TEST(the_next_solution_is_guessed_by_a_line) {
    Extrapolation line;
    std::vector<double> w{1, 0, -0.1};
    CHECK(!line.guess(4, w.data()));
    line.saw(4, w.data(), 3);
    w = {2, 1, -0.05};
    line.saw(3, w.data(), 3);
    CHECK(line.guess(2, w.data()));
    CHECK_CLOSE(w[0], 3, 1e-15);
    CHECK_EQUAL(w[1], 1.0);   // was zero before: no line to follow
    CHECK_EQUAL(w[2], -0.05); // would be zero, or of the other sign
    CHECK(!line.guess(3.5, w.data()));
    line.clear();
    CHECK(!line.guess(1, w.data()));
}

TEST(regularised_systems) {
    StandaloneRun run(2);
    const Problem p(60, 12, false, 4);
    const std::vector<double> alphas{0, 0.5, 100};
    std::vector<double> x;
    for (std::size_t t = 0; t < alphas.size(); ++t) x.insert(x.end(), p.b.begin(), p.b.end());
    solve_regularised(run.context, GramOf::columns, p.gram.data(), p.d, alphas, x.data());
    for (std::size_t t = 0; t < alphas.size(); ++t)
        for (std::size_t j = 0; j < p.d; ++j) {
            double left = p.b[j] - alphas[t] * x[t * p.d + j];
            for (std::size_t k = 0; k < p.d; ++k) left -= p.gram[j * p.d + k] * x[t * p.d + k];
            CHECK_CLOSE(left, 0, 1e-9 * std::abs(p.b[0]));
        }
    // A singular matrix: two equal columns share the coefficient, which has the least norm.
    const std::vector<double> gram{2, 2, 0, 2, 2, 0, 0, 0, 3}, none{0};
    std::vector<double> b{4, 4, 6};
    solve_regularised(run.context, GramOf::columns, gram.data(), 3, none, b.data());
    CHECK_CLOSE(b[0], 1, 1e-10);
    CHECK_CLOSE(b[1], 1, 1e-10);
    CHECK_CLOSE(b[2], 2, 1e-10);
}

TEST(ridge_by_conjugate_gradients) {
    StandaloneRun run(2);
    for (const bool weighted : {false, true})
        for (const double alpha : {0.0, 2.0}) {
            const Problem p(80, 10, weighted, 5);
            const std::vector<double> mean(p.d, 0.0);
            std::vector<double> squares(p.d), w(p.d);
            for (std::size_t j = 0; j < p.d; ++j) squares[j] = p.gram[j * p.d + j];
            const GradientsResult result = ridge_gradients(run.context, p.table(), mean, squares, p.weight, p.y.data(),
                                                           alpha, 1e-12, 1000, w.data());
            CHECK(result.left <= 1e-12 && result.n_iter > 0);
            CHECK(p.violation(w, {0, alpha, false}) <= 1e-9 * std::sqrt(p.yy));
        }
}
