// Weights of terms from their counts, in place in a CSR matrix, as scikit-learn's TfidfTransformer has it:
//     tf = count, or 1 + log(count) if sublinear;   value = tf * idf[term];   row / its norm
#pragma once

#include "core/context.hpp"

#include <cstdint>
#include <span>

namespace mlcore::text {

enum class Norm { none, l1, l2 };

/// data: counts, row after row; row i has the entries indptr[i] .. indptr[i + 1]; idf has an entry for each column, or
/// none at all: then it is 1. Sums of a row go in the order of its entries. Rows whose norm is 0 stay as they are.
template <class T, class Index>
void tfidf(const RunContext& ctx, std::span<T> data, std::span<const Index> indices, std::span<const Index> indptr,
           std::span<const T> idf, bool sublinear, Norm norm);

} // namespace mlcore::text
