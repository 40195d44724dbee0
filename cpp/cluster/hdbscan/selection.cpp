#include "cluster/hdbscan/selection.hpp"

#include "core/choice.hpp"

#include <algorithm>

namespace mlcore::cluster {
namespace {

using Flags = std::vector<char>; // by cluster

/// Takes back what lies within another one.
void keep_outermost(const ClusterTree& tree, Flags& chosen) {
    Flags is_inside(tree.n_clusters(), 0);
    for (std::size_t c = 1; c < tree.n_clusters(); ++c) {
        const auto parent = static_cast<std::size_t>(tree.parent[c]);
        is_inside[c] = is_inside[parent] || chosen[parent];
        if (is_inside[c]) chosen[c] = 0;
    }
}

Flags by_excess_of_mass(const ClusterTree& tree, const Selection& by) {
    const std::size_t n_clusters = tree.n_clusters();
    Flags chosen(n_clusters, 0);
    std::vector<double> below(n_clusters, 0); // the most that the clusters below it can have together
    for (std::size_t c = n_clusters; c-- > 0;) {
        if (c == 0 && !by.allow_single) break;
        const bool is_too_large = by.max_size > 0 && tree.size[c] > by.max_size;
        chosen[c] = !is_too_large && !(below[c] > tree.stability[c]);
        if (c > 0) below[static_cast<std::size_t>(tree.parent[c])] += chosen[c] ? tree.stability[c] : below[c];
    }
    keep_outermost(tree, chosen);
    return chosen;
}

Flags by_leaves(const ClusterTree& tree, const Selection& by) {
    Flags chosen = tree.is_leaf;
    if (!by.allow_single) chosen[0] = 0;
    return chosen;
}

/// Puts in the place of each cluster that has split off at less than epsilon the lowest one around it that has not.
void merge_below(const ClusterTree& tree, const Selection& by, Flags& chosen) {
    if (chosen[0]) return;
    // The lowest cluster around each that has not split off at epsilon or less, parents before children: a tree may be
    // as deep as it has clusters.
    std::vector<std::size_t> around(tree.n_clusters(), 0);
    Flags found(tree.n_clusters(), 0);
    for (std::size_t c = 1; c < tree.n_clusters(); ++c) {
        const auto parent = static_cast<std::size_t>(tree.parent[c]);
        if (parent == 0 && !by.allow_single)
            around[c] = c;
        else
            around[c] = parent == 0 || 1.0 / tree.birth[parent] > by.epsilon ? parent : around[parent];
        if (chosen[c]) found[1.0 / tree.birth[c] < by.epsilon ? around[c] : c] = 1;
    }
    keep_outermost(tree, found);
    chosen = std::move(found);
}

} // namespace

SelectionMethod parse_selection_method(const std::string& name) {
    return choose<SelectionMethod>("cluster_selection_method", name,
                                   {{"eom", SelectionMethod::eom}, {"leaf", SelectionMethod::leaf}});
}

std::vector<std::int32_t> select(const ClusterTree& tree, const Selection& by) {
    Flags chosen = by.method == SelectionMethod::eom ? by_excess_of_mass(tree, by) : by_leaves(tree, by);
    if (by.epsilon > 0) merge_below(tree, by, chosen);
    std::vector<std::int32_t> selected;
    for (std::size_t c = 0; c < chosen.size(); ++c)
        if (chosen[c]) selected.push_back(static_cast<std::int32_t>(c));
    return selected;
}

std::vector<std::int32_t> labels_of_clusters(const ClusterTree& tree, const std::vector<std::int32_t>& selected) {
    std::vector<std::int32_t> labels(tree.n_clusters(), -1);
    for (std::size_t k = 0; k < selected.size(); ++k)
        labels[static_cast<std::size_t>(selected[k])] = static_cast<std::int32_t>(k);
    for (std::size_t c = 1; c < labels.size(); ++c)
        if (labels[c] < 0) labels[c] = labels[static_cast<std::size_t>(tree.parent[c])];
    return labels;
}

} // namespace mlcore::cluster
