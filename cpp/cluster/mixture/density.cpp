#include "cluster/mixture/density.hpp"

#include "core/vecmath.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace mlcore::mixture {
namespace {

using simd::Doubles;

/// z_j = sum_i t_i p_ij for a tile of columns and a group of rows. t: columns of a block, from the first row on.
[[gnu::always_inline]] inline void project(const double* t, const double* panel, std::size_t depth,
                                           Doubles (&z)[tile][2]) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < tile; ++j) z[j][0] = z[j][1] = Doubles{};
    for (std::size_t i = 0; i < depth; ++i, t += block_rows, panel += tile) {
        const Doubles left = simd::load(t), right = simd::load(t + vector_rows);
#pragma GCC unroll 8
        for (std::size_t j = 0; j < tile; ++j) {
            const Doubles p = simd::broadcast(panel[j]);
            z[j][0] = simd::fma(p, left, z[j][0]);
            z[j][1] = simd::fma(p, right, z[j][1]);
        }
    }
}

/// out_row = constant - |t_row P|^2 / 2 for all rows of a block of differences t (d, block_rows).
void triangular(const double* t, const double* panels, std::size_t d, double constant, double* out) {
    for (std::size_t row = 0; row < block_rows; row += group) {
        Doubles sum[2] = {Doubles{}, Doubles{}}, z[tile][2];
        const double* panel = panels;
        for (std::size_t begin = 0; begin < d; begin += tile) {
            const std::size_t depth = std::min(begin + tile, d);
            project(t + row, panel, depth, z);
            panel += depth * tile;
#pragma GCC unroll 8
            for (std::size_t j = 0; j < tile; ++j)
                for (std::size_t half = 0; half < 2; ++half) sum[half] = simd::fma(z[j][half], z[j][half], sum[half]);
        }
        for (std::size_t half = 0; half < 2; ++half)
            simd::store(out + row + half * vector_rows, constant - 0.5 * sum[half]);
    }
}

/// out (d, block_rows) = t P.
void rotate(const double* t, const double* panels, std::size_t d, double* out) {
    for (std::size_t row = 0; row < block_rows; row += group) {
        Doubles z[tile][2];
        const double* panel = panels;
        for (std::size_t begin = 0; begin < d; begin += tile) {
            const std::size_t depth = std::min(begin + tile, d);
            project(t + row, panel, depth, z);
            panel += depth * tile;
            for (std::size_t j = begin; j < depth; ++j)
                for (std::size_t half = 0; half < 2; ++half)
                    simd::store(out + j * block_rows + row + half * vector_rows, z[j - begin][half]);
        }
    }
}

/// out_row = constant - sum_i ((t_i - mean_i) scale_i)^2 / 2; a scale of nullptr is 1.
void axes(const double* t, const double* mean, const double* scale, std::size_t d, double constant, double* out) {
    for (std::size_t row = 0; row < block_rows; row += group) {
        Doubles sum[2] = {Doubles{}, Doubles{}};
        for (std::size_t i = 0; i < d; ++i)
            for (std::size_t half = 0; half < 2; ++half) {
                Doubles z = simd::load(t + i * block_rows + row + half * vector_rows) - mean[i];
                if (scale) z *= scale[i];
                sum[half] = simd::fma(z, z, sum[half]);
            }
        for (std::size_t half = 0; half < 2; ++half)
            simd::store(out + row + half * vector_rows, constant - 0.5 * sum[half]);
    }
}

} // namespace

void Block::load(MatrixView<const double> points, const double* centre, std::size_t begin, std::size_t end) {
    const std::size_t d = points.cols;
    size_ = end - begin;
    for (std::size_t i = 0; i < size_; ++i) {
        const double* x = points.data + static_cast<std::ptrdiff_t>(begin + i) * points.row_stride;
        double* out = rows_.data() + i * stride_;
        for (std::size_t j = 0; j < d; ++j) out[j] = x[j] - centre[j];
        std::fill(out + d, out + stride_, 0.0);
    }
    for (std::size_t j = 0; j < d; ++j) {
        double* out = cols_.data() + j * block_rows;
        for (std::size_t i = 0; i < size_; ++i) out[i] = rows_[i * stride_ + j];
        std::fill(out + size_, out + block_rows, 0.0);
    }
}

