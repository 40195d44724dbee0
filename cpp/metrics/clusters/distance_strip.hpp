// Distances of a few rows from many: rows packed once into blocks of columns, which vectors run over.
//   block b holds rows order[b B] .. order[b B + B - 1], feature by feature: packed[(b d + j) B + l]
// A chunk of blocks stays in the first-level cache while one group of rows after the other passes it.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"

#include <cstdint>
#include <span>

namespace mlcore::metrics {

/// Rows whose distances are found together.
inline constexpr std::size_t strip_rows = 4;

class PackedRows {
  public:
    static constexpr std::size_t most_columns = 512; // rows of a chunk, and the stride of a strip
    static constexpr std::size_t column_unit = 16;   // a multiple of the columns of a block

    PackedRows(const RunContext& ctx, MatrixView<const double> X, double scale, std::span<const std::uint32_t> order);

    /// Rows of a chunk, a multiple of a block.
    std::size_t chunk_columns() const { return chunk_columns_; }

    /// out[r * most_columns + (p - begin)] = distance of row r of `rows` (n_rows <= strip_rows, d) from the packed row
    /// p in [begin, end): the square root of the sum of squares, or the sum of magnitudes. begin is a multiple of
    /// column_unit, and end - begin at most chunk_columns(); out is written up to the end of the last block.
    template <bool squares>
    void distances(const double* rows, std::size_t n_rows, std::size_t begin, std::size_t end, double* out) const;

  private:
    std::size_t d_, chunk_columns_;
    Buffer<double> packed_;
};

/// sums[r] += the first n values of row r of a strip, for each of its rows. With `columns` (n), columns[p] += the
/// values of all rows at p.
void add_strip(const double* strip, std::size_t n, double* sums, double* columns);

} // namespace mlcore::metrics
