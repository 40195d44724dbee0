// The kernel between the rows of two tables, computed as the solver computes its rows.
#pragma once

#include "core/context.hpp"
#include "core/table.hpp"
#include "svm/kernel.hpp"

namespace mlcore::svm {

/// out (n_rows(X), n_rows(Z)): the kernel between the rows of two tables, which must be both dense or both sparse and
/// have as many columns. Not for a precomputed kernel.
void kernel_matrix(const RunContext& ctx, const Table& X, const Table& Z, const Kernel& kernel, double* out);

} // namespace mlcore::svm
