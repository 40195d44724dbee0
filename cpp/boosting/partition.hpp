// The rows of each node, as a partition of one index array:
//
//     rows  | leaf 3 | leaf 7      | leaf 4 |  ...
//             ^begin   ^begin
//
// Splitting a node reorders its segment, left rows first, each side keeping its order. The segment is cut into pieces;
// each is divided on its own, left rows filling its part of the scratch array from the front, right rows from the back:
//
//     scratch | L L L L R R R | L L R R R R R | ...
//
// Once all are divided (and their sizes known) the pieces are copied back, in any order. The result does not depend on
// who did what. The caller runs the two stages, to fuse them with other work on the same rows.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::boosting {

class Partition {
  public:
    static constexpr std::size_t piece_rows = 2048;

    explicit Partition(std::size_t n_rows) : rows_(n_rows), scratch_(n_rows) {}

    // Starts a tree with all rows, or with the drawn ones in ascending order.
    void reset(const RunContext& ctx);
    void reset(std::span<const std::uint32_t> drawn);

    std::size_t size() const { return n_; }
    const std::uint32_t* rows() const { return rows_.data(); }

    struct Piece {
        std::span<const std::uint32_t> left, right; // right: last row first
    };

    // Stage 0: cuts [begin, end) into pieces. Returns their number.
    std::size_t start_split(std::size_t begin, std::size_t end);
    // Stage 1, for each piece: rows with goes_left[column[row]] to the left. The piece's rows may be read until
    // stage 2.
    Piece divide(std::size_t piece, const std::uint8_t* column, const std::uint8_t (&goes_left)[256]);
    // Between the stages: the number of rows on the left.
    std::size_t count_left();
    // Stage 2, for each piece.
    void copy_back(std::size_t piece);

  private:
    std::size_t start(std::size_t piece) const { return begin_ + (end_ - begin_) * piece / n_pieces_; }

    std::size_t n_ = 0;
    Buffer<std::uint32_t> rows_, scratch_;
    std::size_t begin_ = 0, end_ = 0, n_pieces_ = 0;
    std::vector<std::size_t> left_; // left rows of each piece, then: of all pieces before it
};

} // namespace mlcore::boosting
