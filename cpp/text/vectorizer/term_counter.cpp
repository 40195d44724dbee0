#include "text/vectorizer/term_counter.hpp"

#include "core/parallel.hpp"
#include "text/vectorizer/document_pass.hpp"
#include "text/vectorizer/known_terms.hpp"
#include "text/vectorizer/term_reader.hpp"
#include "text/vectorizer/token_reader.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace mlcore::text {
namespace {

/// Reads documents by `Reader` and counts their terms in all documents; keeps the rows where it is asked to.
template <class Reader>
class CountingReader {
  public:
    /// chunks: one for each chunk of documents; nullptr where rows are not kept. The others are those of Reader.
    template <class... Arguments>
    CountingReader(TermCounts& counts, bool alone, RowChunk* chunks, Arguments&&... arguments)
        : reader_(std::forward<Arguments>(arguments)...), counts_(counts, alone), chunks_(chunks) {}

    void start(std::size_t document) { reader_.start(document); }
    bool read(const RunContext& ctx) { return reader_.read(ctx); }
    void end_document(std::size_t) {
        reader_.counter().drain([&](TermId id) { counts_.prefetch(id); },
                                [&](TermId id, std::uint32_t n) {
                                    counts_.add(id, n);
                                    if (chunks_) rows_.add(id, n);
                                });
        if (chunks_) rows_.end_document();
    }
    void end_chunk(std::size_t chunk) {
        if (chunks_) chunks_[chunk] = rows_.take();
    }
    void flush() { counts_.flush(); }

  private:
    Reader reader_;
    TermCounts::Writer counts_;
    RowWriter rows_;
    RowChunk* const chunks_;
};

} // namespace

TermCounter::TermCounter(const Analysis* analysis)
    : analysis_(analysis), lexicon_(std::make_unique<Lexicon>(codes_for(analysis))) {
    const StandaloneRun run;
    enter_stop_words(run.context, analysis_, *lexicon_);
    counts_.fit(*lexicon_);
}

/// While it lives the counter changes; it is of no use if that does not end well.
class TermCounter::Change {
  public:
    explicit Change(TermCounter& counter) : counter_(counter) {
        counter.check_usable();
        counter.usable_ = false;
        counter.is_sorted_ = false;
    }
    void done() { counter_.usable_ = true; }

  private:
    TermCounter& counter_;
};

void TermCounter::check_usable() const {
    if (!usable_) throw ValueError("this TermCounter was interrupted, or has handed out its rows: make a new one");
}

template <class Reader, class... Arguments>
void TermCounter::read(const RunContext& ctx, std::span<const DocumentChunk> chunks, std::size_t n_workers,
                       double work_ns, bool keep_rows, const Arguments&... arguments) {
    Change change(*this);
    lexicon_->set_writers(n_workers);
    memo_->set_writers(n_workers);
    counts_.fit(*lexicon_);
    const std::size_t n_before = chunks_.size();
    if (keep_rows) chunks_.resize(n_before + chunks.size());
    DocumentPass<CountingReader<Reader>> pass(ctx, chunks);
    for (std::size_t w = 0; w < n_workers; ++w)
        pass.add_worker(counts_, n_workers == 1, keep_rows ? chunks_.data() + n_before : nullptr, arguments..., w);
    pass.run(
        work_ns,
        [&] {
            lexicon_->grow(ctx);
            memo_->grow(ctx);
            counts_.fit(*lexicon_);
        },
        [&] { return static_cast<double>(lexicon_->n_indices()); });
    for (auto& worker : pass.workers()) worker.reader.flush();
    const std::size_t n = chunks.empty() ? 0 : chunks.back().end;
    n_documents_ += n;
    change.done();
}

void TermCounter::add(const RunContext& ctx, std::span<const Document> documents, bool keep_rows) {
    MLCORE_CHECK(analysis_, "documents need an analysis");
    std::size_t n_characters = 0;
    for (const Document& document : documents) n_characters += document.size;
    const std::size_t n_workers = workers_for(ctx, static_cast<double>(n_characters));
    const auto chunks =
        cut_documents(documents.size(), n_characters, n_workers, [&](std::size_t i) { return documents[i].size; });
    read<TermReader<true>>(ctx, chunks, n_workers, 10 * static_cast<double>(n_characters), keep_rows, documents,
                           *analysis_, std::ref(*lexicon_), std::ref(*memo_));
}

