#include "cluster/dbscan/screen.hpp"

#include "core/parallel.hpp"
#include "core/simd.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace mlcore::cluster {
namespace {

constexpr std::size_t fewest_dimensions = 16;

} // namespace

Screen::Screen(const RunContext& ctx, const neighbors::KdTree& tree, double limit) : d_(tree.dim()), limit_(limit) {
    const bool squares = tree.metric() == neighbors::Metric::euclidean || tree.metric() == neighbors::Metric::cosine;
    if (!squares || d_ < fewest_dimensions || tree.leaf_size() != width || !(limit > least)) return;
    // Any centre will do: that of the box, whose halves do not overflow.
    std::vector<double> center(d_);
    for (std::size_t j = 0; j < d_; ++j) {
        center[j] = tree.lower(0)[j] / 2 + tree.upper(0)[j] / 2;
        center_size_ = std::max(center_size_, std::abs(center[j]));
    }
    const std::size_t n_leaves = tree.n_leaves();
    coordinates_ = Buffer<float>(n_leaves * width * d_);
    halves_ = Buffer<float>(n_leaves * width);
    squares_ = Buffer<double>(n_leaves);
    parallel_tasks(ctx, n_leaves, static_cast<double>(width * d_), [&](std::size_t number, int) {
        const std::size_t size = tree.node(tree.leaf_node(number)).size();
        const double* block = tree.block(number);
        float* out = coordinates_.data() + number * width * d_;
        double sums[width] = {};
        for (std::size_t j = 0; j < d_; ++j, block += width, out += width)
            for (std::size_t i = 0; i < width; ++i) {
                const double x = i < size ? block[i] - center[j] : 0.0;
                out[i] = static_cast<float>(x);
                sums[i] += x * x;
            }
        squares_[number] = *std::max_element(sums, sums + width);
        for (std::size_t i = 0; i < width; ++i)
            halves_[number * width + i] =
                i < size ? static_cast<float>(sums[i] / 2) : std::numeric_limits<float>::infinity();
    });
}

double Screen::margin(std::size_t a, std::size_t b) const {
    const double squares = squares_[a] + squares_[b], size = std::sqrt(squares);
    const double dimensions = static_cast<double>(d_);
    // The second part: what the difference from the centre has lost, in each of the coordinates.
    return (dimensions + 8) * 0x1p-24 * squares + 8 * 0x1p-53 * std::sqrt(dimensions) * (center_size_ + size) * size;
}

void Screen::compare(std::size_t a, const std::size_t* rows, std::size_t b, Bits* sure, Bits* possible) const {
    using simd::Floats, simd::lanes;
    const double wide = margin(a, b);
    alignas(cache_line) float products[group][width];
    constexpr std::size_t vectors = std::min<std::size_t>(width / lanes, 2), chunk = vectors * lanes;
    for (std::size_t first = 0; first < width; first += chunk) {
        const float *x = leaf(a), *y = leaf(b) + first;
        Floats sums[group][vectors];
        for (std::size_t v = 0; v < vectors; ++v)
            for (std::size_t r = 0; r < group; ++r)
                sums[r][v] = -simd::load(halves_.data() + b * width + first + v * lanes);
        for (std::size_t j = 0; j < d_; ++j, x += width, y += width)
#pragma GCC unroll 2
            for (std::size_t v = 0; v < vectors; ++v) {
                const Floats right = simd::load(y + v * lanes);
#pragma GCC unroll 4
                for (std::size_t r = 0; r < group; ++r)
                    sums[r][v] = simd::fma(simd::broadcast(x[rows[r]]), right, sums[r][v]);
            }
        for (std::size_t r = 0; r < group; ++r)
            for (std::size_t v = 0; v < vectors; ++v) simd::store(products[r] + first + v * lanes, sums[r][v]);
    }
    for (std::size_t r = 0; r < group; ++r) {
        const double bar = static_cast<double>(halves_[a * width + rows[r]]) - limit_ / 2;
        const auto low = static_cast<float>(bar - 2 * wide), high = static_cast<float>(bar + 2 * wide);
        Bits certain = 0, all = 0;
        for (std::size_t i = 0; i < width; ++i) {
            certain |= Bits{products[r][i] > high} << i;
            all |= Bits{products[r][i] >= low} << i;
        }
        sure[r] = certain;
        possible[r] = all & ~certain;
    }
}

} // namespace mlcore::cluster
