// Centers as the products of an assignment read them, and how far those products may be from the truth.
//
// With the scaled points x and centers c of points.hpp, u = 2^-24 and C the largest |c|, the value that float32 gives
// for |c|^2 - 2 x.c differs from the true one by less than
//
//     u [(d + 2) |c|^2 + (2 d + 6) |x| |c|] 1.01 <= u (d + 4) 1.05 (C^2 + 2 |x| C) = error(|x|)
//
// with d = most_terms(): x, c and |c|^2 are rounded once each, and each of the d steps (d + d without a fused
// multiply-add, hence the factor below) rounds a sum that is no larger than |c|^2 + 2 |x| |c|. So a center whose value
// is lower than all others by more than twice this is the nearest one, whatever the order of the sums.
#pragma once

#include "cluster/kmeans/points.hpp"
#include "core/memory.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::kmeans {

class Centers {
  public:
    /// centers (k, d) in the table's units, which must outlive this.
    Centers(const Points& points, const double* centers, std::size_t k);

    std::size_t size() const noexcept { return k_; }
    const double* exact(std::size_t j) const noexcept { return centers_ + j * d_; }
    /// Squared distance to point i, as Points::squared_distance.
    double squared_distance(const Points& points, std::size_t i, std::size_t j, double* dense) const {
        return points.squared_distance(i, exact(j), squares_[j], dense);
    }

    /// Dense points: tiles of height() centers. Numbers of centers that are missing are those of none: their norm is
    /// infinite.
    std::size_t height() const noexcept { return height_; }
    std::size_t n_tiles() const noexcept { return n_tiles_; }
    const float* tile(std::size_t t) const noexcept { return values_.data() + t * height_ * d_; }
    /// Sparse points: -2 c by features, (d, stride()).
    std::size_t stride() const noexcept { return n_tiles_ * height_; }
    const float* feature(std::size_t k) const noexcept { return values_.data() + k * stride(); }
    /// |c|^2 (stride()).
    const float* norms() const noexcept { return norms_.data(); }
    const std::int32_t* numbers() const noexcept { return numbers_.data(); }

    /// Bound on the error of a value for a point of this norm; infinite or NaN where float32 is of no use.
    float error(float norm) const noexcept { return constant_ + slope_ * norm; }
    /// |c| of the furthest center.
    float largest() const noexcept { return largest_; }

  private:
    const double* centers_;
    std::size_t k_, d_, height_, n_tiles_;
    Scratch<float> values_, norms_;
    Scratch<std::int32_t> numbers_;
    std::vector<double> squares_;
    float constant_, slope_, largest_;
};

} // namespace mlcore::kmeans
