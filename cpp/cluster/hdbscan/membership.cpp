#include "cluster/hdbscan/membership.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace mlcore::cluster {
namespace {

/// Selected clusters in an order in which those within any cluster lie side by side.
struct Grouped {
    std::vector<std::size_t> begin, end; // by cluster, positions in `order`
    std::vector<std::int32_t> order;     // labels

    explicit Grouped(const LabelledTree& labelled) : order(labelled.selected.size()) {
        const ClusterTree& tree = labelled.tree;
        const std::size_t n = tree.n_clusters();
        std::vector<std::size_t> count(n, 0);
        for (const std::int32_t c : labelled.selected) count[static_cast<std::size_t>(c)] = 1;
        for (std::size_t c = n; c-- > 1;) count[static_cast<std::size_t>(tree.parent[c])] += count[c];
        begin.assign(n, 0);
        std::vector<std::size_t> next(n, 0); // where the next child of each cluster begins
        for (std::size_t c = 1; c < n; ++c) {
            const auto parent = static_cast<std::size_t>(tree.parent[c]);
            begin[c] = next[c] = next[parent];
            next[parent] += count[c];
        }
        end.resize(n);
        for (std::size_t c = 0; c < n; ++c) end[c] = begin[c] + count[c];
        for (std::size_t k = 0; k < labelled.selected.size(); ++k)
            order[begin[static_cast<std::size_t>(labelled.selected[k])]] = static_cast<std::int32_t>(k);
    }
};

/// death / height, where both may be infinite.
double ratio(double death, double height) { return std::isinf(death) && std::isinf(height) ? 1 : death / height; }

/// e_k of all k to `e`, p returned.
double heights(const LabelledTree& labelled, const Grouped& grouped, std::size_t c, double lambda, double* e) {
    const ClusterTree& tree = labelled.tree;
    const double death = tree.death[c];
    double highest = -1;
    std::int32_t nearest = 0;
    const auto part = [&](std::size_t from, std::size_t to, double height) {
        if (from == to) return;
        const double value = std::exp(std::exp(-ratio(death, height)));
        std::int32_t first = grouped.order[from];
        for (std::size_t at = from; at < to; ++at) {
            e[grouped.order[at]] = value;
            first = std::min(first, grouped.order[at]);
        }
        if (height > highest || (height == highest && first < nearest)) highest = height, nearest = first;
    };
    part(grouped.begin[c], grouped.end[c], lambda);
    for (std::size_t below = c; below != 0;) {
        const auto above = static_cast<std::size_t>(tree.parent[below]);
        const std::int32_t label = labelled.labels[above];
        const double height = label >= 0 ? lambda : tree.birth[below]; // a selected cluster around the point, or others
        part(grouped.begin[above], grouped.begin[below], height);
        part(grouped.end[below], grouped.end[above], height);
        below = above;
    }
    const double most =
        std::max(tree.death[static_cast<std::size_t>(labelled.selected[static_cast<std::size_t>(nearest)])], lambda);
    return highest >= most ? 1 : highest / most;
}

} // namespace

void memberships(const RunContext& ctx, const LabelledTree& labelled, std::span<const std::int32_t> cluster,
                 std::span<const double> lambda, MatrixView<double> values) {
    const std::size_t k = values.cols;
    if (k == 0) return;
    const Grouped grouped(labelled);
    parallel_ranges(
        ctx, values.rows, 100 + 3.0 * static_cast<double>(k), [&](std::size_t first, std::size_t last, int) {
            std::vector<double> e(k);
            for (std::size_t i = first; i < last; ++i) {
                double* row = &values(i, 0);
                const double p = heights(labelled, grouped, static_cast<std::size_t>(cluster[i]), lambda[i], e.data());
                const double nearest = *std::min_element(row, row + k);
                double sum = 0;
                for (std::size_t j = 0; j < k; ++j) {
                    // Distances as parts of the nearest: no overflow, and what is at an exemplar belongs to its
                    // cluster.
                    row[j] = e[j] * (row[j] == nearest ? 1 : nearest / row[j]);
                    sum += row[j];
                }
                for (std::size_t j = 0; j < k; ++j) row[j] *= p / sum;
            }
        });
}

} // namespace mlcore::cluster
