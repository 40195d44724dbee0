// Weighted moments of rows about the means of components, and the M step from them. Letters as in em.hpp.
#pragma once

#include "cluster/mixture/components.hpp"
#include "cluster/mixture/density.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace mlcore::mixture {

/// Where the moments of a component lie among the sums of a pass.
class MomentLayout {
  public:
    MomentLayout(Shape shape, std::size_t n_components, std::size_t n_columns)
        : is_matrix(shape == Shape::full || shape == Shape::tied), k(n_components), d(n_columns),
          stride(simd::round_up(d, group)), step(1 + stride + (is_matrix ? simd::round_up(d, tile) : 1) * stride) {}

    std::size_t size() const { return k * step + 1; }
    double* count(double* sums, std::size_t c) const { return sums + c * step; }    // n_c
    double* shift(double* sums, std::size_t c) const { return count(sums, c) + 1; } // s_c (stride)
    /// A_c: tiles that reach the upper triangle of (d, stride), or the diagonal (stride).
    double* square(double* sums, std::size_t c) const { return shift(sums, c) + stride; }
    double* log_likelihood(double* sums) const { return sums + k * step; }

    const bool is_matrix;
    const std::size_t k, d, stride, step;
};

/// Adds rows of a block to the moments of one component.
class MomentAdder {
  public:
    explicit MomentAdder(const MomentLayout& layout)
        : layout_(layout), differences_(block_rows * layout.stride), weighted_(block_rows * layout.stride) {}

    /// share (block.size()): w_i r_ic; shares too small to matter are passed over. mean (d), relative to the block's
    /// centre.
    void add(const Block& block, const double* share, const double* mean, std::size_t c, double* sums);

  private:
    const MomentLayout& layout_;
    Scratch<double> differences_, weighted_; // (rows that count, stride)
};

/// The components that follow from the moments `sums` about `means` (k, d). ridge (d): added to the variances.
/// precisions_cholesky are not filled.
Components maximise(const MomentLayout& layout, Shape shape, double* sums, std::span<const double> means,
                    std::span<const double> ridge);

} // namespace mlcore::mixture
