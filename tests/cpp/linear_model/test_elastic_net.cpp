// The parts of least squares against plain loops, and the two ways of the elastic net against each other.
#include "check.hpp"

#include "core/random.hpp"
#include "linalg/columns.hpp"
#include "linalg/near_zero.hpp"
#include "linalg/normal_equations.hpp"
#include "linalg/row_products.hpp"
#include "linear_model/least_squares/elastic_net.hpp"
#include "linear_model/least_squares/ridge.hpp"

#include <algorithm>
#include <cstring>

using namespace mlcore;
using namespace mlcore::linear_model;
using namespace mlcore::linalg;

namespace {

/// A table with a third of its entries zero, means far from zero, and one constant column; two targets.
struct Data {
    std::size_t n, d;
    std::vector<double> x, weight, y; // row by row
    std::vector<double> by_column;
    std::vector<float> x32;
    std::vector<double> values; // CSR, each row from the last column to the first
    std::vector<std::int32_t> indices;
    std::vector<std::int64_t> indptr{0};

    Data(std::size_t rows, std::size_t cols, std::uint64_t seed) : n(rows), d(cols) {
        const Philox random(seed, 0);
        std::uint64_t draw = 0;
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < d; ++j) {
                const bool zero = random.uniform(draw++) < 1.0 / 3;
                const double value = zero ? 0 : static_cast<float>(random.normal(draw) + 2 + 0.2 * x_at(i, j));
                x.push_back(j == 1 ? 3 : value);
                ++draw;
            }
            weight.push_back(i % 7 == 3 ? 0 : random.uniform(draw++) + 0.5);
            for (int t = 0; t < 2; ++t)
                y.push_back(x_at(i, 0) - 2 * x_at(i, d / 2) + (t ? x_at(i, d - 1) : 1) + 0.5 * random.normal(draw++));
        }
        by_column.resize(n * d);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < d; ++j) by_column[j * n + i] = x[i * d + j];
            for (std::size_t j = d; j-- > 0;)
                if (x[i * d + j] != 0) {
                    values.push_back(x[i * d + j]);
                    indices.push_back(static_cast<std::int32_t>(j));
                }
            indptr.push_back(static_cast<std::int64_t>(values.size()));
        }
        x32.assign(x.begin(), x.end());
    }

    double x_at(std::size_t i, std::size_t j) const { return i * d + j < x.size() ? x[i * d + j] : 0; }
    MatrixView<const double> rows() const { return row_major(x.data(), n, d); }
    MatrixView<const double> columns() const { return {by_column.data(), n, d, 1, static_cast<std::ptrdiff_t>(n)}; }
    MatrixView<const float> floats() const { return row_major(x32.data(), n, d); }
    std::vector<std::int64_t> wide;
    CsrView<double, std::int64_t> csr() {
        wide.assign(indices.begin(), indices.end());
        return {values.data(), wide.data(), indptr.data(), n, d};
    }
    MatrixView<const double> targets() const { return row_major(y.data(), n, 2); }

    double mean(std::size_t j, bool weighted) const {
        double sum = 0, total = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const double s = weighted ? weight[i] : 1;
            sum += s * x[i * d + j];
            total += s;
        }
        return sum / total;
    }
    /// sum_i s_i x~_ij x~_ik
    double product(std::size_t j, std::size_t k, bool weighted) const {
        const double a = mean(j, weighted), b = mean(k, weighted);
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += (weighted ? weight[i] : 1) * (x[i * d + j] - a) * (x[i * d + k] - b);
        return sum;
    }
};

std::vector<Table> tables(Data& data) { return {data.rows(), data.columns(), data.floats(), data.csr()}; }

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
    double largest = a.size() == b.size() ? 0 : 1e300;
    for (std::size_t k = 0; k < std::min(a.size(), b.size()); ++k) largest = std::max(largest, std::abs(a[k] - b[k]));
    return largest;
}

} // namespace

