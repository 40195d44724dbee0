// The five support vector machines as dual problems (solver.hpp), and their solutions as one model. Classification with
// more than two classes is one problem for each pair of them; pairs share kernel rows and run side by side.
//   C-SVC, epsilon-SVR: C. Cortes, V. Vapnik, "Support-vector networks" (1995); V. Vapnik, "Statistical learning
//   theory" (1998). nu-SVC, nu-SVR: B. Schoelkopf et al., "New support vector algorithms" (2000). One class: B.
//   Schoelkopf et al., "Estimating the support of a high-dimensional distribution" (2001).
#pragma once

#include "core/context.hpp"
#include "core/table.hpp"
#include "svm/kernel.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::svm {

enum class Kind { c_svc, nu_svc, epsilon_svr, nu_svr, one_class };

struct TrainParams {
    Kind kind = Kind::c_svc;
    Kernel kernel;
    double nu = 0.5;
    double epsilon = 0.1;
    double tol = 1e-3;
    std::size_t cache_bytes = std::size_t{200} << 20;
    bool shrinking = true;
    std::int64_t max_iter = -1;
};

struct Model {
    std::vector<std::int32_t> support;   // positions of the support vectors: by class, then ascending
    std::vector<std::int32_t> n_support; // by class; one entry where there are no classes
    std::vector<double> dual_coef;       // (max(k - 1, 1), n_sv): for a support vector of class i, row j holds its
                                         // coefficient in the pair with the j-th of the other classes
    // One entry for each pair (i, j), i < j, in the order (0, 1), (0, 2), ...; its decision is positive for class i.
    std::vector<double> intercept, gap, objective;
    std::vector<std::int64_t> n_iter;
    std::vector<std::uint8_t> converged;
    std::size_t cache_peak = 0; // bytes
};

/// y: classes 0 .. k - 1 (all occur, k >= 2), targets, or anything for one class. C: upper bounds of the rows'
/// variables, > 0; for the nu machines and one class they are the weights. Tells ctx.progress of rounds and gap, or of
/// pairs done and left.
Model train(const RunContext& ctx, const Table& X, std::span<const double> y, std::span<const double> C,
            const TrainParams& params);

} // namespace mlcore::svm
