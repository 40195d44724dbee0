#include "nn/pooling.hpp"

#include "core/parallel.hpp"
#include "core/simd.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

namespace mlcore::nn {
namespace {

/// Windows of 2 x 2 that neither overlap nor leave out, W of them side by side. place: of the first entry.
template <std::size_t W>
[[gnu::always_inline]] inline void halve(const float* upper, const float* lower, std::size_t place, float* y,
                                         std::int32_t* where) {
    using Values [[gnu::vector_size(W * sizeof(float))]] = float;
    using Places [[gnu::vector_size(W * sizeof(float))]] = std::int32_t;
    const auto split = []<std::size_t... I>(const float* from, Values& even, Values& odd, std::index_sequence<I...>) {
        Values low, high;
        std::memcpy(&low, from, sizeof low);
        std::memcpy(&high, from + W, sizeof high);
        even = __builtin_shufflevector(low, high, 2 * I...);
        odd = __builtin_shufflevector(low, high, (2 * I + 1)...);
    };
    Values entries[4];
    split(upper, entries[0], entries[1], std::make_index_sequence<W>{});
    split(lower, entries[2], entries[3], std::make_index_sequence<W>{});
    const auto below = static_cast<std::int32_t>(lower - upper);
    const std::int32_t steps[4] = {0, 1, below, below + 1};
    std::int32_t places[W];
    for (std::size_t i = 0; i < W; ++i) places[i] = static_cast<std::int32_t>(place + 2 * i);
    Places first;
    std::memcpy(&first, places, sizeof first);
    Values best = entries[0];
    Places best_place = first;
    for (std::size_t e = 1; e < 4; ++e) {
        const Places larger = (entries[e] > best) | ((entries[e] != entries[e]) & (best == best)); // NaN wins
        best = larger ? entries[e] : best;
        best_place = larger ? first + steps[e] : best_place;
    }
    std::memcpy(y, &best, sizeof best);
    std::memcpy(where, &best_place, sizeof best_place);
}

void max_pool_halving(std::size_t in_cols, std::size_t n_rows, std::size_t n_cols, const float* x, float* y,
                      std::int32_t* where) {
    for (std::size_t i = 0; i < n_rows; ++i, y += n_cols, where += n_cols) {
        const std::size_t row = 2 * i * in_cols;
        std::size_t j = 0;
        const auto take = [&](auto width) {
            constexpr std::size_t W = width;
            for (; j + W <= n_cols; j += W)
                halve<W>(x + row + 2 * j, x + row + in_cols + 2 * j, row + 2 * j, y + j, where + j);
        };
        if constexpr (simd::lanes > 8) take(std::integral_constant<std::size_t, 16>{});
        if constexpr (simd::lanes > 4) take(std::integral_constant<std::size_t, 8>{});
        take(std::integral_constant<std::size_t, 4>{});
        for (; j < n_cols; ++j) {
            const std::size_t at = row + 2 * j, places[4] = {at, at + 1, at + in_cols, at + in_cols + 1};
            std::size_t best = at;
            for (const std::size_t place : places)
                if (x[place] > x[best] || (std::isnan(x[place]) && !std::isnan(x[best]))) best = place;
            y[j] = x[best];
            where[j] = static_cast<std::int32_t>(best);
        }
    }
}

/// Outputs [begin, end) of an axis for which a tap lies inside: place out stride + tap dilation - padding.
struct Inside {
    std::size_t begin, end;
    std::ptrdiff_t first; // the place for output 0

