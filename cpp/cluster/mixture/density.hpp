// Log-densities of blocks of rows under all components.
//
// A block is kept by columns, so that a vector holds one column of several rows; the triangular products
// z = (x - m_c) P_c run over tiles of columns of P_c that stay in registers together with the sums of z_j^2. Nothing is
// expanded: a difference is taken before it is squared, so that rows far from zero lose no digits. One covariance for
// all rotates the block once, and compares with rotated means.
#pragma once

#include "cluster/mixture/components.hpp"
#include "core/memory.hpp"
#include "core/simd.hpp"
#include "core/view.hpp"

#include <cstddef>
#include <vector>

namespace mlcore::mixture {

inline constexpr std::size_t vector_rows = simd::lanes_of<double>;
inline constexpr std::size_t group = 2 * vector_rows; // rows, or columns, of one pass of a kernel
inline constexpr std::size_t tile = simd::lanes == 16 ? 8 : 4;
inline constexpr std::size_t block_rows = 128;
static_assert(block_rows % group == 0 && group % tile == 0);

/// Up to block_rows rows, less the centre; missing rows and columns are zero.
class Block {
  public:
    explicit Block(std::size_t d)
        : stride_(simd::round_up(d, group)), rows_(block_rows * stride_), cols_(d * block_rows) {}

    /// Rows [begin, end) of the points.
    void load(MatrixView<const double> points, const double* centre, std::size_t begin, std::size_t end);

    std::size_t size() const { return size_; }
    std::size_t stride() const { return stride_; }
    const double* row(std::size_t i) const { return rows_.data() + i * stride_; }
    const double* columns() const { return cols_.data(); } // (d, block_rows)

  private:
    std::size_t size_ = 0, stride_;
    Scratch<double> rows_, cols_;
};

/// Components ready for blocks of rows. Means are relative to the centre that the blocks are.
class Density {
  public:
    Density(const Components& components, const double* centre);

    std::size_t k() const { return k_; }
    std::size_t d() const { return d_; }
    const double* mean(std::size_t c) const { return means_.data() + c * d_; }

    /// Doubles that log_densities needs as scratch.
    std::size_t scratch_size() const { return d_ * block_rows; }
    /// out (k, block_rows): log(weights_c N(x; m_c, S_c)).
    void log_densities(const Block& block, double* scratch, double* out) const;

  private:
    void pack(const double* P);

    Shape shape_;
    std::size_t k_, d_;
    std::vector<double> means_, rotated_means_; // (k, d); the latter m_c P for one covariance
    std::vector<double> constants_;             // (k)
    std::vector<double> scales_;                // (k, d) of diag and spherical
    std::size_t panels_size_ = 0;               // of one component
    std::vector<double> panels_;                // tiles of columns of P_c, each as deep as P_c is there
};

/// From log-densities (k, block_rows) the log of their sum for each row, norm (block_rows).
void log_sums(const double* log_densities, std::size_t k, double* norm);

} // namespace mlcore::mixture
