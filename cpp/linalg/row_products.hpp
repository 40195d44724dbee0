// Products with a centred table along its rows, for ridge. Letters as in columns.hpp; root_i = sqrt(s_i).
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/table.hpp"

#include <span>
#include <vector>

namespace mlcore::linalg {

/// K = Z Z' (n, n) of Z = S^1/2 X~ for a dense table. Both triangles are filled.
Buffer<double> row_gram(const RunContext& ctx, const Table& X, std::span<const double> mean,
                        std::span<const double> weight);

/// out_j = sum_i s_i p_i x~_ij with p_i = offset_i - x~_i.v in one pass over the table; offset may be null (zeros),
/// and v too: then p = offset. Groups of rows are fixed by the sizes alone and added up in order.
void residual_correlation(const RunContext& ctx, const Table& X, std::span<const double> mean,
                          std::span<const double> weight, const double* offset, const double* v, double* out);

/// sum_i s_i x~_ij^2 for each column, 0 for those that are constant. Sparse tables: near zero (near_zero.hpp).
std::vector<double> column_squares(const RunContext& ctx, const Table& X, std::span<const double> mean,
                                   std::span<const double> weight);

struct TableMoments {
    double weight_sum = 0;             // S
    std::vector<double> mean, squares; // (d) m_j and sum_i s_i x~_ij^2; 0 for columns that are constant
};

/// In one pass. Without an intercept the means are 0. Throws ValueError on overflow.
TableMoments table_moments(const RunContext& ctx, const Table& X, std::span<const double> weight, bool fit_intercept);

} // namespace mlcore::linalg
