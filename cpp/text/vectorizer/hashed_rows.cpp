#include "text/vectorizer/hashed_rows.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "text/vectorizer/hashed_terms.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <optional>
#include <utility>

namespace mlcore::text {
namespace {

/// Sorts the terms of a document by column: by digits where there are enough of them.
class TermSorter {
  public:
    explicit TermSorter(std::uint32_t n_features)
        : n_bits_(std::max(1, static_cast<int>(std::bit_width(n_features - 1)))) {}

    void sort(std::span<HashedTerm> terms) {
        const std::size_t n = terms.size();
        if (n < 48) {
            std::sort(terms.begin(), terms.end());
            return;
        }
        const int widest = std::clamp(static_cast<int>(std::bit_width(n)), 6, 11);
        const int n_passes = (n_bits_ + widest - 1) / widest, width = (n_bits_ + n_passes - 1) / n_passes;
        if (scratch_.size() < n) scratch_.resize(n);
        const std::size_t mask = (std::size_t{1} << width) - 1;
        HashedTerm *from = terms.data(), *to = scratch_.data();
        for (int pass = 0; pass < n_passes; ++pass, std::swap(from, to)) {
            const int shift = 1 + pass * width; // beyond the sign
            std::fill_n(starts_.begin(), mask + 1, 0);
            for (std::size_t i = 0; i < n; ++i) ++starts_[from[i] >> shift & mask];
            std::uint32_t start = 0;
            for (std::size_t digit = 0; digit <= mask; ++digit) start += std::exchange(starts_[digit], start);
            for (std::size_t i = 0; i < n; ++i) to[starts_[from[i] >> shift & mask]++] = from[i];
        }
        if (from != terms.data()) std::copy_n(from, n, terms.data());
    }

  private:
    const int n_bits_; // of a column
    std::vector<HashedTerm> scratch_;
    std::array<std::uint32_t, 1 << 11> starts_;
};

/// Rows of some documents that follow each other.
struct Chunk {
    std::vector<std::size_t> sizes;
    std::vector<std::int32_t> columns, sums;

