#include "cluster/hdbscan/cut.hpp"

#include <algorithm>

namespace mlcore::cluster {

std::vector<std::int64_t> labels_at_cut(std::span<const Merge> merges, double distance, std::size_t min_cluster_size) {
    const std::size_t n = merges.size() + 1;
    const auto first_far = std::partition_point(merges.begin(), merges.end(),
                                                [&](const Merge& merge) { return merge.distance < distance; });
    const auto n_done = static_cast<std::size_t>(first_far - merges.begin());
    std::vector<std::size_t> group(n + n_done); // the highest node that each node is a part of
    for (std::size_t node = 0; node < group.size(); ++node) group[node] = node;
    for (std::size_t i = n_done; i-- > 0;)
        for (const double side : {merges[i].left, merges[i].right})
            group[static_cast<std::size_t>(side)] = group[n + i];

    constexpr std::int64_t unnamed = -2;
    std::vector<std::int64_t> names(n + n_done, unnamed), labels(n);
    std::int64_t n_names = 0;
    for (std::size_t p = 0; p < n; ++p) {
        std::int64_t& name = names[group[p]];
        if (name == unnamed) {
            const std::size_t size = group[p] < n ? 1 : static_cast<std::size_t>(merges[group[p] - n].size);
            name = size < min_cluster_size ? -1 : n_names++;
        }
        labels[p] = name;
    }
    return labels;
}

} // namespace mlcore::cluster
