#include "linear_model/least_squares/working_columns.hpp"

#include "core/parallel.hpp"
#include "linear_model/least_squares/residual_descent.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mlcore::linear_model {
namespace {

constexpr double small_bytes = 64 << 20; // a Gram matrix of this size is never too large

/// Columns whose Gram matrix is worth its memory and time: each new one costs as many passes over a column as are kept.
template <class Columns>
std::size_t most_worth_keeping(const Columns& x, std::size_t n_alphas) {
    double bytes = 0;
    if constexpr (requires { x.n_stored(); })
        bytes = 12.0 * static_cast<double>(x.n_stored());
    else
        bytes = static_cast<double>(sizeof(*x.column(0))) * static_cast<double>(x.n_rows()) *
                static_cast<double>(x.n_cols());
    const double by_memory = std::sqrt(std::max(bytes, small_bytes) / sizeof(double));
    return static_cast<std::size_t>(std::min(by_memory, 1000 + 100 * static_cast<double>(n_alphas)));
}

} // namespace

template <class Columns>
WorkingColumns<Columns>::WorkingColumns(const RunContext& ctx, const Columns& x, std::span<const double> weight,
                                        bool fit_intercept, std::size_t n_alphas)
    : x_(x), weight_(weight), moments_(linalg::column_moments(ctx, x, weight, fit_intercept)),
      most_kept_(most_worth_keeping(x, n_alphas)), y_(x.n_rows()), r_(x.n_rows()), old_r_(x.n_rows()),
      q_(weight.empty() ? 0 : x.n_rows()), c_(x.n_cols()), way_at_(x.n_cols()), place_(x.n_cols(), -1) {}

template <class Columns>
void WorkingColumns<Columns>::begin_target(const RunContext& ctx, VectorView<const double> y, std::vector<double>& w,
                                           bool fit_intercept) {
    const std::size_t n = x_.n_rows(), d = x_.n_cols();
    const auto s = [&](std::size_t i) { return weight_.empty() ? 1.0 : weight_[i]; };
    w_ = w.data();
    target_mean_ = 0;
    if (fit_intercept) {
        for (std::size_t i = 0; i < n; ++i) target_mean_ += s(i) * y[i];
        target_mean_ /= moments_.weight_sum;
    }
    yy_ = 0;
    for (std::size_t i = 0; i < n; ++i) {
        y_[i] = y[i] - target_mean_;
        yy_ += s(i) * y_[i] * y_[i];
    }
    if (linalg::is_constant(yy_, moments_.weight_sum, target_mean_)) {
        yy_ = 0;
        y_.fill(0.0);
    }
    std::copy(y_.begin(), y_.end(), r_.begin());
    way_ = 0;
    std::fill(c_.begin(), c_.end(), 0);
    std::fill(way_at_.begin(), way_at_.end(), -1.0);
    ids_.resize(d);
    std::iota(ids_.begin(), ids_.end(), 0);
    sum_q_ = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const double q = s(i) * r_[i];
        if (!weight_.empty()) q_[i] = q;
        sum_q_ += q;
    }
    rr_ = ry_ = yy_;
    evaluate(ctx, ids_);
    b_ = c_;
    if (std::any_of(w.begin(), w.end(), [](double v) { return v != 0; })) {
        update_residual(ctx, true);
        look(ctx, 0);
    }
}

template <class Columns>
void WorkingColumns<Columns>::evaluate(const RunContext& ctx, std::span<const std::int32_t> ids) {
    const double* q = weight_.empty() ? r_.data() : q_.data();
    parallel_ranges(ctx, ids.size(), x_.ns_per_column(), [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t k = begin; k < end; ++k) {
            const auto j = static_cast<std::size_t>(ids[k]);
            c_[j] = x_.dot(j, moments_.mean[j], q, sum_q_);
            way_at_[j] = way_;
        }
    });
}

template <class Columns>
void WorkingColumns<Columns>::look(const RunContext& ctx, double height) {
    ids_.clear();
    const double lowest = height * (1 - 1e-9);
    for (std::size_t j = 0; j < c_.size(); ++j) {
        const double way = way_ - way_at_[j];
        if (way == 0 || moments_.squares[j] == 0) continue;
        const double bound = std::abs(c_[j]) + std::sqrt(moments_.squares[j]) * way * (1 + 1e-9);
        if (bound >= lowest || w_[j] != 0) ids_.push_back(static_cast<std::int32_t>(j));
    }
    evaluate(ctx, ids_);
}

/// r = y~ - sum_j w_j x~_j, with all that depends on it but c.
template <class Columns>
void WorkingColumns<Columns>::update_residual(const RunContext& ctx, bool from_scratch) {
    if (from_scratch) {
        std::copy(r_.begin(), r_.end(), old_r_.begin());
        std::copy(y_.begin(), y_.end(), r_.begin());
        ids_.clear();
        values_.clear();
        for (std::size_t j = 0; j < c_.size(); ++j)
            if (w_[j] != 0) {
                ids_.push_back(static_cast<std::int32_t>(j));
                values_.push_back(w_[j]);
            }
        linalg::subtract_columns(ctx, x_, moments_, ids_, values_.data(), r_.data());
    }
    struct Sums {
        double q = 0, rr = 0, ry = 0, moved = 0;
    };
    const auto block = [&](std::size_t begin, std::size_t end) {
        constexpr std::size_t lanes = 8;
        double sums[4][lanes] = {};
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t l = i % lanes;
            const double r = r_[i], s = weight_.empty() ? 1.0 : weight_[i], q = s * r, step = r - old_r_[i];
            if (!weight_.empty()) q_[i] = q;
            sums[0][l] += q;
            sums[1][l] += q * r;
            sums[2][l] += q * y_[i];
            sums[3][l] += s * step * step;
        }
        double total[4] = {};
        for (std::size_t k = 0; k < 4; ++k)
            for (std::size_t l = 0; l < lanes; ++l) total[k] += sums[k][l];
        return Sums{total[0], total[1], total[2], total[3]};
    };
    const Sums sums = parallel_reduce(ctx, x_.n_rows(), 2.0, Sums{}, block, [](Sums a, const Sums& b) {
        return Sums{a.q + b.q, a.rr + b.rr, a.ry + b.ry, a.moved + b.moved};
    });
    sum_q_ = sums.q;
    rr_ = sums.rr;
    ry_ = sums.ry;
    way_ += std::sqrt(sums.moved);
}

