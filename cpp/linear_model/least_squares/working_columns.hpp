// The state of an elastic-net path over columns, for one target at a time: coefficients w, residual r, inner products
// c_j of all columns with it, and the Gram matrix of the columns that have been in a working set. Letters as in
// columns.hpp. The Gram matrix does not depend on the target or the penalty, so it only grows, until it would take more
// memory than the table: then it starts again with the set at hand, and sets that are too large for it alone are solved
// with residual updates.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "linalg/columns.hpp"
#include "linear_model/least_squares/gram_descent.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::linear_model {

template <class Columns>
class WorkingColumns {
  public:
    WorkingColumns(const RunContext& ctx, const Columns& x, std::span<const double> weight, bool fit_intercept,
                   std::size_t n_alphas);

    const linalg::ColumnMoments& moments() const { return moments_; }
    double target_mean() const { return target_mean_; }
    double w(std::size_t j) const { return w_[j]; }
    double c(std::size_t j) const { return c_[j]; }
    double yy() const { return yy_; }
    double rr() const { return rr_; } // sum_i s_i r_i^2
    double ry() const { return ry_; } // sum_i s_i r_i y~_i

    /// Starts with the coefficients w (d), which are kept up to date until the next target.
    void begin_target(const RunContext& ctx, VectorView<const double> y, std::vector<double>& w, bool fit_intercept);

    /// Minimises over the coordinates of `work` (ascending); w, r and c of `work` are then up to date. Returns the
    /// sweeps.
    int descend(const RunContext& ctx, const Penalty& penalty, std::span<const std::int32_t> work, const Stop& stop,
                const Philox* order, std::uint64_t& draws);

    /// Whether this set would be solved with residual updates.
    bool prefers_residual(std::span<const std::int32_t> work) const;

    /// The coefficients of `work` were changed from outside.
    void moved(const RunContext& ctx, std::span<const std::int32_t> work) {
        update_residual(ctx, true);
        evaluate(ctx, work);
    }

    /// Brings c up to date for all columns where |c_j| may be `height` or more; the others are surely below it.
    void look(const RunContext& ctx, double height);

  private:
    void make_gram(const RunContext& ctx, std::span<const std::int32_t> work);
    void descend_by_gram(const RunContext& ctx, const Penalty& penalty, std::span<const std::int32_t> work,
                         const Stop& stop, const Philox* order, std::uint64_t& draws);
    void update_residual(const RunContext& ctx, bool from_scratch);
    void evaluate(const RunContext& ctx, std::span<const std::int32_t> ids);

    const Columns& x_;
    std::span<const double> weight_;
    linalg::ColumnMoments moments_;
    std::size_t most_kept_;

    // one target
    double target_mean_ = 0, yy_ = 0, rr_ = 0, ry_ = 0;
    Buffer<double> y_, r_, old_r_, q_; // q = s r, unused without weights
    double sum_q_ = 0;
    double* w_ = nullptr;
    std::vector<double> b_, c_, way_at_; // b: c for w = 0; way_at: way_ when c_j was computed
    double way_ = 0;                     // of the residual since the start, in the norm of the weights

    // columns with inner products
    std::vector<std::int32_t> kept_, place_; // place (d): in kept, or -1
    Buffer<double> gram_;
    std::size_t ld_ = 0;
    GramDescent descent_;
    std::vector<double> kept_b_, kept_w_, kept_c_;
    std::vector<std::int32_t> ids_, kept_work_;
    std::vector<double> values_;
    int sweeps_ = 0;
};

} // namespace mlcore::linear_model
