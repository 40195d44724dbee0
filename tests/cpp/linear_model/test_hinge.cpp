#include "check.hpp"
#include "core/random.hpp"
#include "linear_model/hinge/feature_columns.hpp"
#include "linear_model/hinge/fit.hpp"
#include "linear_model/hinge/hessian.hpp"
#include "linear_model/hinge/rows.hpp"
#include "linear_model/hinge/run.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace mlcore;
using namespace mlcore::linear_model::hinge;

namespace {

struct Data {
    std::size_t n, d;
    std::vector<double> x, y, cost;
    std::vector<double> csr_data;
    std::vector<std::int32_t> csr_index, csr_start;

    Table dense() const { return row_major(x.data(), n, d); }
    Table sparse() const {
        return CsrView<double, std::int32_t>{csr_data.data(), csr_index.data(), csr_start.data(), n, d};
    }
    LinearProblem problem() const { return {y, cost}; }
};

/// Two overlapping classes, or a noisy line; two thirds of the entries are zero.
Data make_data(std::size_t n, std::size_t d, bool regression, double cost = 1) {
    Data data{n, d, std::vector<double>(n * d), std::vector<double>(n), std::vector<double>(n, cost), {}, {}, {0}};
    const Philox draws(5, 0);
    for (std::size_t i = 0; i < n; ++i) {
        double score = 0.3;
        for (std::size_t j = 0; j < d; ++j) {
            const std::uint64_t at = i * d + j;
            if (Philox(5, 1).uniform(at) < 1.0 / 3) {
                const double value = draws.normal(at);
                data.x[at] = value;
                score += value * (j % 3 == 0 ? 1.0 : 0.1);
                data.csr_data.push_back(value);
                data.csr_index.push_back(static_cast<std::int32_t>(j));
            }
        }
        data.csr_start.push_back(static_cast<std::int32_t>(data.csr_data.size()));
        score += Philox(5, 2).normal(i);
        data.y[i] = regression ? score : score > 0 ? 1 : -1;
    }
    return data;
}

LinearSolution solve(const Table& X, const LinearProblem& problem, const LinearParams& params, int n_threads = 1) {
    StandaloneRun run(n_threads, 7);
    return solve_linear(run.context, X, 1, [&](std::size_t) { return problem; }, params).front();
}

double loss(const LinearParams& p, double y, double z) {
    const double over = is_regression(p.loss) ? std::abs(y - z) - p.epsilon : 1 - y * z;
    return over <= 0 ? 0 : is_squared(p.loss) ? over * over : over;
}

double score(const Data& data, const LinearParams& p, const std::vector<double>& w, std::size_t i) {
    double z = p.bias * w[data.d];
    for (std::size_t j = 0; j < data.d; ++j) z += data.x[i * data.d + j] * w[j];
    return z;
}

double naive_objective(const Data& data, const LinearParams& p, const std::vector<double>& w) {
    double sum = 0;
    for (std::size_t i = 0; i < data.n; ++i) sum += data.cost[i] * loss(p, data.y[i], score(data, p, w, i));
    for (const double v : w) sum += p.penalty == LinearPenalty::l1 ? std::abs(v) : v * v / 2;
    return sum;
}

/// Largest difference between w and the gradient's other half: at a minimum with L2 penalty w is the sum of rows times
/// some slope of their loss, which is unique where the loss is smooth.
double largest_gradient(const Data& data, const LinearParams& p, const std::vector<double>& w) {
    std::vector<double> g = w;
    if (p.penalty == LinearPenalty::l1) std::fill(g.begin(), g.end(), 0.0);
    for (std::size_t i = 0; i < data.n; ++i) {
        const double z = score(data, p, w, i), y = data.y[i];
        double slope = 0;
        if (is_regression(p.loss)) {
            const double r = z - y;
            slope = 2 * std::copysign(std::max(std::abs(r) - p.epsilon, 0.0), r);
        } else {
            slope = -2 * y * std::max(1 - y * z, 0.0);
        }
        for (std::size_t j = 0; j < data.d; ++j) g[j] += data.cost[i] * slope * data.x[i * data.d + j];
        g[data.d] += data.cost[i] * slope * p.bias;
    }
    double largest = 0;
    for (std::size_t j = 0; j < g.size() - (p.bias == 0 ? 1 : 0); ++j) {
        if (p.penalty == LinearPenalty::l2)
            largest = std::max(largest, std::abs(g[j]));
        else
            largest = std::max(largest, w[j] == 0 ? std::abs(g[j]) - 1 : std::abs(g[j] + std::copysign(1.0, w[j])));
    }
    return largest;
}

constexpr LinearLoss all_losses[] = {LinearLoss::hinge, LinearLoss::squared_hinge, LinearLoss::epsilon_insensitive,
                                     LinearLoss::squared_epsilon_insensitive};

} // namespace

