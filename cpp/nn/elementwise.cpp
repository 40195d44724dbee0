#include "nn/elementwise.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "linalg/vector_functions.hpp"

#include <algorithm>
#include <cstring>

namespace mlcore::nn {
namespace {

using simd::Floats;

constexpr double copy_ns = 0.4;            // an entry that comes from memory and goes back
constexpr std::size_t rows_per_block = 64; // of a sum over rows; fixed, because it decides the rounding

double activation_ns(linalg::Activation activation) {
    switch (activation) {
    case linalg::Activation::identity:
    case linalg::Activation::relu:
    case linalg::Activation::leaky_relu:
        return copy_ns;
    default:
        return 1;
    }
}

/// f(a piece, b piece, out piece, length) where b starts again every `period` entries.
template <class F>
void with_repeats(const RunContext& ctx, const float* a, const float* b, float* out, std::size_t n, std::size_t period,
                  F f) {
    parallel_ranges(ctx, n, copy_ns, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end;) {
            const std::size_t at = i % period, length = std::min(period - at, end - i);
            f(a + i, b + at, out + i, length);
            i += length;
        }
    });
}

} // namespace

void activate(const RunContext& ctx, linalg::Activation activation, const float* x, float* y, std::size_t n,
              float slope) {
    parallel_ranges(ctx, n, activation_ns(activation), [&](std::size_t begin, std::size_t end, int) {
        linalg::activate(activation, x + begin, y + begin, end - begin, slope);
    });
}

void activate_backward(const RunContext& ctx, linalg::Activation activation, const float* saved, const float* dy,
                       float* dx, std::size_t n, float slope) {
    parallel_ranges(ctx, n, activation_ns(activation), [&](std::size_t begin, std::size_t end, int) {
        linalg::activate_backward(activation, saved + begin, dy + begin, dx + begin, end - begin, slope);
    });
}

void add(const RunContext& ctx, const float* a, const float* b, float* out, std::size_t n, std::size_t period) {
    with_repeats(ctx, a, b, out, n, period, [](const float* x, const float* y, float* z, std::size_t length) {
        vf::map(x, y, z, length, [](Floats u, Floats v) { return u + v; });
    });
}

void multiply(const RunContext& ctx, const float* a, const float* b, float* out, std::size_t n, std::size_t period) {
    with_repeats(ctx, a, b, out, n, period, [](const float* x, const float* y, float* z, std::size_t length) {
        vf::map(x, y, z, length, [](Floats u, Floats v) { return u * v; });
    });
}

void scale(const RunContext& ctx, const float* a, float factor, float* out, std::size_t n) {
    parallel_ranges(ctx, n, copy_ns, [&](std::size_t begin, std::size_t end, int) {
        vf::map(a + begin, out + begin, end - begin, [=](Floats v) { return factor * v; });
    });
}

void sum_rows(const RunContext& ctx, const float* x, std::size_t m, std::size_t n, float* out) {
    const std::size_t n_blocks = (m + rows_per_block - 1) / rows_per_block;
    Scratch<float> partials(std::max<std::size_t>(n_blocks * n, 1)); // (n_blocks, n)
    parallel_tasks(ctx, n_blocks, 0.2 * static_cast<double>(rows_per_block * n), [&](std::size_t block, int) {
        const std::size_t begin = block * rows_per_block, end = std::min(begin + rows_per_block, m);
        float* sums = partials.data() + block * n;
        std::size_t i = begin;
        std::fill_n(sums, n, 0.0f);
        for (; i + 4 <= end; i += 4) { // four rows before they meet the sum: a quarter of its roundings and stores
            const float *a = x + i * n, *b = a + n, *c = b + n, *d = c + n;
            for (std::size_t j = 0; j < n; ++j) sums[j] += (a[j] + b[j]) + (c[j] + d[j]);
        }
        for (; i < end; ++i) {
            const float* row = x + i * n;
            for (std::size_t j = 0; j < n; ++j) sums[j] += row[j];
        }
    });
    sum_partials(ctx, partials.data(), n_blocks, n, out);
}

void sum_partials(const RunContext& ctx, const float* partials, std::size_t n_blocks, std::size_t n, float* out) {
    parallel_ranges(ctx, n, 0.3 * static_cast<double>(n_blocks), [&](std::size_t begin, std::size_t end, int) {
        constexpr std::size_t width = 64;
        double sums[width]; // many blocks: their sum is kept wide
        for (std::size_t j = begin; j < end; j += width) {
            const std::size_t count = std::min(width, end - j);
            std::fill_n(sums, count, 0.0);
            for (std::size_t block = 0; block < n_blocks; ++block)
                for (std::size_t t = 0; t < count; ++t) sums[t] += static_cast<double>(partials[block * n + j + t]);
            for (std::size_t t = 0; t < count; ++t) out[j + t] = static_cast<float>(sums[t]);
        }
    });
}

} // namespace mlcore::nn
