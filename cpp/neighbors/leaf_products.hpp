// Which points of a leaf are within a bound of a point of another leaf, by products in float32: in many dimensions a
// sixth of the work of distances in float64, which are asked only where these say too little (rounding.hpp).
//
// With h = -below(|b|^2) / 2, b is beyond the bound B of a if a b + h < (below(|a|^2) - B) / 2. It is within the bound
// if a b + h >= (below(|a|^2) - B + w_a + w_b) / 2, w being the width(|x|^2) of the longest x in a leaf.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "neighbors/bits.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/rounding.hpp"

#include <cstddef>

namespace mlcore::neighbors {

class LeafProducts {
  public:
    static constexpr std::size_t group = 4; // points that are compared with a leaf together

    /// Of a tree whose metric is no product, of few dimensions or of leaves with more than most_bits points: serves no
    /// pair.
    LeafProducts(const RunContext& ctx, const KdTree& tree);

    /// Whether products say enough of distances around `reduced` between two leaves.
    bool serves(std::size_t a, std::size_t b, double reduced) const {
        return !widths_.empty() && 4 * (widths_[a] + widths_[b]) < rounding_.in_unit(reduced);
    }

    /// For the points rows[i] of leaf a, i < n <= group: possible[i] are the points of leaf b whose reduced distance
    /// may be at most bounds[i], sure[i] those of them for which it is so for sure. Both have room for a group.
    void compare(std::size_t a, const std::size_t* rows, const double* bounds, std::size_t n, std::size_t b,
                 Bits* possible, Bits* sure) const;

  private:
    struct Group; // points of leaf a

    template <std::size_t n_vectors>
    void compare(const Group& points, std::size_t b, std::size_t first, Bits* possible, Bits* sure) const;

    std::size_t d_, stride_;
    Rounding rounding_;
    Buffer<float> coordinates_; // of a leaf (d, stride), rounded
    Buffer<float> halves_;      // (n_leaves, stride): h, NaN where there is no point, which is then never near
    Buffer<double> widths_;     // (n_leaves): w
};

} // namespace mlcore::neighbors
