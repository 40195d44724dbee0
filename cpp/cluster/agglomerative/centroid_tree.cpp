#include "cluster/agglomerative/centroid_tree.hpp"

#include <algorithm>
#include <numeric>

namespace mlcore::cluster {

CentroidTree::CentroidTree(const Clusters& clusters)
    : d_(clusters.d), stride_(simd::round_up(d_, lanes)),
      shrink_(1 - 2 * static_cast<double>(d_ + 8) * std::numeric_limits<double>::epsilon()), order_(clusters.count()) {
    std::iota(order_.begin(), order_.end(), 0);
    build(clusters, 0, order_.size());
}

std::uint32_t CentroidTree::build(const Clusters& clusters, std::size_t begin, std::size_t end) {
    const auto id = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back();
    const auto center = [&](std::size_t p) { return clusters.center(static_cast<std::size_t>(order_[p])); };
    bounds_.resize(bounds_.size() + 2 * stride_, 0.0); // what fills vectors is a box around 0
    double *low = bounds_.data() + 2 * stride_ * id, *high = low + stride_;
    std::copy_n(center(begin), d_, low);
    std::copy_n(center(begin), d_, high);
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t p = begin; p < end; ++p) {
        const double* c = center(p);
        for (std::size_t j = 0; j < d_; ++j) {
            low[j] = std::min(low[j], c[j]);
            high[j] = std::max(high[j], c[j]);
        }
        least = std::min(least, static_cast<double>(clusters.size(static_cast<std::size_t>(order_[p]))));
    }
    nodes_[id].least_size = least;
    if (end - begin > leaf_size) {
        std::size_t widest = 0;
        for (std::size_t j = 1; j < d_; ++j)
            if (high[j] - low[j] > high[widest] - low[widest]) widest = j;
        const std::size_t middle = begin + simd::round_up((end - begin) / 2, lanes); // full blocks but for the last one
        const auto at = [&](std::size_t p) { return order_.begin() + static_cast<std::ptrdiff_t>(p); };
        std::nth_element(at(begin), at(middle), at(end), [&](std::int32_t a, std::int32_t b) {
            const double x = clusters.center(static_cast<std::size_t>(a))[widest],
                         y = clusters.center(static_cast<std::size_t>(b))[widest];
            return x != y ? x < y : a < b;
        });
        build(clusters, begin, middle);
        nodes_[id].second = build(clusters, middle, end);
        return id;
    }
    nodes_[id].first_block = static_cast<std::uint32_t>(numbers_.size() / lanes);
    for (std::size_t p = begin; p < end; p += lanes) {
        const std::size_t block = numbers_.size() / lanes;
        numbers_.resize((block + 1) * lanes, Nearest::unknown);
        sizes_.resize((block + 1) * lanes, 1.0);
        columns_.resize((block + 1) * d_ * lanes, std::numeric_limits<double>::infinity());
        for (std::size_t l = 0; l < lanes && p + l < end; ++l) {
            const auto c = static_cast<std::size_t>(order_[p + l]);
            numbers_[block * lanes + l] = order_[p + l];
            sizes_[block * lanes + l] = static_cast<double>(clusters.size(c));
            for (std::size_t j = 0; j < d_; ++j) columns_[(block * d_ + j) * lanes + l] = clusters.center(c)[j];
        }
    }
    nodes_[id].last_block = static_cast<std::uint32_t>(numbers_.size() / lanes);
    return id;
}

} // namespace mlcore::cluster
