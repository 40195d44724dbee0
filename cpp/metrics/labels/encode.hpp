// Labels as codes: the position of each row's label in the sorted labels that occur. Numbers in a small range are
// looked up by their distance from the lowest, all others and strings in a hash table. The result does not depend on
// threads.
#pragma once

#include "core/context.hpp"
#include "metrics/labels/column.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mlcore::metrics {

/// Lowest and highest label of a column.
struct LabelRange {
    std::int64_t low, high;

    /// Numbers from low to high; 0 stands for 2^64.
    std::uint64_t width() const { return static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1; }
};

/// Of rows [begin, end), at least one; nothing if one is no whole number (NaN and infinities among them), or so large
/// that it is not exact: beyond int64, and for floating point beyond 2^53.
std::optional<LabelRange> label_range(const RunContext& ctx, const LabelColumn& column, std::size_t begin,
                                      std::size_t end);

/// out[i] = label of row begin + i, minus low. False if one of them is no whole number in [low, low + width), and out
/// is then of no use; width is at most 65536.
bool narrow_labels(const LabelColumn& column, std::size_t begin, std::size_t end, std::int64_t low, std::uint32_t width,
                   std::uint16_t* out);

template <class Label>
struct Encoded {
    std::vector<Label> labels;        // those that occur, sorted
    std::vector<std::uint32_t> codes; // of each row, its position in labels
};

/// Nothing under the conditions of label_range.
std::optional<Encoded<std::int64_t>> encode_numbers(const RunContext& ctx, const LabelColumn& column);

Encoded<std::u32string> encode_strings(const RunContext& ctx, const StringColumn& column);

/// The labels of both, sorted; the codes of both become positions in them.
template <class Label>
std::vector<Label> unite(const RunContext& ctx, Encoded<Label>& a, Encoded<Label>& b);

/// codes[i] = position[codes[i]].
void relabel(const RunContext& ctx, std::span<std::uint32_t> codes, std::span<const std::uint32_t> position);

} // namespace mlcore::metrics
