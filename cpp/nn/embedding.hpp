// Rows of a table by their numbers, and the sum of gradients over equal numbers. The positions are first sorted by id
// (by counting, which keeps the order of equal ones): each row of the sum is then written once, by one thread, in the
// order of the positions, whatever the number of threads.
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::nn {

/// Throws ValueError unless all ids (n) are in [0, n_rows).
void check_ids(const std::int64_t* ids, std::size_t n, std::size_t n_rows);

/// out (n, d): row i is row ids[i] of table (., d).
void gather_rows(const RunContext& ctx, const float* table, const std::int64_t* ids, std::size_t n, std::size_t d,
                 float* out);

/// out (n_rows, d): row r is the sum of those rows (n, d) whose id is r, 0 for r = skipped.
void scatter_add_rows(const RunContext& ctx, const float* rows, const std::int64_t* ids, std::size_t n, std::size_t d,
                      std::int64_t skipped, float* out, std::size_t n_rows);

} // namespace mlcore::nn
