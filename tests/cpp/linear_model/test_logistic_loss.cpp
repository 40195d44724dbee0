// The objective of logistic regression: value and gradient beside a twin in plain loops, curvature beside differences
// of gradients, for every kind of table, at sizes around the widths of vectors and tiles.
#include "check.hpp"
#include "core/error.hpp"
#include "linalg/cholesky.hpp"
#include "linear_model/logistic/fit.hpp"
#include "linear_model/logistic/loss.hpp"
#include "linear_model/twin.hpp"

#include <numeric>

using namespace mlcore;
using namespace mlcore::linear_model;
using namespace mlcore::linalg;
using twin::Problem;

namespace {

constexpr double l2 = 0.125;

struct Sizes {
    std::size_t n, d, classes;
};

std::vector<Sizes> all_sizes() {
    std::vector<Sizes> sizes;
    for (const std::size_t n : {1, 7, 8, 9, 31, 300})
        for (const std::size_t d : {1, 2, 7, 8, 9, 17, 40})
            for (const std::size_t classes : {2, 3, 8, 9, 17}) sizes.push_back({n, d, classes});
    for (const std::size_t d : {300, 1000}) sizes.push_back({40, d, 5}); // blocks as small as they get
    return sizes;
}

/// The Hessian of the twin, column by column, by central differences of its gradient.
std::vector<std::vector<double>> hessian_by_differences(const Problem& p, const std::vector<double>& theta,
                                                        bool weighted, bool intercept) {
    constexpr double h = 1e-5;
    std::vector<std::vector<double>> columns;
    for (std::size_t i = 0; i < theta.size(); ++i) {
        std::vector<double> up = theta, down = theta, a, b;
        up[i] += h;
        down[i] -= h;
        twin::objective(p, up, l2, weighted, intercept, &a);
        twin::objective(p, down, l2, weighted, intercept, &b);
        for (std::size_t j = 0; j < a.size(); ++j) a[j] = (a[j] - b[j]) / (2 * h);
        columns.push_back(a);
    }
    return columns;
}

} // namespace

TEST(value_and_gradient_are_those_of_the_twin) {
    StandaloneRun run(2);
    std::uint64_t seed = 0;
    for (const auto& [n, d, classes] : all_sizes()) {
        ++seed;
        const Problem p(n, d, classes, seed, seed % 2 ? 1.0 : 0.4);
        const bool weighted = seed % 3 == 0, intercept = seed % 4 != 0;
        std::vector<double> theta = twin::random_vector(p.n_outputs() * (d + 1), seed, 0.5), expected;
        if (!intercept)
            for (std::size_t k = 0; k < p.n_outputs(); ++k) theta[k * (d + 1) + d] = 0;
        const double value = twin::objective(p, theta, l2, weighted, intercept, &expected);
        for (const Table& X : p.tables()) {
            const auto design = make_design(X);
            LogisticLoss loss(*design, p.y, weighted ? std::span<const double>(p.weight) : std::span<const double>(),
                              classes, intercept, l2);
            std::vector<double> gradient(theta.size());
            CHECK_CLOSE(loss.value_and_gradient(run.context, theta.data(), gradient.data()), value,
                        1e-12 * (1 + std::abs(value)));
            CHECK(twin::largest_difference(gradient, expected) < 1e-12);
        }
    }
}

TEST(gradient_is_the_derivative_of_the_value) {
    StandaloneRun run(1);
    for (const std::size_t classes : {2, 4}) {
        const Problem p(50, 6, classes, 3);
        const auto design = make_design(p.dense());
        LogisticLoss loss(*design, p.y, p.weight, classes, true, l2);
        std::vector<double> theta = twin::random_vector(loss.n_parameters(), 1, 0.5);
        std::vector<double> gradient(theta.size()), ignored(theta.size());
        loss.value_and_gradient(run.context, theta.data(), gradient.data());
        constexpr double h = 1e-6;
        for (std::size_t i = 0; i < theta.size(); ++i) {
            std::vector<double> up = theta, down = theta;
            up[i] += h;
            down[i] -= h;
            const double slope = (loss.value_and_gradient(run.context, up.data(), ignored.data()) -
                                  loss.value_and_gradient(run.context, down.data(), ignored.data())) /
                                 (2 * h);
            CHECK_CLOSE(gradient[i], slope, 1e-8);
        }
    }
}

