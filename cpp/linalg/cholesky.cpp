#include "linalg/cholesky.hpp"

#include "core/eigen.hpp"
#include "core/error.hpp"
#include "linalg/factorise.hpp"

#include <cmath>
#include <utility>
#include <vector>

namespace mlcore::linalg {
namespace {

// A lower triangle by rows is an upper one by columns, the order that Eigen is best at.
using Matrix = Eigen::MatrixXd;

} // namespace

Cholesky::Cholesky(const RunContext& ctx, Buffer<double> matrix, std::size_t n) : factor_(std::move(matrix)), n_(n) {
    std::vector<double> diagonal(n); // the factor overwrites the lower triangle, so the upper one keeps the matrix
    for (std::size_t i = 0; i < n; ++i) {
        diagonal[i] = factor_[i * n + i];
        if (!std::isfinite(diagonal[i])) throw ValueError("the data overflow: scale the features");
        for (std::size_t j = 0; j < i; ++j) factor_[j * n + i] = factor_[i * n + j];
    }
    for (double ridge = 0; ridge <= 1; ridge = ridge == 0 ? 1e-12 : 100 * ridge) {
        for (std::size_t i = 0; i < n; ++i)
            factor_[i * n + i] = diagonal[i] > 0 ? diagonal[i] * (1 + ridge) : 1; // a share: whatever the units are
        if (factorise(ctx, factor_.data(), n)) return;
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < i; ++j) factor_[i * n + j] = factor_[j * n + i];
    }
    throw ValueError("the data overflow: scale the features");
}

void Cholesky::solve(double* v, std::size_t n_vectors) const {
    const Eigen::Map<const Matrix> factor(factor_.data(), eigen_index(n_), eigen_index(n_));
    Eigen::Map<Matrix> x(v, eigen_index(n_), eigen_index(n_vectors));
    factor.triangularView<Eigen::Upper>().transpose().solveInPlace(x);
    factor.triangularView<Eigen::Upper>().solveInPlace(x);
}

} // namespace mlcore::linalg