TEST(rows_multiply_and_add_as_their_naive_twins) {
    const std::size_t most = 4 * lanes + 3;
    for (std::size_t d = 0; d <= 2 * most; ++d)
        for (const double bias : {0.0, 2.5}) {
            const std::size_t n = 3;
            std::vector<float> x(n * d + 1);
            for (std::size_t k = 0; k < x.size(); ++k) x[k] = static_cast<float>(Philox(1, 1).normal(k));
            const DenseRows<float> rows{x.data() + 1, n, d, static_cast<std::ptrdiff_t>(d), bias}; // misaligned
            std::vector<double> w(padded_width(d), 0.0);
            for (std::size_t j = 0; j <= d; ++j) w[j] = Philox(1, 2).normal(j);
            for (std::size_t i = 0; i < n; ++i) {
                double expected = bias * w[d], norm = bias * bias;
                for (std::size_t j = 0; j < d; ++j) {
                    expected += static_cast<double>(rows.row(i)[j]) * w[j];
                    norm += static_cast<double>(rows.row(i)[j]) * static_cast<double>(rows.row(i)[j]);
                }
                CHECK_CLOSE(rows.dot(i, w.data()), expected, 1e-12 * (1 + std::abs(expected)));
                CHECK_CLOSE(rows.squared_norm(i), norm, 1e-12 * (1 + norm));
                std::vector<double> moved = w;
                rows.add(i, 0.5, moved.data());
                for (std::size_t j = 0; j < moved.size(); ++j) {
                    const double step = j < d ? static_cast<double>(rows.row(i)[j]) : j == d ? bias : 0.0;
                    CHECK_CLOSE(moved[j], w[j] + 0.5 * step, 1e-14 * (1 + std::abs(w[j])));
                }
            }
        }
}

TEST(sparse_rows_are_dense_rows) {
    const Data data = make_data(50, 23, false);
    const DenseRows<double> dense{data.x.data(), data.n, data.d, static_cast<std::ptrdiff_t>(data.d), 1.5};
    const SparseRows<double, std::int32_t> sparse{std::get<CsrView<double, std::int32_t>>(data.sparse()), data.n,
                                                  data.d, 1.5};
    std::vector<double> w(padded_width(data.d), 0.0), a, b;
    for (std::size_t j = 0; j <= data.d; ++j) w[j] = Philox(2, 2).normal(j);
    for (std::size_t i = 0; i < data.n; ++i) {
        CHECK_CLOSE(sparse.dot(i, w.data()), dense.dot(i, w.data()), 1e-13);
        CHECK_CLOSE(sparse.squared_norm(i), dense.squared_norm(i), 1e-13);
        a = b = w;
        dense.add(i, -2, a.data());
        sparse.add(i, -2, b.data());
        for (std::size_t j = 0; j < w.size(); ++j) CHECK_CLOSE(a[j], b[j], 1e-14);
    }
}