TEST(curvature_is_the_derivative_of_the_gradient) {
    StandaloneRun run(2);
    std::uint64_t seed = 10;
    for (const std::size_t classes : {2, 3, 9})
        for (const std::size_t d : {1, 5, 8, 19}) {
            const Problem p(70, d, classes, ++seed, 0.6);
            const bool intercept = seed % 3 != 0;
            const std::size_t K = p.n_outputs(), m = d + 1;
            std::vector<double> theta = twin::random_vector(K * m, seed, 0.5), gradient(K * m);
            if (!intercept)
                for (std::size_t k = 0; k < K; ++k) theta[k * m + d] = 0;
            const auto expected = hessian_by_differences(p, theta, true, intercept);
            const auto entry = [&](std::size_t i, std::size_t j) { // rows of unused intercepts: the unit matrix
                const bool unused = !intercept && (i % m == d || j % m == d);
                return unused ? (i == j ? 1.0 : 0.0) : expected[i][j];
            };
            for (const Table& X : p.tables()) {
                const auto design = make_design(X);
                LogisticLoss loss(*design, p.y, p.weight, classes, intercept, l2);
                loss.value_and_gradient(run.context, theta.data(), gradient.data());

                const Buffer<double> whole = loss.hessian(run.context, loss.whole_table());
                const auto blocks = loss.hessian_blocks(run.context, loss.whole_table());
                double off = 0, off_blocks = 0;
                for (std::size_t i = 0; i < K * m; ++i)
                    for (std::size_t j = 0; j < K * m; ++j) {
                        off = std::max(off, std::abs(whole[i * K * m + j] - entry(i, j)));
                        if (i / m == j / m)
                            off_blocks = std::max(off_blocks, std::abs(blocks[i / m][i % m * m + j % m] - entry(i, j)));
                    }
                CHECK(off < 1e-8);
                CHECK(off_blocks < 1e-8);

                std::vector<ColumnSet> chosen; // every second column, another half for each output
                std::vector<std::size_t> where;
                for (std::size_t k = 0; k < K; ++k) {
                    std::vector<std::uint32_t> columns;
                    for (std::size_t j = k % 2; j < d; j += 2) {
                        columns.push_back(static_cast<std::uint32_t>(j));
                        where.push_back(k * m + j);
                    }
                    where.push_back(k * m + d);
                    chosen.emplace_back(d, columns);
                }
                const Buffer<double> part = loss.hessian(run.context, chosen);
                CHECK_EQUAL(part.size(), where.size() * where.size());
                double off_part = 0;
                for (std::size_t i = 0; i < where.size(); ++i)
                    for (std::size_t j = 0; j < where.size(); ++j)
                        off_part = std::max(off_part, std::abs(part[i * where.size() + j] - entry(where[i], where[j])));
                CHECK(off_part < 1e-8);

                std::vector<double> v = twin::random_vector(K * m, seed + 1, 1), product(K * m), by_matrix(K * m);
                if (!intercept)
                    for (std::size_t k = 0; k < K; ++k) v[k * m + d] = 0;
                loss.hessian_product(run.context, v.data(), product.data());
                for (std::size_t i = 0; i < K * m; ++i)
                    for (std::size_t j = 0; j < K * m; ++j) by_matrix[i] += entry(i, j) * v[j];
                CHECK(twin::largest_difference(product, by_matrix) < 1e-7);
            }
            const auto design = make_design(p.dense());
            LogisticLoss loss(*design, p.y, p.weight, classes, intercept, l2);
            loss.value_and_gradient(run.context, theta.data(), gradient.data());
            std::vector<double> diagonal(K * m);
            loss.hessian_diagonal(run.context, diagonal.data());
            for (std::size_t i = 0; i < K * m; ++i) CHECK_CLOSE(diagonal[i], entry(i, i), 1e-8);
        }
}

TEST(bounding_blocks_lie_above_the_hessian) {
    StandaloneRun run(1);
    const Problem p(200, 4, 5, 21);
    const auto design = make_design(p.dense());
    LogisticLoss loss(*design, p.y, {}, 5, true, 0);
    const std::vector<double> theta = twin::random_vector(25, 2, 1);
    std::vector<double> gradient(25), product(25);
    loss.value_and_gradient(run.context, theta.data(), gradient.data());
    const auto blocks = loss.hessian_blocks(run.context, loss.whole_table(), true);
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        const std::vector<double> v = twin::random_vector(25, seed, 1);
        loss.hessian_product(run.context, v.data(), product.data());
        double below = 0, above = 0;
        for (std::size_t i = 0; i < 25; ++i) {
            below += v[i] * product[i];
            for (std::size_t j = 0; j < 5; ++j) above += v[i] * blocks[i / 5][i % 5 * 5 + j] * v[i / 5 * 5 + j];
        }
        CHECK(below <= above * (1 + 1e-12));
    }
}