TEST(normal_equations_agree_with_plain_loops) {
    for (const auto& [n, d] : {std::pair<std::size_t, std::size_t>{60, 5}, {9000, 3}, {40, 150}, {1, 4}}) {
        Data data(n, d, 1);
        for (const Table& X : tables(data))
            for (const bool weighted : {false, true}) {
                StandaloneRun run(2);
                const std::span<const double> weight =
                    weighted ? std::span<const double>(data.weight) : std::span<const double>();
                const NearZero moved(run.context, X, weight, true);
                NormalEquations normal = normal_equations(run.context, moved.table(), data.targets(), weight, true);
                for (std::size_t j = 0; j < d; ++j) {
                    std::vector<double> unit(d, 0.0);
                    unit[j] = 1;
                    normal.mean[j] += moved.offset(unit.data());
                }
                const double tolerance = 1e-11 * static_cast<double>(n + 10);
                for (std::size_t j = 0; j < d; ++j) {
                    CHECK_CLOSE(normal.mean[j], data.mean(j, weighted), 1e-12);
                    for (std::size_t k = 0; k < d; k += 1 + d / 9)
                        CHECK_CLOSE(normal.gram[j * d + k], data.product(j, k, weighted), tolerance);
                }
                CHECK_EQUAL(normal.gram[d + 1], 0.0); // the constant column, exactly
                CHECK(normal.target_squares[0] > 0 || n == 1);
            }
    }
}

TEST(gram_of_columns_agrees_with_plain_loops) {
    Data data(300, 130, 2);
    std::vector<std::int32_t> ids;
    for (std::int32_t j = 0; j < 120; ++j) ids.push_back((j * 7) % 130);
    StandaloneRun run(2);
    const auto check = [&](const auto& columns, double tolerance) {
        const ColumnMoments moments = column_moments(run.context, columns, data.weight, true);
        CHECK_EQUAL(moments.squares[1], 0.0);
        const std::size_t ld = 128;
        std::vector<double> gram(ld * ld);
        gram_of_columns(run.context, columns, moments, data.weight, std::span(ids).first(5), 0, gram.data(), ld);
        gram_of_columns(run.context, columns, moments, data.weight, ids, 5, gram.data(), ld);
        for (std::size_t a = 0; a < ids.size(); ++a)
            for (std::size_t b = 0; b < ids.size(); b += 3) {
                const auto j = static_cast<std::size_t>(ids[a]), k = static_cast<std::size_t>(ids[b]);
                CHECK_CLOSE(gram[a * ld + b], data.product(j, k, true), tolerance);
            }
        std::vector<double> r(data.n, 1.0);
        const std::vector<double> w{2.0, -1.0};
        const std::vector<std::int32_t> two{4, 9};
        subtract_columns(run.context, columns, moments, two, w.data(), r.data());
        for (std::size_t i = 0; i < data.n; ++i)
            CHECK_CLOSE(r[i], 1 - 2 * (data.x_at(i, 4) - data.mean(4, true)) + (data.x_at(i, 9) - data.mean(9, true)),
                        1e-10);
    };
    check(DenseColumns<double>(run.context, data.rows()), 1e-9);
    check(DenseColumns<double>(run.context, data.columns()), 1e-9);
    check(DenseColumns<float>(run.context, data.floats()), 1e-9);
    check(SparseColumns<double>(run.context, data.csr()), 1e-9);
}

TEST(repeated_entries_of_a_sparse_column_are_added_up) {
    const std::vector<double> values{1, 2, 4, 8};
    const std::vector<std::int32_t> indices{1, 0, 1, 1}, indptr{0, 3, 4};
    StandaloneRun run;
    const SparseColumns<double> columns(
        run.context, CsrView<double, std::int32_t>{values.data(), indices.data(), indptr.data(), 2, 2});
    CHECK_EQUAL(columns.n_stored(), 3u);
    CHECK_EQUAL(columns.values(1)[0], 5.0);
    CHECK_EQUAL(columns.values(1)[1], 8.0);
    CHECK_EQUAL(columns.values(0)[0], 2.0);
}

