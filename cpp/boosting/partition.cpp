#include "boosting/partition.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <numeric>

namespace mlcore::boosting {

void Partition::reset(const RunContext& ctx) {
    n_ = rows_.size();
    parallel_ranges(ctx, n_, 0.3, [&](std::size_t begin, std::size_t end, int) {
        std::iota(rows_.data() + begin, rows_.data() + end, static_cast<std::uint32_t>(begin));
    });
}

void Partition::reset(std::span<const std::uint32_t> drawn) {
    n_ = drawn.size();
    std::copy(drawn.begin(), drawn.end(), rows_.data());
}

std::size_t Partition::start_split(std::size_t begin, std::size_t end) {
    begin_ = begin;
    end_ = end;
    n_pieces_ = std::max<std::size_t>(1, (end - begin) / piece_rows);
    left_.assign(n_pieces_ + 1, 0);
    return n_pieces_;
}

Partition::Piece Partition::divide(std::size_t piece, const std::uint8_t* column,
                                   const std::uint8_t (&goes_left)[256]) {
    constexpr std::size_t ahead = 32;
    const std::size_t n = start(piece + 1) - start(piece);
    const std::uint32_t* rows = rows_.data() + start(piece);
    std::uint32_t* front = scratch_.data() + start(piece);
    std::uint32_t* back = front + n - 1;
    std::size_t n_left = 0;
    // Both stores always happen and only the counter depends on the data, so nothing is mispredicted; the store that
    // was not meant goes to a place that is still free.
    for (std::size_t i = 0; i < n; ++i) {
        if (i + ahead < n) __builtin_prefetch(column + rows[i + ahead]);
        const std::uint32_t row = rows[i];
        const std::size_t left = goes_left[column[row]];
        front[n_left] = row;
        *(back - (i - n_left)) = row;
        n_left += left;
    }
    left_[piece + 1] = n_left;
    return {{front, n_left}, {front + n_left, n - n_left}};
}

std::size_t Partition::count_left() {
    std::partial_sum(left_.begin(), left_.end(), left_.begin());
    return left_.back();
}

void Partition::copy_back(std::size_t piece) {
    const std::uint32_t* from = scratch_.data() + start(piece);
    const std::size_t n = start(piece + 1) - start(piece), n_left = left_[piece + 1] - left_[piece];
    std::copy_n(from, n_left, rows_.data() + begin_ + left_[piece]);
    const std::size_t right_before = start(piece) - begin_ - left_[piece];
    std::reverse_copy(from + n_left, from + n, rows_.data() + begin_ + left_.back() + right_before);
}

} // namespace mlcore::boosting
