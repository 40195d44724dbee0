// Kernels between one point and many, as vectors. Values are float32, as in libsvm; what goes into the exponential or
// the power is computed in the precision of the inner products.
#pragma once

#include "core/simd.hpp"
#include "svm/kernel.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>

namespace mlcore::svm {

/// Kernel values of one point with `width` others, from inner products `dots`, the point's squared norm and theirs.
/// width is a multiple of simd::lanes, `widest` at most. Only rbf looks at the norms.
inline constexpr std::size_t widest = 2 * simd::lanes;
template <class T>
void kernel_values(const Kernel& kernel, std::size_t width, const T* dots, T norm, const T* norms, float* out) {
    const auto gamma = static_cast<T>(kernel.gamma), coef0 = static_cast<T>(kernel.coef0);
    switch (kernel.type) {
    case Kernel::Type::rbf:
        // The distance of a point to itself may be rounded below 0; one that overflows to NaN is far away.
        if constexpr (std::is_same_v<T, float>) {
            for (std::size_t j = 0; j < width; j += simd::lanes) {
                simd::Floats x =
                    -gamma * simd::fma(simd::load(dots + j), simd::broadcast(-2.0f), simd::load(norms + j) + norm);
                x = x < 0 ? x : simd::Floats{};
                simd::store(out + j, simd::exp_negative(x > -100 ? x : simd::broadcast(-100.0f)));
            }
        } else {
            for (std::size_t j = 0; j < width; ++j) {
                const T exponent = -gamma * (norm + norms[j] - 2 * dots[j]);
                out[j] = static_cast<float>(exponent > -100 ? std::min(exponent, T{0}) : T{-100});
            }
            for (std::size_t j = 0; j < width; j += simd::lanes)
                simd::store(out + j, simd::exp_negative(simd::load(out + j)));
        }
        break;
    case Kernel::Type::poly: {
        T power[widest], result[widest]; // by squaring, all columns at a time
        for (std::size_t j = 0; j < width; ++j) power[j] = gamma * dots[j] + coef0;
        std::fill_n(result, width, T{1});
        for (int left = kernel.degree; left > 0; left /= 2) {
            if (left % 2 == 1)
                for (std::size_t j = 0; j < width; ++j) result[j] *= power[j];
            for (std::size_t j = 0; j < width; ++j) power[j] *= power[j];
        }
        for (std::size_t j = 0; j < width; ++j) out[j] = static_cast<float>(result[j]);
        break;
    }
    case Kernel::Type::sigmoid: // tanh x = (1 - e) / (1 + e) with e = exp(-2 |x|): its absolute error is that of 1
        for (std::size_t j = 0; j < width; ++j)
            out[j] = static_cast<float>(std::max(T{-100}, -2 * std::abs(gamma * dots[j] + coef0)));
        for (std::size_t j = 0; j < width; j += simd::lanes) {
            const simd::Floats e = simd::exp_negative(simd::load(out + j));
            simd::store(out + j, (1 - e) / (1 + e));
        }
        for (std::size_t j = 0; j < width; ++j)
            out[j] = std::copysign(out[j], static_cast<float>(gamma * dots[j] + coef0));
        break;
    default:
        for (std::size_t j = 0; j < width; ++j) out[j] = static_cast<float>(dots[j]);
    }
}

/// What is to be taken off a kernel value that is seen from a reference point (reference.hpp).
struct Moved {
    double self;           // K(r, r)
    double offset;         // b of the point
    const double* offsets; // b of the others
    double of(double value, std::size_t j) const { return (value - self) - (offset + offsets[j]); }
};
/// This cancels, so all of it is float64 until then.
inline void kernel_values(const Kernel& kernel, std::size_t width, const double* dots, double norm, const double* norms,
                          const Moved& moved, float* out) {
    for (std::size_t j = 0; j < width; ++j)
        out[j] = static_cast<float>(moved.of(kernel_value(kernel, dots[j], norm, norms[j]), j));
}

} // namespace mlcore::svm
