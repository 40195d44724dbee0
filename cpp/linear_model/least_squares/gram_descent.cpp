#include "linear_model/least_squares/gram_descent.hpp"

#include "core/eigen.hpp"
#include "core/sums.hpp"

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>

namespace mlcore::linear_model {
namespace {

/// A factorisation for a support of this size costs as much as so many sweeps over m features: that many go before it.
int sweeps_worth(std::size_t support, std::size_t m) { return 1 + static_cast<int>(support * support / (10 * m)); }

constexpr std::size_t largest_factor = 4000;   // 128 MB, and minutes would not be far
constexpr std::size_t largest_reduction = 600; // columns among which dependent ones are looked for
constexpr double rounding = 1e-11;             // a pivot of this share of its diagonal is none

void subtract_row(const double* __restrict row, double a, std::size_t m, double* __restrict c) {
    for (std::size_t j = 0; j < m; ++j) c[j] -= a * row[j];
}

double dot(const double* a, const double* b, std::size_t n) {
    return sum_in_lanes<16>(n, [=](std::size_t i) { return a[i] * b[i]; });
}

} // namespace

double GapParts::gap(double rr, double ry, const Penalty& penalty) const {
    if (penalty.l1 > 0) {
        const double scale = dual_norm_ > penalty.l1 ? penalty.l1 / dual_norm_ : 1;
        const double squares = rr + penalty.l2 * w2_;
        return std::max((1 + scale * scale) / 2 * squares + penalty.l1 * w1_ - scale * ry, 0.0);
    }
    if (penalty.l2 > 0) return std::max(rr + penalty.l2 / 2 * w2_ - ry + c2_ / (2 * penalty.l2), 0.0);
    return c2_;
}

double GramDescent::gap(const GramProblem& problem, const Penalty& penalty, std::span<const std::int32_t> work) const {
    GapParts parts(problem.yy);
    double wb = 0, wc = 0;
    for (const std::int32_t j : work) {
        const double w = problem.w[j];
        parts.add(w, problem.c[j], problem.gram[static_cast<std::size_t>(j) * (problem.ld + 1)], penalty);
        wb += w * problem.b[j];
        wc += w * problem.c[j];
    }
    return parts.gap(std::max(problem.yy - wb - wc, 0.0), problem.yy - wb, penalty);
}

GramDescent::Sweep GramDescent::sweep(const GramProblem& problem, const Penalty& penalty,
                                      std::span<const std::int32_t> work, const Philox* order,
                                      std::uint64_t& draws) const {
    Sweep seen;
    for (std::size_t k = 0; k < work.size(); ++k) {
        const auto j = static_cast<std::size_t>(work[order ? order->below(draws++, work.size()) : k]);
        const double old = problem.w[j];
        if (old == 0 && std::abs(problem.c[j]) <= penalty.l1) continue;
        const double* row = problem.gram + j * problem.ld;
        const double w = penalty.minimiser(problem.c[j] + old * row[j], row[j]);
        seen.largest = std::max(seen.largest, w * w * row[j]);
        if (w == old) continue;
        seen.largest_change = std::max(seen.largest_change, (w - old) * (w - old) * row[j]);
        seen.new_signs |= (w > 0) != (old > 0) || (w < 0) != (old < 0);
        problem.w[j] = w;
        subtract_row(row, w - old, problem.m, problem.c);
    }
    return seen;
}

/// G_SS + l2 I = LL' in matrix_, or false if it is singular but for rounding.
bool GramDescent::factorise(const GramProblem& problem, const Penalty& penalty) {
    const std::size_t size = support_.size();
    if (matrix_.size() < size * size) matrix_ = Buffer<double>(size * size);
    for (std::size_t k = 0; k < size; ++k) {
        const double* row = problem.gram + static_cast<std::size_t>(support_[k]) * problem.ld;
        double* column = matrix_.data() + k * size; // the lower triangle is enough
        for (std::size_t l = k; l < size; ++l) column[l] = row[support_[l]];
        column[k] += penalty.l2;
    }
    const auto rows = eigen_index(size);
    Eigen::Map<Eigen::MatrixXd> A(matrix_.data(), rows, rows);
    if (Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>, Eigen::Lower>(A).info() != Eigen::Success) return false; // in place
    for (std::size_t k = 0; k < size; ++k) {
        const std::size_t j = static_cast<std::size_t>(support_[k]) * (problem.ld + 1);
        const double pivot = matrix_[k * size + k];
        if (!(pivot * pivot > rounding * (problem.gram[j] + penalty.l2))) return false;
    }
    return true;
}

/// Takes columns out of the support until the rest are independent (l2 = 0). True if any was.
bool GramDescent::drop_dependent(const GramProblem& problem) {
    const std::size_t size = support_.size();
    if (size > largest_reduction) return false;
    if (matrix_.size() < size * size) matrix_ = Buffer<double>(size * size); // rows of L, each `size` long
    std::vector<double> z(size);
    bool dropped = false;
    for (std::size_t k = 0; k < support_.size();) {
        double* row = matrix_.data() + k * size;
        const double* gram = problem.gram + static_cast<std::size_t>(support_[k]) * problem.ld;
        double pivot = gram[support_[k]];
        for (std::size_t l = 0; l < k; ++l) {
            const double* other = matrix_.data() + l * size;
            row[l] = (gram[support_[l]] - dot(row, other, l)) / other[l];
        }
        pivot -= dot(row, row, k);
        if (pivot > rounding * gram[support_[k]]) {
            row[k] = std::sqrt(pivot);
            ++k;
            continue;
        }
        // x~_k + sum_l z_l x~_l = 0 with z = -L^-T row.
        z[k] = 1;
        double slope = problem.w[support_[k]] > 0 ? 1 : -1;
        for (std::size_t l = 0; l < k; ++l) z[l] = -row[l];
        for (std::size_t l = k; l-- > 0;) {
            const double* other = matrix_.data() + l * size;
            z[l] /= other[l];
            for (std::size_t q = 0; q < l; ++q) z[q] -= other[q] * z[l];
            slope += problem.w[support_[l]] > 0 ? z[l] : -z[l];
        }
        const double sign = slope > 0 ? -1 : 1;
        std::size_t leaving = k;
        double length = -1;
        for (std::size_t l = 0; l <= k; ++l) {
            const double w = problem.w[support_[l]], move = sign * z[l];
            if ((w > 0 && move < 0) || (w < 0 && move > 0))
                if (const double until = -w / move; length < 0 || until < length) {
                    length = until;
                    leaving = l;
                }
        }
        if (length < 0) return dropped; // only for a slope of nothing but rounding
        for (std::size_t l = 0; l <= k; ++l) {
            const auto j = static_cast<std::size_t>(support_[l]);
            const double old = problem.w[j], w = l == leaving ? 0 : old + length * sign * z[l];
            problem.w[j] = w;
            subtract_row(problem.gram + j * problem.ld, w - old, problem.m, problem.c);
        }
        support_.erase(support_.begin() + static_cast<std::ptrdiff_t>(leaving));
        k = std::min(k, leaving); // rows of L before it still hold
        dropped = true;
    }
    return dropped;
}

bool GramDescent::newton(const GramProblem& problem, const Penalty& penalty, std::span<const std::int32_t> work) {
    support_.clear();
    for (const std::int32_t j : work)
        if (problem.w[j] != 0) support_.push_back(j);
    bool reduced = false;
    for (;;) {
        const std::size_t size = support_.size();
        if (size == 0 || size > largest_factor) return false;
        if (!factorise(problem, penalty)) {
            if (penalty.l2 > 0 || reduced || !drop_dependent(problem)) return false;
            reduced = true;
            continue;
        }
        if (step_.size() < size) step_ = Buffer<double>(size + size / 2);
        for (std::size_t k = 0; k < size; ++k) {
            const auto j = static_cast<std::size_t>(support_[k]);
            const double w = problem.w[j];
            step_[k] = problem.c[j] - penalty.l2 * w - (w > 0 ? penalty.l1 : -penalty.l1);
        }
        const auto rows = eigen_index(size);
        const Eigen::Map<const Eigen::MatrixXd> L(matrix_.data(), rows, rows);
        Eigen::Map<Eigen::VectorXd> step(step_.data(), rows);
        L.triangularView<Eigen::Lower>().solveInPlace(step);
        L.transpose().triangularView<Eigen::Upper>().solveInPlace(step);

        double length = 1;
        for (std::size_t k = 0; k < size; ++k) {
            const double w = problem.w[support_[k]], to = w + step_[k];
            if ((w > 0 && to <= 0) || (w < 0 && to >= 0)) length = std::min(length, -w / step_[k]);
        }
        std::size_t kept = 0;
        for (std::size_t k = 0; k < size; ++k) {
            const auto j = static_cast<std::size_t>(support_[k]);
            const double old = problem.w[j];
            double w = old + length * step_[k];
            const bool leaves =
                (old > 0 && w <= 0) || (old < 0 && w >= 0) || (length < 1 && std::abs(w) <= 1e-14 * std::abs(old));
            if (leaves) w = 0;
            problem.w[j] = w;
            subtract_row(problem.gram + j * problem.ld, w - old, problem.m, problem.c);
            if (!leaves) support_[kept++] = static_cast<std::int32_t>(j);
        }
        if (length == 1) return true;
        if (kept == size || kept + 8 < size) return true; // rounding, or many at once: sweeps sort that out sooner
        support_.resize(kept);
        if (size > 200) return true; // another factorisation would cost more than a few sweeps
    }
}

int GramDescent::solve(const RunContext& ctx, const GramProblem& problem, const Penalty& penalty,
                       std::span<const std::int32_t> work, const Stop& stop, const Philox* order,
                       std::uint64_t& draws) {
    if (work.empty()) return 0;
    const double row_ns = 0.2 * static_cast<double>(problem.m) + 5;
    double since_checkpoint = 0; // in ns
    const auto nonzero = [&](std::int32_t j) { return problem.w[j] != 0; };
    int sweeps = 0, since_newton = 0;
    while (sweeps < stop.max_sweeps) {
        Sweep seen = sweep(problem, penalty, work, order, draws);
        if (order && seen.largest_change == 0) // of those that were drawn; others may still move
            seen = sweep(problem, penalty, work, nullptr, draws);
        ++sweeps;
        ++since_newton;
        since_checkpoint += row_ns * static_cast<double>(work.size());
        if (since_checkpoint > 1e6) {
            ctx.checkpoint();
            since_checkpoint = 0;
        }
        const bool settled = seen.largest_change <= stop.change * stop.change * seen.largest;
        if (settled && (seen.largest_change == 0 || gap(problem, penalty, work) <= stop.gap)) break;
        const auto size = static_cast<std::size_t>(std::count_if(work.begin(), work.end(), nonzero));
        const int enough = sweeps_worth(size, problem.m);
        if (since_newton < (seen.new_signs ? 2 * enough + 1 : enough)) continue;
        since_newton = newton(problem, penalty, work) ? 0 : -8 * enough;
    }
    return sweeps;
}

} // namespace mlcore::linear_model
