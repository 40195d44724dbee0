// The rows of a table as linear models walk over them, dense and sparse, against plain loops.
#include "check.hpp"
#include "core/context.hpp"
#include "linalg/batch.hpp"
#include "linalg/design.hpp"
#include "linalg/design_dense.hpp"
#include "linalg/design_sparse.hpp"
#include "linalg/weights.hpp"
#include "linear_model/twin.hpp"

#include <algorithm>
#include <vector>

using namespace mlcore;
using namespace mlcore::linalg;
using twin::Problem;

namespace {

/// f(begin, end) for the blocks of a design.
template <class F>
void for_blocks(const Design& design, F&& f) {
    for (std::size_t begin = 0; begin < design.n_rows(); begin += design.block_rows())
        f(begin, std::min(begin + design.block_rows(), design.n_rows()));
}

} // namespace

TEST(scores_and_their_transpose) {
    for (const std::size_t d : {1, 7, 8, 30, 70})
        for (const std::size_t K : {1, 3, 8, 17}) {
            const Problem p(150, d, 2, d, 0.6);
            const std::vector<double> theta = twin::random_vector(K * (d + 1), 1, 1);
            const std::vector<double> residual = twin::random_vector(K * p.n, 2, 1);
            for (const Table& X : p.tables()) {
                const auto design = make_design(X);
                const std::size_t B = design->block_rows();
                CHECK_EQUAL(B % 8, std::size_t{0});
                const Coefficients w = design->coefficients(theta.data(), K);
                Design::Scratch scratch;
                std::vector<double> z(K * B), r(K * B), sum(design->gradient_size(K)), gradient(K * (d + 1), 7.0);
                for_blocks(*design, [&](std::size_t begin, std::size_t end) {
                    design->scores(begin, end, w, z.data(), scratch);
                    for (std::size_t i = begin; i < end; ++i)
                        for (std::size_t k = 0; k < K; ++k) {
                            double expected = theta[k * (d + 1) + d];
                            for (std::size_t j = 0; j < d; ++j) expected += theta[k * (d + 1) + j] * p.x[i * d + j];
                            CHECK_CLOSE(z[k * B + i - begin], expected, 1e-12);
                            r[k * B + i - begin] = residual[k * p.n + i];
                        }
                    design->add_gradient(begin, end, r.data(), K, sum.data(), scratch);
                });
                design->read_gradient(sum.data(), K, gradient.data());
                for (std::size_t k = 0; k < K; ++k) {
                    for (std::size_t j = 0; j < d; ++j) {
                        double expected = 0;
                        for (std::size_t i = 0; i < p.n; ++i) expected += residual[k * p.n + i] * p.x[i * d + j];
                        CHECK_CLOSE(gradient[k * (d + 1) + j], expected, 1e-11);
                    }
                    CHECK_EQUAL(gradient[k * (d + 1) + d], 7.0); // left to the caller
                }
            }
        }
}

TEST(weighted_products_of_columns) {
    for (const std::size_t d : {1, 9, 33}) {
        const Problem p(150, d, 2, d, 0.6);
        std::vector<std::uint32_t> few;
        for (std::uint32_t j = 0; j < d; j += 3) few.push_back(j);
        const ColumnSet all(d), some(d, few);
        CHECK(all.all() && all.size() == d + 1 && same_columns(all, ColumnSet(d)));
        CHECK_EQUAL(same_columns(all, some), d == 1);
        const auto value = [&](std::size_t i, const ColumnSet& columns, std::size_t at) {
            return at + 1 == columns.size() ? 1.0 : p.x[i * d + columns.chosen()[at]];
        };
        for (const Table& X : p.tables())
            for (const auto& [rows, columns] : {std::pair{&all, &all}, {&some, &some}, {&some, &all}}) {
                const auto design = make_design(X);
                Design::Scratch scratch;
                std::vector<double> sum(rows->size() * columns->stride());
                for_blocks(*design, [&](std::size_t begin, std::size_t end) {
                    design->add_products(begin, end, p.weight.data() + begin, *rows, *columns, sum.data(), scratch);
                });
                CHECK(design->products_ns(*rows, *columns) > 0);
                for (std::size_t a = 0; a < rows->size(); ++a)
                    for (std::size_t b = same_columns(*rows, *columns) ? a : 0; b < columns->size(); ++b) {
                        double expected = 0;
                        for (std::size_t i = 0; i < p.n; ++i)
                            expected += p.weight[i] * value(i, *rows, a) * value(i, *columns, b);
                        CHECK_CLOSE(sum[a * columns->stride() + b], expected, 1e-11);
                    }
            }
    }
}

