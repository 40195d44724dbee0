// Gradients and hessians as fixed-point integers.
//
// Problem: histogram sums in floating point depend on the order of summation, hence on the number of threads, and the
// sibling's histogram (parent minus child) loses digits. Integer sums do neither: any partition of the rows gives the
// same bits and the subtraction is exact. A row becomes 16 bytes that one SSE load, add and store accumulate:
//
//     lane 0: gradient, signed                                (63 - log2 n bits a row)
//     lane 1: hessian in the upper bits | row count in the lower `count_bits`
//
// With a million rows a gradient keeps 43 bits and a hessian 24, as much as the float32 it comes from. The fields of
// sums are unsigned (but for the gradient) and never borrow from each other, so whole entries add and subtract.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace mlcore::boosting {

struct alignas(16) PackedPair {
    std::int64_t gradient = 0;
    std::uint64_t hessian_count = 0;

    PackedPair& operator+=(const PackedPair& o) {
        gradient += o.gradient;
        hessian_count += o.hessian_count;
        return *this;
    }
    friend PackedPair operator+(PackedPair a, const PackedPair& b) { return a += b; }
    friend PackedPair operator-(PackedPair a, const PackedPair& b) {
        a.gradient -= b.gradient;
        a.hessian_count -= b.hessian_count;
        return a;
    }
    friend bool operator==(const PackedPair&, const PackedPair&) = default;
};

struct Sums {
    double g = 0.0; // sum of gradients
    double h = 0.0; // sum of hessians
    double n = 0.0; // number of rows, repeats counted
    friend Sums operator+(const Sums& a, const Sums& b) { return {a.g + b.g, a.h + b.h, a.n + b.n}; }
    friend Sums operator-(const Sums& a, const Sums& b) { return {a.g - b.g, a.h - b.h, a.n - b.n}; }
};

// The scale of one tree's integers. Scales are powers of two, so decoding is exact.
class FixedPoint {
  public:
    FixedPoint() = default;

    // total_count: all rows, repeats counted; max_abs_gradient: of one row; sum_hessian: over all rows.
    FixedPoint(std::uint64_t n_rows, std::uint64_t total_count, double max_abs_gradient, double sum_hessian) {
        count_bits_ = std::bit_width(total_count);
        // A rounded row may exceed its value by half a unit, so the sum by n_rows / 2: one spare bit covers that.
        const int gradient_bits = 62 - static_cast<int>(std::bit_width(n_rows));
        const int hessian_bits = 63 - count_bits_;
        gradient_exponent_ = std::clamp(gradient_bits - exponent_above(max_abs_gradient), -1000, 1000);
        hessian_exponent_ = std::clamp(hessian_bits - exponent_above(sum_hessian), -1000, 1000);
        gradient_scale_ = std::ldexp(1.0, gradient_exponent_);
        hessian_scale_ = std::ldexp(1.0, hessian_exponent_);
        gradient_unit_ = std::ldexp(1.0, -gradient_exponent_);
        hessian_unit_ = std::ldexp(1.0, -hessian_exponent_);
    }

    PackedPair encode(float gradient, float hessian, std::uint32_t count) const {
        const auto g = static_cast<std::int64_t>(std::nearbyint(gradient * gradient_scale_));
        const auto h = static_cast<std::int64_t>(std::nearbyint(hessian * hessian_scale_));
        return {g, (static_cast<std::uint64_t>(h) << count_bits_) | count};
    }

    Sums decode(const PackedPair& p) const {
        const std::uint64_t mask = (std::uint64_t{1} << count_bits_) - 1;
        return {static_cast<double>(p.gradient) * gradient_unit_,
                static_cast<double>(static_cast<std::int64_t>(p.hessian_count >> count_bits_)) * hessian_unit_,
                static_cast<double>(static_cast<std::int64_t>(p.hessian_count & mask))};
    }

    double hessian_unit() const { return hessian_unit_; }

  private:
    // Smallest e with x < 2^e (0 for x = 0).
    static int exponent_above(double x) {
        int e = 0;
        if (x > 0) std::frexp(x, &e);
        return e;
    }

    int count_bits_ = 1;
    int gradient_exponent_ = 0, hessian_exponent_ = 0;
    double gradient_scale_ = 1, hessian_scale_ = 1, gradient_unit_ = 1, hessian_unit_ = 1;
};

} // namespace mlcore::boosting
