// The objective of logistic regression, its gradient and its curvature, each by one sweep over the rows.
//
//   F(W, b) = 1/S sum_i s_i loss_i(W, b) + l2/2 |W|^2                    S = sum_i s_i
//   two classes (K = 1):  z_i = w . x_i + b,    loss_i = log(1 + e^z_i) - y_i z_i             y_i in {0, 1}
//   K classes:            z_ik = w_k . x_i + b_k, loss_i = log sum_k e^z_ik - z_i,y_i         y_i in 0 .. K - 1
// With p_ik the probabilities, the derivative of loss_i with respect to z_ik is p_ik - [k = y_i], the second one to
// z_ik and z_il is p_ik ([k = l] - p_il). Intercepts are not penalised. An L1 term is the solvers' business.
//
// After standardise() theta is in the coordinates of standardised columns, x'_j = (x_j - m_j) / u_j: w_j = theta_j /
// u_j, b = theta_b - sum_j m_j w_j, so that F is the same function with the penalty l2 / u_j^2 of column j. What
// solvers take for granted of steps, gradients and curvatures is then true in any units and far from zero. The unit is
// u_j = sqrt(variance + 4 l2), with which loss and penalty together have a curvature of 1/4 at most along a column.
//
// Sums over rows are taken in fixed pieces that are added in order: the same bits for any number of threads.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "linalg/design.hpp"
#include "linalg/row_products.hpp"
#include "linear_model/logistic/block.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mlcore::linear_model {

class LogisticLoss {
  public:
    /// y (n) classes, weight (n) or empty for ones. Throws ValueError where sizes or classes do not fit.
    LogisticLoss(const linalg::Design& design, std::span<const std::int32_t> y, std::span<const double> weight,
                 std::size_t n_classes, bool fit_intercept, double l2);

    std::size_t n_outputs() const { return K_; }
    std::size_t n_cols() const { return design_.n_cols(); }
    /// K (d + 1), intercepts counted even where none is fitted (they stay 0).
    std::size_t n_parameters() const { return K_ * (design_.n_cols() + 1); }
    bool fit_intercept() const { return fit_intercept_; }
    /// Penalty of coefficient j, and the largest of all.
    double l2(std::size_t j) const { return inverse(j) > 0 ? l2_ * inverse(j) * inverse(j) : 1.0; }
    double largest_l2() const;
    /// 1 / u_j: what an L1 penalty of column j is multiplied by. 0 for constant columns.
    double inverse(std::size_t j) const { return coordinates_.inverse.empty() ? 1.0 : coordinates_.inverse[j]; }
    const linalg::Coordinates& coordinates() const { return coordinates_; }
    double total_weight() const { return total_weight_; }
    const linalg::Design& design() const { return design_; }
    std::span<const std::int32_t> y() const { return y_; }
    double weight(std::size_t i) const { return weight_.empty() ? 1.0 : weight_[i]; }

    /// Changes the coordinates of theta, from then on. moments: of the design's table.
    void standardise(const linalg::TableMoments& moments);
    /// theta (K, d + 1) from coefficients of the table, and back, in place.
    void from_table(double* theta) const;
    void to_table(double* theta) const;
    /// Takes the mean over outputs off the intercepts, and off the coefficients: nothing changes but the penalty, which
    /// is least then. Returns the largest change.
    double centre(double* theta, bool coefficients) const;

    /// What the design wants for theta (n_outputs, d + 1).
    linalg::Coefficients coefficients(const double* theta, std::size_t n_outputs) const;
    /// From gradients with respect to coefficients of the table (n_outputs, d + 1), intercepts last, to those with
    /// respect to theta, in place.
    void gradient_from_table(double* gradient, std::size_t n_outputs) const;

    /// F at theta (K, d + 1); its gradient, of the same shape. Keeps the probabilities for what is below.
    double value_and_gradient(const RunContext& ctx, const double* theta, double* gradient);

    /// The largest eigenvalue of 1/S sum_i s_i (x_i, 1) (x_i, 1)^T, from below, within a few percent.
    double gram_norm(const RunContext& ctx) const;
    /// Largest second derivative of a loss by its score, along any direction: 1/4 for two classes, else 1/2.
    double curvature_bound() const { return K_ == 1 ? 0.25 : 0.5; }

    /// out (K, d + 1): the Hessian at the last theta times v (K, d + 1), whose intercepts are 0 where none is fitted.
    void hessian_product(const RunContext& ctx, const double* v, double* out) const;

    /// The Hessian at the last theta between chosen coefficients: those of output k in columns[k], then its intercept,
    /// output after output. (m, m), m the sum of their sizes, both triangles. Where no intercept is fitted its rows are
    /// those of the unit matrix. By whole_table() it is all of the Hessian.
    Buffer<double> hessian(const RunContext& ctx, std::span<const linalg::ColumnSet> columns) const;
    /// Its diagonal blocks alone, one for each output that columns are given for. bound: of the matrix without the
    /// terms -p_ik p_il, which is larger, and without coupling between outputs.
    std::vector<Buffer<double>> hessian_blocks(const RunContext& ctx, std::span<const linalg::ColumnSet> columns,
                                               bool bound = false) const;
    std::vector<linalg::ColumnSet> whole_table() const { return {K_, linalg::ColumnSet(design_.n_cols())}; }
    /// The diagonal of the Hessian at the last theta, (K, d + 1); 1 for intercepts that are not fitted.
    void hessian_diagonal(const RunContext& ctx, double* out) const;

  private:
    struct Pieces {
        std::size_t n, blocks_each;
    };
    Pieces pieces(std::size_t most) const;
    std::size_t n_blocks() const;
    double sweep_ns(std::size_t n_rows) const;

    /// out (size) += what f(block, begin, end, sum, thread) adds to sum (size) for all blocks, in `most` pieces.
    template <class F>
    void sum_blocks(const RunContext& ctx, std::size_t most, std::size_t size, double* out, F&& f) const;

    /// sum (gradient_size + n_outputs) += the sums over a block of r_ki x_i and, after them, of r_ki; r (n_outputs,
    /// block_rows). And the gradient with respect to theta (n_outputs, d + 1) from such sums over all rows.
    void add_gradient(std::size_t begin, std::size_t end, const double* r, std::size_t n_outputs, double* sum,
                      linalg::Design::Scratch& scratch) const;
    void read_gradient(const double* sum, std::size_t n_outputs, double* gradient) const;

    /// Products of the columns of outputs k and l, for all pairs: sums over rows of h a b^T / S, of the shape of
    /// Design::add_products. weights(pair, block, begin, end, h) writes the weights of a block.
    using Pair = std::pair<std::size_t, std::size_t>;
    template <class Weights>
    std::vector<Buffer<double>> products(const RunContext& ctx, std::span<const linalg::ColumnSet> columns,
                                         std::span<const Pair> pairs, Weights&& weights) const;
    /// Products of columns of the table (rows.size(), columns.stride()), ones last: those of x', in place.
    void standardise(const linalg::ColumnSet& rows, const linalg::ColumnSet& columns, double* sum) const;
    /// block (columns.size(), ...) from products of an output with itself: penalty, intercept, lower triangle.
    void finish_block(const linalg::ColumnSet& columns, const Buffer<double>& sum, double* block,
                      std::size_t stride) const;

    const linalg::Design& design_;
    std::span<const std::int32_t> y_;
    std::span<const double> weight_;
    std::size_t K_;
    bool fit_intercept_;
    double l2_, total_weight_;
    linalg::Coordinates coordinates_;
    Buffer<double> probability_; // block by block, as the products lie
};

} // namespace mlcore::linear_model
