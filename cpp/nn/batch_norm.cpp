#include "nn/batch_norm.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"

#include <algorithm>
#include <cstring>

namespace mlcore::nn {
namespace {

using simd::Floats, simd::lanes;

constexpr std::size_t block_rows = 128; // of (n, channels) data
constexpr double ns_per_value = 0.15;

/// The sum of the lanes and of the rest.
[[gnu::always_inline]] inline float total(Floats sums, float rest) {
    float sum = rest;
    for (std::size_t l = 0; l < lanes; ++l) sum += sums[l];
    return sum;
}

float sum_of(const float* x, std::size_t n) {
    Floats sums[4] = {};
    std::size_t j = 0;
    for (; j + 4 * lanes <= n; j += 4 * lanes)
        for (std::size_t v = 0; v < 4; ++v) sums[v] += simd::load(x + j + v * lanes);
    for (; j + lanes <= n; j += lanes) sums[0] += simd::load(x + j);
    float rest = 0;
    for (; j < n; ++j) rest += x[j];
    return total((sums[0] + sums[1]) + (sums[2] + sums[3]), rest);
}

float squares_about(const float* x, std::size_t n, float mean) {
    Floats sums[4] = {};
    std::size_t j = 0;
    for (; j + 4 * lanes <= n; j += 4 * lanes)
        for (std::size_t v = 0; v < 4; ++v) {
            const Floats d = simd::load(x + j + v * lanes) - mean;
            sums[v] = simd::fma(d, d, sums[v]);
        }
    for (; j + lanes <= n; j += lanes) {
        const Floats d = simd::load(x + j) - mean;
        sums[0] = simd::fma(d, d, sums[0]);
    }
    float rest = 0;
    for (; j < n; ++j) rest += (x[j] - mean) * (x[j] - mean);
    return total((sums[0] + sums[1]) + (sums[2] + sums[3]), rest);
}

/// Mean and sum of squares about it of the blocks that have come so far.
struct Moments {
    double count = 0, mean = 0, squares = 0;

    void join(double n, double block_mean, double block_squares) {
        const double all = count + n, apart = block_mean - mean;
        squares += block_squares + apart * apart * count * n / all;
        mean += apart * n / all;
        count = all;
    }
};

/// Channels lie along rows of x (n, channels): blocks of rows, all channels of a block side by side.
void statistics_of_columns(const RunContext& ctx, const BatchShape& shape, const float* x, float* mean,
                           float* variance) {
    const std::size_t blocks = (shape.n + block_rows - 1) / block_rows, channels = shape.channels;
    Scratch<float> moments(blocks * 2 * channels);
    const double ns = 2 * ns_per_value * static_cast<double>(block_rows * channels);
    parallel_tasks(ctx, blocks, ns, [&](std::size_t block, int) {
        float* means = moments.data() + block * 2 * channels;
        float* squares = means + channels;
        const std::size_t begin = block * block_rows, end = std::min(begin + block_rows, shape.n);
        const float share = 1 / static_cast<float>(end - begin);
        std::fill_n(means, 2 * channels, 0.0f);
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t c = 0; c < channels; ++c) means[c] += x[i * channels + c];
        for (std::size_t c = 0; c < channels; ++c) means[c] *= share;
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t c = 0; c < channels; ++c) {
                const float d = x[i * channels + c] - means[c];
                squares[c] += d * d;
            }
    });
    for (std::size_t c = 0; c < channels; ++c) {
        Moments all;
        for (std::size_t block = 0; block < blocks; ++block) {
            const float* m = moments.data() + block * 2 * channels + c;
            all.join(static_cast<double>(std::min(block_rows, shape.n - block * block_rows)), m[0], m[channels]);
        }
        mean[c] = static_cast<float>(all.mean);
        variance[c] = static_cast<float>(all.squares / all.count);
    }
}

/// y[j] = (x[j] - mean) scale + b.
void scale_row(const float* x, std::size_t n, float mean, float scale, float b, float* y) {
    for (std::size_t j = 0; j < n; ++j) y[j] = (x[j] - mean) * scale + b;
}

/// dx of one row of values of one channel.
struct RowGradient {
    float mean, inverse, scale, mean_dy,
        mean_product; // scale = w r; the means are 0 with given statistics

    void operator()(const float* dy, const float* x, std::size_t n, float* dx) const {
        const float slope = inverse * mean_product;
        for (std::size_t j = 0; j < n; ++j) dx[j] = scale * (dy[j] - mean_dy - (x[j] - mean) * slope);
    }
};

/// Sums of dy and of dy (x - mean) over a piece of a plane.
void gradient_sums(const float* dy, const float* x, std::size_t n, float mean, float& sum, float& products) {
    Floats sums[2] = {}, dots[2] = {};
    std::size_t j = 0;
    const auto take = [&](std::size_t v) {
        const Floats d = simd::load(dy + j + v * lanes);
        sums[v] += d;
        dots[v] = simd::fma(d, simd::load(x + j + v * lanes) - mean, dots[v]);
    };
    for (; j + 2 * lanes <= n; j += 2 * lanes) {
        take(0);
        take(1);
    }
    for (; j + lanes <= n; j += lanes) take(0);
    float rest = 0, rest_dot = 0;
    for (; j < n; ++j) {
        rest += dy[j];
        rest_dot += dy[j] * (x[j] - mean);
    }
    sum = total(sums[0] + sums[1], rest);
    products = total(dots[0] + dots[1], rest_dot);
}

