// The rows of each node, as a partition of one index array:
//
//     rows  | leaf 3 | leaf 7      | leaf 4 |  ...
//             ^begin   ^begin
//
// Splitting a node reorders its segment in place, left rows first, each side keeping its order. The result does not
// depend on the number of threads: every thread partitions a fixed range and the pieces are joined in order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/context.hpp"
#include "core/memory.hpp"

namespace mlcore::boosting {

class Partition {
  public:
    explicit Partition(std::size_t n_rows) : rows_(n_rows), scratch_(n_rows) {}

    // Starts a tree with all rows, or with the drawn ones in rising order.
    void reset(const RunContext& ctx);
    void reset(std::span<const std::uint32_t> drawn);

    std::size_t size() const { return n_; }
    const std::uint32_t* rows() const { return rows_.data(); }

    // Rows [begin, end) of the array: those with goes_left[column[row]] come first. Returns how many.
    std::size_t split(const RunContext& ctx, std::size_t begin, std::size_t end, const std::uint8_t* column,
                      const std::uint8_t (&goes_left)[256]);

  private:
    std::size_t n_ = 0;
    Buffer<std::uint32_t> rows_, scratch_;
};

} // namespace mlcore::boosting
