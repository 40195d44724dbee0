#include "text/vectorizer/counted_rows.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <type_traits>
#include <utility>

namespace mlcore::text {
namespace {

/// Entries of a row as column << 32 | count, sorted: by digits where there are enough of them.
class RowSorter {
  public:
    explicit RowSorter(std::size_t n_columns) : column_bits_(static_cast<int>(std::bit_width(n_columns))) {}

    std::vector<std::uint64_t>& items() { return items_; }

    void sort() {
        const std::size_t n = items_.size();
        if (n < 48) {
            std::sort(items_.begin(), items_.end());
            return;
        }
        const int widest = std::clamp(static_cast<int>(std::bit_width(n)), 6, 11);
        const int n_passes = (column_bits_ + widest - 1) / widest;
        const int width = (column_bits_ + n_passes - 1) / std::max(n_passes, 1);
        scratch_.resize(std::max(scratch_.size(), n));
        std::uint64_t *from = items_.data(), *to = scratch_.data();
        for (int pass = 0; pass < n_passes; ++pass, std::swap(from, to)) {
            const int shift = 32 + pass * width;
            const std::size_t mask = (std::size_t{1} << width) - 1;
            std::fill_n(starts_.begin(), mask + 1, 0);
            for (std::size_t i = 0; i < n; ++i) ++starts_[from[i] >> shift & mask];
            std::uint32_t start = 0;
            for (std::size_t digit = 0; digit <= mask; ++digit) start += std::exchange(starts_[digit], start);
            for (std::size_t i = 0; i < n; ++i) to[starts_[from[i] >> shift & mask]++] = from[i];
        }
        if (from != items_.data()) std::copy_n(from, n, items_.data());
    }

  private:
    const int column_bits_;
    std::vector<std::uint64_t> items_, scratch_;
    std::vector<std::uint32_t> starts_ = std::vector<std::uint32_t>(1 << 11);
};

/// Calls f(row of the chunk, term, count) for each entry, end(row) after each row.
template <class F, class End>
void for_each_entry(const RowChunk& chunk, F&& f, End&& end) {
    const std::uint32_t* large = chunk.large_counts.data();
    std::size_t entry = 0;
    for (std::size_t row = 0; row < chunk.sizes.size(); ++row) {
        for (const std::size_t last = entry + chunk.sizes[row]; entry < last; ++entry) {
            const std::uint8_t count = chunk.counts[entry];
            f(chunk.terms[entry], count < RowChunk::many ? count : *large++);
        }
        end(row);
    }
}

template <class T, class Index>
void fill(const RunContext& ctx, std::vector<RowChunk>& chunks, const Columns& columns, bool binary,
          std::span<const std::size_t> first_rows, const Buffer<Index>& indptr, Buffer<Index>& indices,
          Buffer<T>& data) {
    std::vector<RowSorter> sorters(static_cast<std::size_t>(ctx.n_threads), RowSorter(columns.size));
    const double ns =
        15 * static_cast<double>(data.size()) / static_cast<double>(std::max<std::size_t>(chunks.size(), 1));
    parallel_tasks(ctx, chunks.size(), ns, [&](std::size_t c, int thread) {
        ctx.checkpoint();
        RowSorter& sorter = sorters[static_cast<std::size_t>(thread)];
        auto& items = sorter.items();
        for_each_entry(
            chunks[c],
            [&](TermId term, std::uint32_t count) {
                const std::int32_t column = columns[term];
                if (column >= 0) items.push_back(static_cast<std::uint64_t>(column) << 32 | count);
            },
            [&](std::size_t row) {
                sorter.sort();
                auto out = static_cast<std::size_t>(indptr[first_rows[c] + row]);
                for (const std::uint64_t item : items) {
                    indices[out] = static_cast<Index>(item >> 32);
                    data[out++] = static_cast<T>(binary ? 1 : item & 0xFFFFFFFF);
                }
                items.clear();
            });
        chunks[c] = RowChunk();
    });
}

template <class T>
T& set(auto& variant, std::size_t size) {
    return variant.template emplace<T>(size);
}

} // namespace

RowChunk RowWriter::take() {
    RowChunk chunk{std::move(sizes_), Pages<TermId>(terms_.size()), Pages<std::uint8_t>(counts_.size()),
                   std::move(large_)};
    std::copy(terms_.begin(), terms_.end(), chunk.terms.begin());
    std::copy(counts_.begin(), counts_.end(), chunk.counts.begin());
    sizes_.clear();
    large_.clear();
    terms_.clear();
    counts_.clear();
    n_ended_ = 0;
    return chunk;
}

CsrCounts to_csr(const RunContext& ctx, std::vector<RowChunk> chunks, const Columns& columns, bool binary,
                 Values values) {
    std::vector<std::size_t> first_rows(chunks.size() + 1);
    for (std::size_t c = 0; c < chunks.size(); ++c) first_rows[c + 1] = first_rows[c] + chunks[c].sizes.size();
    const std::size_t n_rows = first_rows.back();

    // Entries of each row that have a column.
    std::vector<std::size_t> starts(n_rows + 1);
    const double ns_per_chunk = 2e5;
    parallel_tasks(ctx, chunks.size(), ns_per_chunk, [&](std::size_t c, int) {
        ctx.checkpoint();
        if (columns.all) {
            std::copy(chunks[c].sizes.begin(), chunks[c].sizes.end(), &starts[first_rows[c] + 1]);
            return;
        }
        std::size_t n = 0;
        for_each_entry(
            chunks[c], [&](TermId term, std::uint32_t) { n += columns[term] >= 0; },
            [&](std::size_t row) { starts[first_rows[c] + row + 1] = std::exchange(n, 0); });
    });
    for (std::size_t row = 0; row < n_rows; ++row) starts[row + 1] += starts[row];

    CsrCounts csr;
    const std::size_t n_entries = starts.back();
    const auto fill_all = [&]<class T, class Index>() {
        auto& indptr = set<Buffer<Index>>(csr.indptr, n_rows + 1);
        std::copy(starts.begin(), starts.end(), indptr.begin());
        auto& indices = set<Buffer<Index>>(csr.indices, n_entries);
        auto& data = set<Buffer<T>>(csr.data, n_entries);
        fill<T, Index>(ctx, chunks, columns, binary, first_rows, indptr, indices, data);
    };
    const auto fill_indices = [&]<class T>() {
        constexpr auto most = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
        if (n_entries > most)
            fill_all.template operator()<T, std::int64_t>();
        else
            fill_all.template operator()<T, std::int32_t>();
    };
    switch (values) {
    case Values::int32:
        fill_indices.operator()<std::int32_t>();
        break;
    case Values::int64:
        fill_indices.operator()<std::int64_t>();
        break;
    case Values::float32:
        fill_indices.operator()<float>();
        break;
    case Values::float64:
        fill_indices.operator()<double>();
        break;
    }
    return csr;
}

} // namespace mlcore::text
