#include "check.hpp"
#include "svm/twin.hpp"

#include "svm/decision.hpp"
#include "svm/solver.hpp"
#include "svm/subproblem.hpp"
#include "svm/trainer.hpp"

#include <numeric>

using namespace mlcore;
using namespace mlcore::svm;

namespace {

std::vector<std::int32_t> counting(std::size_t n) {
    std::vector<std::int32_t> ids(n);
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
}

/// Classes by a curved border, with noise: both free and bounded variables at the optimum.
std::vector<double> labels(const twin::Data& data, std::uint64_t seed) {
    const Philox random(seed, 9);
    std::vector<double> y(data.n);
    for (std::size_t i = 0; i < data.n; ++i) {
        const double* x = data.x.data() + i * data.d;
        y[i] = x[0] * x[0] + x[1] + 0.5 * random.normal(i) > 0.7 ? 1 : -1;
    }
    return y;
}

enum class Form { classes, nu_classes, regression, nu_regression, one_class };

Problem make_problem(Form form, const std::vector<double>& y, double C, std::uint64_t seed) {
    const std::size_t n = y.size();
    const Philox random(seed, 5);
    Problem p;
    p.doubled = form == Form::regression || form == Form::nu_regression;
    p.split = form == Form::nu_classes || form == Form::nu_regression;
    for (std::size_t i = 0; i < n; ++i) p.C.push_back(C * (0.5 + random.uniform(i)));
    switch (form) {
    case Form::classes:
        p.y = y;
        for (const double label : y) p.e.push_back(-label);
        p.alpha.assign(n, 0);
        break;
    case Form::nu_classes:
    case Form::one_class:
        p.y = form == Form::one_class ? std::vector<double>(n, 1) : y;
        p.e.assign(n, 0);
        for (std::size_t i = 0; i < n; ++i) p.alpha.push_back(0.2 * p.C[i]);
        break;
    default:
        p.C.insert(p.C.end(), p.C.begin(), p.C.begin() + static_cast<std::ptrdiff_t>(n));
        for (const double sign : {1.0, -1.0})
            for (std::size_t i = 0; i < n; ++i) {
                p.y.push_back(sign);
                p.e.push_back(sign * (form == Form::regression ? 0.1 : 0) - y[i] - 0.3 * random.normal(1000 + i));
                p.alpha.push_back(form == Form::regression ? 0 : 0.3 * p.C[i]);
            }
        break;
    }
    return p;
}

Solution solved(const twin::Data& data, const Kernel& kernel, const Problem& problem, SolverParams params,
                int n_threads = 1, std::size_t cache_rows = 1000, std::size_t* peak = nullptr) {
    const StandaloneRun run(n_threads);
    const Table X = data.dense();
    const Points points(run.context, X, kernel);
    const std::size_t row_bytes = padded(data.n) * sizeof(float);
    const auto cache = std::make_shared<RowCache>(data.n, data.n, cache_rows * row_bytes, 2);
    params.max_rows = cache->n_slots();
    Problem own = problem;
    own.sets = {{std::make_shared<const Columns>(run.context, points, counting(data.n)), cache}};
    Solution solution = solve(run.context, points, own, params, false);
    if (peak) *peak = cache->peak() / row_bytes;
    return solution;
}

} // namespace

TEST(every_form_against_its_twin) {
    const Kernel kernel{Kernel::Type::rbf, 0.5, 0, 3};
    for (const Form form : {Form::classes, Form::nu_classes, Form::regression, Form::nu_regression, Form::one_class}) {
        const twin::Data data(90, 3, 11);
        const Problem problem = make_problem(form, labels(data, 1), 2, 3);
        const std::vector<double> K = twin::kernel_matrix(kernel, data);
        const twin::Dual dual{problem, K, data.n};
        const double best = dual.objective(dual.solve(1e-8));
        const Solution got = solved(data, kernel, problem, {.tol = 1e-6});
        CHECK(got.converged && got.gap < 1e-6);
        CHECK_CLOSE(dual.objective(got.alpha), best, 1e-6 * std::abs(best));
        CHECK_CLOSE(got.objective, best, 1e-5 * std::abs(best));
        std::size_t i = 0, j = 0;
        CHECK(dual.gap(got.alpha, i, j) < 1e-4); // by kernel values in float64
        double sums[2] = {}, before[2] = {};
        for (std::size_t v = 0; v < problem.y.size(); ++v) {
            CHECK(got.alpha[v] >= 0 && got.alpha[v] <= problem.C[v]);
            const int side = problem.split && problem.y[v] < 0;
            sums[side] += problem.y[v] * got.alpha[v];
            before[side] += problem.y[v] * problem.alpha[v];
        }
        CHECK_CLOSE(sums[0], before[0], 1e-9);
        CHECK_CLOSE(sums[1], before[1], 1e-9);
    }
}

