// Counts the terms of a fixed vocabulary in documents: what scikit-learn's CountVectorizer does in transform. Any
// number of threads may use one at a time.
#pragma once

#include "core/context.hpp"
#include "text/analysis/analysis.hpp"
#include "text/unicode/document.hpp"
#include "text/vectorizer/counted_rows.hpp"
#include "text/vectorizer/lexicon.hpp"
#include "text/vectorizer/term_counter.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mlcore::text {

class TermIndex {
  public:
    /// columns[i]: that of term i; below n_columns. The index is for documents with an analysis like this one (fits);
    /// nullptr: for tokens.
    TermIndex(const RunContext& ctx, const Analysis* analysis, std::span<const std::string_view> terms,
              std::span<const std::int32_t> columns, std::size_t n_columns);

    /// Whether documents with this analysis can be read: it has the same stop words, and its terms are kept in
    /// the same way.
    bool fits(const Analysis* analysis) const;

    /// One row a document. Documents are shorter than 2^32 characters.
    CsrCounts transform(const RunContext& ctx, std::span<const Document> documents, const Analysis& analysis,
                        bool binary, Values values) const;

    /// The same of tokens, in two steps: documents may come in several calls.
    void read_tokens(const RunContext& ctx, const TokenDocuments& documents, std::vector<RowChunk>& rows) const;
    CsrCounts to_csr(const RunContext& ctx, std::vector<RowChunk> rows, bool binary, Values values) const;

  private:
    Columns columns() const { return {columns_, lexicon_.texts().n_ids(), n_columns_, true}; }

    const std::vector<std::string> stop_words_;
    Lexicon lexicon_;
    std::vector<std::int32_t> columns_; // by index
    std::size_t n_columns_;
};

} // namespace mlcore::text
