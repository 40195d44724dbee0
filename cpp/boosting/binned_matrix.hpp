// The table as bins, in the layouts that training reads:
//
//   column-major   column(f)[i]                   split partition and tree traversal touch one feature of many rows
//   stripes        row-major blocks of <= 64 features, so a row of a stripe lies in one cache line:
//                  histograms touch all features of one row
//   sparse columns the rows of a feature that do not lie in the bin of zero, and their bins
//
// Features with one value and nothing missing cannot split and are left out of the stripes. A column of a CSR table
// with few entries outside of one bin stays sparse: such a table takes memory as its entries do, not as its cells.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "boosting/bin_mapper.hpp"
#include "core/memory.hpp"
#include "core/table.hpp"

namespace mlcore::boosting {

struct Stripe {
    std::vector<int> features; // feature number of each byte of a row
    std::size_t width = 0;     // bytes a row, a multiple of 8
    Buffer<std::uint8_t> bins; // n_rows x width

    const std::uint8_t* row(std::size_t i) const { return bins.data() + i * width; }
};

// Row rows[k], ascending, lies in bins[k]; all other rows lie in default_bin.
struct SparseColumn {
    std::span<const std::uint32_t> rows;
    const std::uint8_t* bins;
    std::uint8_t default_bin;
};

class BinnedMatrix {
  public:
    static constexpr std::size_t max_stripe_width = 64;
    // Below this share of entries a column is sparse. It takes 5 bytes an entry (9 with those of the histograms)
    // against 2 bytes a row, and a scattered addition against one in order.
    static constexpr double max_sparse_share = 1.0 / 8;

    // with_stripes: false for data that is only predicted on.
    BinnedMatrix(const RunContext& ctx, const Table& X, const BinMapper& mapper, bool with_stripes);

    std::size_t n_rows() const { return n_rows_; }
    std::size_t n_features() const { return place_.size(); }
    bool has_sparse() const { return n_sparse_ > 0; }
    bool is_sparse(int f) const { return place_[static_cast<std::size_t>(f)] < 0; }

    // Of features that are not sparse.
    const std::uint8_t* column(int f) const {
        return columns_.data() + static_cast<std::size_t>(place_[static_cast<std::size_t>(f)]) * n_rows_;
    }
    // Of features that are.
    SparseColumn sparse_column(int f) const {
        const auto s = static_cast<std::size_t>(-(place_[static_cast<std::size_t>(f)] + 1));
        return {{sparse_rows_.data() + sparse_begin_[s], sparse_begin_[s + 1] - sparse_begin_[s]},
                sparse_bins_.data() + sparse_begin_[s],
                default_bin_[s]};
    }
    // Of all features.
    int bin(int f, std::size_t row) const { return is_sparse(f) ? sparse_bin(f, row) : column(f)[row]; }
    void write_column(int f, std::size_t first, std::size_t last, std::uint8_t* out) const; // rows [first, last)

    const std::vector<Stripe>& stripes() const { return stripes_; }
    std::size_t n_bytes() const;

  private:
    template <class View>
    void bin_dense(const RunContext& ctx, const View& view, const BinMapper& mapper);
    template <class View>
    void bin_csr(const RunContext& ctx, const View& view, const BinMapper& mapper);
    void fill_stripes(const RunContext& ctx);
    int sparse_bin(int f, std::size_t row) const;

    std::size_t n_rows_ = 0, n_sparse_ = 0;
    std::vector<std::int32_t> place_; // of a feature in columns_; -1 - s: it is the s-th sparse one
    Buffer<std::uint8_t> columns_;
    std::vector<Stripe> stripes_;
    std::vector<std::size_t> sparse_begin_; // (n_sparse + 1) into the next two
    Buffer<std::uint32_t> sparse_rows_;
    Buffer<std::uint8_t> sparse_bins_;
    std::vector<std::uint8_t> default_bin_; // (n_sparse)
};

} // namespace mlcore::boosting
