// Expectation maximisation for Gaussian mixtures (Dempster, Laird and Rubin, "Maximum likelihood from incomplete data
// via the EM algorithm", JRSS B, 1977), with the updates of scikit-learn.
//
// One pass over the rows does both steps. Responsibilities r_ic of a block of rows are turned into moments about the
// former means at once, so that no (n, k) matrix is kept:
//   n_c = sum_i r_ic,   s_c = sum_i r_ic (x_i - m_c),   A_c = sum_i r_ic (x_i - m_c)(x_i - m_c)'
//   m_c <- m_c + s_c / n_c,   S_c <- A_c / n_c - (s_c / n_c)(s_c / n_c)' + reg_covar diag(v)
// where v is the variance of each column, or the quartile range squared where few rows make it by far too large, so
// that the ridge has the units of the data. Moments about means that hardly move cancel nothing, wherever zero is.
#pragma once

#include "cluster/mixture/components.hpp"
#include "core/view.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::mixture {

/// Rows (n, d), which lie side by side, and their weights: n of them with a sum above 0, or none.
struct Rows {
    MatrixView<const double> points;
    std::span<const double> weight;
};

/// The components of a given division of the rows: the M step alone.
/// Either labels (n), -1 for rows that belong nowhere, or responsibilities (n, k).
Components components_of(const RunContext& ctx, const Rows& rows, std::span<const std::int32_t> labels,
                         std::span<const double> responsibilities, Shape shape, std::size_t k, double reg_covar);

struct Fit {
    Components components;
    std::vector<double> lower_bounds; // mean log-likelihood of a row before each M step
    bool converged = false;
};

/// EM from a start, whose covariances are not read, until the mean log-likelihood of a row changes by less than tol, or
/// max_iter times. `last`: the mean log-likelihood that it is compared with at first.
Fit fit(const RunContext& ctx, const Rows& rows, const Components& start, double last, double reg_covar, double tol,
        std::size_t max_iter);

/// For each row: log_density (n) of the mixture, labels (n) of the component that is most likely, and responsibilities
/// (n, k); those that are null are left out.
void predict(const RunContext& ctx, MatrixView<const double> points, const Components& components, double* log_density,
             std::int64_t* labels, double* responsibilities);

} // namespace mlcore::mixture
