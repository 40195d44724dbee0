#include "check.hpp"
#include "core/context.hpp"
#include "linalg/linear_scores.hpp"
#include "linear_model/twin.hpp"

using namespace mlcore;

TEST(scores_of_any_table_and_any_coefficients) {
    for (const std::size_t K : {0, 1, 2, 5, 8, 11, 17})
        for (const std::size_t d : {1, 7, 8, 30}) {
            const twin::Problem p(300, d, 2, d + K, 0.5);
            const std::size_t m = d + 1;
            const std::vector<double> theta = twin::random_vector(K * m, 4, 1);
            std::vector<double> transposed(theta.size());
            for (std::size_t k = 0; k < K; ++k)
                for (std::size_t j = 0; j < m; ++j) transposed[j * K + k] = theta[k * m + j];
            const auto stride = static_cast<std::ptrdiff_t>(m), outputs = static_cast<std::ptrdiff_t>(K);
            for (const Table& X : p.tables()) {
                std::vector<double> z(p.n * K, 1e300), again(z), on_one(z);
                StandaloneRun run(2), single(1);
                linalg::linear_scores(run.context, X, {theta.data(), K, d, stride, 1}, {theta.data() + d, K, stride},
                                      z.data());
                linalg::linear_scores(run.context, X, {transposed.data(), K, d, 1, outputs},
                                      {transposed.data() + d * K, K, 1}, again.data());
                linalg::linear_scores(single.context, X, {theta.data(), K, d, stride, 1}, {theta.data() + d, K, stride},
                                      on_one.data());
                CHECK(z == again);
                CHECK(z == on_one);
                for (std::size_t i = 0; i < p.n; ++i)
                    for (std::size_t k = 0; k < K; ++k) {
                        double expected = theta[k * m + d];
                        for (std::size_t j = 0; j < d; ++j) expected += theta[k * m + j] * p.x[i * d + j];
                        CHECK_CLOSE(z[i * K + k], expected, 1e-12);
                    }
            }
        }
}

TEST(coefficients_that_do_not_fit_are_refused) {
    const twin::Problem p(10, 2, 2, 1);
    const std::vector<double> w(6, 1.0);
    std::vector<double> z(20);
    StandaloneRun run(1);
    CHECK_THROWS(ValueError,
                 linalg::linear_scores(run.context, p.dense(), row_major(w.data(), 2, 3), {w.data(), 2}, z.data()));
    CHECK_THROWS(ValueError,
                 linalg::linear_scores(run.context, p.dense(), row_major(w.data(), 2, 2), {w.data(), 3}, z.data()));
}
