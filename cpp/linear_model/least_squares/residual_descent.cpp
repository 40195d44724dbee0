#include "linear_model/least_squares/residual_descent.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::linear_model {
namespace {

/// q = s r and what changes it. Sparse: r and q are kept without the part that all rows share, `shift`.
template <class Columns>
class Residual {
    static constexpr bool sparse = requires(const Columns& x) { x.rows(0); };

  public:
    Residual(const Columns& x, const linalg::ColumnMoments& moments, const ResidualProblem& problem)
        : x_(x), moments_(moments), weight_(problem.weight), r_(problem.r) {
        if (weight_.empty()) return;
        q_ = Buffer<double>(x.n_rows());
        for (std::size_t i = 0; i < x.n_rows(); ++i) q_[i] = weight_[i] * r_[i];
    }

    /// sum_i s_i r_i x~_ij. The weighted sum of r is zero or there is no mean.
    double correlation(std::size_t j) const {
        const double* q = weight_.empty() ? r_ : q_.data();
        if constexpr (sparse)
            return x_.stored_dot(j, q) + shift_ * moments_.weight_sum * moments_.mean[j];
        else
            return x_.dot(j, moments_.mean[j], q, 0);
    }

    /// r -= a x~_j
    void subtract(std::size_t j, double a) {
        const double mean = moments_.mean[j];
        if constexpr (sparse) {
            shift_ += a * mean;
            x_.add_stored(j, -a, r_);
            if (weight_.empty()) return;
            const auto values = x_.values(j);
            const auto rows = x_.rows(j);
            for (std::size_t k = 0; k < values.size(); ++k) {
                const auto i = static_cast<std::size_t>(rows[k]);
                q_[i] -= weight_[i] * (a * static_cast<double>(values[k]));
            }
        } else {
            const std::size_t n = x_.n_rows();
            x_.add(j, -a, mean, 0, n, r_);
            if (!weight_.empty())
                for (std::size_t i = 0; i < n; ++i) q_[i] = weight_[i] * r_[i];
        }
    }

    /// The part that all rows share goes to where it belongs.
    void settle() {
        if (shift_ == 0) return;
        for (std::size_t i = 0; i < x_.n_rows(); ++i) r_[i] += shift_;
        if (!weight_.empty())
            for (std::size_t i = 0; i < x_.n_rows(); ++i) q_[i] = weight_[i] * r_[i];
        shift_ = 0;
    }

  private:
    const Columns& x_;
    const linalg::ColumnMoments& moments_;
    std::span<const double> weight_;
    double* r_;
    Buffer<double> q_;
    double shift_ = 0;
};

} // namespace

template <class Columns>
int residual_descent(const RunContext& ctx, const Columns& x, const linalg::ColumnMoments& moments,
                     const ResidualProblem& problem, const Penalty& penalty, std::span<const std::int32_t> work,
                     const Stop& stop, const Philox* order, std::uint64_t& draws) {
    Residual<Columns> residual(x, moments, problem);
    double since_checkpoint = 0;            // in ns
    double largest_change = 0, largest = 0; // squares of what a coefficient adds to the predictions
    const auto visit = [&](std::size_t j) {
        if ((since_checkpoint += 2 * x.ns_per_column()) > 1e6) {
            ctx.checkpoint();
            since_checkpoint = 0;
        }
        const double old = problem.w[j], square = moments.squares[j];
        const double w = penalty.minimiser(residual.correlation(j) + old * square, square);
        largest = std::max(largest, w * w * square);
        if (w == old) return;
        largest_change = std::max(largest_change, (w - old) * (w - old) * square);
        problem.w[j] = w;
        residual.subtract(j, w - old);
    };
    const auto correlate = [&] {
        residual.settle();
        for (const std::int32_t j : work) problem.c[j] = residual.correlation(static_cast<std::size_t>(j));
    };
    const auto gap = [&] {
        correlate();
        GapParts parts(problem.yy);
        for (const std::int32_t j : work)
            parts.add(problem.w[j], problem.c[j], moments.squares[static_cast<std::size_t>(j)], penalty);
        double rr = 0, ry = 0;
        for (std::size_t i = 0; i < x.n_rows(); ++i) {
            const double r = problem.r[i], q = problem.weight.empty() ? r : problem.weight[i] * r;
            rr += q * r;
            ry += q * problem.y[i];
        }
        return parts.gap(rr, ry, penalty);
    };

    const double settled = stop.change * stop.change;
    int sweeps = 0;
    std::vector<std::int32_t> support;
    while (sweeps < stop.max_sweeps) {
        largest_change = largest = 0;
        for (std::size_t k = 0; k < work.size(); ++k)
            visit(static_cast<std::size_t>(work[order ? order->below(draws++, work.size()) : k]));
        ++sweeps;
        if (order && largest_change == 0) // those that were drawn; others may still move
            for (const std::int32_t j : work) visit(static_cast<std::size_t>(j));
        if (largest_change <= settled * largest && (gap() <= stop.gap || largest_change == 0)) return sweeps;
        // Most of the set stays at zero: a few sweeps go over the others alone.
        support.clear();
        for (const std::int32_t j : work)
            if (problem.w[j] != 0) support.push_back(j);
        if (2 * support.size() > work.size()) continue;
        for (int k = 0; k < 5 && sweeps < stop.max_sweeps; ++k, ++sweeps) {
            const double before = largest_change;
            largest_change = largest = 0;
            for (const std::int32_t j : support) visit(static_cast<std::size_t>(j));
            if (largest_change <= 0.01 * before && largest_change <= settled * largest) break;
        }
    }
    correlate();
    return sweeps;
}

#define MLCORE_INSTANTIATE(Columns)                                                                                    \
    template int residual_descent(const RunContext&, const Columns&, const linalg::ColumnMoments&,                     \
                                  const ResidualProblem&, const Penalty&, std::span<const std::int32_t>, const Stop&,  \
                                  const Philox*, std::uint64_t&);

MLCORE_INSTANTIATE(linalg::DenseColumns<float>)
MLCORE_INSTANTIATE(linalg::DenseColumns<double>)
MLCORE_INSTANTIATE(linalg::SparseColumns<float>)
MLCORE_INSTANTIATE(linalg::SparseColumns<double>)

} // namespace mlcore::linear_model
