#include "linear_model/hinge/hessian.hpp"

#include "core/eigen.hpp"
#include "core/sums.hpp"
#include "linear_model/hinge/loss.hpp"
#include "linear_model/hinge/run.hpp"

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>

namespace mlcore::linear_model::hinge {
namespace {

constexpr std::size_t gathered = 128; // rows in one product
constexpr std::size_t most_parts = 16;

using ByColumn = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic>;
using Square = Eigen::Map<ByColumn>;
using ConstSquare = Eigen::Map<const ByColumn>;

/// Rows are gathered as the columns of a block, so that one symmetric product serves many of them.
template <class T>
void add_rows(const DenseRows<T>& rows, std::span<const std::uint32_t> list, std::span<const double> h, double sign,
              double* sum, std::size_t width, Buffer<double>& memory) {
    if (memory.empty()) memory = Buffer<double>(width * gathered);
    const Eigen::Map<const ByColumn> block(memory.data(), eigen_index(width), eigen_index(gathered));
    Square target(sum, eigen_index(width), eigen_index(width));
    for (std::size_t begin = 0; begin < list.size(); begin += gathered) {
        const std::size_t n = std::min(gathered, list.size() - begin);
        for (std::size_t k = 0; k < n; ++k) {
            const std::size_t i = list[begin + k];
            if (begin + k + 4 < list.size()) rows.prefetch(list[begin + k + 4]);
            const double root = std::sqrt(h[i]);
            const T* x = rows.row(i);
            double* out = memory.data() + k * width;
            for (std::size_t j = 0; j < rows.features; ++j) out[j] = root * static_cast<double>(x[j]);
            if (width > rows.features) out[rows.features] = root * rows.bias;
        }
        target.selfadjointView<Eigen::Lower>().rankUpdate(block.leftCols(eigen_index(n)), sign);
    }
}

template <class T, class Index>
void add_rows(const SparseRows<T, Index>& rows, std::span<const std::uint32_t> list, std::span<const double> h,
              double sign, double* sum, std::size_t width, Buffer<double>&) {
    std::vector<std::size_t> column;
    std::vector<double> value;
    for (const std::uint32_t i : list) {
        column.clear();
        value.clear();
        rows.for_each(i, [&](std::size_t j, double v) {
            column.push_back(j);
            value.push_back(v);
        });
        const double factor = h[i] * sign;
        for (std::size_t a = 0; a < column.size(); ++a) {
            const double va = factor * value[a];
            for (std::size_t b = a; b < column.size(); ++b) {
                const std::size_t low = std::min(column[a], column[b]), high = std::max(column[a], column[b]);
                sum[low * width + high] += va * value[b];
            }
        }
    }
}

/// b = (A + ridge I)^-1 b from the lower triangle of A, column-major; zero if that is not possible. The diagonal is
/// brought to 1 first: what rounding leaves is then the same part of every feature, whatever its unit.
void solve_scaled(std::span<const double> A, double ridge, std::span<double> factor, std::span<double> b) {
    const std::size_t n = b.size();
    const ConstSquare given(A.data(), eigen_index(n), eigen_index(n));
    Square matrix(factor.data(), eigen_index(n), eigen_index(n));
    Eigen::Map<Eigen::VectorXd> x(b.data(), eigen_index(n));
    Eigen::VectorXd scale(eigen_index(n));
    for (Eigen::Index j = 0; j < eigen_index(n); ++j) {
        const double diagonal = std::max(given(j, j), 0.0) + ridge;
        scale[j] = diagonal > 0 ? 1 / std::sqrt(diagonal) : 0;
    }
    const Eigen::VectorXd right = scale.cwiseProduct(x);
    // Rounding may leave a matrix of nearly dependent columns without a root: more on the diagonal gives one.
    for (double extra = 0; extra < 1e6;) {
        for (Eigen::Index j = 0; j < eigen_index(n); ++j) {
            matrix.col(j).tail(eigen_index(n) - j) =
                scale[j] * scale.tail(eigen_index(n) - j).cwiseProduct(given.col(j).tail(eigen_index(n) - j));
            matrix(j, j) = 1 + extra;
        }
        const Eigen::LLT<Eigen::Ref<ByColumn>> root(matrix); // in place
        if (root.info() == Eigen::Success) {
            x = scale.cwiseProduct(root.solve(right));
            if (x.allFinite()) return;
        }
        extra = extra == 0 ? 1e-14 : 10 * extra;
    }
    x.setZero();
}

} // namespace

template <class Rows>
void LinearHessian::add(const RunContext& ctx, const Rows& rows, std::span<const std::uint32_t> list,
                        std::span<const double> h, double sign) {
    if (list.empty() || width_ == 0) return;
    // The parts are fixed by the data, so that the sum does not depend on the threads. Each is worth a matrix of its
    // own, which has to be cleared and added up.
    const double n = static_cast<double>(list.size()), entries = static_cast<double>(width_ * width_);
    const double of_row = static_cast<double>(rows.entries()) / static_cast<double>(rows.size) + 1;
    const double products = n * of_row * of_row / 2;
    const double wanted = products / (entries * (are_dense<Rows> ? 128 : 4));
    const auto n_parts = static_cast<std::size_t>(std::clamp(wanted, 1.0, static_cast<double>(most_parts)));
    gathered_.resize(static_cast<std::size_t>(ctx.n_threads));
    const double ns = products / static_cast<double>(n_parts) * (are_dense<Rows> ? 0.1 : 1.0);
    parallel_sums(ctx, n_parts, ns, sum_.size(), sum_.data(), [&](std::size_t p, double* sum, int thread) {
        const std::size_t begin = list.size() * p / n_parts, end = list.size() * (p + 1) / n_parts;
        Buffer<double>& memory = gathered_[static_cast<std::size_t>(thread)];
        if (begin < end) add_rows(rows, list.subspan(begin, end - begin), h, sign, sum, width_, memory);
    });
}

void LinearHessian::solve(double ridge, std::span<double> b) {
    if (factor_.empty()) factor_ = Buffer<double>(width_ * width_);
    solve_scaled({sum_.data(), width_ * width_}, ridge, {factor_.data(), width_ * width_}, b);
}

void LinearHessian::mirror() {
    for (std::size_t j = 0; j < width_; ++j)
        for (std::size_t i = j + 1; i < width_; ++i) sum_[i * width_ + j] = sum_[j * width_ + i];
}

void LinearHessian::l1_step(double kappa, std::span<const double> g, std::span<const double> w,
                            std::span<const double> scale, double enough, const std::function<void()>& pause,
                            std::span<double> p) {
    constexpr int most_cycles = 1000;
    mirror();
    std::vector<double> tiny(width_); // a column that no active row has (but for rounding) has a minimum too
    for (std::size_t j = 0; j < width_; ++j) {
        check_finite(kappa * sum_[j * width_ + j]);
        tiny[j] = scale[j] > 0 ? 1e-12 / (scale[j] * scale[j]) : 1e-300;
    }
    std::vector<double> slope(g.begin(), g.begin() + static_cast<std::ptrdiff_t>(width_)); // of the smooth part
    std::fill(p.begin(), p.end(), 0.0);
    const auto change_by = [&](std::size_t j, double change) {
        const double* column = sum_.data() + j * width_;
        for (std::size_t k = 0; k < width_; ++k) slope[k] += kappa * change * column[k];
        slope[j] += change * tiny[j];
    };
    const auto to_minimum_for_signs = [&] {
        std::vector<std::size_t> free;
        for (std::size_t j = 0; j < width_; ++j)
            if (w[j] + p[j] != 0) free.push_back(j);
        const std::size_t n = free.size();
        std::vector<double> A(n * n), root(n * n), step(n);
        for (std::size_t a = 0; a < n; ++a) {
            for (std::size_t b = 0; b < n; ++b) A[a * n + b] = kappa * sum_[free[a] * width_ + free[b]];
            A[a * n + a] += tiny[free[a]];
            step[a] = -slope[free[a]] - std::copysign(1.0, w[free[a]] + p[free[a]]);
        }
        solve_scaled(A, 0, root, step);
        double t = 1; // until a coefficient is zero
        std::size_t first = n;
        for (std::size_t a = 0; a < n; ++a) {
            const double u = w[free[a]] + p[free[a]];
            if (u * (u + t * step[a]) >= 0) continue;
            t = -u / step[a];
            first = a;
        }
        for (std::size_t a = 0; a < n; ++a) {
            const std::size_t j = free[a];
            const double next = a == first ? -w[j] : p[j] + t * step[a];
            change_by(j, next - p[j]);
            p[j] = next;
        }
    };
    int next_minimum = std::max(8, static_cast<int>(width_ / 8)); // it costs as much as that many cycles
    for (int cycle = 0; cycle < most_cycles; ++cycle) {
        if (cycle % 16 == 15) pause();
        double violation = 0;
        for (std::size_t j = 0; j < width_; ++j) {
            const double curvature = kappa * sum_[j * width_ + j] + tiny[j], u = w[j] + p[j];
            if (u == 0)
                violation += scale[j] * std::max(std::abs(slope[j]) - 1, 0.0);
            else
                violation += scale[j] * std::abs(slope[j] + std::copysign(1.0, u));
            const double next = soft_threshold(u - slope[j] / curvature, 1 / curvature), change = next - u;
            if (change == 0) continue;
            p[j] = next - w[j];
            change_by(j, change);
        }
        if (violation <= enough) break;
        if (cycle == next_minimum) {
            to_minimum_for_signs();
            next_minimum += std::max(4, static_cast<int>(width_ / 8));
        }
    }
}

#define MLCORE_INSTANTIATE(Rows)                                                                                       \
    template void LinearHessian::add(const RunContext&, const Rows&, std::span<const std::uint32_t>,                   \
                                     std::span<const double>, double);
MLCORE_INSTANTIATE(DenseRows<float>)
MLCORE_INSTANTIATE(DenseRows<double>)
using SparseFloat32 = SparseRows<float, std::int32_t>;
using SparseFloat64 = SparseRows<float, std::int64_t>;
using SparseDouble32 = SparseRows<double, std::int32_t>;
using SparseDouble64 = SparseRows<double, std::int64_t>;
MLCORE_INSTANTIATE(SparseFloat32)
MLCORE_INSTANTIATE(SparseFloat64)
MLCORE_INSTANTIATE(SparseDouble32)
MLCORE_INSTANTIATE(SparseDouble64)
#undef MLCORE_INSTANTIATE

} // namespace mlcore::linear_model::hinge