TEST(row_products_agree_with_plain_loops) {
    Data data(150, 40, 3);
    StandaloneRun run(2);
    std::vector<double> mean(data.d), v(data.d, 0.5), expected(data.d), got(data.d);
    for (std::size_t j = 0; j < data.d; ++j) mean[j] = data.mean(j, true);
    const Buffer<double> gram = row_gram(run.context, Table(data.rows()), mean, data.weight);
    for (std::size_t i = 0; i < data.n; i += 11)
        for (std::size_t l = 0; l < data.n; ++l) {
            double sum = 0;
            for (std::size_t j = 0; j < data.d; ++j) sum += (data.x_at(i, j) - mean[j]) * (data.x_at(l, j) - mean[j]);
            CHECK_CLOSE(gram[i * data.n + l], std::sqrt(data.weight[i] * data.weight[l]) * sum, 1e-9);
        }
    for (std::size_t i = 0; i < data.n; ++i) {
        double p = data.y[i];
        for (std::size_t j = 0; j < data.d; ++j) p -= v[j] * (data.x_at(i, j) - mean[j]);
        for (std::size_t j = 0; j < data.d; ++j) expected[j] += data.weight[i] * p * (data.x_at(i, j) - mean[j]);
    }
    for (const Table& X : tables(data)) {
        residual_correlation(run.context, X, mean, data.weight, data.y.data(), v.data(), got.data());
        CHECK(largest_difference(got, expected) < 1e-8);
        const std::vector<double> squares = column_squares(run.context, X, mean, data.weight);
        for (std::size_t j = 0; j < data.d; ++j) CHECK_CLOSE(squares[j], data.product(j, j, true), 1e-9);
    }
}

TEST(both_ways_of_the_elastic_net_meet_at_the_optimum) {
    for (const auto& [n, d] : {std::pair<std::size_t, std::size_t>{200, 30}, {60, 300}}) {
        Data data(n, d, 4);
        for (const double l1_ratio : {1.0, 0.5})
            for (const bool positive : {false, true}) {
                ElasticNetParams params{.l1_ratio = l1_ratio, .tol = 1e-12, .max_iter = 20000, .positive = positive};
                std::vector<std::vector<double>> coefs;
                for (const Table& X : tables(data))
                    for (const Precompute way : {Precompute::gram, Precompute::columns}) {
                        StandaloneRun run(2);
                        params.precompute = way;
                        const ElasticNetPath path = elastic_net_path(run.context, X, data.targets(), data.weight,
                                                                     AlphaGrid{20, 1e-2}, {}, params);
                        CHECK(std::count(path.converged.begin(), path.converged.end(), 1) == 40);
                        CHECK_EQUAL(path.coef[1], 0.0); // the constant column
                        coefs.push_back(path.coef);
                    }
                for (const auto& coef : coefs) CHECK(largest_difference(coef, coefs[0]) < 2e-5);
                if (positive) CHECK(*std::min_element(coefs[0].begin(), coefs[0].end()) >= 0);
            }
    }
}

TEST(residual_updates_lead_to_the_same_optimum) {
    // More features than 3 n + 64 in the working set, without an L1 penalty: no room for their Gram matrix.
    Data data(20, 200, 5);
    std::vector<std::vector<double>> coefs;
    for (const Table& X : tables(data))
        for (const Precompute way : {Precompute::gram, Precompute::columns}) {
            StandaloneRun run(2);
            const ElasticNetParams params{.l1_ratio = 0, .tol = 1e-13, .max_iter = 20000, .precompute = way};
            const std::vector<double> alphas{10.0, 1.0};
            const ElasticNetPath path = elastic_net_path(run.context, X, data.targets(), data.weight,
                                                         std::span<const double>(alphas), {}, params);
            CHECK(std::count(path.converged.begin(), path.converged.end(), 1) == 4);
            coefs.push_back(path.coef);
        }
    for (const auto& coef : coefs) CHECK(largest_difference(coef, coefs[0]) < 1e-5);
}

