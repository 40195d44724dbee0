// How the few rows of a block are cut into tiles of a product.
#pragma once

#include "linalg/gemm_kernel.hpp"

#include <cstddef>

namespace mlcore::nn {

/// Rows [0, n) in tiles of nearly equal height: 32 rows are 11 + 11 + 10, not 14 + 14 + 4.
class RowTiles {
  public:
    explicit RowTiles(std::size_t n_rows)
        : n_rows_(n_rows), count_((n_rows + linalg::tile_rows - 1) / linalg::tile_rows) {}

    std::size_t count() const { return count_; }
    std::size_t begin(std::size_t tile) const { return n_rows_ * tile / count_; }
    std::size_t height(std::size_t tile) const { return begin(tile + 1) - begin(tile); }

  private:
    std::size_t n_rows_, count_;
};

} // namespace mlcore::nn
