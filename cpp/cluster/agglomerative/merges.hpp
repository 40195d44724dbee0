// Merges of clusters as an algorithm finds them, and the hierarchy that they make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::cluster {

/// Two clusters become one. A cluster goes by the name of its lowest row, so that a < b and the new one is a.
struct Merge {
    std::int32_t a, b;
    double height; // the distance of the two
};

/// n - 1 merges by height: children (n - 1, 2) are numbers of clusters, the lower one first; those below n are rows,
/// merge i makes cluster n + i. distances (n - 1) do not decrease.
struct Hierarchy {
    std::vector<std::int64_t> children;
    std::vector<double> distances;
};

/// The hierarchy of n - 1 merges of n rows, each after those that made its two clusters. Reducible linkages never make
/// a cluster at a lower height than its parts; where rounding does, the height is raised to theirs.
Hierarchy sorted_hierarchy(std::size_t n, std::vector<Merge> merges);

/// The label (n) of each row after a cut: `clusters` (k) are numbers of clusters that hold each row once, the label is
/// the position among them. Throws ValueError where they do not.
std::vector<std::int64_t> cut_labels(std::size_t n, const std::int64_t* children, std::size_t n_merges,
                                     const std::int64_t* clusters, std::size_t k);

/// Which of two pairs with the same distance goes first: those of (i, j) and (i, k), where names are given. Drawn from
/// the names, so that ties on a grid leave many pairs of clusters that are nearest to each other; always preferring the
/// lower row would leave one pair at a time.
inline std::uint64_t tie_order(std::int32_t i, std::int32_t j) {
    const auto low = static_cast<std::uint64_t>(i < j ? i : j), high = static_cast<std::uint64_t>(i < j ? j : i);
    std::uint64_t z = (high << 32 | low) * 0x9E3779B97F4A7C15ull; // one to one: no two pairs are equal
    z = (z ^ (z >> 32)) * 0xD6E8FEB86659FD93ull;
    return z ^ (z >> 32);
}

} // namespace mlcore::cluster
