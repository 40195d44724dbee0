// A single linkage tree cut at one distance.
#pragma once

#include "cluster/hdbscan/condensed_tree.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::cluster {

/// Labels of the n points whose merges are nearer than `distance`: groups of fewer than min_cluster_size points are
/// noise (-1), the others are numbered by their first point. The merges are as check_merges says.
std::vector<std::int64_t> labels_at_cut(std::span<const Merge> merges, double distance, std::size_t min_cluster_size);

} // namespace mlcore::cluster
