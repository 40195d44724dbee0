// Gradient histograms: for every feature and bin the packed sum of the node's rows.
//
// A row costs one 16-byte load, integer add and store per feature. What makes it fast is where the bytes lie: a row's
// bins share a cache line (Stripe), the row's gradient pair sits in a register, and rows far ahead are prefetched
// because a node's rows are scattered. The larger child is never accumulated: it is the parent minus the smaller one,
// exactly. Sparse columns are counted row by row as well, but only what lies outside of their default bin: that one is
// the node minus all others, exactly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "boosting/binned_matrix.hpp"
#include "boosting/gradient.hpp"
#include "core/context.hpp"
#include "core/memory.hpp"

namespace mlcore::boosting {

// Where each feature's bins lie in a histogram: first those of the stripes, then the sparse ones. Features that cannot
// split have no bins there: those of one value, and sparse ones with fewer than `min_rows` rows outside of the default
// bin, as one side of any split has none but these.
class HistogramLayout {
  public:
    HistogramLayout(const BinMapper& mapper, const BinnedMatrix& data, double min_rows = 0.0);
    std::size_t n_entries() const { return n_entries_; }
    std::size_t sparse_begin() const { return sparse_begin_; }
    std::size_t offset(int f) const { return offset_[f]; }
    bool has(int f) const { return used_[f] != 0; }
    // All features that vary, ascending: the same ones whether columns are sparse or not.
    const std::vector<int>& features() const { return features_; }

  private:
    std::size_t sparse_begin_ = 0;
    std::vector<std::size_t> offset_;
    std::vector<std::uint8_t> used_;
    std::vector<int> features_;
    std::size_t n_entries_ = 0;
};

// A pool block of layout.n_entries() packed pairs, uninitialised.
using Histogram = Pool::Block;

class HistogramBuilder {
  public:
    HistogramBuilder(const BinMapper& mapper, const BinnedMatrix& data, const HistogramLayout& layout);

    Histogram take() { return pool_.take(layout_.n_entries() * sizeof(PackedPair)); }

    // Only these features (a subset of the layout's, one flag a feature) are accumulated from now on; empty: all.
    void select(std::span<const std::uint8_t> active);

    double ns_per_row() const { return 0.8 * static_cast<double>(n_active_) + 2.0 * sparse_per_row_; }

    // One histogram in two stages, so that the caller can fuse them with other work. Integer sums do not mind who
    // counted what: threads take blocks of rows as they come and count into a histogram each.
    void start(int n_threads);
    // Stage 1: counts rows[0..n), or rows first..first + n - 1.
    void add(int thread, std::span<const std::uint32_t> rows, const PackedPair* pairs);
    void add(int thread, std::size_t first, std::size_t n, const PackedPair* pairs);
    // Stage 2: histogram[k] = what all threads counted, for k in [begin, end).
    void collect(std::size_t begin, std::size_t end, PackedPair* histogram) const;

    // Then, of a sparse feature: its default bin, from the sum over the node's rows.
    void complete(int f, const PackedPair& total, PackedPair* histogram) const;

    // The same for wide data, by stripes of features instead of blocks of rows: needs no histogram a thread. All sparse
    // columns are one stripe more.
    bool prefers_stripes(int n_threads) const { return active_.size() >= 4 * static_cast<std::size_t>(n_threads); }
    std::size_t n_stripes() const { return active_.size() + (entry_begin_.empty() ? 0 : 1); }
    void build_stripe(std::size_t stripe, const std::uint32_t* rows, std::size_t n, const PackedPair* pairs,
                      PackedPair* histogram) const;

  private:
    // Active bytes of each stripe's rows and the histogram offsets that they count into.
    struct ActiveBytes {
        std::vector<std::uint32_t> byte;
        std::vector<std::uint32_t> offset;
        bool all = true;
    };
    void index_sparse();
    PackedPair* counter(int thread);
    // rows == nullptr: rows begin..end-1 of the data, else rows[begin..end).
    void accumulate(std::size_t stripe, const std::uint32_t* rows, std::size_t begin, std::size_t end,
                    const PackedPair* pairs, PackedPair* histogram) const;

    const BinMapper& mapper_;
    const BinnedMatrix& data_;
    const HistogramLayout& layout_;
    Pool pool_;
    std::vector<ActiveBytes> active_;
    std::size_t n_active_ = 0;
    std::vector<std::size_t> entry_begin_; // (n_rows + 1) into entry_; empty: no sparse columns
    Buffer<std::uint32_t> entry_;          // of each row: the places in the histogram that it counts into
    double sparse_per_row_ = 0.0;
    std::vector<Histogram> own_;      // of each thread
    std::vector<std::uint8_t> dirty_; // own_[t] has counted
};

} // namespace mlcore::boosting