Density::Density(const Components& components, const double* centre)
    : shape_(components.shape), k_(components.k), d_(components.d), means_(components.means), constants_(k_) {
    for (std::size_t c = 0; c < k_; ++c)
        for (std::size_t j = 0; j < d_; ++j) means_[c * d_ + j] -= centre[j];
    const double* P = components.precisions_cholesky.data();
    const bool is_matrix = shape_ == Shape::full || shape_ == Shape::tied;
    if (is_matrix) {
        for (std::size_t begin = 0; begin < d_; begin += tile) panels_size_ += std::min(begin + tile, d_) * tile;
        const std::size_t n_matrices = shape_ == Shape::full ? k_ : 1;
        panels_.reserve(n_matrices * panels_size_);
        for (std::size_t c = 0; c < n_matrices; ++c) pack(P + c * d_ * d_);
    } else {
        scales_.resize(k_ * d_);
        for (std::size_t c = 0; c < k_; ++c)
            for (std::size_t j = 0; j < d_; ++j) scales_[c * d_ + j] = shape_ == Shape::diag ? P[c * d_ + j] : P[c];
    }
    for (std::size_t c = 0; c < k_; ++c) {
        double log_determinant = 0;
        for (std::size_t j = 0; j < d_; ++j)
            log_determinant +=
                std::log(is_matrix ? P[((shape_ == Shape::full ? c * d_ : 0) + j) * d_ + j] : scales_[c * d_ + j]);
        constants_[c] = std::log(components.weights[c]) + log_determinant -
                        0.5 * static_cast<double>(d_) * std::log(2 * std::numbers::pi);
    }
    if (shape_ != Shape::tied) return;
    rotated_means_.assign(k_ * d_, 0.0);
    for (std::size_t c = 0; c < k_; ++c) // in the order of rotate(): a row that is a mean is no distance from it
        for (std::size_t i = 0; i < d_; ++i)
            for (std::size_t j = i; j < d_; ++j)
                rotated_means_[c * d_ + j] = simd::fma(P[i * d_ + j], means_[c * d_ + i], rotated_means_[c * d_ + j]);
}

void Density::pack(const double* P) {
    for (std::size_t begin = 0; begin < d_; begin += tile) {
        const std::size_t end = std::min(begin + tile, d_);
        for (std::size_t i = 0; i < end; ++i)
            for (std::size_t j = begin; j < begin + tile; ++j)
                panels_.push_back(j < end && i <= j ? P[i * d_ + j] : 0.0);
    }
}

void Density::log_densities(const Block& block, double* scratch, double* out) const {
    const double* t = block.columns();
    if (shape_ == Shape::tied) rotate(t, panels_.data(), d_, scratch);
    for (std::size_t c = 0; c < k_; ++c, out += block_rows) {
        if (shape_ == Shape::tied) {
            axes(scratch, rotated_means_.data() + c * d_, nullptr, d_, constants_[c], out);
        } else if (shape_ == Shape::full) {
            for (std::size_t j = 0; j < d_; ++j) {
                const double m = mean(c)[j];
                for (std::size_t i = 0; i < block_rows; ++i) scratch[j * block_rows + i] = t[j * block_rows + i] - m;
            }
            triangular(scratch, panels_.data() + c * panels_size_, d_, constants_[c], out);
        } else {
            axes(t, mean(c), scales_.data() + c * d_, d_, constants_[c], out);
        }
    }
}

void log_sums(const double* log_densities, std::size_t k, double* norm) {
    double largest[block_rows], sum[block_rows];
    std::copy_n(log_densities, block_rows, largest);
    for (std::size_t c = 1; c < k; ++c)
        for (std::size_t i = 0; i < block_rows; ++i) {
            const double x = log_densities[c * block_rows + i];
            largest[i] = x > largest[i] ? x : largest[i];
        }
    // A row that is infinitely far from all components has shares of 0 and not NaN.
    constexpr double least = -std::numeric_limits<double>::max();
    for (std::size_t i = 0; i < block_rows; ++i) largest[i] = largest[i] > least ? largest[i] : least;
    std::fill_n(sum, block_rows, 0.0);
    for (std::size_t c = 0; c < k; ++c)
        for (std::size_t i = 0; i < block_rows; ++i) sum[i] += vm::exp_(log_densities[c * block_rows + i] - largest[i]);
    for (std::size_t i = 0; i < block_rows; ++i) {
        norm[i] = largest[i] + vm::log_(sum[i]);
        norm[i] = norm[i] > least ? norm[i] : least;
    }
}

} // namespace mlcore::mixture
