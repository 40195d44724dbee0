// Columns of a table, for coordinate descent on the primal.
#pragma once

#include <cstdint>
#include <memory>

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/table.hpp"
#include "linear_model/hinge/run.hpp"

namespace mlcore::linear_model::hinge {

/// The columns of a table, read in place if they are contiguous, else copied once (a table of the same size). The
/// constant feature is the last column.
class LinearColumns {
  public:
    LinearColumns(const RunContext& ctx, const Table& X, double bias);

    std::size_t rows() const { return rows_; }
    std::size_t width() const { return features_ + (bias_ != 0 ? 1 : 0); }
    std::size_t features() const { return features_; }

    /// f(row, value) for the entries of column j.
    template <class F>
    [[gnu::always_inline]] void for_each(std::size_t j, F&& f) const {
        if (j == features_) {
            for (std::size_t i = 0; i < rows_; ++i) f(i, bias_);
            return;
        }
        std::visit(
            [&](const auto& column) {
                if (row_.empty()) {
                    const auto* x = column + static_cast<std::ptrdiff_t>(j) * stride_;
                    for (std::size_t i = 0; i < rows_; ++i) f(i, static_cast<double>(x[i]));
                } else {
                    for (std::size_t k = start_[j]; k < start_[j + 1]; ++k) f(row_[k], static_cast<double>(column[k]));
                }
            },
            values_);
    }

  private:
    std::size_t rows_, features_;
    double bias_;
    std::variant<const float*, const double*> values_; // dense: column-major; sparse: the entries by column
    std::variant<Buffer<float>, Buffer<double>> copy_;
    std::ptrdiff_t stride_ = 0;
    Buffer<std::uint32_t> row_; // sparse, one entry more than there are values
    Buffer<std::size_t> start_;
};

std::unique_ptr<LinearRun> column_descent(const LinearColumns& columns, const LinearParams& params, std::uint64_t seed,
                                          const LinearProblem& problem, std::size_t number);

} // namespace mlcore::linear_model::hinge
