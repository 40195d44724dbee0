// Which points of a leaf may be within a bound of a point, by products in float32: in many dimensions a sixth of the
// work of distances in float64. What passes is to be measured; what does not pass is proved to be farther.
//
// For points a, b, measured from the centre of all and scaled to at most 1, |a - b|^2 <= B says
// a b - |b|^2 / 2 >= (|a|^2 - B) / 2. Rounding of coordinates, products and sums moves both sides by at most a share of
// |a|^2 + |b|^2 that d bounds; the norms are taken smaller by it.
#pragma once

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "neighbors/kd_tree.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace mlcore::neighbors {

class ProductFilter {
  public:
    static constexpr std::size_t group = 4; // points that are looked at together

    explicit ProductFilter(const RunContext& ctx, const KdTree& tree)
        : d_(tree.dim()), stride_(simd::round_up(tree.leaf_size(), simd::lanes)),
          coordinates_(tree.n_leaves() * stride_ * d_), half_norms_(tree.n_leaves() * stride_) {
        double widest = 0;
        for (std::size_t j = 0; j < d_; ++j) widest = std::max(widest, tree.upper(0)[j] / 2 - tree.lower(0)[j] / 2);
        unit_ = widest > 0 && std::isfinite(1 / widest) ? 1 / widest : 1;
        const double share = 1 - (2 * static_cast<double>(d_) + 32) * std::numeric_limits<float>::epsilon() / 2;
        parallel_tasks(ctx, tree.n_leaves(), 2.0 * static_cast<double>(stride_ * d_), [&](std::size_t leaf, int) {
            const KdTree::Node& node = tree.node(tree.leaf_node(leaf));
            float* to = coordinates_.data() + leaf * stride_ * d_;
            float* half_norms = half_norms_.data() + leaf * stride_;
            for (std::size_t l = 0; l < stride_; ++l) {
                double norm = 0;
                for (std::size_t j = 0; j < d_; ++j) {
                    const double centre = tree.lower(0)[j] / 2 + tree.upper(0)[j] / 2;
                    const float x =
                        l < node.size()
                            ? static_cast<float>((tree.point(node.begin + l)[j * tree.leaf_size()] - centre) * unit_)
                            : 0.0F;
                    to[j * stride_ + l] = x;
                    norm += static_cast<double>(x) * static_cast<double>(x);
                }
                half_norms[l] = l < node.size() ? static_cast<float>(-norm * share / 2)
                                                : -std::numeric_limits<float>::infinity(); // nothing: never passes
            }
        });
    }

    /// f(i, l) for each of the n <= group points lanes[i] of leaf `mine` and each point l of leaf `other` that may be
    /// at most at the reduced distance bounds[i] from it. With an infinite bound that is every l, beyond the leaf's
    /// last point too.
    template <class F>
    void each(std::size_t mine, const std::size_t* lanes, const double* bounds, std::size_t n, std::size_t other,
              F&& f) const {
        std::size_t lane[group];
        float least[group];
        for (std::size_t i = 0; i < group; ++i) {
            lane[i] = lanes[std::min(i, n - 1)];
            least[i] = i < n ? least_product(mine, lane[i], bounds[i]) : std::numeric_limits<float>::infinity();
        }
        constexpr std::size_t two = 2 * simd::lanes;
        std::size_t first = 0;
        for (; first + two <= stride_; first += two) block<2>(mine, lane, least, other, first, f);
        for (; first < stride_; first += simd::lanes) block<1>(mine, lane, least, other, first, f);
    }

  private:
    float least_product(std::size_t leaf, std::size_t lane, double bound) const {
        const double half_norm = -static_cast<double>(half_norms_[leaf * stride_ + lane]);
        const double most = (bound + 1e-300) * unit_ * unit_ * (1 + 1e-14);     // 1e-300: distances that underflow
        const auto least = static_cast<float>(half_norm - most / 2 - 1e-38);    // 1e-38: products that underflow
        return least - std::abs(least) * std::numeric_limits<float>::epsilon(); // not above what was rounded
    }

    template <std::size_t n_vectors, class F>
    void block(std::size_t mine, const std::size_t* lane, const float* least, std::size_t other, std::size_t first,
               F& f) const {
        simd::Floats sums[group][n_vectors];
        const float* half_norms = half_norms_.data() + other * stride_ + first;
#pragma GCC unroll 4
        for (std::size_t i = 0; i < group; ++i)
#pragma GCC unroll 2
            for (std::size_t v = 0; v < n_vectors; ++v) sums[i][v] = simd::load(half_norms + v * simd::lanes);
        const float* a = coordinates_.data() + mine * stride_ * d_;
        const float* b = coordinates_.data() + other * stride_ * d_ + first;
        const float *a0 = a + lane[0], *a1 = a + lane[1], *a2 = a + lane[2], *a3 = a + lane[3];
        for (std::size_t j = 0; j < d_; ++j, b += stride_) {
            const std::size_t at = j * stride_;
            const simd::Floats x[group] = {simd::broadcast(a0[at]), simd::broadcast(a1[at]), simd::broadcast(a2[at]),
                                           simd::broadcast(a3[at])};
#pragma GCC unroll 2
            for (std::size_t v = 0; v < n_vectors; ++v) {
                const simd::Floats y = simd::load(b + v * simd::lanes);
#pragma GCC unroll 4
                for (std::size_t i = 0; i < group; ++i) sums[i][v] = simd::fma(x[i], y, sums[i][v]);
            }
        }
        simd::Integers passed[group][n_vectors], any{};
#pragma GCC unroll 4
        for (std::size_t i = 0; i < group; ++i)
#pragma GCC unroll 2
            for (std::size_t v = 0; v < n_vectors; ++v) {
                passed[i][v] = sums[i][v] >= simd::broadcast(least[i]);
                any |= passed[i][v];
            }
        std::uint64_t words[sizeof any / sizeof(std::uint64_t)], all = 0;
        std::memcpy(words, &any, sizeof any);
        for (const std::uint64_t word : words) all |= word;
        if (all == 0) return;
        for (std::size_t i = 0; i < group; ++i)
            for (std::size_t v = 0; v < n_vectors; ++v)
                for (std::size_t l = 0; l < simd::lanes; ++l)
                    if (passed[i][v][l]) f(i, first + v * simd::lanes + l);
    }

    std::size_t d_, stride_;
    double unit_ = 1;
    Buffer<float> coordinates_; // of a leaf (d, stride)
    Buffer<float> half_norms_;  // -|b|^2 / 2, a little nearer to 0
};

} // namespace mlcore::neighbors