TEST(squares_of_columns_and_rows) {
    const Problem p(150, 19, 2, 3, 0.6);
    Coordinates in;
    for (std::size_t j = 0; j < p.d; ++j) {
        in.shift.push_back(0.1 * static_cast<double>(j));
        in.inverse.push_back(j % 5 == 0 ? 0 : 0.5);
    }
    for (const Table& X : p.tables()) {
        const auto design = make_design(X);
        Design::Scratch scratch;
        std::vector<double> sum(design->padded_cols()), of_rows(p.n), moved(p.n);
        for_blocks(*design, [&](std::size_t begin, std::size_t end) {
            design->add_squares(begin, end, p.weight.data() + begin, sum.data(), scratch);
            design->row_squares(begin, end, {}, of_rows.data() + begin);
            design->row_squares(begin, end, in, moved.data() + begin);
        });
        for (std::size_t j = 0; j < p.d; ++j) {
            double expected = 0;
            for (std::size_t i = 0; i < p.n; ++i) expected += p.weight[i] * p.x[i * p.d + j] * p.x[i * p.d + j];
            CHECK_CLOSE(sum[j], expected, 1e-11);
        }
        for (std::size_t i = 0; i < p.n; ++i) {
            double plain = 0, in_others = 0;
            for (std::size_t j = 0; j < p.d; ++j) {
                const double x = p.x[i * p.d + j], y = (x - in.shift[j]) * in.inverse[j];
                plain += x * x;
                in_others += y * y;
            }
            CHECK_CLOSE(of_rows[i], plain, 1e-12);
            CHECK_CLOSE(moved[i], in_others, 1e-12);
        }
    }
}

TEST(a_batch_holds_the_rows_that_were_gathered) {
    const Problem p(40, 6, 2, 5, 0.6);
    const std::vector<double> theta = twin::random_vector(p.d + 1, 3, 1);
    for (const Table& X : p.tables()) {
        Batch batch(X, 5);
        for (const std::vector<std::size_t>& rows :
             {std::vector<std::size_t>{3, 39, 3}, {0, 1, 2, 3, 4}, std::vector<std::size_t>{}}) {
            const Design& design = batch.gather(rows);
            CHECK_EQUAL(design.n_rows(), rows.size());
            CHECK_EQUAL(design.n_cols(), p.d);
            std::vector<double> z(design.block_rows());
            Design::Scratch scratch;
            design.scores(0, rows.size(), design.coefficients(theta.data(), 1), z.data(), scratch);
            for (std::size_t i = 0; i < rows.size(); ++i) {
                double expected = theta[p.d];
                for (std::size_t j = 0; j < p.d; ++j) expected += theta[j] * p.x[rows[i] * p.d + j];
                CHECK_CLOSE(z[i], expected, 1e-12);
            }
        }
    }
}

TEST(each_table_is_read_in_place) {
    const Problem p(300, 6, 2, 5, 0.6);
    const auto dense = make_design(p.dense()), floats = make_design(p.tables()[1]);
    CHECK(dynamic_cast<const DenseDesign<double>*>(dense.get()) != nullptr);
    CHECK(dynamic_cast<const DenseDesign<float>*>(floats.get()) != nullptr);
    CHECK_EQUAL(dense->n_stored(), p.x.size());
    const CsrView<double, std::int32_t> csr{p.data.data(), p.indices.data(), p.indptr.data(), p.n, p.d};
    const auto sparse = make_sparse_design(csr);
    CHECK_EQUAL(sparse->n_stored(), p.data.size());
    CHECK_EQUAL(sparse->n_rows(), p.n);
    CHECK_EQUAL(sparse->padded_cols(), std::size_t{8});
}

TEST(weights_that_are_not_given_are_ones) {
    const std::vector<double> weight{0.5, 2, 0};
    CHECK_EQUAL(weight_of(weight, 1), 2.0);
    CHECK_EQUAL(weight_of({}, 1), 1.0);
    CHECK_EQUAL(sum_of_weights(weight, 3), 2.5);
    CHECK_EQUAL(sum_of_weights({}, 3), 3.0);
}
