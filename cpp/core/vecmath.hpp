// exp, log, tanh and sigmoid in double and float that the compiler turns into vector code: branch-free, no tables, no
// calls, and every step one rounded operation in a fixed order (the project is compiled without contraction to FMA), so
// scalar code, SSE, AVX2 and AVX-512 give the same bits.
//
// Largest error, against long double, over the whole range (tests/cpp/core/test_vecmath.cpp measures it):
//              exp_      log_      tanh_     sigmoid_
//   double   1.1 ulp   0.9 ulp   2.7 ulp   2.6 ulp
//   float    1.1 ulp   0.9 ulp   2.7 ulp   2.6 ulp
// All arguments are valid: NaN gives NaN, infinities give the limits, exp_ overflows to infinity, log_ of 0 is
// -infinity and of less NaN. Denormal arguments and results are as good as the others, unless the thread flushes them
// to zero.
//
// The methods are the classical ones (Cody and Waite, "Software manual for the elementary functions", 1980): reduce by
// multiples of ln 2 in two pieces, then a polynomial. Its coefficients are minimax ones, by Remez's algorithm.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

// A call that is not inlined would keep its loop from becoming vector code.
#define MLCORE_VM_INLINE [[gnu::always_inline]] inline

namespace mlcore::vm {

namespace detail {

template <class T>
struct Constants;

template <>
struct Constants<double> {
    using Bits = std::uint64_t;
    static constexpr int mantissa_bits = 52, bias = 1023;
    static constexpr double ln2_hi = 0x1.62e42feep-1, ln2_lo = 0x1.a39ef35793c76p-33; // n * ln2_hi is exact
    static constexpr double exp_min = -746, exp_max = 710;                            // 0 and infinity from here on
    static constexpr double tanh_max = 20;                                            // 1 from here on
    static constexpr int denormal_shift = 54;
    // (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2
    static constexpr std::array exp_poly{0x1.0000000000005p-1,  0x1.555555555555cp-3,  0x1.55555555520fep-5,
                                         0x1.111111110e6ebp-7,  0x1.6c16c17f348a7p-10, 0x1.a01a01b5cfca1p-13,
                                         0x1.a019a68f20ffap-16, 0x1.71ddea19c183ep-19, 0x1.28a2a1ca190fcp-22,
                                         0x1.af7689abe2e51p-26};
    // (2 artanh(s) / s - 2) / z, z = s^2, for |s| <= (sqrt(2) - 1) / (sqrt(2) + 1)
    static constexpr std::array log_poly{0x1.5555555555570p-1, 0x1.9999999988816p-2, 0x1.2492493ba1ebep-2,
                                         0x1.c71c5675cdb66p-3, 0x1.746570a6d8beep-3, 0x1.39b48c695e864p-3,
                                         0x1.2e574bfec077cp-3};
};

template <>
struct Constants<float> {
    using Bits = std::uint32_t;
    static constexpr int mantissa_bits = 23, bias = 127;
    static constexpr float ln2_hi = 0x1.62e4p-1f, ln2_lo = 0x1.7f7d1cp-20f;
    static constexpr float exp_min = -104, exp_max = 89;
    static constexpr float tanh_max = 10;
    static constexpr int denormal_shift = 25;
    static constexpr std::array exp_poly{0x1p-1f, 0x1.5554bp-3f, 0x1.555486p-5f, 0x1.1227fp-7f, 0x1.6d98f8p-10f};
    static constexpr std::array log_poly{0x1.55557ap-1f, 0x1.995e9cp-2f, 0x1.31e664p-2f};
};

/// c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule.
template <std::size_t I = 0, class T, std::size_t N>
MLCORE_VM_INLINE constexpr T polynomial(T x, const std::array<T, N>& c) {
    if constexpr (I + 1 == N)
        return c[I];
    else
        return c[I] + x * polynomial<I + 1>(x, c);
}

/// Adding this moves the integer nearest to a small number into its lowest mantissa bits.
template <class T>
inline constexpr T rounder = T{1.5} * static_cast<T>(typename Constants<T>::Bits{1} << Constants<T>::mantissa_bits);

template <class T>
MLCORE_VM_INLINE T round_to_integer(T x) {
    const T shifted = x + rounder<T>;
    return shifted - rounder<T>;
}

/// 2^n for a whole n in (-bias, bias].
template <class T>
MLCORE_VM_INLINE T power_of_two(T n) {
    using C = Constants<T>;
    using Bits = typename C::Bits;
    return std::bit_cast<T>(std::bit_cast<Bits>(n + (rounder<T> + T{C::bias})) << C::mantissa_bits);
}

/// e^x = 2^n (1 + p), |p| < 0.42
template <class T>
struct Exponential {
    T n, p;
};

template <class T>
MLCORE_VM_INLINE Exponential<T> reduced_exp(T x) {
    using C = Constants<T>;
    const T n = round_to_integer(x * T{1.4426950408889634074});
    const T r = (x - n * C::ln2_hi) - n * C::ln2_lo;
    return {n, r + r * r * polynomial(r, C::exp_poly)};
}

} // namespace detail

template <class T>
MLCORE_VM_INLINE T exp_(T x) {
    using C = detail::Constants<T>;
    x = x < C::exp_min ? C::exp_min : x;
    x = x > C::exp_max ? C::exp_max : x;
    const auto [n, p] = detail::reduced_exp(x);
    const T half = detail::round_to_integer(n * T{0.5}); // 2^n itself may be out of range
    return (T{1} + p) * detail::power_of_two(half) * detail::power_of_two(n - half);
}

template <class T>
MLCORE_VM_INLINE T log_(T x) {
    using C = detail::Constants<T>;
    using Bits = typename C::Bits;
    using Limits = std::numeric_limits<T>;
    constexpr Bits sqrt_half = std::bit_cast<Bits>(T{0.70710678118654752440});
    constexpr Bits mantissa = (Bits{1} << C::mantissa_bits) - 1;
    constexpr T integer = static_cast<T>(Bits{1} << C::mantissa_bits);

    // x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2))
    const bool denormal = x < Limits::min();
    const Bits bits = std::bit_cast<Bits>(denormal ? x * static_cast<T>(Bits{1} << C::denormal_shift) : x) +
                      (std::bit_cast<Bits>(T{1}) - sqrt_half);
    const T exponent = std::bit_cast<T>((bits >> C::mantissa_bits) | std::bit_cast<Bits>(integer));
    const T k = exponent - (denormal ? integer + T{C::bias + C::denormal_shift} : integer + T{C::bias});
    const T f = std::bit_cast<T>((bits & mantissa) + sqrt_half) - T{1};

    // log(1 + f) = 2 artanh(s) = f - f^2/2 + s (f^2/2 + R(s^2)); the largest term, f, is exact
    const T s = f / (T{2} + f);
    const T z = s * s;
    const T half_square = T{0.5} * f * f;
    const T tail = s * (half_square + z * detail::polynomial(z, C::log_poly)) + k * C::ln2_lo;
    const T finite = k * C::ln2_hi - ((half_square - tail) - f);

    const T not_positive = x == T{0} ? -Limits::infinity() : Limits::quiet_NaN();
    const T positive = x < Limits::infinity() ? finite : x;
    return x > T{0} ? positive : not_positive;
}

/// By e^2|x| - 1, which keeps all digits near 0.
template <class T>
MLCORE_VM_INLINE T tanh_(T x) {
    using C = detail::Constants<T>;
    T magnitude = std::abs(x);
    magnitude = magnitude > C::tanh_max ? C::tanh_max : magnitude;
    const auto [n, p] = detail::reduced_exp(magnitude + magnitude);
    const T power = detail::power_of_two(n);
    const T expm1 = power * p + (power - T{1});
    return std::copysign(expm1 / (expm1 + T{2}), x);
}

/// 1 / (1 + e^-x), by e^-|x|, which cannot overflow.
template <class T>
MLCORE_VM_INLINE T sigmoid_(T x) {
    const T e = exp_(-std::abs(x));
    return (x >= T{0} ? T{1} : e) / (T{1} + e);
}

// Array forms: x (n) in, y (n) out; y may be x itself, but not overlap it otherwise.
void exp(const double* x, double* y, std::size_t n);
void log(const double* x, double* y, std::size_t n);
void tanh(const double* x, double* y, std::size_t n);
void sigmoid(const double* x, double* y, std::size_t n);
void exp(const float* x, float* y, std::size_t n);
void log(const float* x, float* y, std::size_t n);
void tanh(const float* x, float* y, std::size_t n);
void sigmoid(const float* x, float* y, std::size_t n);

} // namespace mlcore::vm
