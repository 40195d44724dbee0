// Logistic loss of a few rows from their scores: probabilities, residuals, losses. The part of a sweep that knows the
// model, and nothing of the table.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlcore::linear_model {

/// What the rows of one block give: scores z (K, stride) in, s_i (p_ik - [k = y_i]) out; p (K, stride) out; scratch
/// (3, stride); s (n) or nullptr for ones. Returns the sum of s_i loss_i.
double logistic_block(std::size_t n, std::size_t K, std::size_t stride, double* z, double* p, double* scratch,
                      const std::int32_t* y, const double* s);

/// Sum of x (n), the same bits whoever calls.
double ordered_sum(const double* x, std::size_t n);

} // namespace mlcore::linear_model
