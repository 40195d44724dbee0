// Linear systems of ridge: (G + alpha I) x = b for a Gram matrix G (m, m) of columns or of rows.
//
// By Cholesky's factorisation of D^-1 (G + alpha I) D^-1, with D the root of the diagonal: the units of columns are
// taken out, so that a pivot is compared with 1 and not with what the largest column has (van der Sluis 1969: no
// diagonal scaling is much better). A pivot that is rounding and no more says that the matrix is singular; then by
// eigenvalues:
//   columns  of the scaled matrix, those that are rounding left out. What is free is chosen such that x = D^-1 v has
//            the least norm: its part in the null space, D^-1 N for the eigenvectors N left out, is taken off.
//   rows     of G itself: with x = X'u for any solution u, x has the least norm already.
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <span>

namespace mlcore::linear_model {

enum class GramOf { columns, rows };

/// gram (m, m) symmetric; alphas (t) >= 0; b (t, m): in place, each row with its own alpha.
void solve_regularised(const RunContext& ctx, GramOf what, const double* gram, std::size_t m,
                       std::span<const double> alphas, double* b);

} // namespace mlcore::linear_model
