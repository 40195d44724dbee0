#include "linalg/int8/rotate.hpp"

#include "core/simd.hpp"

#include <algorithm>

namespace mlcore::linalg::int8 {
namespace {

using simd::Floats, simd::lanes;

/// Of a Hadamard matrix of Sylvester's form, by log2 P rounds of sums and differences.
template <std::size_t P>
void rotate(const float* x, std::size_t step, float* y) {
    const auto rotate_columns = [=](std::size_t j, auto&& load, auto&& store) {
        Floats v[P], w[P];
#pragma GCC unroll 16
        for (std::size_t p = 0; p < P; ++p) v[p] = load(x + p * step + j) * (1.0f / P);
#pragma GCC unroll 4
        for (std::size_t half = 1; half < P; half *= 2) {
#pragma GCC unroll 16
            for (std::size_t p = 0; p < P; ++p) w[p] = p & half ? v[p - half] - v[p] : v[p] + v[p + half];
#pragma GCC unroll 16
            for (std::size_t p = 0; p < P; ++p) v[p] = w[p];
        }
#pragma GCC unroll 16
        for (std::size_t p = 0; p < P; ++p) store(y + p * step + j, v[p]);
    };
    std::size_t j = 0;
    for (; j + lanes <= step; j += lanes)
        rotate_columns(j, [](const float* p) { return simd::load(p); }, [](float* p, Floats v) { simd::store(p, v); });
    if (j < step)
        rotate_columns(
            j, [=](const float* p) { return simd::load_first(p, step - j); },
            [=](float* p, Floats v) { simd::store_first(p, v, step - j); });
}

} // namespace

std::size_t rotated_together(std::size_t n) {
    std::size_t together = 1;
    while (together < 16 && n % (2 * together) == 0 && n > 0) together *= 2;
    return together;
}

void rotate_row(const float* x, std::size_t n, float* y) {
    switch (rotated_together(n)) {
    case 2:
        return rotate<2>(x, n / 2, y);
    case 4:
        return rotate<4>(x, n / 4, y);
    case 8:
        return rotate<8>(x, n / 8, y);
    case 16:
        return rotate<16>(x, n / 16, y);
    default:
        std::copy_n(x, n, y);
    }
}

} // namespace mlcore::linalg::int8