TEST(shrinking_and_a_small_cache_change_nothing_but_the_way) {
    const Kernel kernel{Kernel::Type::rbf, 0.3, 0, 3};
    const twin::Data data(1500, 4, 12);
    const std::vector<double> y = labels(data, 2);
    for (const Form form : {Form::classes, Form::regression, Form::nu_classes}) {
        const Problem problem = make_problem(form, y, 10, 4);
        const Solution plain = solved(data, kernel, problem, {.tol = 1e-5, .shrinking = false});
        for (const std::size_t rows : {2, 20, 1000}) {
            if (rows == 2 && form != Form::classes) continue; // pairs only: slow
            std::size_t peak = 0;
            const Solution got = solved(data, kernel, problem, {.tol = 1e-5}, 2, rows, &peak);
            CHECK(got.converged);
            CHECK(peak <= rows);
            CHECK_CLOSE(got.objective, plain.objective, 1e-6 * std::abs(plain.objective));
            CHECK_CLOSE(got.rho, plain.rho, 1e-3);
        }
    }
}

TEST(any_number_of_threads_gives_the_same_bits) {
    const Kernel kernel{Kernel::Type::poly, 0.3, 1, 2};
    const twin::Data data(700, 6, 13);
    const Problem problem = make_problem(Form::classes, labels(data, 3), 1, 5);
    const Solution one = solved(data, kernel, problem, {});
    for (const int n_threads : {2, 3}) {
        const Solution got = solved(data, kernel, problem, {}, n_threads);
        CHECK(got.alpha == one.alpha);
        CHECK_EQUAL(got.rho, one.rho);
        CHECK_EQUAL(got.n_iter, one.n_iter);
    }
}

TEST(the_limit_of_iterations_is_kept_and_the_gap_told) {
    const Kernel kernel{Kernel::Type::rbf, 0.3, 0, 3};
    const twin::Data data(400, 4, 14);
    const Problem problem = make_problem(Form::classes, labels(data, 4), 10, 6);
    const std::vector<double> K = twin::kernel_matrix(kernel, data);
    for (const std::int64_t limit : {0, 1, 37, 200}) {
        const Solution got = solved(data, kernel, problem, {.max_iter = limit});
        CHECK(!got.converged);
        CHECK_EQUAL(got.n_iter, limit);
        std::size_t i = 0, j = 0;
        CHECK_CLOSE(got.gap, twin::Dual({problem, K, data.n}).gap(got.alpha, i, j), 1e-4);
    }
}

TEST(kernels_that_are_not_positive_definite_come_to_an_end) {
    const Kernel kernel{Kernel::Type::sigmoid, 2, -1, 3};
    const twin::Data data(200, 3, 15);
    const Solution got = solved(data, kernel, make_problem(Form::classes, labels(data, 5), 5, 7), {});
    CHECK(got.gap < 1e-3);
}

TEST(equal_points_and_equal_rows) {
    // The kernel is singular: pairs of equal points have no curvature.
    twin::Data data(60, 2, 16);
    for (std::size_t i = 30; i < 60; ++i)
        for (std::size_t k = 0; k < 2; ++k) data.x[i * 2 + k] = data.x[(i - 30) * 2 + k];
    std::vector<double> y(60, 1);
    for (std::size_t i = 30; i < 60; ++i) y[i] = -1; // and each has both labels
    const Solution got = solved(data, {Kernel::Type::linear, 1, 0, 3}, make_problem(Form::classes, y, 1, 8), {});
    CHECK(got.converged);
    CHECK(std::isfinite(got.rho));
}