    Inside(const PoolingAxis& a, std::size_t tap)
        : first(static_cast<std::ptrdiff_t>(tap * a.dilation) - static_cast<std::ptrdiff_t>(a.padding)) {
        const auto stride = static_cast<std::ptrdiff_t>(a.stride), size = static_cast<std::ptrdiff_t>(a.n_in);
        begin = first < 0 ? static_cast<std::size_t>((-first + stride - 1) / stride) : 0;
        end = first < size ? static_cast<std::size_t>((size - 1 - first) / stride) + 1 : 0;
        begin = std::min(begin, a.n_out);
        end = std::clamp(end, begin, a.n_out);
    }
};

void max_pool_plane(const PoolingAxis& rows, const PoolingAxis& cols, const float* x, float* y, std::int32_t* where) {
    const std::size_t n = rows.n_out * cols.n_out;
    std::fill_n(y, n, -std::numeric_limits<float>::infinity());
    std::fill_n(where, n, -1);
    for (std::size_t u = 0; u < rows.n_kernel; ++u) {
        const Inside up(rows, u);
        for (std::size_t i = up.begin; i < up.end; ++i) {
            const auto row = static_cast<std::size_t>(up.first + static_cast<std::ptrdiff_t>(i * rows.stride));
            float* best = y + i * cols.n_out;
            std::int32_t* place = where + i * cols.n_out;
            for (std::size_t v = 0; v < cols.n_kernel; ++v) {
                const Inside across(cols, v);
                const auto start = static_cast<std::ptrdiff_t>(row * cols.n_in) + across.first;
                const auto step = static_cast<std::ptrdiff_t>(cols.stride);
                for (std::size_t j = across.begin; j < across.end; ++j) {
                    const std::ptrdiff_t at = start + static_cast<std::ptrdiff_t>(j) * step;
                    const float value = x[at];
                    // The first entry counts whatever it is: a window of minus infinities has a place as well.
                    const bool larger = (place[j] < 0) | (value > best[j]) | ((value != value) & (best[j] == best[j]));
                    best[j] = larger ? value : best[j];
                    place[j] = larger ? static_cast<std::int32_t>(at) : place[j];
                }
            }
        }
    }
}

constexpr std::size_t float_window = 64; // entries of a window whose sum is kept in float

std::size_t longest(std::span<const PoolingSpan> spans) {
    std::size_t most = 0;
    for (const PoolingSpan& s : spans) most = std::max(most, s.end - s.begin);
    return most;
}

/// Windows of any size, sums in double.
[[gnu::noinline]] void average_large_windows(std::size_t n_cols, std::span<const PoolingSpan> rows,
                                             std::span<const PoolingSpan> cols, const float* from, float* to) {
    for (const PoolingSpan& r : rows)
        for (const PoolingSpan& c : cols) {
            double total = 0;
            for (std::size_t i = r.begin; i < r.end; ++i)
                for (std::size_t j = c.begin; j < c.end; ++j) total += static_cast<double>(from[i * n_cols + j]);
            *to++ = static_cast<float>(total) / (r.divisor * c.divisor);
        }
}

} // namespace

void max_pool(const RunContext& ctx, std::size_t n_planes, const PoolingAxis& rows, const PoolingAxis& cols,
              const float* x, float* y, std::int32_t* where) {
    const std::size_t n_in = rows.n_in * cols.n_in, n_out = rows.n_out * cols.n_out;
    const auto halves = [](const PoolingAxis& a) {
        return a.n_kernel == 2 && a.stride == 2 && a.dilation == 1 && a.padding == 0 && 2 * a.n_out <= a.n_in;
    };
    const bool halving = halves(rows) && halves(cols);
    const double ns = static_cast<double>(n_out * rows.n_kernel * cols.n_kernel) * (halving ? 0.2 : 1.0) + 10;
    parallel_tasks(ctx, n_planes, ns, [&](std::size_t plane, int) {
        if (halving)
            max_pool_halving(cols.n_in, rows.n_out, cols.n_out, x + plane * n_in, y + plane * n_out,
                             where + plane * n_out);
        else
            max_pool_plane(rows, cols, x + plane * n_in, y + plane * n_out, where + plane * n_out);
    });
}

void max_pool_spans(const RunContext& ctx, std::size_t n_planes, std::size_t in_rows, std::size_t in_cols,
                    std::span<const PoolingSpan> rows, std::span<const PoolingSpan> cols, const float* x, float* y,
                    std::int32_t* where) {
    const std::size_t n_out = rows.size() * cols.size();
    parallel_tasks(ctx, n_planes, static_cast<double>(in_rows * in_cols + n_out) + 10, [&](std::size_t plane, int) {
        const float* from = x + plane * in_rows * in_cols;
        std::size_t out = plane * n_out;
        for (const PoolingSpan& r : rows)
            for (const PoolingSpan& c : cols) {
                std::size_t place = r.begin * in_cols + c.begin;
                for (std::size_t i = r.begin; i < r.end; ++i)
                    for (std::size_t j = c.begin; j < c.end; ++j) {
                        const float value = from[i * in_cols + j], best = from[place];
                        if (value > best || (value != value && best == best)) place = i * in_cols + j;
                    }
                y[out] = from[place];
                where[out++] = static_cast<std::int32_t>(place);
            }
    });
}

void max_pool_backward(const RunContext& ctx, std::size_t n_planes, std::size_t n_in, std::size_t n_out,
                       const float* dy, const std::int32_t* where, float* dx) {
    const double ns = static_cast<double>(n_out) + 0.1 * static_cast<double>(n_in) + 10;
    parallel_tasks(ctx, n_planes, ns, [&](std::size_t plane, int) {
        float* to = dx + plane * n_in;
        std::fill_n(to, n_in, 0.0f);
        for (std::size_t j = plane * n_out; j < (plane + 1) * n_out; ++j) to[where[j]] += dy[j];
    });
}

void average_pool(const RunContext& ctx, std::size_t n_planes, std::size_t in_rows, std::size_t in_cols,
                  std::span<const PoolingSpan> rows, std::span<const PoolingSpan> cols, const float* x, float* y) {
    double entries = 0;
    for (const PoolingSpan& r : rows) entries += static_cast<double>((r.end - r.begin) * in_cols);
    const bool large = longest(rows) * longest(cols) > float_window;
    parallel_tasks(ctx, n_planes, entries + 10, [&](std::size_t plane, int) {
        const float* from = x + plane * in_rows * in_cols;
        float* to = y + plane * rows.size() * cols.size();
        if (large) return average_large_windows(in_cols, rows, cols, from, to);
        for (const PoolingSpan& r : rows)
            for (const PoolingSpan& c : cols) {
                float total = 0;
                for (std::size_t i = r.begin; i < r.end; ++i) {
                    float sum = 0;
                    for (std::size_t j = c.begin; j < c.end; ++j) sum += from[i * in_cols + j];
                    total += sum;
                }
                *to++ = total / (r.divisor * c.divisor);
            }
    });
}

void average_pool_backward(const RunContext& ctx, std::size_t n_planes, std::size_t in_rows, std::size_t in_cols,
                           std::span<const PoolingSpan> rows, std::span<const PoolingSpan> cols, const float* dy,
                           float* dx) {
    double entries = 0;
    for (const PoolingSpan& r : rows) entries += static_cast<double>((r.end - r.begin) * in_cols);
    parallel_tasks(ctx, n_planes, entries + 10, [&](std::size_t plane, int) {
        float* to = dx + plane * in_rows * in_cols;
        const float* from = dy + plane * rows.size() * cols.size();
        std::fill_n(to, in_rows * in_cols, 0.0f);
        for (const PoolingSpan& r : rows)
            for (const PoolingSpan& c : cols) {
                const float share = *from++ / (r.divisor * c.divisor);
                for (std::size_t i = r.begin; i < r.end; ++i)
                    for (std::size_t j = c.begin; j < c.end; ++j) to[i * in_cols + j] += share;
            }
    });
}

} // namespace mlcore::nn
