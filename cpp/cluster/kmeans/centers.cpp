#include "cluster/kmeans/centers.hpp"

#include "cluster/kmeans/nearest_tile.hpp"
#include "core/sums.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::kmeans {
namespace {

/// Centers of a tile: as few tiles as can be, of equal height. Sparse points take whole vectors.
std::size_t height_of(std::size_t k, bool is_sparse) {
    if (is_sparse) return simd::lanes;
    const std::size_t tiles = (k + tile_centers - 1) / tile_centers;
    return (k + tiles - 1) / tiles;
}

} // namespace

Centers::Centers(const Points& points, const double* centers, std::size_t k)
    : centers_(centers), k_(k), d_(points.dim()), height_(height_of(k, points.is_sparse())),
      n_tiles_((k + height_ - 1) / height_), values_(stride() * d_), norms_(stride()), numbers_(stride()), squares_(k) {
    std::fill_n(values_.data(), values_.size(), 0.0F);
    std::fill_n(norms_.data(), norms_.size(), std::numeric_limits<float>::infinity());
    std::fill_n(numbers_.data(), numbers_.size(), 0);
    double most = 0;
    for (std::size_t j = 0; j < k; ++j) {
        const double* c = exact(j);
        const double* mean = points.mean().data();
        const auto scaled = [&](std::size_t i) { return (c[i] - mean[i]) * points.scale(); };
        const double square = sum_in_lanes<8>(d_, [&](std::size_t i) { return scaled(i) * scaled(i); });
        norms_[j] = static_cast<float>(square);
        squares_[j] = points.squared_norm(c);
        numbers_[j] = static_cast<std::int32_t>(j);
        most = std::max(most, square);
        float* out =
            points.is_sparse() ? values_.data() + j : values_.data() + j / height_ * height_ * d_ + j % height_;
        const std::size_t step = points.is_sparse() ? stride() : height_;
        for (std::size_t i = 0; i < d_; ++i) out[i * step] = static_cast<float>(-2 * scaled(i));
    }
    constexpr double unit = 0x1p-24;
#ifdef __FMA__
    const double steps = static_cast<double>(points.most_terms()) + 4;
#else
    const double steps = 2 * static_cast<double>(points.most_terms()) + 4;
#endif
    const double largest = std::sqrt(most) * (1 + 0x1p-20), relative = 1.05 * unit * steps;
    largest_ = static_cast<float>(largest);
    constant_ = static_cast<float>(relative * largest * largest + steps * 0x1p-120); // and what underflows
    slope_ = static_cast<float>(relative * 2 * largest);
    if (most > 1e30) constant_ = std::numeric_limits<float>::infinity(); // squares may leave the range of float32
}

} // namespace mlcore::kmeans
