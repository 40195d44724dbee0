#include "linear_model/least_squares/regularised_gram.hpp"

#include "core/eigen.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace mlcore::linear_model {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double eps = std::numeric_limits<double>::epsilon();

/// Combinations of the columns of N that span the same space, each with a row of its own where it is 1 and the others
/// are 0: what belongs to unrelated columns of a table is then in different vectors, whatever their units are.
void separate(MatrixXd& N) {
    constexpr double rounding = 1e-10; // of eigenvectors, beside entries of 1
    for (Index c = 0; c < N.cols(); ++c) {
        Index row = 0, column = 0;
        N.rightCols(N.cols() - c).cwiseAbs().maxCoeff(&row, &column);
        N.col(c).swap(N.col(c + column));
        N.col(c) /= N(row, c);
        for (Index other = 0; other < N.cols(); ++other)
            if (other != c) N.col(other) -= N.col(c) * N(row, other);
    }
    N = (N.array().abs() > rounding).select(N, 0.0);
}

class System {
  public:
    System(GramOf what, const double* gram, std::size_t m) : what_(what), gram_(gram, eigen_index(m), eigen_index(m)) {}

    void factorise(double alpha) {
        alpha_ = alpha;
        root_ = (gram_.diagonal().array() + alpha).sqrt().matrix();
        for (double& r : root_)
            if (!(r > 0)) r = 1; // a column of zeros
        factor_.compute(scaled());
        const auto pivots = factor_.matrixLLT().diagonal().array();
        definite_ = factor_.info() == Eigen::Success &&
                    pivots.square().minCoeff() > 10 * eps * static_cast<double>(gram_.rows());
    }

    template <class Block>
    void solve(Block&& b) {
        if (definite_) {
            b.array().colwise() /= root_.array();
            factor_.solveInPlace(b);
            b.array().colwise() /= root_.array();
        } else if (what_ == GramOf::rows) {
            by_rows(b);
        } else {
            by_columns(b);
        }
    }

  private:
    MatrixXd scaled() const {
        MatrixXd A = gram_;
        A.diagonal().array() += alpha_;
        A.array().colwise() /= root_.array();
        A.array().rowwise() /= root_.transpose().array();
        return A;
    }

    template <class Block>
    void by_rows(Block& b) {
        if (values_.size() == 0) {
            const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(gram_);
            values_ = solver.eigenvalues();
            vectors_ = solver.eigenvectors();
        }
        const double smallest =
            eps * static_cast<double>(values_.size()) * std::max(values_.cwiseAbs().maxCoeff(), alpha_);
        const VectorXd inverse = (values_.array() > smallest).select((values_.array() + alpha_).inverse(), 0.0);
        b = vectors_ * (inverse.asDiagonal() * (vectors_.transpose() * b));
    }

    template <class Block>
    void by_columns(Block& b) {
        const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(scaled());
        const VectorXd& values = solver.eigenvalues(); // ascending
        const MatrixXd& vectors = solver.eigenvectors();
        const double smallest = 10 * eps * static_cast<double>(values.size()) * values[values.size() - 1];
        Index n_null = 0;
        while (n_null < values.size() && !(values[n_null] > smallest)) ++n_null;
        const Index rank = values.size() - n_null;
        b.array().colwise() /= root_.array();
        const MatrixXd along =
            values.tail(rank).cwiseInverse().asDiagonal() * (vectors.rightCols(rank).transpose() * b);
        b = vectors.rightCols(rank) * along;
        b.array().colwise() /= root_.array();
        if (n_null == 0) return;
        MatrixXd null = vectors.leftCols(n_null);
        separate(null);
        null.array().colwise() /= root_.array();
        null.colwise().normalize();
        const Eigen::HouseholderQR<MatrixXd> qr(null);
        const MatrixXd Q = qr.householderQ() * MatrixXd::Identity(null.rows(), n_null);
        b -= Q * (Q.transpose() * b);
    }

    GramOf what_;
    Eigen::Map<const MatrixXd> gram_;
    double alpha_ = 0;
    VectorXd root_;
    bool definite_ = false;
    Eigen::LLT<MatrixXd> factor_;
    VectorXd values_; // of gram, once they were needed
    MatrixXd vectors_;
};

} // namespace

void solve_regularised(const RunContext& ctx, GramOf what, const double* gram, std::size_t m,
                       std::span<const double> alphas, double* b) {
    System system(what, gram, m);
    for (std::size_t first = 0; first < alphas.size();) {
        ctx.checkpoint();
        std::size_t last = first + 1; // targets in a row with the same alpha share a factor
        while (last < alphas.size() && alphas[last] == alphas[first]) ++last;
        system.factorise(alphas[first]);
        system.solve(Eigen::Map<MatrixXd>(b + first * m, eigen_index(m), eigen_index(last - first)));
        first = last;
    }
}

} // namespace mlcore::linear_model