template <class Columns>
bool WorkingColumns<Columns>::prefers_residual(std::span<const std::int32_t> work) const {
    std::size_t support = 0;
    for (const std::int32_t j : work) support += w_[j] != 0;
    // A sweep costs m operations for each member of the support, or n and more for each of the set.
    if (work.size() > most_kept_ || support > 2 * x_.n_rows() + 64) return true;
    if (work.empty()) return false;
    if constexpr (requires { x_.n_stored(); }) {
        std::size_t stored = 0;
        for (const std::int32_t j : work) stored += x_.values(static_cast<std::size_t>(j)).size();
        return work.size() > 256 + 8 * stored / work.size();
    }
    return false;
}

/// Sees to the inner products of all columns of `work`.
template <class Columns>
void WorkingColumns<Columns>::make_gram(const RunContext& ctx, std::span<const std::int32_t> work) {
    std::size_t n_new = 0;
    for (const std::int32_t j : work) n_new += place_[static_cast<std::size_t>(j)] < 0;
    if (n_new == 0) return;
    if (kept_.size() + n_new > most_kept_) {
        for (const std::int32_t j : kept_) place_[static_cast<std::size_t>(j)] = -1;
        kept_.clear();
    }
    const std::size_t first = kept_.size();
    for (const std::int32_t j : work) {
        auto& place = place_[static_cast<std::size_t>(j)];
        if (place >= 0) continue;
        place = static_cast<std::int32_t>(kept_.size());
        kept_.push_back(j);
    }
    if (kept_.size() > ld_) {
        const std::size_t ld = std::min(std::max(most_kept_, kept_.size()),
                                        (std::max(2 * ld_, kept_.size() + kept_.size() / 2) + 7) / 8 * 8);
        Buffer<double> larger(ld * ld);
        for (std::size_t k = 0; k < first; ++k) std::copy_n(gram_.data() + k * ld_, first, larger.data() + k * ld);
        gram_ = std::move(larger);
        ld_ = ld;
    }
    linalg::gram_of_columns(ctx, x_, moments_, weight_, kept_, first, gram_.data(), ld_);
}

template <class Columns>
void WorkingColumns<Columns>::descend_by_gram(const RunContext& ctx, const Penalty& penalty,
                                              std::span<const std::int32_t> work, const Stop& stop, const Philox* order,
                                              std::uint64_t& draws) {
    make_gram(ctx, work);
    const std::size_t m = kept_.size();
    kept_b_.resize(m);
    kept_w_.resize(m);
    kept_c_.resize(m);
    for (std::size_t k = 0; k < m; ++k) {
        const auto j = static_cast<std::size_t>(kept_[k]);
        kept_b_[k] = b_[j];
        kept_w_[k] = w_[j];
        kept_c_[k] = c_[j];
    }
    kept_work_.clear();
    for (const std::int32_t j : work) kept_work_.push_back(place_[static_cast<std::size_t>(j)]);
    const GramProblem problem{gram_.data(), ld_, m, kept_b_.data(), kept_w_.data(), kept_c_.data(), yy_};
    sweeps_ = descent_.solve(ctx, problem, penalty, kept_work_, stop, order, draws);
    for (const std::int32_t j : work) w_[j] = kept_w_[static_cast<std::size_t>(place_[static_cast<std::size_t>(j)])];
}

template <class Columns>
int WorkingColumns<Columns>::descend(const RunContext& ctx, const Penalty& penalty, std::span<const std::int32_t> work,
                                     const Stop& stop, const Philox* order, std::uint64_t& draws) {
    if (work.empty()) return 0;
    if (prefers_residual(work)) {
        std::copy(r_.begin(), r_.end(), old_r_.begin());
        const ResidualProblem problem{y_.span(), weight_, w_, r_.data(), c_.data(), yy_};
        sweeps_ = residual_descent(ctx, x_, moments_, problem, penalty, work, stop, order, draws);
        update_residual(ctx, false);
        for (const std::int32_t j : work) way_at_[static_cast<std::size_t>(j)] = way_;
    } else {
        descend_by_gram(ctx, penalty, work, stop, order, draws);
        update_residual(ctx, true);
        evaluate(ctx, work);
    }
    return sweeps_;
}

template class WorkingColumns<linalg::DenseColumns<float>>;
template class WorkingColumns<linalg::DenseColumns<double>>;
template class WorkingColumns<linalg::SparseColumns<float>>;
template class WorkingColumns<linalg::SparseColumns<double>>;

} // namespace mlcore::linear_model
