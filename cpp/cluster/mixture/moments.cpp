#include "cluster/mixture/moments.hpp"

#include <limits>

namespace mlcore::mixture {
namespace {

using simd::Doubles;

constexpr double negligible = 1e-25; // share of a row: a billion of them change no digit of a component of one row

/// C (tile, group) += sum over rows of x_i w_j: x, w (n, stride), C rows `stride` apart.
void add_outer(const double* x, const double* w, std::size_t n, std::size_t stride, double* C) {
    Doubles sum[tile][2];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < tile; ++i)
        for (std::size_t half = 0; half < 2; ++half) sum[i][half] = simd::load(C + i * stride + half * vector_rows);
    for (std::size_t row = 0; row < n; ++row, x += stride, w += stride) {
        const Doubles left = simd::load(w), right = simd::load(w + vector_rows);
#pragma GCC unroll 8
        for (std::size_t i = 0; i < tile; ++i) {
            const Doubles factor = simd::broadcast(x[i]);
            sum[i][0] = simd::fma(factor, left, sum[i][0]);
            sum[i][1] = simd::fma(factor, right, sum[i][1]);
        }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < tile; ++i)
        for (std::size_t half = 0; half < 2; ++half) simd::store(C + i * stride + half * vector_rows, sum[i][half]);
}

} // namespace

void MomentAdder::add(const Block& block, const double* share, const double* mean, std::size_t c, double* sums) {
    const std::size_t stride = layout_.stride, d = layout_.d;
    double *count = layout_.count(sums, c), *shift = layout_.shift(sums, c), *square = layout_.square(sums, c);
    std::size_t n = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
        if (!(share[i] > negligible)) continue;
        const double* x = block.row(i);
        double *difference = differences_.data() + n * stride, *weighted = weighted_.data() + n * stride;
        for (std::size_t j = 0; j < d; ++j) difference[j] = x[j] - mean[j];
        for (std::size_t j = d; j < stride; ++j) difference[j] = 0;
        for (std::size_t j = 0; j < stride; ++j) {
            weighted[j] = share[i] * difference[j];
            shift[j] += weighted[j];
        }
        *count += share[i];
        ++n;
    }
    if (n == 0) return;
    if (!layout_.is_matrix) {
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < stride; ++j)
                square[j] += differences_[i * stride + j] * weighted_[i * stride + j];
        return;
    }
    for (std::size_t i = 0; i < d; i += tile)
        for (std::size_t j = i / group * group; j < d; j += group)
            add_outer(differences_.data() + i, weighted_.data() + j, n, stride, square + i * stride + j);
}

Components maximise(const MomentLayout& layout, Shape shape, double* sums, std::span<const double> means,
                    std::span<const double> ridge) {
    constexpr double nothing = 10 * std::numeric_limits<double>::epsilon(); // of a component without rows
    const std::size_t k = layout.k, d = layout.d;
    Components out{shape,
                   k,
                   d,
                   std::vector<double>(k),
                   {means.begin(), means.end()},
                   std::vector<double>(covariance_entries(shape, k, d)),
                   {}};
    double total = 0, mean_ridge = 0;
    for (const double r : ridge) mean_ridge += r / static_cast<double>(d);
    for (std::size_t c = 0; c < k; ++c) {
        const double n = *layout.count(sums, c), divisor = n + nothing;
        total += out.weights[c] = divisor;
        double* shift = layout.shift(sums, c);
        const double* A = layout.square(sums, c);
        if (n > 0)
            for (std::size_t j = 0; j < d; ++j) {
                shift[j] /= n;
                out.means[c * d + j] += shift[j];
            }
        if (shape == Shape::full || shape == Shape::tied) {
            double* S = out.covariances.data() + (shape == Shape::full ? c * d * d : 0);
            const double share = shape == Shape::full ? 1 / divisor : 1;
            for (std::size_t i = 0; i < d; ++i)
                for (std::size_t j = i; j < d; ++j)
                    S[i * d + j] += (A[i * layout.stride + j] - n * shift[i] * shift[j]) * share;
        } else {
            for (std::size_t j = 0; j < d; ++j) {
                const double variance = std::max(A[j] - n * shift[j] * shift[j], 0.0) / divisor;
                if (shape == Shape::diag)
                    out.covariances[c * d + j] = variance + ridge[j];
                else
                    out.covariances[c] += variance / static_cast<double>(d);
            }
            if (shape == Shape::spherical) out.covariances[c] += mean_ridge;
        }
    }
    for (double& weight : out.weights) weight /= total;
    if (!layout.is_matrix) return out;
    for (std::size_t m = 0; m < out.covariances.size() / (d * d); ++m) {
        double* S = out.covariances.data() + m * d * d;
        if (shape == Shape::tied)
            for (std::size_t i = 0; i < d * d; ++i) S[i] /= total;
        for (std::size_t i = 0; i < d; ++i) {
            S[i * d + i] += ridge[i];
            for (std::size_t j = i + 1; j < d; ++j) S[j * d + i] = S[i * d + j];
        }
    }
    return out;
}

} // namespace mlcore::mixture
