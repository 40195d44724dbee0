#include "cluster/hdbscan/labels.hpp"

#include "cluster/hdbscan/selection.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace mlcore::cluster {
namespace {

std::size_t at(std::int32_t id) { return static_cast<std::size_t>(id); }

} // namespace

LabelledTree::LabelledTree(const ClusterTree& tree_, std::vector<std::int32_t> selected_, double epsilon)
    : tree(tree_), selected(std::move(selected_)), labels(labels_of_clusters(tree, selected)),
      root_threshold(epsilon > 0 ? 1 / epsilon : tree.end[0]) {}

std::int32_t LabelledTree::label(std::int32_t cluster, double lambda) const {
    const std::int32_t found = labels[at(cluster)];
    if (found >= 0 && selected[at(found)] == 0 && !(lambda >= root_threshold)) return -1;
    return found;
}

double LabelledTree::probability(std::int32_t label, double lambda) const {
    if (label < 0) return 0;
    const double death = tree.death[at(selected[at(label)])];
    return lambda >= death || death == 0 ? 1 : lambda / death;
}

PointLabels label_points(const LabelledTree& labelled) {
    const ClusterTree& tree = labelled.tree;
    PointLabels found{std::vector<std::int64_t>(tree.n_points()), std::vector<double>(tree.n_points())};
    for (std::size_t p = 0; p < tree.n_points(); ++p) {
        const std::int32_t label = labelled.label(tree.point_cluster[p], tree.point_lambda[p]);
        found.labels[p] = label;
        found.probabilities[p] = labelled.probability(label, tree.point_lambda[p]);
    }
    return found;
}

std::vector<double> tops(const ClusterTree& tree) {
    std::vector<double> top(tree.n_clusters(), 0);
    for (std::size_t c = tree.n_clusters(); c-- > 0;) {
        if (!std::isinf(tree.death[c])) top[c] = std::max(top[c], tree.death[c]);
        if (c > 0) top[at(tree.parent[c])] = std::max(top[at(tree.parent[c])], top[c]);
    }
    return top;
}

double outlier_score(double top, double lambda) { return lambda >= top ? 0 : (top - lambda) / top; }

std::vector<double> outlier_scores(const ClusterTree& tree) {
    const std::vector<double> top = tops(tree);
    std::vector<double> scores(tree.n_points());
    for (std::size_t p = 0; p < scores.size(); ++p)
        scores[p] = outlier_score(top[at(tree.point_cluster[p])], tree.point_lambda[p]);
    return scores;
}

std::vector<double> persistence(const LabelledTree& labelled, const std::vector<std::int64_t>& labels) {
    std::vector<double> members(labelled.selected.size(), 0);
    for (const std::int64_t label : labels)
        if (label >= 0) ++members[static_cast<std::size_t>(label)];
    const double highest = *std::max_element(labelled.tree.end.begin(), labelled.tree.end.end());
    std::vector<double> shares(members.size(), 1);
    for (std::size_t k = 0; k < shares.size(); ++k)
        if (highest > 0 && !std::isinf(highest) && members[k] > 0)
            shares[k] = labelled.tree.stability[at(labelled.selected[k])] / (members[k] * highest);
    return shares;
}

PointLists exemplars(const LabelledTree& labelled) {
    const ClusterTree& tree = labelled.tree;
    const auto label_of = [&](std::size_t p) {
        const std::size_t c = at(tree.point_cluster[p]);
        return tree.is_leaf[c] && tree.point_lambda[p] == tree.end[c] ? labelled.labels[c] : -1;
    };
    PointLists lists;
    lists.offsets.assign(labelled.selected.size() + 1, 0);
    for (std::size_t p = 0; p < tree.n_points(); ++p)
        if (const std::int32_t label = label_of(p); label >= 0) ++lists.offsets[at(label) + 1];
    for (std::size_t k = 1; k < lists.offsets.size(); ++k) lists.offsets[k] += lists.offsets[k - 1];
    lists.points.resize(static_cast<std::size_t>(lists.offsets.back()));
    std::vector<std::int64_t> next = lists.offsets;
    for (std::size_t p = 0; p < tree.n_points(); ++p)
        if (const std::int32_t label = label_of(p); label >= 0)
            lists.points[static_cast<std::size_t>(next[at(label)]++)] = static_cast<std::int64_t>(p);
    return lists;
}

} // namespace mlcore::cluster
