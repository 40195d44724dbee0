// The table as bins, in the two layouts that training reads:
//
//   column-major   columns()[f * n_rows + i]      split partition and tree traversal touch one feature of many rows
//   stripes        row-major blocks of <= 64 features, so a row of a stripe lies in one cache line:
//                  histograms touch all features of one row
//
// Features with one value and nothing missing cannot split and are left out of the stripes.
#pragma once

#include <cstdint>
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

class BinnedMatrix {
  public:
    static constexpr std::size_t max_stripe_width = 64;

    // with_stripes: false for data that is only predicted on.
    BinnedMatrix(const RunContext& ctx, const Table& X, const BinMapper& mapper, bool with_stripes);

    std::size_t n_rows() const { return n_rows_; }
    std::size_t n_features() const { return n_features_; }
    const std::uint8_t* column(int f) const { return columns_.data() + static_cast<std::size_t>(f) * n_rows_; }
    const std::vector<Stripe>& stripes() const { return stripes_; }
    std::size_t n_bytes() const;

  private:
    std::size_t n_rows_ = 0, n_features_ = 0;
    Buffer<std::uint8_t> columns_;
    std::vector<Stripe> stripes_;
};

} // namespace mlcore::boosting
