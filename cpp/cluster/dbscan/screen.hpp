// Distances of many dimensions, first by products in float32: |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, of points whose centre
// was taken away. A product is several times as fast as the exact sum, but cancels; where its error could decide on
// which side of eps a pair is, the exact sum does. The result is that of exact sums alone.
//
// With s = a.b - |b|^2 / 2, b is a neighbour of a where s >= (|a|^2 - eps^2) / 2. What rounding can do to s (d + 8
// units of 2^-24 of |a|^2 + |b|^2, after rounding of the points to float32, and of their differences from the centre)
// is the margin of a pair of leaves, from their largest |a| and |b|.
#pragma once

#include "cluster/dbscan/leaf_kernel.hpp"
#include "core/context.hpp"
#include "core/memory.hpp"
#include "neighbors/kd_tree.hpp"

#include <cstddef>

namespace mlcore::cluster {

class Screen {
  public:
    static constexpr std::size_t width = 32; // points of a leaf
    static constexpr std::size_t group = 4;  // points that are compared with a leaf at one time

    /// limit: the largest squared distance of neighbours. Without dimensions enough to pay, it serves no pair.
    Screen(const RunContext& ctx, const neighbors::KdTree& tree, double limit);

    /// Whether products say enough of the pairs of two leaves.
    bool serves(std::size_t a, std::size_t b) const {
        return !coordinates_.empty() && squares_[a] + squares_[b] < largest && margin(a, b) < limit_ / 16;
    }

    /// For points rows[0 .. group) of leaf a: the points of leaf b that are neighbours for sure, and those that may be.
    void compare(std::size_t a, const std::size_t* rows, std::size_t b, Bits* sure, Bits* possible) const;

  private:
    static constexpr double largest = 1e30, least = 1e-25; // squares that float32 holds with room for products

    double margin(std::size_t a, std::size_t b) const;
    const float* leaf(std::size_t number) const { return coordinates_.data() + number * width * d_; }

    std::size_t d_;
    double limit_, center_size_ = 0; // of the largest coordinate of the centre
    Buffer<float> coordinates_;      // (n_leaves, d, width), less the centre
    Buffer<float> halves_;           // (n_leaves, width): |x|^2 / 2, infinite where there is no point
    Buffer<double> squares_;         // (n_leaves): the largest |x|^2
};

} // namespace mlcore::cluster
