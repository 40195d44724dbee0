#include "svm/subproblem.hpp"

#include "core/simd.hpp"
#include "svm/points.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::svm {
namespace {

using simd::Doubles;
constexpr std::size_t L = simd::lanes_of<double>;
constexpr double infinity = std::numeric_limits<double>::infinity();
/// Curvature of pairs that have none, or less (twins, kernels that are not positive definite), by the kernel of one of
/// them with itself: far below what rounding leaves of it, so that such a pair goes to a bound.
double least_curvature(double diagonal) { return std::max(1e-12 * std::abs(diagonal), 1e-300); }

/// 0, 1, 2, ... in the lanes.
Doubles counting() {
    Doubles v;
    for (std::size_t l = 0; l < L; ++l) v[l] = static_cast<double>(l);
    return v;
}

} // namespace

Subproblem::Subproblem(std::size_t capacity)
    : stride_(padded(capacity)), f_(stride_), alpha_(stride_), C_(stride_), y_(stride_), diagonal_(stride_),
      kernel_(capacity * stride_) {
    for (Side& side : sides_) {
        side.up = Buffer<double>(stride_);
        side.low = Buffer<double>(stride_);
    }
}

void Subproblem::resize(std::size_t q) {
    q_ = q;
    padded_ = padded(q);
    for (std::size_t v = q; v < padded_; ++v) {
        f_[v] = 0;
        diagonal_[v] = 1;
        for (Side& side : sides_) side.up[v] = side.low[v] = -infinity;
    }
}

void Subproblem::set_bounds(std::size_t v, bool split) {
    const bool above = alpha_[v] > 0, below = alpha_[v] < C_[v], positive = y_[v] > 0;
    for (int s = 0; s < 2; ++s) {
        const bool here = split ? positive == (s == 0) : s == 0;
        sides_[s].up[v] = here && (positive ? below : above) ? 0 : -infinity;
        sides_[s].low[v] = here && (positive ? above : below) ? 0 : -infinity;
    }
}

void Subproblem::move(double t, const float* k_i, const float* k_j) {
    const Doubles step = simd::broadcast(t);
    for (std::size_t v = 0; v < padded_; v += L)
        simd::store(&f_[v],
                    simd::fma(step, simd::load_widened(k_i + v) - simd::load_widened(k_j + v), simd::load(&f_[v])));
}

void Subproblem::scan(Side& side) const {
    Doubles up_max = simd::broadcast(-infinity), low_max = up_max, at = Doubles{}, place = counting();
    for (std::size_t v = 0; v < padded_; v += L, place += static_cast<double>(L)) {
        const Doubles f = simd::load(&f_[v]);
        const Doubles up = simd::load(&side.up[v]) - f, low = simd::load(&side.low[v]) + f;
        const auto better = up > up_max;
        up_max = better ? up : up_max;
        at = better ? place : at;
        low_max = low > low_max ? low : low_max;
    }
    side.i = {-infinity, 0};
    side.low_max = -infinity;
    for (std::size_t l = 0; l < L; ++l) {
        const auto where = static_cast<std::size_t>(at[l]);
        if (up_max[l] > side.i.value || (up_max[l] == side.i.value && where < side.i.at)) side.i = {up_max[l], where};
        side.low_max = std::max(side.low_max, low_max[l]);
    }
}

Subproblem::Best Subproblem::partner(const Side& side) const {
    // The gain of a pair is b^2 / a / 2; gains are compared by cross products, a division costs ten times as much.
    const std::size_t i = side.i.at;
    const float* k_i = kernel_.data() + i * stride_;
    const Doubles m = simd::broadcast(side.i.value), k_ii = simd::broadcast(diagonal_[i]),
                  least = simd::broadcast(least_curvature(diagonal_[i]));
    Doubles best_square{}, best_a = simd::broadcast(1.0), at{}, place = counting();
    for (std::size_t v = 0; v < padded_; v += L, place += static_cast<double>(L)) {
        Doubles b = m + simd::load(&f_[v]) + simd::load(&side.low[v]);
        b = b > 0 ? b : Doubles{};
        const Doubles k = simd::load_widened(k_i + v);
        Doubles a = k_ii + simd::load(&diagonal_[v]) - (k + k);
        a = a > least ? a : least;
        const Doubles square = b * b;
        const auto better = square * best_a > best_square * a;
        best_square = better ? square : best_square;
        best_a = better ? a : best_a;
        at = better ? place : at;
    }
    Best best{0, 0};
    for (std::size_t l = 0; l < L; ++l) {
        const auto where = static_cast<std::size_t>(at[l]);
        const double gain = best_square[l] / best_a[l];
        if (gain > best.value || (gain == best.value && gain > 0 && where < best.at)) best = {gain, where};
    }
    return best;
}

std::int64_t Subproblem::solve(bool split, double tol, double share, std::int64_t max_steps) {
    const int n_sides = split ? 2 : 1;
    for (std::size_t v = 0; v < q_; ++v) set_bounds(v, split);
    for (std::int64_t step = 0; step < max_steps; ++step) {
        double gap = -infinity;
        for (int s = 0; s < n_sides; ++s) {
            scan(sides_[s]);
            gap = std::max(gap, sides_[s].gap());
        }
        if (step == 0) tol = std::max(tol, share * gap);
        if (!(gap >= tol) || gap <= 0) return step;

        std::size_t i = 0;
        Best j{0, 0};
        for (int s = 0; s < n_sides; ++s) {
            if (sides_[s].gap() <= 0) continue;
            if (const Best candidate = partner(sides_[s]); candidate.value > j.value) {
                j = candidate;
                i = sides_[s].i.at;
            }
        }
        if (j.value <= 0) return step; // the gain underflows

        const float *k_i = kernel(i), *k_j = kernel(j.at);
        const double a = std::max(diagonal_[i] + diagonal_[j.at] - 2.0 * static_cast<double>(k_i[j.at]),
                                  least_curvature(diagonal_[i]));
        const double room_i = y_[i] > 0 ? C_[i] - alpha_[i] : alpha_[i];
        const double room_j = y_[j.at] > 0 ? alpha_[j.at] : C_[j.at] - alpha_[j.at];
        const double wanted = (f_[j.at] - f_[i]) / a, t = std::min({wanted, room_i, room_j});
        // a variable that reaches its bound is put on it exactly
        alpha_[i] = t < room_i ? std::clamp(alpha_[i] + y_[i] * t, 0.0, C_[i]) : y_[i] > 0 ? C_[i] : 0;
        alpha_[j.at] = t < room_j     ? std::clamp(alpha_[j.at] - y_[j.at] * t, 0.0, C_[j.at])
                       : y_[j.at] > 0 ? 0
                                      : C_[j.at];
        set_bounds(i, split);
        set_bounds(j.at, split);
        move(t, k_i, k_j);
    }
    return max_steps;
}

} // namespace mlcore::svm
