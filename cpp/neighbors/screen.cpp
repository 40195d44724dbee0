#include "neighbors/screen.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::neighbors {

using linalg::tile_cols;

std::vector<double> Screen::centre_of(const RunContext& ctx, MatrixView<const double> points) {
    const std::size_t d = points.cols;
    const double share = 1 / static_cast<double>(points.rows); // first, lest the sum is too large
    return parallel_reduce(
        ctx, points.rows, static_cast<double>(d), std::vector<double>(d, 0.0),
        [&](std::size_t begin, std::size_t end) {
            std::vector<double> sum(d, 0.0);
            for (std::size_t i = begin; i < end; ++i)
                for (std::size_t j = 0; j < d; ++j) sum[j] += share * points(i, j);
            return sum;
        },
        [](std::vector<double> total, const std::vector<double>& part) {
            for (std::size_t j = 0; j < total.size(); ++j) total[j] += part[j];
            return total;
        });
}

double Screen::reach_of(const RunContext& ctx, MatrixView<const double> points, const std::vector<double>& centre) {
    return parallel_reduce(
        ctx, points.rows, static_cast<double>(points.cols), 0.0,
        [&](std::size_t begin, std::size_t end) {
            double reach = 0;
            for (std::size_t i = begin; i < end; ++i)
                for (std::size_t j = 0; j < points.cols; ++j)
                    reach = std::max(reach, std::abs(points(i, j) - centre[j]));
            return reach;
        },
        [](double a, double b) { return std::max(a, b); });
}

Screen::Screen(const RunContext& ctx, MatrixView<const double> points, std::vector<double> centre, double reach)
    : n_(points.rows), d_(points.cols), centre_(std::move(centre)),
      // reach * unit is from 1/2 to 1
      unit_(reach > 0 ? std::ldexp(1.0, -std::clamp(std::ilogb(reach) + 1, -500, 500)) : 1.0),
      // d roundings of the product, each an ulp of float32 at most, half of which is u = 2^-24; 4 u for the rounding of
      // coordinates to float32, 3 u for those of the sum of the product and the square, and 5 % for their products
      error_((1.05 * static_cast<double>(d_) + 32) * 0x1p-24), panels_(n_panels() * d_ * tile_cols),
      lower_squares_(n_panels() * tile_cols), squares_(n_) {
    parallel_tasks(ctx, n_panels(), static_cast<double>(d_ * tile_cols), [&](std::size_t p, int) {
        float* panel = panels_.data() + p * d_ * tile_cols;
        for (std::size_t c = 0; c < tile_cols; ++c) {
            const std::size_t i = p * tile_cols + c;
            if (i < n_) {
                squares_[i] = convert(&points(i, 0), panel + c, tile_cols, 1.0F);
                lower_squares_[i] = static_cast<float>(squares_[i] * (1 - error_) - absolute);
                continue;
            }
            for (std::size_t j = 0; j < d_; ++j) panel[j * tile_cols + c] = 0;
            lower_squares_[i] = std::numeric_limits<float>::infinity();
        }
    });
}

double Screen::convert(const double* row, float* out, std::size_t stride, float factor) const {
    double square = 0;
    for (std::size_t j = 0; j < d_; ++j) {
        const auto x = static_cast<float>((row[j] - centre_[j]) * unit_);
        square += static_cast<double>(x) * static_cast<double>(x);
        out[j * stride] = x * factor;
    }
    return square;
}

void Screen::pack(MatrixView<const double> queries, std::size_t first, std::size_t m, float* panel,
                  double* squares) const {
    for (std::size_t i = 0; i < m; ++i) squares[i] = convert(&queries(first + i, 0), panel + i, m, -2.0F);
}

} // namespace mlcore::neighbors
