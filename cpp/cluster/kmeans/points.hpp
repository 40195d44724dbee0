// The rows of a table as k-means sees them. Distances are decided twice: products in float32 find the nearest center of
// nearly all points, and where a rigorous bound on their rounding leaves a doubt, differences in float64 between the
// table's own values and the center decide (squared_distance). So there are two forms of each point:
//
//   packed   float32, (x - mean) scale, in panels of panel_points points, feature by feature, as the kernel of
//            nearest_tile.hpp reads them. The mean is subtracted because |c|^2 - 2 x.c cancels far from the origin;
//            the scale, a power of two, brings the largest value into [0.5, 1), so that nothing depends on units.
//   exact    the table itself, which must outlive the points.
//
// Sparse tables have no packed form and no mean: their rows are multiplied as they are stored.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/table.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::kmeans {

class Points {
  public:
    /// X: finite; dense rows contiguous. weights (n): finite, not negative; empty: all 1. Throws ValueError where the
    /// values are so large that their mean is not finite. reach: a distance from the mean (0 where the table is sparse)
    /// for which the scale is to serve too, beside those of the points.
    Points(const RunContext& ctx, const Table& X, std::span<const double> weights, double reach = 0);

    std::size_t size() const noexcept { return n_; }
    std::size_t dim() const noexcept { return d_; }
    /// Most terms of a product with a point: all features, or the stored entries of a sparse row.
    std::size_t most_terms() const noexcept { return most_terms_; }
    bool is_sparse() const noexcept { return sparse_; }
    const Table& table() const noexcept { return table_; }
    bool has_weights() const noexcept { return !weights_.empty(); }
    double weight(std::size_t i) const noexcept { return weights_.empty() ? 1.0 : weights_[i]; }

    /// (d); zeros where the table is sparse.
    const std::vector<double>& mean() const noexcept { return mean_; }
    double scale() const noexcept { return scale_; }
    /// Whether the scale serves for centers of which the nearest is `reach` away from the mean: no square of a distance
    /// to it leaves the range of float64. Of points that all lie on the mean nothing else says what the unit is.
    bool serves(double reach) const noexcept;
    /// Mean over the features of the weighted variance, in units of the scaled points.
    double variance() const noexcept { return variance_; }

    /// Panel p (d, panel width) of a dense table; points that are missing are zero.
    const float* panel(std::size_t p) const noexcept { return panels_.data() + p * panel_size_; }
    /// |x| of the scaled point, not below its true value.
    const float* norms() const noexcept { return norms_.data(); }
    /// The scaled point i as float32 to out[0], out[step] ...: what its panel holds.
    void write_scaled(std::size_t i, float* out, std::size_t step) const;

    /// |x_i - c|^2 scale^2, c (d) in the table's units: sums of eight lanes over the features, the same bits on every
    /// ISA level. A sparse row changes |c|^2, which is c_squared = squared_norm(c), by its stored entries, unless the
    /// two are so near that this cancels; `dense` (d) is then memory of zeros, and is left so.
    double squared_distance(std::size_t i, const double* c, double c_squared, double* dense) const;
    /// |c|^2 scale^2 where the table is sparse, which alone needs it, else 0.
    double squared_norm(const double* c) const;
    /// sum (d) += factor (x_i - mean).
    void add_to(std::size_t i, double factor, double* sum) const;
    /// out (d) = x_i.
    void copy(std::size_t i, double* out) const;

  private:
    void measure(const RunContext& ctx);
    void pack(const RunContext& ctx);
    void measure_sparse(const RunContext& ctx);

    Table table_;
    std::span<const double> weights_;
    std::size_t n_, d_, panel_size_ = 0, most_terms_ = 0;
    bool sparse_;
    double reach_, largest_ = 0; // given; found among the points
    double scale_ = 1, variance_ = 0;
    std::vector<double> mean_;
    Buffer<float> panels_, norms_;
};

} // namespace mlcore::kmeans