    void add_row(std::span<const HashedTerm> sorted) {
        const std::size_t before = columns.size();
        for (std::size_t i = 0; i < sorted.size();) {
            const HashedTerm column = sorted[i] >> 1;
            std::int32_t sum = 0;
            for (; i < sorted.size() && sorted[i] >> 1 == column; ++i)
                sum += 1 - 2 * static_cast<std::int32_t>(sorted[i] & 1);
            columns.push_back(static_cast<std::int32_t>(column));
            sums.push_back(sum);
        }
        sizes.push_back(columns.size() - before);
    }
};

void check_length(std::size_t n_terms) {
    if (n_terms > std::numeric_limits<std::int32_t>::max())
        throw ValueError("a document has 2^31 terms or more: cut it into parts");
}

template <class T, class Index>
HashedRows<T> joined(const RunContext& ctx, std::vector<Chunk> chunks, std::size_t n_rows, std::size_t n_entries,
                     bool binary) {
    HashedRows<T> rows{Buffer<T>(n_entries), Buffer<Index>(n_entries), Buffer<Index>(n_rows + 1)};
    auto& indices = std::get<Buffer<Index>>(rows.indices);
    auto& indptr = std::get<Buffer<Index>>(rows.indptr);
    std::vector<std::size_t> starts;
    std::size_t end = 0, row = 0;
    indptr[0] = 0;
    for (const Chunk& chunk : chunks) {
        starts.push_back(end);
        for (const std::size_t size : chunk.sizes) indptr[++row] = static_cast<Index>(end += size);
    }
    const double ns =
        2.0 * static_cast<double>(n_entries) / static_cast<double>(std::max<std::size_t>(1, chunks.size()));
    parallel_tasks(ctx, chunks.size(), ns, [&](std::size_t c, int) {
        Chunk chunk = std::move(chunks[c]); // frees it afterwards
        std::copy(chunk.columns.begin(), chunk.columns.end(), indices.begin() + starts[c]);
        if (binary)
            std::fill_n(rows.data.begin() + starts[c], chunk.sums.size(), T{1});
        else
            std::transform(chunk.sums.begin(), chunk.sums.end(), rows.data.begin() + starts[c],
                           [](std::int32_t sum) { return static_cast<T>(sum); });
    });
    return rows;
}

template <class T>
HashedRows<T> joined(const RunContext& ctx, std::vector<Chunk> chunks, bool binary) {
    std::size_t n_rows = 0, n_entries = 0;
    for (const Chunk& chunk : chunks) {
        n_rows += chunk.sizes.size();
        n_entries += chunk.columns.size();
    }
    if (n_entries > std::numeric_limits<std::int32_t>::max())
        return joined<T, std::int64_t>(ctx, std::move(chunks), n_rows, n_entries, binary);
    return joined<T, std::int32_t>(ctx, std::move(chunks), n_rows, n_entries, binary);
}

/// Cuts [0, n) into ranges of about `target` of a size each.
template <class Size>
std::vector<std::size_t> cut(std::size_t n, std::size_t target, Size&& size) {
    std::vector<std::size_t> cuts{0};
    std::size_t total = 0;
    for (std::size_t i = 0; i < n; ++i)
        if ((total += size(i)) >= target) {
            cuts.push_back(i + 1);
            total = 0;
        }
    if (cuts.back() != n) cuts.push_back(n);
    return cuts;
}

} // namespace

template <class T>
HashedRows<T> hashed_rows(const RunContext& ctx, std::span<const Document> documents, const Analysis& analysis,
                          const HashingOptions& options) {
    struct Worker {
        Worker(const Analysis& of, const TermHash& hash) : reader(of, hash), sorter(hash.n_features()) {}
        HashedTermReader reader;
        TermSorter sorter;
        std::vector<HashedTerm> terms;
    };
    constexpr std::size_t chunk_characters = 1 << 16;
    constexpr double ns_per_character = 5; // of words; n-grams take more
    const auto cuts = cut(documents.size(), chunk_characters, [&](std::size_t i) { return documents[i].size + 16; });
    std::size_t n_characters = 0;
    for (const Document& document : documents) n_characters += document.size;
    std::vector<Chunk> chunks(cuts.size() - 1);
    std::vector<std::optional<Worker>> workers(static_cast<std::size_t>(ctx.n_threads));
    const double ns = ns_per_character * static_cast<double>(n_characters) /
                      static_cast<double>(std::max<std::size_t>(1, chunks.size()));
    parallel_tasks(ctx, chunks.size(), ns, [&](std::size_t c, int thread) {
        auto& worker = workers[static_cast<std::size_t>(thread)];
        if (!worker) worker.emplace(analysis, options.hash);
        for (std::size_t i = cuts[c]; i < cuts[c + 1]; ++i) {
            worker->terms.clear();
            worker->reader.read(ctx, documents[i], worker->terms);
            check_length(worker->terms.size());
            worker->sorter.sort(worker->terms);
            chunks[c].add_row(worker->terms);
        }
    });
    return joined<T>(ctx, std::move(chunks), options.binary);
}

template <class T>
HashedRows<T> hashed_rows(const RunContext& ctx, std::span<HashedTerm> terms, std::span<const std::size_t> starts,
                          const HashingOptions& options) {
    const auto size = [&](std::size_t i) { return starts[i + 1] - starts[i]; };
    const auto cuts = cut(starts.size() - 1, 1 << 14, [&](std::size_t i) { return size(i) + 4; });
    std::vector<Chunk> chunks(cuts.size() - 1);
    std::vector<std::optional<TermSorter>> sorters(static_cast<std::size_t>(ctx.n_threads));
    const double ns =
        15.0 * static_cast<double>(terms.size()) / static_cast<double>(std::max<std::size_t>(1, chunks.size()));
    parallel_tasks(ctx, chunks.size(), ns, [&](std::size_t c, int thread) {
        auto& sorter = sorters[static_cast<std::size_t>(thread)];
        if (!sorter) sorter.emplace(options.hash.n_features());
        for (std::size_t i = cuts[c]; i < cuts[c + 1]; ++i) {
            const auto of_document = terms.subspan(starts[i], size(i));
            check_length(of_document.size());
            sorter->sort(of_document);
            chunks[c].add_row(of_document);
        }
    });
    return joined<T>(ctx, std::move(chunks), options.binary);
}

template HashedRows<float> hashed_rows(const RunContext&, std::span<const Document>, const Analysis&,
                                       const HashingOptions&);
template HashedRows<double> hashed_rows(const RunContext&, std::span<const Document>, const Analysis&,
                                        const HashingOptions&);
template HashedRows<float> hashed_rows(const RunContext&, std::span<HashedTerm>, std::span<const std::size_t>,
                                       const HashingOptions&);
template HashedRows<double> hashed_rows(const RunContext&, std::span<HashedTerm>, std::span<const std::size_t>,
                                        const HashingOptions&);

} // namespace mlcore::text
