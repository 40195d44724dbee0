// Which points may be among the nearest of a query, by products in float32: |x - q|^2 = |x|^2 - 2 x q + |q|^2.
//
// Points and queries are first moved to the mean of the points, so that the place of the origin costs no digits, and
// scaled by a power of two, so that nothing leaves the range of float32. What the products say is then wrong by at most
// error() (|x|^2 + |q|^2) (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1): a bound below
// each distance, in units of the search, that is
//   |x|^2 (1 - error) - 2 x q          and, up to |q|^2 (1 - error), below the reduced distance,
//   |x|^2 (1 + error) - 2 x q          and, up to |q|^2 (1 + error), above it.
// Whoever is above the upper bound of k others is none of the k nearest; all others are scored again in float64.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "linalg/gemm_kernel.hpp"

#include <cstddef>
#include <vector>

namespace mlcore::neighbors {

/// Points (n, d), d < 2^16, packed for products.
class Screen {
  public:
    /// reach: the largest coordinate, as a distance from centre(), that points or queries have.
    Screen(const RunContext& ctx, MatrixView<const double> points, std::vector<double> centre, double reach);

    static std::vector<double> centre_of(const RunContext& ctx, MatrixView<const double> points);
    static double reach_of(const RunContext& ctx, MatrixView<const double> points, const std::vector<double>& centre);

    std::size_t size() const { return n_; }
    double error() const { return error_; }
    /// A reduced distance in units of the search.
    double in_unit(double reduced) const { return reduced * unit_ * unit_; }

    /// Fills a panel (d, m) of m <= linalg::tile_rows queries, times -2, and their squared lengths.
    void pack(MatrixView<const double> queries, std::size_t first, std::size_t m, float* panel, double* squares) const;

    std::size_t n_panels() const { return (n_ + linalg::tile_cols - 1) / linalg::tile_cols; }
    const float* panel(std::size_t i) const { return panels_.data() + i * d_ * linalg::tile_cols; }
    /// |x|^2 (1 - error) of the points of a panel, infinite for what is missing.
    const float* lower_squares(std::size_t i) const { return lower_squares_.data() + i * linalg::tile_cols; }
    /// What the upper bound of a point is above its lower one.
    double width(std::size_t point) const { return 2 * (error_ * squares_[point] + absolute); }

    /// Underflow of products in float32.
    static constexpr double absolute = 1e-30;

  private:
    /// row moved and scaled, as float32, with `stride` between its entries. Returns its squared length.
    double convert(const double* row, float* out, std::size_t stride, float factor) const;

    std::size_t n_, d_;
    std::vector<double> centre_;
    double unit_, error_;
    Buffer<float> panels_, lower_squares_;
    Buffer<double> squares_;
};

} // namespace mlcore::neighbors
