// Finds the terms of documents and counts them: what scikit-learn's CountVectorizer does in fit_transform. Documents
// may come in several calls; with rows kept, those of all calls become one matrix at the end. Results do not depend on
// threads: terms are handed out in sorted order.
#pragma once

#include "core/context.hpp"
#include "text/analysis/analysis.hpp"
#include "text/unicode/document.hpp"
#include "text/vectorizer/counted_rows.hpp"
#include "text/vectorizer/document_pass.hpp"
#include "text/vectorizer/lexicon.hpp"
#include "text/vectorizer/term_counts.hpp"
#include "text/vectorizer/term_order.hpp"
#include "text/vectorizer/word_memo.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace mlcore::text {

/// Documents that are lists of terms already: document i has the tokens starts[i] .. starts[i + 1].
struct TokenDocuments {
    std::span<const Document> tokens;
    std::span<const std::size_t> starts;

    std::size_t size() const { return starts.size() - 1; }
};

class TermCounter {
  public:
    /// The analysis must outlive the counter; nullptr: documents come as tokens alone.
    explicit TermCounter(const Analysis* analysis);

    /// After an exception the counter is of no use any more and says so. Documents are shorter than 2^32 characters.
    void add(const RunContext& ctx, std::span<const Document> documents, bool keep_rows);
    void add_tokens(const RunContext& ctx, const TokenDocuments& documents, bool keep_rows);

    /// Adds to the counts of terms, as another counter had them.
    void restore(const RunContext& ctx, std::span<const std::string_view> terms,
                 std::span<const std::int64_t> documents, std::span<const std::int64_t> occurrences,
                 std::size_t n_documents);
    /// Adds what another counter has counted, without its rows.
    void merge(const RunContext& ctx, const TermCounter& other);

    std::size_t n_documents() const { return n_documents_; }
    /// Terms that occur in a document.
    std::size_t n_terms() const;

    struct Terms {
        PackedTerms packed;
        Buffer<std::int64_t> documents, occurrences;
    };
    /// In lexicographic order.
    Terms terms(const RunContext& ctx);

    /// The kept rows of all documents. columns[i]: that of term i in sorted order, -1 if it has none; columns are below
    /// n_columns. Ends the life of the counter, whose memory becomes that of the matrix.
    CsrCounts rows(const RunContext& ctx, std::span<const std::int32_t> columns, std::size_t n_columns, bool binary,
                   Values values);

  private:
    class Change;
    template <class Reader, class... Arguments>
    void read(const RunContext& ctx, std::span<const DocumentChunk> chunks, std::size_t n_workers, double work_ns,
              bool keep_rows, const Arguments&... arguments);
    template <class F>
    void for_each_term(F&& f) const;
    const std::vector<TermId>& sorted(const RunContext& ctx);
    void check_usable() const;

    const Analysis* const analysis_;
    std::unique_ptr<Lexicon> lexicon_;
    std::unique_ptr<WordMemo> memo_ = std::make_unique<WordMemo>();
    TermCounts counts_;
    std::vector<RowChunk> chunks_;
    std::size_t n_documents_ = 0;
    std::vector<TermId> sorted_; // made when it is asked for
    bool is_sorted_ = false;
    bool usable_ = true;
};

} // namespace mlcore::text
