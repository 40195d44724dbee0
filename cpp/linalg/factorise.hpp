// Cholesky factorisation of large matrices that can be interrupted: n = 5000 takes seconds.
#pragma once

#include "core/context.hpp"

#include <cstddef>

namespace mlcore::linalg {

/// A = L L' in place. a (n, n) by rows, contiguous: the lower triangle is read and becomes L, the strict upper one is
/// left alone. False, and a half done, where A is not positive definite. The same bits for any number of threads.
bool factorise(const RunContext& ctx, double* a, std::size_t n);

} // namespace mlcore::linalg