TEST(pairs_of_classes_share_what_single_problems_have) {
    const StandaloneRun run(2);
    const twin::Data data(240, 3, 17);
    std::vector<double> y(240), C(240, 3.0);
    for (std::size_t i = 0; i < 240; ++i)
        y[i] = static_cast<double>(i % 3) + (data.x[i * 3] > 0.5 && i % 3 < 2 ? 1 : 0);
    const Table X = data.dense();
    const TrainParams params{.kernel = {Kernel::Type::rbf, 0.4, 0, 3}, .tol = 1e-6};
    const Model model = train(run.context, X, y, C, params);
    CHECK_EQUAL(model.intercept.size(), std::size_t{3});
    const std::size_t n_sv = model.support.size();

    std::vector<double> vectors;
    for (const std::int32_t id : model.support)
        vectors.insert(vectors.end(), data.x.begin() + id * 3, data.x.begin() + id * 3 + 3);
    const Table SV = row_major<const double>(vectors.data(), n_sv, 3);
    std::vector<double> decision(240 * 3);
    decision_function(run.context, X, {SV, params.kernel, model.n_support, model.dual_coef.data(), model.intercept},
                      decision.data());

    std::size_t p = 0;
    for (double a = 0; a < 3; ++a)
        for (double b = a + 1; b < 3; ++b, ++p) {
            // the pair alone, its classes named 0 and 1
            std::vector<double> x, target;
            for (std::size_t i = 0; i < 240; ++i)
                if (y[i] == a || y[i] == b) {
                    x.insert(x.end(), data.x.begin() + static_cast<std::ptrdiff_t>(3 * i),
                             data.x.begin() + static_cast<std::ptrdiff_t>(3 * i + 3));
                    target.push_back(y[i] == a ? 0 : 1);
                }
            const Table pair = row_major<const double>(x.data(), target.size(), 3);
            const std::vector<double> bound(target.size(), 3.0);
            const Model alone = train(run.context, pair, target, bound, params);
            CHECK_CLOSE(alone.objective[0], model.objective[p], 1e-5 * std::abs(alone.objective[0]));
            std::vector<double> own;
            for (const std::int32_t id : alone.support)
                own.insert(own.end(), x.begin() + id * 3, x.begin() + id * 3 + 3);
            const Table own_vectors = row_major<const double>(own.data(), alone.support.size(), 3);
            std::vector<double> expected(240);
            decision_function(run.context, X,
                              {own_vectors, params.kernel, alone.n_support, alone.dual_coef.data(), alone.intercept},
                              expected.data());
            for (std::size_t i = 0; i < 240; ++i) CHECK_CLOSE(decision[i * 3 + p], expected[i], 1e-4);
        }
}

TEST(the_cache_is_never_above_its_bound) {
    const StandaloneRun run(2);
    const twin::Data data(1200, 4, 18);
    std::vector<double> y(1200), C(1200, 10.0);
    for (std::size_t i = 0; i < 1200; ++i) y[i] = static_cast<double>((i + (data.x[i * 4] > 0 ? 1 : 0)) % 4);
    const Table X = data.dense();
    for (const std::size_t bytes : {std::size_t{100} << 10, std::size_t{1} << 20}) {
        const Model model =
            train(run.context, X, y, C, {.kernel = {Kernel::Type::rbf, 0.3, 0, 3}, .cache_bytes = bytes});
        CHECK(model.cache_peak <= bytes);
        for (const std::uint8_t converged : model.converged) CHECK(converged == 1);
    }
}

TEST(far_points_are_predicted_without_nan) {
    const StandaloneRun run;
    const std::vector<double> vectors{0, 0, 1, 1}, coef{1, -1}, far{1e300, 0, -1e200, 1e200, 0.5, 0.5};
    const Table SV = row_major<const double>(vectors.data(), 2, 2), X = row_major<const double>(far.data(), 3, 2);
    const std::vector<std::int32_t> n_support{1, 1};
    const std::vector<double> intercept{0.25};
    std::vector<double> out(3);
    decision_function(run.context, X, {SV, {Kernel::Type::rbf, 1, 0, 3}, n_support, coef.data(), intercept},
                      out.data());
    CHECK_EQUAL(out[0], 0.25);
    CHECK_EQUAL(out[1], 0.25);
    CHECK_CLOSE(out[2], 0.25, 1e-6);
    decision_function(run.context, X, {SV, {Kernel::Type::linear, 1, 0, 3}, n_support, coef.data(), intercept},
                      out.data());
    CHECK(out[0] < -1e30 && out[1] == 0.25); // beyond float32 the size is lost, the sign is not
}