/// partials (2, parts, channels): sums of dy and of dy (x - mean); parts are images, or blocks of rows if length is 1.
Scratch<float> partial_sums(const RunContext& ctx, const BatchShape& shape, const float* dy, const float* x,
                            const float* mean, std::size_t n_parts) {
    const std::size_t channels = shape.channels, length = shape.length;
    Scratch<float> partials(2 * n_parts * channels);
    float* sums = partials.data();
    float* products = sums + n_parts * channels;
    const double ns = 2 * ns_per_value * static_cast<double>(shape.size()) / static_cast<double>(n_parts) + 10;
    parallel_tasks(ctx, n_parts, ns, [&](std::size_t part, int) {
        float* s = sums + part * channels;
        float* p = products + part * channels;
        if (length > 1) {
            for (std::size_t c = 0; c < channels; ++c) {
                const std::size_t at = (part * channels + c) * length;
                double sum = 0, product_sum = 0;
                for (std::size_t begin = 0; begin < length; begin += reduce_block) {
                    float here = 0, product = 0;
                    gradient_sums(dy + at + begin, x + at + begin, std::min(reduce_block, length - begin), mean[c],
                                  here, product);
                    sum += static_cast<double>(here);
                    product_sum += static_cast<double>(product);
                }
                s[c] = static_cast<float>(sum);
                p[c] = static_cast<float>(product_sum);
            }
            return;
        }
        std::fill_n(s, channels, 0.0f);
        std::fill_n(p, channels, 0.0f);
        for (std::size_t i = part * block_rows; i < std::min((part + 1) * block_rows, shape.n); ++i)
            for (std::size_t c = 0; c < channels; ++c) {
                s[c] += dy[i * channels + c];
                p[c] += dy[i * channels + c] * (x[i * channels + c] - mean[c]);
            }
    });
    return partials;
}

} // namespace

void batch_statistics(const RunContext& ctx, const BatchShape& shape, const float* x, float* mean, float* variance) {
    if (shape.length == 1) return statistics_of_columns(ctx, shape, x, mean, variance);
    const double ns = 2 * ns_per_value * static_cast<double>(shape.values()) + 5 * static_cast<double>(shape.n);
    parallel_tasks(ctx, shape.channels, ns, [&](std::size_t c, int) {
        Moments all;
        for (std::size_t i = 0; i < shape.n; ++i) {
            const float* plane = x + (i * shape.channels + c) * shape.length;
            for (std::size_t begin = 0; begin < shape.length; begin += reduce_block) {
                const std::size_t n = std::min(reduce_block, shape.length - begin);
                const float about = sum_of(plane + begin, n) / static_cast<float>(n);
                all.join(static_cast<double>(n), about, squares_about(plane + begin, n, about));
            }
        }
        mean[c] = static_cast<float>(all.mean);
        variance[c] = static_cast<float>(all.squares / all.count);
    });
}

void batch_normalize(const RunContext& ctx, const BatchShape& shape, const float* x, const float* mean,
                     const float* inverse, const float* w, const float* b, float* y) {
    const std::size_t channels = shape.channels, length = shape.length;
    Scratch<float> scales(channels);
    for (std::size_t c = 0; c < channels; ++c) scales[c] = w ? w[c] * inverse[c] : inverse[c];
    const double ns = ns_per_value * static_cast<double>(channels * length) + 10;
    parallel_tasks(ctx, shape.n, ns, [&](std::size_t i, int) {
        const float* from = x + i * channels * length;
        float* to = y + i * channels * length;
        if (length > 1)
            for (std::size_t c = 0; c < channels; ++c, from += length, to += length)
                scale_row(from, length, mean[c], scales[c], b ? b[c] : 0.0f, to);
        else if (b)
            for (std::size_t c = 0; c < channels; ++c) to[c] = (from[c] - mean[c]) * scales[c] + b[c];
        else
            for (std::size_t c = 0; c < channels; ++c) to[c] = (from[c] - mean[c]) * scales[c];
    });
}

void batch_norm_backward(const RunContext& ctx, const BatchShape& shape, const float* dy, const float* x,
                         const float* mean, const float* inverse, const float* w, bool of_batch, float* dx, float* dw,
                         float* db) {
    const std::size_t channels = shape.channels, length = shape.length;
    const std::size_t n_parts = length > 1 ? shape.n : (shape.n + block_rows - 1) / block_rows;
    const Scratch<float> partials = partial_sums(ctx, shape, dy, x, mean, n_parts);
    Scratch<RowGradient> rows(channels);
    const auto m = static_cast<double>(shape.values());
    for (std::size_t c = 0; c < channels; ++c) {
        double sum = 0, product = 0;
        for (std::size_t part = 0; part < n_parts; ++part) {
            sum += static_cast<double>(partials[part * channels + c]);
            product += static_cast<double>(partials[(n_parts + part) * channels + c]);
        }
        product *= static_cast<double>(inverse[c]);
        db[c] = static_cast<float>(sum);
        dw[c] = static_cast<float>(product);
        rows[c] = {mean[c], inverse[c], w ? w[c] * inverse[c] : inverse[c],
                   of_batch ? static_cast<float>(sum / m) : 0.0f, of_batch ? static_cast<float>(product / m) : 0.0f};
    }
    if (!dx) return;
    const double ns = ns_per_value * static_cast<double>(channels * length) + 10;
    parallel_tasks(ctx, shape.n, ns, [&](std::size_t i, int) {
        for (std::size_t c = 0; c < channels; ++c) {
            const std::size_t at = (i * channels + c) * length;
            rows[c](dy + at, x + at, length, dx + at);
        }
    });
}

} // namespace mlcore::nn