void TermCounter::add_tokens(const RunContext& ctx, const TokenDocuments& documents, bool keep_rows) {
    const std::size_t n_tokens = documents.tokens.size();
    const std::size_t n_workers = workers_for(ctx, 10 * static_cast<double>(n_tokens));
    const auto chunks = cut_documents(documents.size(), 8 * n_tokens, n_workers, [&](std::size_t i) {
        return 8 * (documents.starts[i + 1] - documents.starts[i]);
    });
    read<TokenReader<true>>(ctx, chunks, n_workers, 100 * static_cast<double>(n_tokens), keep_rows, documents.tokens,
                            documents.starts, std::ref(*lexicon_));
}

void TermCounter::restore(const RunContext& ctx, std::span<const std::string_view> terms,
                          std::span<const std::int64_t> documents, std::span<const std::int64_t> occurrences,
                          std::size_t n_documents) {
    Change change(*this);
    for (std::size_t i = 0; i < terms.size(); ++i) {
        if (i % (1 << 14) == 0) ctx.checkpoint();
        const TermId id = enter_term(ctx, *lexicon_, terms[i]);
        counts_.fit(*lexicon_);
        counts_[id].documents += documents[i];
        counts_[id].occurrences += occurrences[i];
    }
    n_documents_ += n_documents;
    change.done();
}

void TermCounter::merge(const RunContext& ctx, const TermCounter& other) {
    other.check_usable();
    std::vector<TermId> ids;
    other.for_each_term([&](TermId id) { ids.push_back(id); });
    const PackedTerms packed = pack_terms(ctx, *other.lexicon_, ids);
    std::vector<std::int64_t> documents(ids.size()), occurrences(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        documents[i] = other.counts_[ids[i]].documents;
        occurrences[i] = other.counts_[ids[i]].occurrences;
    }
    StandaloneRun whole(ctx.n_threads); // all or nothing: who wants to stop waits, or the former counts would be lost
    restore(whole.context, views(packed), documents, occurrences, other.n_documents_);
}

std::size_t TermCounter::n_terms() const {
    check_usable();
    if (is_sorted_) return sorted_.size();
    std::size_t n = 0;
    for_each_term([&](TermId) { ++n; });
    return n;
}

template <class F>
void TermCounter::for_each_term(F&& f) const {
    for (TermId i = 0; i < lexicon_->texts().n_ids(); ++i)
        if (counts_[i].documents) f(i);
    for (TermId i = 0; i < lexicon_->codes().n_ids(); ++i)
        if (counts_[i | code_bit].documents) f(i | code_bit);
}

const std::vector<TermId>& TermCounter::sorted(const RunContext& ctx) {
    if (!is_sorted_) {
        counts_.fit(*lexicon_);
        sorted_.clear();
        for_each_term([&](TermId id) { sorted_.push_back(id); });
        if (sorted_.size() > Lexicon::Texts::max_ids)
            throw ValueError("more than " + std::to_string(Lexicon::Texts::max_ids) + " distinct terms");
        sort_terms(ctx, *lexicon_, sorted_);
        is_sorted_ = true;
    }
    return sorted_;
}

TermCounter::Terms TermCounter::terms(const RunContext& ctx) {
    check_usable();
    const auto& order = sorted(ctx);
    Terms terms{pack_terms(ctx, *lexicon_, order), Buffer<std::int64_t>(order.size()),
                Buffer<std::int64_t>(order.size())};
    parallel_ranges(ctx, order.size(), 10, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) {
            const TermCount& count = counts_[order[i]];
            terms.documents[i] = count.documents;
            terms.occurrences[i] = count.occurrences;
        }
    });
    return terms;
}

CsrCounts TermCounter::rows(const RunContext& ctx, std::span<const std::int32_t> columns, std::size_t n_columns,
                            bool binary, Values values) {
    check_usable();
    const auto& order = sorted(ctx);
    if (columns.size() != order.size())
        throw ValueError("columns must have " + std::to_string(order.size()) + " entries, one for each term, got " +
                         std::to_string(columns.size()));
    Change change(*this); // that is never done
    std::vector<std::int32_t> by_index(lexicon_->n_indices(), -1);
    for (std::size_t i = 0; i < order.size(); ++i) by_index[lexicon_->index(order[i])] = columns[i];
    const bool all = std::find(columns.begin(), columns.end(), -1) == columns.end();
    const std::size_t n_texts = lexicon_->texts().n_ids();
    sorted_ = {};
    counts_ = TermCounts();
    memo_.reset();
    lexicon_.reset();
    return to_csr(ctx, std::move(chunks_), {by_index, n_texts, n_columns, all}, binary, values);
}

} // namespace mlcore::text
