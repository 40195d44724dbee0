// Weighted sums of kernel rows that are not kept: sum over rows r of coef[o][r] K(r, column), for some outputs o. This
// is a prediction (rows: support vectors, columns: points to predict, outputs: the problems that share the support
// vectors), and it is how the gradient of variables comes back that shrinking had left out.
#pragma once

#include "svm/points.hpp"

#include <memory>
#include <span>
#include <vector>

namespace mlcore::svm {

class WeightedRows {
  public:
    /// coef: n_outputs rows of ids.size() coefficients, `stride` apart; ids and coef must outlive the sums.
    WeightedRows(const RunContext& ctx, const Points& points, std::span<const std::int32_t> ids, const double* coef,
                 std::size_t stride, std::size_t n_outputs);

    std::size_t n_outputs() const { return n_outputs_; }

    struct Scratch {
        Buffer<float> tile;
        Buffer<double> wide;
        std::vector<float*> rows;
        RowBatch::Scratch batch;
    };
    /// out[o * columns.width() + j] = the sum for column j of the panel.
    void panel(const Columns& columns, std::size_t panel, double* out, Scratch& scratch) const;

    double panel_ns(const Columns& columns) const;

  private:
    std::vector<RowBatch> batches_; // so small that their values stay in L1 until they are summed
    const double* coef_;
    std::size_t stride_, n_outputs_;
};

} // namespace mlcore::svm
