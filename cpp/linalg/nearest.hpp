// The rows of a table that are most similar to a query, by cosine or by the product of cosines (3CosMul of Levy and
// Goldberg, "Linguistic Regularities in Sparse and Explicit Word Representations", CoNLL 2014). Exact search: no index.
//
// Queries go in blocks against blocks of rows, as matrix products whose results stay in the second-level cache: the
// best k of each query are kept on the way, and the matrix of all queries times all rows never exists. One to three
// queries are bound by the memory that the table is read from, so they are plain dot products, row by row. What the
// products in float32 find, and a few rows more, is scored again in float64: the answer is then the same for one query
// and for many, for any number of threads, and of rows with equal scores the first ones are chosen.
//
// Rows are neither copied nor scaled: their lengths enter as factors.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::linalg {

/// Within these bounds neither squares of lengths nor products in float32 run out of range: rows may have no entry
/// beyond the one, and those shorter than the other count as zero vectors.
constexpr float largest_entry = 1e18F;
constexpr double shortest_length = 1e-18;

/// A table of vectors (V, d), rows contiguous and row_stride >= d, with 1 / length of each row (0 for zero vectors).
struct UnitRows {
    MatrixView<const float> rows;
    const float* inverse_norms = nullptr; // V
};

/// Fills out (V). Returns the first row with a NaN or an entry beyond largest_entry, or V where there is none.
std::size_t inverse_norms(const RunContext& ctx, MatrixView<const float> rows, float* out);

/// Query j is made of the vectors terms(p * n_queries + j), p < n_positive + n_negative; their lengths do not matter,
/// however short, and the cosine with a vector of zeros is 0.
struct Queries {
    MatrixView<const float> terms; // (n_terms() * n_queries, d)
    std::size_t n_queries = 0;
    std::size_t n_positive = 1, n_negative = 0;
    /// false: the score is the cosine of the only term. true: the product of (1 + cosine) / 2 over the positive terms,
    /// divided by that over the negative ones plus 1e-6.
    bool product = false;
    /// Rows that must not be among the answers of query j: excluded[excluded_offsets[j]] .. [excluded_offsets[j + 1]],
    /// ascending.
    std::span<const std::int32_t> excluded;
    std::span<const std::int64_t> excluded_offsets; // n_queries + 1

    std::size_t n_terms() const { return n_positive + n_negative; }
};

/// Best first, ties by row. Where fewer than k rows are left, -1 and NaN.
struct Nearest {
    std::vector<std::int32_t> rows; // (n_queries, k)
    std::vector<float> scores;      // (n_queries, k)
};

/// Throws ValueError for shapes that do not fit.
Nearest nearest(const RunContext& ctx, const UnitRows& table, const Queries& queries, std::size_t k);

/// Cosines of all queries (q, d) with all rows, to out (q, V).
void cosines(const RunContext& ctx, const UnitRows& table, MatrixView<const float> queries, float* out);

} // namespace mlcore::linalg
