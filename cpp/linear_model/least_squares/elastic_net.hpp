// Lasso and elastic net over a whole path of penalties. For each target y, with letters as in columns.hpp:
//   minimise over w, b   1/(2 S) sum_i s_i (y_i - x_i.w - b)^2 + alpha (l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|^2)
// Alphas come in descending order, each starts from the solution before. Two ways, by what they cost:
//   - the Gram matrix of all features (many more rows than columns): after one pass over the table everything happens
//     in the space of the features (gram_descent.hpp);
//   - working sets of columns (wide or sparse tables): the features that the sequential strong rule expects to matter
//     (Tibshirani et al. 2012), their inner products kept from one alpha to the next (residual updates where there
//     would be too many, residual_descent.hpp), then a look at all others. That look is screened: an inner product
//     moves by at most |x~_j| times the way of the residual since it was last computed, so most need not be computed
//     again to know that they are below the penalty.
// The strong rule may be wrong, but nothing rests on it: a solution is accepted by its duality gap over all features,
// gap <= tol sum_i s_i y~_i^2 (as scikit-learn's; Fercoq, Gramfort, Salmon 2015), and so is every zero.
// Left out on purpose: joint penalties on several targets (multi-task), weights on the penalties of single features.
#pragma once

#include "core/context.hpp"
#include "core/table.hpp"
#include "core/view.hpp"

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace mlcore::linear_model {

enum class Precompute { by_cost, gram, columns }; // which of the two ways

struct ElasticNetParams {
    double l1_ratio = 1;       // in [0, 1]
    double tol = 1e-4;         // >= 0, see above
    int max_iter = 1000;       // most sweeps for each alpha and target
    bool fit_intercept = true; // b; 0 without it
    bool positive = false;     // w >= 0
    bool random_order = false; // coordinates drawn at random (seed of the run), not in order
    Precompute precompute = Precompute::by_cost;
};

/// Alphas from the smallest that makes all coefficients of all targets zero down to eps times it, evenly in the
/// logarithm.
struct AlphaGrid {
    std::size_t n_alphas = 100;
    double eps = 1e-3;
};

/// Shapes (t, a, ...) for t targets and a alphas.
struct ElasticNetPath {
    std::vector<double> alphas;       // (a)
    std::vector<double> coef;         // (t, a, d)
    std::vector<double> intercept;    // (t, a)
    std::vector<double> gap;          // (t, a) of the objective above
    std::vector<double> objective;    // (t, a)
    std::vector<std::int32_t> n_iter; // (t, a) sweeps
    std::vector<std::uint8_t> converged;
};

/// Y (n, t); weight (n) or empty; alphas: a grid (l1_ratio > 0) or values (descending, >= 0); start (t, d) or empty:
/// where the first alpha starts. Reports each alpha with its gap. Throws ValueError.
ElasticNetPath elastic_net_path(const RunContext& ctx, const Table& X, MatrixView<const double> Y,
                                std::span<const double> weight,
                                const std::variant<AlphaGrid, std::span<const double>>& alphas,
                                std::span<const double> start, const ElasticNetParams& params);

} // namespace mlcore::linear_model
