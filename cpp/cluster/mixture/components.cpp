#include "cluster/mixture/components.hpp"

#include "core/eigen.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "linalg/factorise.hpp"

#include <cmath>
#include <cstdint>

namespace mlcore::mixture {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

[[noreturn]] void not_positive() {
    throw ValueError("a component has no positive definite covariance, because it holds few rows or equal ones: take "
                     "fewer components or a larger reg_covar");
}

/// P (d, d) of a covariance (d, d). False where it is not positive definite.
bool factorise_one(const RunContext& ctx, const double* covariance, std::size_t d, double* P) {
    std::vector<double> L(covariance, covariance + d * d);
    if (!linalg::factorise(ctx, L.data(), d)) return false;
    Eigen::Map<Matrix> inverse(P, eigen_index(d), eigen_index(d));
    inverse.setIdentity();
    Eigen::Map<const Matrix>(L.data(), eigen_index(d), eigen_index(d))
        .triangularView<Eigen::Lower>()
        .solveInPlace(inverse);
    inverse.transposeInPlace();
    return true;
}

} // namespace

void factorise(const RunContext& ctx, Components& components) {
    const std::size_t d = components.d;
    const std::vector<double>& S = components.covariances;
    std::vector<double>& P = components.precisions_cholesky;
    P.resize(S.size());
    if (components.shape == Shape::diag || components.shape == Shape::spherical) {
        for (std::size_t i = 0; i < S.size(); ++i) {
            if (!(S[i] > 0)) not_positive();
            P[i] = 1 / std::sqrt(S[i]);
        }
        return;
    }
    const std::size_t n_matrices = S.size() / (d * d);
    std::vector<std::uint8_t> good(n_matrices);
    const double cube = static_cast<double>(d * d) * static_cast<double>(d);
    parallel_tasks(ctx, n_matrices, 200 + 0.3 * cube, [&](std::size_t c, int) {
        good[c] = factorise_one(ctx, S.data() + c * d * d, d, P.data() + c * d * d);
    });
    for (const std::uint8_t is_good : good)
        if (!is_good) not_positive();
}

} // namespace mlcore::mixture
