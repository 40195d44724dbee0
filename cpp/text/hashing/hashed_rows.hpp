// Documents as sums over hashed terms (the hashing trick: Weinberger et al. 2009), rows of a CSR matrix with sorted
// indices. Terms of one column are added up; what cancels to 0 stays as an entry, as in scikit-learn.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "text/analysis/analysis.hpp"
#include "text/hashing/term_hash.hpp"
#include "text/unicode/document.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace mlcore::text {

struct HashingOptions {
    TermHash hash;
    bool binary; // all entries are 1
};

/// Entries as T; indices are of int32 where the number of entries fits.
template <class T>
struct HashedRows {
    Buffer<T> data;
    std::variant<Buffer<std::int32_t>, Buffer<std::int64_t>> indices, indptr;
};

/// T: float or double. The table of the analysis has all characters of the documents.
template <class T>
HashedRows<T> hashed_rows(const RunContext& ctx, std::span<const Document> documents, const Analysis& analysis,
                          const HashingOptions& options);

/// The same of terms that are hashed already: those of document i are terms[starts[i]] .. terms[starts[i + 1]]. They
/// are sorted in place.
template <class T>
HashedRows<T> hashed_rows(const RunContext& ctx, std::span<HashedTerm> terms, std::span<const std::size_t> starts,
                          const HashingOptions& options);

} // namespace mlcore::text
