#include "metrics/clusters/distance_strip.hpp"

#include "core/parallel.hpp"
#include "core/simd.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mlcore::metrics {
namespace {

constexpr std::size_t width = simd::lanes_of<double>;
constexpr std::size_t block = 2 * width;
static_assert(PackedRows::column_unit % block == 0);
constexpr std::size_t cache_bytes = 32 << 10; // of the first-level cache, for a chunk

using simd::Doubles;

[[gnu::always_inline]] inline Doubles square_root(Doubles v) {
#if defined(__AVX512F__)
    return _mm512_sqrt_pd(v);
#elif defined(__AVX__) && defined(__FMA__)
    return _mm256_sqrt_pd(v);
#else
    for (std::size_t l = 0; l < width; ++l) v[l] = std::sqrt(v[l]);
    return v;
#endif
}

/// |v|, by the sign bits: a comparison would take two more operations.
[[gnu::always_inline]] inline Doubles magnitude(Doubles v) {
    using Bits [[gnu::vector_size(sizeof(Doubles))]] = long long;
    return (Doubles)((Bits)v & 0x7FFF'FFFF'FFFF'FFFFLL);
}

/// Eight whatever the level, so that sums are the same on all.
using Lanes [[gnu::vector_size(64)]] = double;

[[gnu::always_inline]] inline void load(const double* from, Lanes& to) { std::memcpy(&to, from, sizeof to); }

template <bool with_columns>
void add_to_sums(const double* strip, std::size_t n, double* sums, double* columns) {
    constexpr std::size_t lanes = sizeof(Lanes) / sizeof(double), stride = PackedRows::most_columns;
    Lanes sum[strip_rows] = {};
    std::size_t p = 0;
    for (; p + lanes <= n; p += lanes) {
        Lanes value[strip_rows];
#pragma GCC unroll 4
        for (std::size_t r = 0; r < strip_rows; ++r) {
            load(strip + r * stride + p, value[r]);
            sum[r] += value[r];
        }
        if constexpr (with_columns) {
            Lanes column;
            load(columns + p, column);
            column += (value[0] + value[1]) + (value[2] + value[3]);
            std::memcpy(columns + p, &column, sizeof column);
        }
    }
    double rest[strip_rows] = {};
    for (; p < n; ++p) {
        const double* value = strip + p;
        for (std::size_t r = 0; r < strip_rows; ++r) rest[r] += value[r * stride];
        if constexpr (with_columns) columns[p] += (value[0] + value[stride]) + (value[2 * stride] + value[3 * stride]);
    }
    for (std::size_t r = 0; r < strip_rows; ++r) {
        const Lanes& s = sum[r];
        sums[r] += ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])) + rest[r];
    }
}

} // namespace

void add_strip(const double* strip, std::size_t n, double* sums, double* columns) {
    if (columns)
        add_to_sums<true>(strip, n, sums, columns);
    else
        add_to_sums<false>(strip, n, sums, columns);
}

PackedRows::PackedRows(const RunContext& ctx, MatrixView<const double> X, double scale,
                       std::span<const std::uint32_t> order)
    : d_(X.cols),
      chunk_columns_(std::clamp(cache_bytes / (X.cols * block * sizeof(double)), std::size_t{1}, most_columns / block) *
                     block) {
    const std::size_t n = order.size(), n_blocks = (n + block - 1) / block;
    packed_ = Buffer<double>(n_blocks * block * d_);
    parallel_ranges(ctx, n_blocks, 2.0 * static_cast<double>(block * d_),
                    [&](std::size_t first, std::size_t last, int) {
                        for (std::size_t b = first; b < last; ++b)
                            for (std::size_t l = 0; l < block; ++l) {
                                const std::size_t at = b * block + l;
                                double* out = packed_.data() + b * d_ * block + l;
                                for (std::size_t j = 0; j < d_; ++j)
                                    out[j * block] = at < n ? scale * X(order[at], j) : 0.0;
                            }
                    });
}

template <bool squares>
void PackedRows::distances(const double* rows, std::size_t n_rows, std::size_t begin, std::size_t end,
                           double* out) const {
    const double* row[strip_rows];
    for (std::size_t r = 0; r < strip_rows; ++r) row[r] = rows + std::min(r, n_rows - 1) * d_;
    for (std::size_t at = begin; at < end; at += block) {
        const double* columns = packed_.data() + at * d_;
        Doubles sum[strip_rows][2] = {};
        for (std::size_t j = 0; j < d_; ++j) {
            const Doubles low = simd::load(columns + j * block), high = simd::load(columns + j * block + width);
#pragma GCC unroll 4
            for (std::size_t r = 0; r < strip_rows; ++r) {
                const Doubles x = simd::broadcast(row[r][j]);
                const Doubles a = x - low, b = x - high;
                if constexpr (squares) {
                    sum[r][0] = simd::fma(a, a, sum[r][0]);
                    sum[r][1] = simd::fma(b, b, sum[r][1]);
                } else {
                    sum[r][0] += magnitude(a);
                    sum[r][1] += magnitude(b);
                }
            }
        }
#pragma GCC unroll 4
        for (std::size_t r = 0; r < strip_rows; ++r)
#pragma GCC unroll 2
            for (std::size_t h = 0; h < 2; ++h) {
                Doubles distance = sum[r][h];
                if constexpr (squares) distance = square_root(distance);
                simd::store(out + r * most_columns + (at - begin) + h * width, distance);
            }
    }
}

template void PackedRows::distances<true>(const double*, std::size_t, std::size_t, std::size_t, double*) const;
template void PackedRows::distances<false>(const double*, std::size_t, std::size_t, std::size_t, double*) const;

} // namespace mlcore::metrics
