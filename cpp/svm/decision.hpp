// What a trained machine says of new points: for each pair of classes (or the one problem there is) the sum over
// support vectors of coefficient times kernel, plus the intercept. The kernel between a point and a support vector is
// computed once for all pairs.
#pragma once

#include "core/context.hpp"
#include "core/table.hpp"
#include "svm/kernel.hpp"

#include <cstdint>
#include <span>

namespace mlcore::svm {

struct DecisionModel {
    const Table& support_vectors;
    Kernel kernel;
    std::span<const std::int32_t> n_support; // as in Model
    const double* dual_coef;                 // (max(k - 1, 1), n_sv)
    std::span<const double> intercept;       // (n_pairs)
};

/// out (n_rows(X), n_pairs). With a precomputed kernel X holds the kernel values with the support vectors.
void decision_function(const RunContext& ctx, const Table& X, const DecisionModel& model, double* out);

} // namespace mlcore::svm
