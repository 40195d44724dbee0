// Counts of terms, document by document, as they were read; and as rows of a CSR matrix once each term has a column.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "text/vectorizer/lexicon.hpp"
#include "text/vectorizer/pages.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace mlcore::text {

/// The column of each term, -1 if it has none.
struct Columns {
    std::span<const std::int32_t> by_index; // see Lexicon::index
    std::size_t n_texts;                    // of the lexicon
    std::size_t size;                       // columns are below
    bool all;                               // every term that is in a row has one

    std::int32_t operator[](TermId id) const { return by_index[index(id)]; }
    void prefetch(TermId id) const { __builtin_prefetch(&by_index[index(id)]); }

  private:
    std::size_t index(TermId id) const { return (id & ~code_bit) + (id >> 31) * n_texts; }
};

/// The terms of some documents that follow each other: 5 bytes an entry, for counts are small.
struct RowChunk {
    std::vector<std::uint32_t> sizes; // entries of each document
    Pages<TermId> terms;
    Pages<std::uint8_t> counts;              // many: see large_counts
    std::vector<std::uint32_t> large_counts; // in the order of their entries

    static constexpr std::uint8_t many = 255;
};

/// One thread's chunk that is being written.
class RowWriter {
  public:
    void add(TermId term, std::uint32_t count) {
        terms_.push_back(term);
        counts_.push_back(static_cast<std::uint8_t>(count < RowChunk::many ? count : RowChunk::many));
        if (count >= RowChunk::many) large_.push_back(count);
    }
    void end_document() {
        sizes_.push_back(static_cast<std::uint32_t>(terms_.size() - n_ended_));
        n_ended_ = terms_.size();
    }
    /// What was written since the last call.
    RowChunk take();

  private:
    std::vector<std::uint32_t> sizes_, large_;
    std::vector<TermId> terms_;
    std::vector<std::uint8_t> counts_;
    std::size_t n_ended_ = 0;
};

/// What a count becomes in the matrix.
enum class Values { int32, int64, float32, float64 };

/// A matrix with sorted indices, each once a row. Indices are of int32 where the number of entries fits.
struct CsrCounts {
    std::variant<Buffer<std::int32_t>, Buffer<std::int64_t>, Buffer<float>, Buffer<double>> data;
    std::variant<Buffer<std::int32_t>, Buffer<std::int64_t>> indices, indptr;
};

/// The chunks, in order, as rows; they are freed on the way. With `binary` all counts are 1.
CsrCounts to_csr(const RunContext& ctx, std::vector<RowChunk> chunks, const Columns& columns, bool binary,
                 Values values);

} // namespace mlcore::text
