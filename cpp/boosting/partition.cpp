#include "boosting/partition.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/parallel.hpp"

namespace mlcore::boosting {
namespace {

constexpr std::size_t chunk_rows = 16384;
constexpr double ns_per_row = 2.5;

// Left rows move to the front of rows[0, n), right rows to right[0, n). Returns the number of left rows. Both stores
// always happen and only the counters depend on the data, so nothing is mispredicted. In place is safe: the left
// counter never passes the reading position.
std::size_t split_chunk(std::uint32_t* rows, std::size_t n, const std::uint8_t* column,
                        const std::uint8_t (&goes_left)[256], std::uint32_t* right) {
    constexpr std::size_t ahead = 32;
    std::size_t n_left = 0, n_right = 0;
    for (std::size_t i = 0; i < n; ++i) {
        if (i + ahead < n) __builtin_prefetch(column + rows[i + ahead]);
        const std::uint32_t row = rows[i];
        const std::size_t left = goes_left[column[row]];
        rows[n_left] = row;
        right[n_right] = row;
        n_left += left;
        n_right += 1 - left;
    }
    return n_left;
}

} // namespace

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

std::size_t Partition::split(const RunContext& ctx, std::size_t begin, std::size_t end, const std::uint8_t* column,
                             const std::uint8_t (&goes_left)[256]) {
    const std::size_t n = end - begin;
    std::uint32_t* rows = rows_.data() + begin;
    std::uint32_t* scratch = scratch_.data() + begin;
    const auto threads = static_cast<std::size_t>(threads_for(ctx, ns_per_row * static_cast<double>(n)));
    if (threads <= 1 || n < 2 * chunk_rows) {
        const std::size_t n_left = split_chunk(rows, n, column, goes_left, scratch);
        std::memcpy(rows + n_left, scratch, (n - n_left) * sizeof(std::uint32_t));
        return n_left;
    }

    const std::size_t n_chunks = std::min(threads * 4, n / chunk_rows);
    std::vector<std::size_t> left(n_chunks + 1, 0);
    const auto start = [&](std::size_t c) { return n * c / n_chunks; };
    const double chunk_ns = ns_per_row * static_cast<double>(n / n_chunks);
    parallel_tasks(ctx, n_chunks, chunk_ns, [&](std::size_t c, int) {
        left[c + 1] = split_chunk(rows + start(c), start(c + 1) - start(c), column, goes_left, scratch + start(c));
    });
    std::partial_sum(left.begin(), left.end(), left.begin());
    const std::size_t n_left = left[n_chunks];
    // Left pieces close up towards the front (in chunk order, each target lies at or before its source), then the
    // right pieces are copied behind them.
    for (std::size_t c = 1; c < n_chunks; ++c)
        std::memmove(rows + left[c], rows + start(c), (left[c + 1] - left[c]) * sizeof(std::uint32_t));
    parallel_tasks(ctx, n_chunks, chunk_ns / 8, [&](std::size_t c, int) {
        const std::size_t n_right = (start(c + 1) - start(c)) - (left[c + 1] - left[c]);
        std::memcpy(rows + n_left + (start(c) - left[c]), scratch + start(c), n_right * sizeof(std::uint32_t));
    });
    return n_left;
}

} // namespace mlcore::boosting
