// Which clusters of a condensed tree are the answer: none of them lies within another one.
//
// "eom", excess of mass: the clusters whose stabilities have the largest sum (Campello et al., 2015). "leaf": those
// that do not split. A distance epsilon merges what has split at less than that (C. Malzer and M. Baum, "A hybrid
// approach to hierarchical density-based cluster selection", MFI 2020). The root is selected only if that is allowed.
#pragma once

#include "cluster/hdbscan/cluster_tree.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mlcore::cluster {

enum class SelectionMethod { eom, leaf };

SelectionMethod parse_selection_method(const std::string& name);

struct Selection {
    SelectionMethod method = SelectionMethod::eom;
    double epsilon = 0;        // >= 0; 0: no merging
    std::int64_t max_size = 0; // of clusters by "eom"; 0: any
    bool allow_single = false; // the root may be selected
};

/// Numbers of the selected clusters, ascending.
std::vector<std::int32_t> select(const ClusterTree& tree, const Selection& by);

/// For each cluster the position in `selected` of the one that it is or lies in; -1 where there is none.
std::vector<std::int32_t> labels_of_clusters(const ClusterTree& tree, const std::vector<std::int32_t>& selected);

} // namespace mlcore::cluster
