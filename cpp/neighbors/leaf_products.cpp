#include "neighbors/leaf_products.hpp"

#include "core/parallel.hpp"
#include "core/simd.hpp"

#include <algorithm>
#include <limits>

namespace mlcore::neighbors {
namespace {

constexpr std::size_t fewest_dimensions = 16;

} // namespace

struct LeafProducts::Group {
    const float* coordinates[group];
    float possible[group], sure[group]; // from where on a sum says so
};

LeafProducts::LeafProducts(const RunContext& ctx, const KdTree& tree)
    : d_(tree.dim()), stride_(simd::round_up(tree.leaf_size(), simd::lanes)), rounding_(tree) {
    if (!Rounding::serves(tree.metric(), d_) || d_ < fewest_dimensions || tree.leaf_size() > most_bits) return;
    coordinates_ = Buffer<float>(tree.n_leaves() * stride_ * d_, 0.0F);
    halves_ = Buffer<float>(tree.n_leaves() * stride_, std::numeric_limits<float>::quiet_NaN());
    widths_ = Buffer<double>(tree.n_leaves());
    parallel_tasks(ctx, tree.n_leaves(), static_cast<double>(stride_ * d_), [&](std::size_t leaf, int) {
        const std::size_t size = tree.node(tree.leaf_node(leaf)).size();
        const double* block = tree.block(leaf);
        float* out = coordinates_.data() + leaf * stride_ * d_;
        double squares[most_bits] = {};
        for (std::size_t j = 0; j < d_; ++j, block += tree.leaf_size(), out += stride_)
            for (std::size_t i = 0; i < size; ++i) {
                out[i] = rounding_(block[i], j);
                squares[i] += static_cast<double>(out[i]) * static_cast<double>(out[i]);
            }
        for (std::size_t i = 0; i < size; ++i)
            halves_[leaf * stride_ + i] = static_cast<float>(-rounding_.below(squares[i]) / 2);
        widths_[leaf] = rounding_.width(*std::max_element(squares, squares + size));
    });
}

void LeafProducts::compare(std::size_t a, const std::size_t* rows, const double* bounds, std::size_t n, std::size_t b,
                           Bits* possible, Bits* sure) const {
    Group points;
    for (std::size_t i = 0; i < group; ++i) {
        const std::size_t k = std::min(i, n - 1), row = rows[k];
        const double below = -2 * static_cast<double>(halves_[a * stride_ + row]);
        const double least = std::max((below - rounding_.in_unit(bounds[k])) / 2, -1e30); // no sum is below that
        points.coordinates[i] = coordinates_.data() + a * stride_ * d_ + row;
        points.possible[i] = static_cast<float>(least);
        points.sure[i] = static_cast<float>(least + (widths_[a] + widths_[b]) / 2);
        possible[i] = sure[i] = 0;
    }
    std::size_t first = 0;
    for (; first + 2 * simd::lanes <= stride_; first += 2 * simd::lanes) compare<2>(points, b, first, possible, sure);
    for (; first < stride_; first += simd::lanes) compare<1>(points, b, first, possible, sure);
}

template <std::size_t n_vectors>
void LeafProducts::compare(const Group& points, std::size_t b, std::size_t first, Bits* possible, Bits* sure) const {
    using simd::Floats, simd::lanes;
    const float* leaf = coordinates_.data() + b * stride_ * d_ + first;
    const float *x0 = points.coordinates[0], *x1 = points.coordinates[1], *x2 = points.coordinates[2],
                *x3 = points.coordinates[3];
    Floats sums[group][n_vectors] = {};
    for (std::size_t j = 0; j < d_; ++j, leaf += stride_) {
        const std::size_t at = j * stride_;
        const Floats x[group] = {simd::broadcast(x0[at]), simd::broadcast(x1[at]), simd::broadcast(x2[at]),
                                 simd::broadcast(x3[at])};
#pragma GCC unroll 2
        for (std::size_t v = 0; v < n_vectors; ++v) {
            const Floats y = simd::load(leaf + v * lanes);
#pragma GCC unroll 4
            for (std::size_t i = 0; i < group; ++i) sums[i][v] = simd::fma(x[i], y, sums[i][v]);
        }
    }
    const float* halves = halves_.data() + b * stride_ + first;
#pragma GCC unroll 4
    for (std::size_t i = 0; i < group; ++i)
#pragma GCC unroll 2
        for (std::size_t v = 0; v < n_vectors; ++v) {
            const Floats sum = sums[i][v] + simd::load(halves + v * lanes);
            possible[i] |= at_most(simd::broadcast(points.possible[i]), sum) << (first + v * lanes);
            sure[i] |= at_most(simd::broadcast(points.sure[i]), sum) << (first + v * lanes);
        }
}

} // namespace mlcore::neighbors