TEST(bits_do_not_depend_on_the_number_of_threads) {
    Data data(5000, 140, 6), wide(100, 3000, 7);
    for (Data* source : {&data, &wide})
        for (const Table& X : tables(*source)) {
            std::vector<std::vector<double>> coefs, ridges;
            for (const int n_threads : {1, 2, 3}) {
                StandaloneRun run(n_threads);
                coefs.push_back(elastic_net_path(run.context, X, source->targets(), source->weight, AlphaGrid{5, 0.05},
                                                 {}, ElasticNetParams{})
                                    .coef);
                const std::vector<double> alphas{1, 2};
                ridges.push_back(ridge(run.context, X, source->targets(), source->weight, alphas, {}).coef);
            }
            CHECK(same_bits(coefs[0], coefs[1]) && same_bits(coefs[0], coefs[2]));
            CHECK(same_bits(ridges[0], ridges[1]) && same_bits(ridges[0], ridges[2]));
        }
}

TEST(the_solvers_of_ridge_agree) {
    for (const auto& [n, d] : {std::pair<std::size_t, std::size_t>{300, 20}, {30, 90}}) {
        Data data(n, d, 8);
        std::vector<std::vector<double>> coefs;
        for (const Table& X : tables(data))
            for (const RidgeSolver solver : {RidgeSolver::cholesky, RidgeSolver::conjugate_gradients}) {
                StandaloneRun run(2);
                const std::vector<double> alphas{1, 5};
                const RidgeFit fit = ridge(run.context, X, data.targets(), data.weight, alphas,
                                           {.solver = solver, .tol = 1e-12, .max_iter = 10000});
                CHECK(fit.solver == solver);
                CHECK_CLOSE(fit.coef[1], 0.0, 1e-9); // the constant column
                coefs.push_back(fit.coef);
            }
        for (const auto& coef : coefs) CHECK(largest_difference(coef, coefs[0]) < 1e-7);
    }
}

TEST(ridge_without_penalty_takes_the_solution_of_least_norm) {
    // Two equal columns share what one of them would get.
    std::vector<double> x, y;
    for (int i = 0; i < 20; ++i) {
        const double v = std::sin(i);
        x.insert(x.end(), {v, v, std::cos(i)});
        y.push_back(4 * v + std::cos(i) + 7);
    }
    StandaloneRun run;
    const std::vector<double> alphas{0};
    const RidgeFit fit = ridge(run.context, Table(row_major<const double>(x.data(), 20, 3)),
                               row_major<const double>(y.data(), 20, 1), {}, alphas, {});
    CHECK_CLOSE(fit.coef[0], 2.0, 1e-8);
    CHECK_CLOSE(fit.coef[1], 2.0, 1e-8);
    CHECK_CLOSE(fit.coef[2], 1.0, 1e-8);
    CHECK_CLOSE(fit.intercept[0], 7.0, 1e-8);
}

TEST(arguments_out_of_range_are_refused) {
    Data data(10, 3, 9);
    StandaloneRun run;
    const Table X = data.rows();
    const auto path = [&](const std::vector<double>& alphas, const ElasticNetParams& params) {
        return elastic_net_path(run.context, X, data.targets(), {}, std::span<const double>(alphas), {}, params);
    };
    const std::vector<double> weight(10, 0.0), start(5);
    CHECK_THROWS(ValueError, path({1, 2}, {}));
    CHECK_THROWS(ValueError, path({-1}, {}));
    CHECK_THROWS(ValueError, path({NAN}, {}));
    CHECK_THROWS(ValueError, path({1}, {.l1_ratio = 1.5}));
    CHECK_THROWS(ValueError, path({1}, {.tol = -1}));
    CHECK_THROWS(ValueError, path({1}, {.max_iter = 0}));
    CHECK_THROWS(ValueError, elastic_net_path(run.context, X, data.targets(), weight, AlphaGrid{}, {}, {}));
    CHECK_THROWS(ValueError, elastic_net_path(run.context, X, data.targets(), {}, AlphaGrid{}, start, {}));
    CHECK_THROWS(ValueError, elastic_net_path(run.context, X, data.targets(), {}, AlphaGrid{}, {}, {.l1_ratio = 0}));
    CHECK_THROWS(ValueError, ridge(run.context, X, data.targets(), {}, std::vector<double>{1}, {}));
    CHECK_THROWS(ValueError, ridge(run.context, X, data.targets(), weight, std::vector<double>{1, 1}, {}));
    CHECK(path({}, {}).coef.empty());
}