TEST(hessian_is_the_sum_of_products) {
    const Data data = make_data(3000, 7, false);
    for (const bool is_sparse : {false, true})
        for (const int n_threads : {1, 3}) {
            StandaloneRun run(n_threads);
            const LinearRows rows(run.context, is_sparse ? data.sparse() : data.dense(), 0.5);
            std::vector<double> h(data.n);
            for (std::size_t i = 0; i < data.n; ++i) h[i] = 0.1 + Philox(3, 1).uniform(i);
            std::vector<std::uint32_t> list, gone;
            for (std::uint32_t i = 0; i < data.n; ++i) {
                if (i % 3 != 0) list.push_back(i);
                if (i % 6 == 1) gone.push_back(i);
            }
            LinearHessian H(data.d + 1);
            std::visit(
                [&](const auto& r) {
                    H.add(run.context, r, list, h, 1);
                    H.add(run.context, r, gone, h, -1);
                },
                rows.get());
            const auto at = [&](std::size_t i, std::size_t j) { return j == data.d ? 0.5 : data.x[i * data.d + j]; };
            for (std::size_t j = 0; j <= data.d; ++j)
                for (std::size_t k = j; k <= data.d; ++k) {
                    double expected = 0;
                    for (std::size_t i = 0; i < data.n; ++i)
                        if (i % 3 != 0 && i % 6 != 1) expected += h[i] * at(i, j) * at(i, k);
                    CHECK_CLOSE(H.data()[j * H.width() + k], expected, 1e-9);
                }
            std::vector<double> b(data.d + 1, 1.0);
            H.solve(2.0, b);
            H.mirror();
            for (std::size_t j = 0; j <= data.d; ++j) {
                double back = 2 * b[j];
                for (std::size_t k = 0; k <= data.d; ++k) back += H.data()[k * H.width() + j] * b[k];
                CHECK_CLOSE(back, 1.0, 1e-9);
            }
        }
}

TEST(columns_are_the_table) {
    const Data data = make_data(70, 9, false);
    StandaloneRun run;
    std::vector<double> by_column(data.x.size());
    for (std::size_t i = 0; i < data.n; ++i)
        for (std::size_t j = 0; j < data.d; ++j) by_column[j * data.n + i] = data.x[i * data.d + j];
    const Table fortran =
        MatrixView<const double>{by_column.data(), data.n, data.d, 1, static_cast<std::ptrdiff_t>(data.n)};
    for (const Table& X : {data.dense(), data.sparse(), fortran}) {
        const LinearColumns columns(run.context, X, 3.0);
        CHECK_EQUAL(columns.width(), data.d + 1);
        for (std::size_t j = 0; j <= data.d; ++j) {
            std::vector<double> column(data.n, 0.0);
            columns.for_each(j, [&](std::size_t i, double v) { column[i] += v; });
            for (std::size_t i = 0; i < data.n; ++i) CHECK_EQUAL(column[i], j == data.d ? 3.0 : data.x[i * data.d + j]);
        }
    }
}

TEST(smooth_losses_end_where_the_gradient_is_zero) {
    for (const LinearLoss kind : {LinearLoss::squared_hinge, LinearLoss::squared_epsilon_insensitive}) {
        const Data data = make_data(400, 12, is_regression(kind), 0.7);
        for (const LinearSolver solver : {LinearSolver::automatic, LinearSolver::newton, LinearSolver::conjugate})
            for (const bool dual : {false, true}) {
                const LinearParams p{
                    .loss = kind, .dual = dual, .epsilon = 0.2, .tol = 1e-9, .max_iter = 20000, .solver = solver};
                const LinearSolution s = solve(data.dense(), data.problem(), p);
                CHECK(s.converged);
                CHECK(s.violation <= s.allowed || s.violation < 1e-8);
                CHECK(largest_gradient(data, p, s.w) < 1e-6);
                CHECK_CLOSE(s.objective, naive_objective(data, p, s.w), 1e-9);
            }
    }
}

TEST(all_solvers_agree_on_every_loss) {
    for (const LinearLoss kind : all_losses)
        for (const double bias : {0.0, 1.0, 10.0}) {
            const Data data = make_data(300, 10, is_regression(kind), 0.5);
            LinearParams p{.loss = kind, .dual = true, .epsilon = 0.1, .bias = bias, .tol = 1e-8, .max_iter = 100000};
            p.solver = LinearSolver::descent;
            const LinearSolution descent = solve(data.dense(), data.problem(), p);
            p.solver = LinearSolver::automatic;
            const LinearSolution both = solve(data.sparse(), data.problem(), p);
            CHECK(both.converged);
            CHECK(descent.converged || bias == 10); // which is what Newton's method is there for
            CHECK(both.n_iter <= descent.n_iter);
            CHECK_CLOSE(descent.objective, both.objective, 1e-7 * both.objective);
            for (std::size_t j = 0; j <= data.d; ++j) CHECK_CLOSE(descent.w[j], both.w[j], 1e-4);
        }
}