TEST(largest_eigenvalue_of_the_gram_matrix) {
    StandaloneRun run(1);
    for (const Table& X : Problem(64, 3, 2, 5).tables()) static_cast<void>(X); // all kinds can be made
    const Problem p(400, 6, 2, 6);
    const auto design = make_design(p.dense());
    LogisticLoss loss(*design, p.y, p.weight, 2, true, 0);
    // At 0 the Hessian is a quarter of the Gram matrix: the largest of many Rayleigh quotients is nearly its norm.
    std::vector<double> v(7, 0.0), gradient(7), product(7);
    loss.value_and_gradient(run.context, v.data(), gradient.data());
    v = twin::random_vector(7, 3, 1);
    double norm = 0;
    for (int i = 0; i < 500; ++i) {
        loss.hessian_product(run.context, v.data(), product.data());
        norm = std::sqrt(std::inner_product(product.begin(), product.end(), product.begin(), 0.0));
        for (std::size_t j = 0; j < 7; ++j) v[j] = product[j] / norm;
    }
    CHECK_CLOSE(loss.gram_norm(run.context), 4 * norm, 0.03 * 4 * norm);
}

TEST(extreme_scores_stay_finite) {
    StandaloneRun run(1);
    for (const std::size_t classes : {2, 3}) {
        const Problem p(20, 2, classes, 8);
        const auto design = make_design(p.dense());
        LogisticLoss loss(*design, p.y, {}, classes, true, 0);
        std::vector<double> theta(loss.n_parameters()), gradient(theta.size());
        for (std::size_t i = 0; i < theta.size(); ++i) theta[i] = i % 2 ? 1e6 : -1e6;
        const double value = loss.value_and_gradient(run.context, theta.data(), gradient.data());
        CHECK(std::isfinite(value) && value > 0);
        for (const double g : gradient) CHECK(std::isfinite(g));
    }
}

TEST(same_bits_for_any_number_of_threads) {
    for (const std::size_t classes : {2, 6}) {
        const Problem p(5000, 40, classes, 31);
        for (const Table& X : p.tables()) {
            const auto design = make_design(X);
            const std::vector<double> theta = twin::random_vector(p.n_outputs() * 41, 1, 0.3);
            std::vector<std::vector<double>> all;
            for (const int n_threads : {1, 2, 3}) {
                StandaloneRun run(n_threads);
                LogisticLoss loss(*design, p.y, p.weight, classes, true, l2);
                std::vector<double> gradient(theta.size()), product(theta.size());
                std::vector<double> bits{loss.value_and_gradient(run.context, theta.data(), gradient.data())};
                loss.hessian_product(run.context, theta.data(), product.data());
                const Buffer<double> hessian = loss.hessian(run.context, loss.whole_table());
                bits.insert(bits.end(), gradient.begin(), gradient.end());
                bits.insert(bits.end(), product.begin(), product.end());
                bits.insert(bits.end(), hessian.begin(), hessian.end());
                all.push_back(bits);
            }
            CHECK(all[0] == all[1]);
            CHECK(all[0] == all[2]);
        }
    }
}

TEST(what_does_not_fit_is_refused) {
    const Problem p(10, 2, 3, 1);
    const auto design = make_design(p.dense());
    const std::vector<std::int32_t> short_y(9, 0);
    std::vector<std::int32_t> wrong_y = p.y;
    wrong_y[3] = 3;
    CHECK_THROWS(ValueError, LogisticLoss(*design, short_y, {}, 3, true, 0));
    CHECK_THROWS(ValueError, LogisticLoss(*design, wrong_y, {}, 3, true, 0));
    CHECK_THROWS(ValueError, LogisticLoss(*design, p.y, {}, 1, true, 0));
    CHECK_THROWS(ValueError, LogisticLoss(*design, p.y, std::vector<double>(10, 0.0), 3, true, 0));
    CHECK_THROWS(ValueError, LogisticLoss(*design, p.y, std::vector<double>(10, -1.0), 3, true, 0));
    CHECK_THROWS(ValueError, LogisticLoss(*design, p.y, std::vector<double>(9, 1.0), 3, true, 0));
}

TEST(cholesky_solves_and_survives_a_singular_matrix) {
    StandaloneRun run;
    Buffer<double> matrix(9);
    const double values[] = {4, 0, 0, 2, 5, 0, 0, 1, 3};
    std::copy_n(values, 9, matrix.data());
    const Cholesky factor(run.context, std::move(matrix), 3);
    double v[] = {4 + 4, 2 + 10 + 3, 2 + 9}; // the matrix times (1, 2, 3)
    factor.solve(v);
    for (int i = 0; i < 3; ++i) CHECK_CLOSE(v[i], i + 1.0, 1e-14);

    Buffer<double> ones(4, 1.0);
    const Cholesky singular(run.context, std::move(ones), 2);
    double w[] = {2, 2};
    singular.solve(w);
    CHECK_CLOSE(w[0] + w[1], 2, 1e-6);
    CHECK_THROWS(ValueError, Cholesky(run.context, Buffer<double>(1, INFINITY), 1));
}
