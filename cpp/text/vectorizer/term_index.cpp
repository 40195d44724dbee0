#include "text/vectorizer/term_index.hpp"

#include "text/vectorizer/document_pass.hpp"
#include "text/vectorizer/known_terms.hpp"
#include "text/vectorizer/term_reader.hpp"
#include "text/vectorizer/token_reader.hpp"

#include <functional>
#include <utility>

namespace mlcore::text {
namespace {

/// Reads documents by `Reader` and keeps what they have of the terms that have a column.
template <class Reader>
class KeepingReader {
  public:
    template <class... Arguments>
    KeepingReader(const Columns& columns, RowChunk* chunks, Arguments&&... arguments)
        : reader_(std::forward<Arguments>(arguments)...), columns_(columns), chunks_(chunks) {}

    void start(std::size_t document) { reader_.start(document); }
    bool read(const RunContext& ctx) { return reader_.read(ctx); }
    void end_document(std::size_t) {
        reader_.counter().drain([&](TermId id) { columns_.prefetch(id); },
                                [&](TermId id, std::uint32_t n) {
                                    if (columns_[id] >= 0) rows_.add(id, n);
                                });
        rows_.end_document();
    }
    void end_chunk(std::size_t chunk) { chunks_[chunk] = rows_.take(); }

  private:
    Reader reader_;
    const Columns& columns_;
    RowWriter rows_;
    RowChunk* const chunks_;
};

} // namespace

TermIndex::TermIndex(const RunContext& ctx, const Analysis* analysis, std::span<const std::string_view> terms,
                     std::span<const std::int32_t> columns, std::size_t n_columns)
    : stop_words_(analysis ? analysis->stop_words : std::vector<std::string>()), lexicon_(codes_for(analysis)),
      n_columns_(n_columns) {
    enter_stop_words(ctx, analysis, lexicon_);
    std::vector<TermId> ids(terms.size());
    for (std::size_t i = 0; i < terms.size(); ++i) {
        if (i % (1 << 14) == 0) ctx.checkpoint();
        ids[i] = enter_term(ctx, lexicon_, terms[i]);
    }
    columns_.assign(lexicon_.n_indices(), -1);
    for (std::size_t i = 0; i < terms.size(); ++i) columns_[lexicon_.index(ids[i])] = columns[i];
}

bool TermIndex::fits(const Analysis* analysis) const {
    return lexicon_.kind() == codes_for(analysis) &&
           (analysis ? stop_words_ == analysis->stop_words : stop_words_.empty());
}

CsrCounts TermIndex::transform(const RunContext& ctx, std::span<const Document> documents, const Analysis& analysis,
                               bool binary, Values values) const {
    MLCORE_CHECK(fits(&analysis), "the index was made for another analysis");
    std::size_t n_characters = 0;
    for (const Document& document : documents) n_characters += document.size;
    const double work_ns = 10 * static_cast<double>(n_characters);
    const std::size_t n_workers = workers_for(ctx, static_cast<double>(n_characters));
    const auto cuts =
        cut_documents(documents.size(), n_characters, n_workers, [&](std::size_t i) { return documents[i].size; });
    std::vector<RowChunk> chunks(cuts.size());
    const Columns own = columns();
    WordMemo memo;
    memo.set_writers(n_workers);
    DocumentPass<KeepingReader<TermReader<false>>> pass(ctx, cuts);
    for (std::size_t w = 0; w < n_workers; ++w)
        pass.add_worker(own, chunks.data(), documents, analysis, lexicon_, memo, w);
    pass.run(work_ns, [&] { memo.grow(ctx); }, [] { return 0.0; });
    return to_csr(ctx, std::move(chunks), binary, values);
}

void TermIndex::read_tokens(const RunContext& ctx, const TokenDocuments& documents, std::vector<RowChunk>& rows) const {
    const std::size_t n_tokens = documents.tokens.size();
    const std::size_t n_workers = workers_for(ctx, 10 * static_cast<double>(n_tokens));
    const auto cuts = cut_documents(documents.size(), 8 * n_tokens, n_workers,
                                    [&](std::size_t i) { return 8 * (documents.starts[i + 1] - documents.starts[i]); });
    const std::size_t n_before = rows.size();
    rows.resize(n_before + cuts.size());
    const Columns own = columns();
    DocumentPass<KeepingReader<TokenReader<false>>> pass(ctx, cuts);
    for (std::size_t w = 0; w < n_workers; ++w)
        pass.add_worker(own, rows.data() + n_before, documents.tokens, documents.starts, lexicon_, w);
    pass.run(100 * static_cast<double>(n_tokens), [] {}, [] { return 0.0; });
}

CsrCounts TermIndex::to_csr(const RunContext& ctx, std::vector<RowChunk> rows, bool binary, Values values) const {
    return text::to_csr(ctx, std::move(rows), columns(), binary, values);
}

} // namespace mlcore::text