TEST(l1_gives_exact_zeros_and_small_subgradients) {
    const Data data = make_data(400, 30, false, 0.02);
    LinearParams p{
        .loss = LinearLoss::squared_hinge, .penalty = LinearPenalty::l1, .dual = false, .tol = 1e-8, .max_iter = 10000};
    std::vector<LinearSolution> found;
    for (const LinearSolver solver : {LinearSolver::newton, LinearSolver::descent})
        for (const Table& X : {data.dense(), data.sparse()}) {
            p.solver = solver;
            found.push_back(solve(X, data.problem(), p));
            CHECK(found.back().converged);
            CHECK(largest_gradient(data, p, found.back().w) < 1e-5);
            CHECK_CLOSE(found.back().objective, naive_objective(data, p, found.back().w), 1e-9);
        }
    const auto n_zeros = std::count(found[0].w.begin(), found[0].w.end(), 0.0);
    CHECK(n_zeros > 5 && n_zeros < 30);
    for (const LinearSolution& s : found)
        for (std::size_t j = 0; j < s.w.size(); ++j) CHECK_EQUAL(s.w[j] == 0, found[0].w[j] == 0);
}

TEST(badly_scaled_features_converge) {
    for (const LinearLoss kind : all_losses) {
        Data data = make_data(500, 8, is_regression(kind));
        for (std::size_t i = 0; i < data.n; ++i)
            for (std::size_t j = 0; j < data.d; ++j)
                data.x[i * data.d + j] = data.x[i * data.d + j] * std::pow(4.0, j) + 5;
        const LinearParams p{.loss = kind, .dual = true, .epsilon = 0.1, .tol = is_regression(kind) ? 1e-7 : 1e-4};
        const LinearSolution s = solve(data.dense(), data.problem(), p);
        CHECK(s.converged);
        CHECK(s.n_iter < 500);
        // No single coefficient can be moved to lower the objective.
        for (std::size_t j = 0; j <= data.d; ++j)
            for (const double factor : {0.999, 1.001}) {
                std::vector<double> w = s.w;
                w[j] *= factor;
                CHECK(naive_objective(data, p, w) >= s.objective * (1 - 1e-6));
            }
    }
}

TEST(any_number_of_threads_and_any_layout_give_the_same_bits) {
    const std::size_t n = 6000, d = 20;
    const Data data = make_data(n, d, false, 0.1);
    std::vector<double> by_column(data.x.size());
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < d; ++j) by_column[j * n + i] = data.x[i * d + j];
    const Table fortran = MatrixView<const double>{by_column.data(), n, d, 1, static_cast<std::ptrdiff_t>(n)};
    for (const LinearLoss kind : {LinearLoss::hinge, LinearLoss::squared_hinge})
        for (const bool dual : {true, false}) {
            if (!dual && kind == LinearLoss::hinge) continue;
            const LinearParams p{.loss = kind, .dual = dual, .tol = 1e-6};
            const auto make = [&](std::size_t k) { // five problems of their own
                LinearProblem problem = data.problem();
                for (std::size_t i = 0; i < n; ++i)
                    problem.target[i] = i % (k + 2) == 0 ? problem.target[i] : -problem.target[i];
                return problem;
            };
            std::vector<std::vector<LinearSolution>> found;
            for (const int n_threads : {1, 2, 3, 8}) {
                StandaloneRun run(n_threads, 3);
                found.push_back(solve_linear(run.context, data.dense(), 5, make, p));
                found.push_back(solve_linear(run.context, fortran, 5, make, p));
            }
            for (const auto& solutions : found)
                for (std::size_t k = 0; k < 5; ++k) {
                    CHECK(solutions[k].w == found[0][k].w);
                    CHECK_EQUAL(solutions[k].n_iter, found[0][k].n_iter);
                    CHECK_EQUAL(solutions[k].objective, found[0][k].objective);
                }
        }
}

