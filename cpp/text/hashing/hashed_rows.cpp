#include "text/hashing/hashed_rows.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "text/hashing/hashed_terms.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
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

/// Rows of some documents that follow each other: 5 bytes an entry, for sums are small.
struct Chunk {
    std::vector<std::size_t> sizes; // entries of each row
    Buffer<std::int32_t> columns;
    Buffer<std::int8_t> sums;             // large: see large_sums
    std::vector<std::int32_t> large_sums; // in the order of their entries

    static constexpr std::int8_t large = std::numeric_limits<std::int8_t>::min();
};

/// One thread's rows of the chunk that it is at.
class RowWriter {
  public:
    explicit RowWriter(std::uint32_t n_features) : sorter_(n_features) {}

    /// Sorts the terms of a document and adds them up.
    void add(std::span<HashedTerm> terms) {
        if (terms.size() > std::numeric_limits<std::int32_t>::max())
            throw ValueError("a document has 2^31 terms or more: cut it into parts");
        sorter_.sort(terms);
        if (columns_.size() < n_ + terms.size()) {
            columns_.resize(2 * (n_ + terms.size()));
            sums_.resize(columns_.size());
        }
        // Without branches, because how often a term occurs cannot be predicted.
        std::size_t n = n_;
        std::int32_t last = -1, sum = 0;
        for (const HashedTerm term : terms) {
            const auto column = static_cast<std::int32_t>(term >> 1);
            const bool is_new = column != last;
            n += is_new;
            sum = (is_new ? 0 : sum) + 1 - 2 * static_cast<std::int32_t>(term & 1);
            columns_[n - 1] = last = column;
            sums_[n - 1] = sum;
        }
        sizes_.push_back(n - n_);
        n_ = n;
    }

    /// What was added since the last call.
    Chunk take() {
        Chunk chunk{std::move(sizes_), Buffer<std::int32_t>(n_), Buffer<std::int8_t>(n_), {}};
        std::copy_n(columns_.begin(), n_, chunk.columns.begin());
        for (std::size_t i = 0; i < n_; ++i) {
            const bool fits = std::abs(sums_[i]) <= std::numeric_limits<std::int8_t>::max();
            chunk.sums[i] = fits ? static_cast<std::int8_t>(sums_[i]) : Chunk::large;
            if (!fits) [[unlikely]]
                chunk.large_sums.push_back(sums_[i]);
        }
        sizes_.clear();
        n_ = 0;
        return chunk;
    }

  private:
    TermSorter sorter_;
    std::vector<std::size_t> sizes_;
    std::vector<std::int32_t> columns_, sums_; // kept from chunk to chunk, n_ entries are in use
    std::size_t n_ = 0;
};

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
        const Chunk chunk = std::move(chunks[c]); // freed afterwards
        std::copy(chunk.columns.begin(), chunk.columns.end(), indices.begin() + starts[c]);
        T* const data = rows.data.begin() + starts[c];
        if (binary) {
            std::fill_n(data, chunk.sums.size(), T{1});
            return;
        }
        std::copy(chunk.sums.begin(), chunk.sums.end(), data);
        std::size_t n_large = 0;
        for (std::size_t i = 0; n_large < chunk.large_sums.size(); ++i)
            if (chunk.sums[i] == Chunk::large) data[i] = static_cast<T>(chunk.large_sums[n_large++]);
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
        Worker(const Analysis& of, const TermHash& hash) : reader(of, hash), rows(hash.n_features()) {}
        HashedTermReader reader;
        std::vector<HashedTerm> terms;
        RowWriter rows;
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
            worker->rows.add(worker->terms);
        }
        chunks[c] = worker->rows.take();
    });
    return joined<T>(ctx, std::move(chunks), options.binary);
}

template <class T>
HashedRows<T> hashed_rows(const RunContext& ctx, std::span<HashedTerm> terms, std::span<const std::size_t> starts,
                          const HashingOptions& options) {
    const auto size = [&](std::size_t i) { return starts[i + 1] - starts[i]; };
    const auto cuts = cut(starts.size() - 1, 1 << 14, [&](std::size_t i) { return size(i) + 4; });
    std::vector<Chunk> chunks(cuts.size() - 1);
    std::vector<std::optional<RowWriter>> writers(static_cast<std::size_t>(ctx.n_threads));
    const double ns =
        15.0 * static_cast<double>(terms.size()) / static_cast<double>(std::max<std::size_t>(1, chunks.size()));
    parallel_tasks(ctx, chunks.size(), ns, [&](std::size_t c, int thread) {
        auto& writer = writers[static_cast<std::size_t>(thread)];
        if (!writer) writer.emplace(options.hash.n_features());
        for (std::size_t i = cuts[c]; i < cuts[c + 1]; ++i) writer->add(terms.subspan(starts[i], size(i)));
        chunks[c] = writer->take();
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
