#include "cluster/agglomerative/merges.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <numeric>

namespace mlcore::cluster {

Hierarchy sorted_hierarchy(std::size_t n, std::vector<Merge> merges) {
    std::vector<double> made_at(n, 0.0); // by name, the height at which a cluster was made
    for (Merge& merge : merges) {
        double& lower = made_at[static_cast<std::size_t>(merge.a)];
        merge.height = std::max({merge.height, lower, made_at[static_cast<std::size_t>(merge.b)]});
        lower = merge.height;
    }
    std::stable_sort(merges.begin(), merges.end(), [](const Merge& x, const Merge& y) { return x.height < y.height; });
    std::vector<std::int64_t> number(n); // by name, the number of the cluster
    std::iota(number.begin(), number.end(), std::int64_t{0});
    Hierarchy result;
    result.children.reserve(2 * merges.size());
    result.distances.reserve(merges.size());
    for (std::size_t i = 0; i < merges.size(); ++i) {
        std::int64_t& a = number[static_cast<std::size_t>(merges[i].a)];
        const std::int64_t b = number[static_cast<std::size_t>(merges[i].b)];
        result.children.push_back(std::min(a, b));
        result.children.push_back(std::max(a, b));
        result.distances.push_back(merges[i].height);
        a = static_cast<std::int64_t>(n + i);
    }
    return result;
}

std::vector<std::int64_t> cut_labels(std::size_t n, const std::int64_t* children, std::size_t n_merges,
                                     const std::int64_t* clusters, std::size_t k) {
    const std::size_t n_all = n + n_merges;
    constexpr std::int64_t none = -1;
    std::vector<std::int64_t> label(n_all, none);
    for (std::size_t c = 0; c < k; ++c) {
        if (clusters[c] < 0 || static_cast<std::size_t>(clusters[c]) >= n_all)
            throw ValueError("there is no cluster " + std::to_string(clusters[c]));
        label[static_cast<std::size_t>(clusters[c])] = static_cast<std::int64_t>(c);
    }
    for (std::size_t i = n_merges; i-- > 0;) // parents before children
        for (const std::int64_t child : {children[2 * i], children[2 * i + 1]}) {
            if (child < 0 || static_cast<std::size_t>(child) >= n + i)
                throw ValueError("merge " + std::to_string(i) +
                                 " of a hierarchy is of clusters made before it, not of " + std::to_string(child));
            if (label[n + i] != none) label[static_cast<std::size_t>(child)] = label[n + i];
        }
    label.resize(n);
    if (std::find(label.begin(), label.end(), none) != label.end())
        throw ValueError("the clusters of a cut must hold all rows");
    return label;
}

} // namespace mlcore::cluster