TEST(a_row_that_costs_nothing_is_no_row) {
    for (const LinearLoss kind : all_losses) {
        const Data all = make_data(200, 6, is_regression(kind));
        Data without = all, weightless = all;
        without.n = 150;
        without.x.resize(150 * 6);
        without.y.resize(150);
        without.cost.resize(150);
        for (std::size_t i = 150; i < 200; ++i) weightless.cost[i] = 0;
        for (const bool dual : {true, false}) {
            if (!dual && !is_squared(kind)) continue;
            const LinearParams p{.loss = kind, .dual = dual, .epsilon = 0.1, .tol = 1e-7, .max_iter = 5000};
            const LinearSolution a = solve(without.dense(), without.problem(), p);
            const LinearSolution b = solve(weightless.dense(), weightless.problem(), p);
            for (std::size_t j = 0; j <= 6; ++j) CHECK_CLOSE(a.w[j], b.w[j], 1e-4);
        }
    }
}

TEST(odd_tables) {
    const std::vector<double> x(12, 0.0), y{1, -1, 1, -1};
    for (const LinearLoss kind : all_losses)
        for (const bool dual : {true, false}) {
            if (!dual && !is_squared(kind)) continue;
            const LinearParams p{.loss = kind, .dual = dual, .bias = 0};
            for (const std::size_t d : {std::size_t{0}, std::size_t{3}}) { // no feature, or zeros only: w stays zero
                const LinearSolution s = solve(row_major(x.data(), 4, d), {y, {1, 1, 1, 1}}, p);
                CHECK(s.converged);
                for (const double w : s.w) CHECK_EQUAL(w, 0.0);
            }
        }
    const Data data = make_data(30, 3, false);
    const LinearSolution none = solve(data.dense(), data.problem(), {.max_iter = 0});
    CHECK(!none.converged);
    CHECK_EQUAL(none.n_iter, 0);
    const LinearSolution few = solve(data.dense(), data.problem(), {.tol = 1e-12, .max_iter = 3});
    CHECK(!few.converged && few.n_iter == 3 && few.violation > few.allowed);
}

TEST(combinations_without_a_solver_are_errors) {
    const Data data = make_data(20, 2, false);
    const auto fit = [&](const LinearParams& p) { solve(data.dense(), data.problem(), p); };
    CHECK_THROWS(ValueError, fit({.loss = LinearLoss::hinge, .dual = false}));
    CHECK_THROWS(ValueError, fit({.penalty = LinearPenalty::l1, .dual = true}));
    CHECK_THROWS(ValueError, fit({.loss = LinearLoss::hinge, .penalty = LinearPenalty::l1, .dual = false}));
}

TEST(a_stop_is_heard) {
    struct StopAtOnce final : Progress {
        explicit StopAtOnce(StopFlag& f) : flag(f) {}
        void poll() override { flag.request(); }
        StopFlag& flag;
    };
    const Data data = make_data(2000, 10, false);
    for (const bool dual : {true, false})
        for (const int n_threads : {1, 2}) {
            StopFlag stop;
            StopAtOnce progress(stop);
            const RunContext ctx{n_threads, 0, progress, stop};
            const auto make = [&](std::size_t) { return data.problem(); };
            CHECK_THROWS(Interrupted, solve_linear(ctx, data.dense(), 3, make, {.dual = dual}));
        }
}

TEST(shuffles_are_permutations_and_fair) {
    Shuffler shuffler(1, 2), same(1, 2), other(1, 3);
    std::vector<std::uint32_t> a(101), b(101), c(101);
    std::iota(a.begin(), a.end(), 0U);
    b = c = a;
    shuffler.shuffle(a.data(), a.size());
    same.shuffle(b.data(), b.size());
    other.shuffle(c.data(), c.size());
    CHECK(a == b);
    CHECK(a != c);
    std::sort(a.begin(), a.end());
    for (std::uint32_t i = 0; i < 101; ++i) CHECK_EQUAL(a[i], i);
    std::vector<int> seen(9, 0); // which of three is in which place
    for (int k = 0; k < 9000; ++k) {
        std::uint32_t order[3] = {0, 1, 2};
        shuffler.shuffle(order, 3);
        for (std::size_t i = 0; i < 3; ++i) ++seen[3 * i + order[i]];
    }
    for (const int count : seen) CHECK(std::abs(count - 3000) < 250); // five standard deviations
}
