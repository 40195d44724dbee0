// The gradients of a convolution with respect to weights and bias: sums over all pixels of all images.
//
// dw transposed, (channels * taps, filters), is a product whose left factor need not be gathered: the entries that one
// tap reads for the pixels of a row lie side by side in the window. dy is transposed into panels of pixels x filters.
// Sums run over about 512 pixels, then over the images of a block, then over blocks; all three depend on the shape
// alone.
#include "nn/convolution/convolution.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "linalg/gemm_kernel.hpp"
#include "linalg/vector_functions.hpp"
#include "nn/convolution/window.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace mlcore::nn {
namespace {

constexpr std::size_t target_pixels = 512, target_tasks = 16;
constexpr std::size_t slack = 2 * simd::lanes;
constexpr double flops_per_ns = 40;

/// What the sum over a part of an image, or over a few small ones, needs.
struct Strip {
    const float* places;        // windows
    const std::size_t* offsets; // of the M taps
    std::size_t n_images, image_size, n_rows, row_length, n_cols;
    const float* dy; // panel (pixels, tile_cols)
    float* dw;       // (M, tile_cols): added to
};

/// dw += for M taps and V vectors of filters.
template <std::size_t M, std::size_t V>
void add_products(const Strip& s) {
    using simd::Floats, simd::lanes;
    Floats sums[M][V] = {};
    const float* taps[M];
    const float* dy = s.dy;
    for (std::size_t i = 0; i < s.n_images * s.n_rows; ++i) {
        const float* row = s.places + i / s.n_rows * s.image_size + i % s.n_rows * s.row_length;
#pragma GCC unroll 14
        for (std::size_t m = 0; m < M; ++m) taps[m] = row + s.offsets[m];
        for (std::size_t j = 0; j < s.n_cols; ++j, dy += linalg::tile_cols) {
            Floats filters[V];
#pragma GCC unroll 2
            for (std::size_t v = 0; v < V; ++v) filters[v] = simd::load(dy + v * lanes);
#pragma GCC unroll 14
            for (std::size_t m = 0; m < M; ++m) {
                const Floats x = simd::broadcast(taps[m][j]);
#pragma GCC unroll 2
                for (std::size_t v = 0; v < V; ++v) sums[m][v] = simd::fma(x, filters[v], sums[m][v]);
            }
        }
    }
#pragma GCC unroll 14
    for (std::size_t m = 0; m < M; ++m)
#pragma GCC unroll 2
        for (std::size_t v = 0; v < V; ++v) {
            float* to = s.dw + m * linalg::tile_cols + v * lanes;
            simd::store(to, simd::load(to) + sums[m][v]);
        }
}

/// db (tile_cols) += the sum of a panel of dy over its pixels: pieces in float, their sum in double.
void add_pixels(const float* dy, std::size_t n_pixels, double* db) {
    using simd::Floats, simd::lanes;
    constexpr std::size_t piece = 256;
    for (std::size_t begin = 0; begin < n_pixels; begin += piece) {
        const std::size_t n = std::min(piece, n_pixels - begin);
        Floats even[2] = {}, odd[2] = {};
        std::size_t j = 0;
        for (; j + 2 <= n; j += 2, dy += 2 * linalg::tile_cols)
            for (std::size_t v = 0; v < 2; ++v) {
                even[v] += simd::load(dy + v * lanes);
                odd[v] += simd::load(dy + linalg::tile_cols + v * lanes);
            }
        for (std::size_t v = 0; v < 2; ++v) {
            if (j < n) even[v] += simd::load(dy + v * lanes);
            const Floats sum = even[v] + odd[v];
            for (std::size_t l = 0; l < lanes; ++l) db[v * lanes + l] += static_cast<double>(sum[l]);
        }
    }
}

using StripKernel = void (*)(const Strip&);

StripKernel strip_kernel(std::size_t m, std::size_t vectors) {
    static constexpr auto kernels = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<std::array<StripKernel, 2>, linalg::tile_rows>{
            std::array<StripKernel, 2>{&add_products<I + 1, 1>, &add_products<I + 1, 2>}...};
    }(std::make_index_sequence<linalg::tile_rows>{});
    return kernels[m - 1][vectors - 1];
}

/// How the work is cut: the same for any number of threads.
struct Plan {
    ConvolutionShape shape;
    OutputBlocks strips; // of one image
    Window window;
    std::vector<std::size_t> offsets;
    std::size_t panels;       // of filters of a group
    std::size_t image_blocks; // whose sums are kept apart
    std::size_t images;       // of a strip: several, if all of an image is less than a strip

    std::size_t k() const { return offsets.size(); }
    std::size_t tasks() const { return shape.groups * panels * image_blocks; }
    std::size_t partial_size() const { return k() * linalg::tile_cols; } // of dw
};

Plan plan_for(const ConvolutionShape& shape) {
    const OutputBlocks strips(1, shape.rows.n_out, shape.cols.n_out, target_pixels, 1);
    Window window{WindowAxis(output_axis(shape.rows), strips.rows), WindowAxis(output_axis(shape.cols), strips.cols),
                  shape.group_channels()};
    auto offsets = window.offsets();
    const std::size_t panels = (shape.group_filters() + linalg::tile_cols - 1) / linalg::tile_cols;
    const std::size_t image_blocks = std::clamp<std::size_t>(target_tasks / (shape.groups * panels), 1, shape.n);
    const std::size_t images = strips.size() > 1 ? 1 : std::max<std::size_t>(1, target_pixels / shape.out_pixels());
    return {shape, strips, std::move(window), std::move(offsets), panels, image_blocks, images};
}

/// Sums of one block of images for one panel of filters: dw (channels * taps, tile_cols), db (tile_cols).
struct PanelSum {
    const Plan& plan;
    const float* x;
    const float* dy;
    float* window; // room
    float* panel;  // room: (pixels of a strip, tile_cols)

    /// Adds what comes from n images from `image` on.
    void run(std::size_t group, std::size_t filter_panel, std::size_t image, std::size_t n, float* dw,
             double* db) const {
        const ConvolutionShape& shape = plan.shape;
        const std::size_t filters = shape.group_filters(), first = filter_panel * linalg::tile_cols;
        const std::size_t n_filters = std::min(linalg::tile_cols, filters - first);
        const std::size_t vectors = n_filters > simd::lanes ? 2 : 1;
        const std::size_t tiles = (plan.k() + linalg::tile_rows - 1) / linalg::tile_rows;
        const std::size_t input_size = shape.group_channels() * shape.in_pixels(), pixels = shape.out_pixels();
        for (std::size_t s = 0; s < plan.strips.size(); ++s) {
            const auto block = plan.strips[s];
            for (std::size_t i = 0; i < n; ++i) {
                plan.window.fill(x + ((image + i) * shape.groups + group) * input_size, block.row, block.n_rows,
                                 block.col, block.n_cols, window + i * plan.window.image_size());
                const float* gradient = dy + ((image + i) * shape.filters + group * filters + first) * pixels;
                linalg::interleave(gradient + block.row * shape.cols.n_out + block.col,
                                   static_cast<std::ptrdiff_t>(pixels), n_filters, block.pixels(),
                                   panel + i * block.pixels() * linalg::tile_cols, linalg::tile_cols);
            }
            add_pixels(panel, n * block.pixels(), db);
            for (std::size_t t = 0; t < tiles; ++t) {
                const std::size_t k = plan.k() * t / tiles, height = plan.k() * (t + 1) / tiles - k;
                strip_kernel(height,
                             vectors)({window, plan.offsets.data() + k, n, plan.window.image_size(), block.n_rows,
                                       plan.window.row_length(), block.n_cols, panel, dw + k * linalg::tile_cols});
            }
        }
    }
};

/// Depthwise: a window of one channel; each tap is an inner product of its places with dy, row by row. dw: (taps),
/// added to.
void add_depthwise(const Plan& plan, const float* input, const float* gradient, float* window, float* dw) {
    using simd::Floats, simd::lanes;
    const std::size_t pitch = plan.window.row_length();
    for (std::size_t s = 0; s < plan.strips.size(); ++s) {
        const auto block = plan.strips[s];
        plan.window.fill(input, block.row, block.n_rows, block.col, block.n_cols, window);
        for (std::size_t k = 0; k < plan.k(); ++k) {
            Floats sums{};
            for (std::size_t r = 0; r < block.n_rows; ++r) {
                const float* places = window + plan.offsets[k] + r * pitch;
                const float* dy = gradient + (block.row + r) * plan.shape.cols.n_out + block.col;
                std::size_t j = 0;
                for (; j + lanes <= block.n_cols; j += lanes)
                    sums = simd::fma(simd::load(places + j), simd::load(dy + j), sums);
                if (const std::size_t left = block.n_cols - j; left > 0)
                    sums = simd::fma(simd::load_first(places + j, left), simd::load_first(dy + j, left), sums);
            }
            dw[k] += simd::sums(sums, Floats{}, Floats{}, Floats{})[0];
        }
    }
}

void depthwise_weight_gradient(const RunContext& ctx, const Plan& plan, const float* x, const float* dy, float* dw) {
    const ConvolutionShape& shape = plan.shape;
    const double work = static_cast<double>(shape.n * shape.out_pixels() * plan.k()) * 0.1;
    std::vector<Scratch<float>> windows;
    for (int t = 0; t < threads_for(ctx, work * static_cast<double>(shape.channels)); ++t) {
        windows.emplace_back(plan.window.image_size() + slack);
        std::fill_n(windows.back().data(), windows.back().size(), 0.0f);
    }
    parallel_tasks(ctx, shape.channels, work, [&](std::size_t channel, int thread) {
        const auto t = static_cast<std::size_t>(thread);
        float* sums = dw + channel * plan.k();
        std::fill_n(sums, plan.k(), 0.0f);
        for (std::size_t i = 0; i < shape.n; ++i)
            add_depthwise(plan, x + (i * shape.channels + channel) * shape.in_pixels(),
                          dy + (i * shape.channels + channel) * shape.out_pixels(), windows[t].data(), sums);
    });
}

} // namespace

void convolve_weight_gradient(const RunContext& ctx, const ConvolutionShape& shape, const float* x, const float* dy,
                              float* dw, float* db) {
    const Plan plan = plan_for(flattened(shape));
    if (shape.depthwise()) {
        if (db) convolve_bias_gradient(ctx, shape, dy, db);
        return depthwise_weight_gradient(ctx, plan, x, dy, dw);
    }
    Scratch<float> partials(plan.tasks() * plan.partial_size());
    Scratch<double> bias_partials(plan.tasks() * linalg::tile_cols);
    const double images = static_cast<double>(shape.n) / static_cast<double>(plan.image_blocks);
    const double work =
        2.0 * images * static_cast<double>(shape.out_pixels() * plan.k() * linalg::tile_cols) / flops_per_ns;
    std::vector<Scratch<float>> windows, panels;
    for (int t = 0; t < threads_for(ctx, work * static_cast<double>(plan.tasks())); ++t) {
        windows.emplace_back(plan.images * plan.window.image_size() + slack);
        panels.emplace_back(plan.images * plan.strips.pixels() * linalg::tile_cols);
        std::fill_n(windows.back().data(), windows.back().size(), 0.0f);
    }
    parallel_tasks(ctx, plan.tasks(), work, [&](std::size_t task, int thread) {
        const auto t = static_cast<std::size_t>(thread);
        const PanelSum sum{plan, x, dy, windows[t].data(), panels[t].data()};
        float* partial = partials.data() + task * plan.partial_size();
        double* bias_partial = bias_partials.data() + task * linalg::tile_cols;
        std::fill_n(partial, plan.partial_size(), 0.0f);
        std::fill_n(bias_partial, linalg::tile_cols, 0.0);
        const std::size_t block = task % plan.image_blocks, rest = task / plan.image_blocks;
        const std::size_t end = shape.n * (block + 1) / plan.image_blocks;
        for (std::size_t image = shape.n * block / plan.image_blocks; image < end; image += plan.images)
            sum.run(rest / plan.panels, rest % plan.panels, image, std::min(plan.images, end - image), partial,
                    bias_partial);
    });

    const std::size_t filters = shape.group_filters();
    const double cost = 0.5 * static_cast<double>(plan.k() * plan.image_blocks);
    parallel_tasks(ctx, shape.filters, cost, [&](std::size_t filter, int) {
        const std::size_t panel = filter / filters * plan.panels + filter % filters / linalg::tile_cols;
        const std::size_t first = panel * plan.image_blocks, lane = filter % filters % linalg::tile_cols;
        const auto total = [&](const auto* from, std::size_t step) {
            double sum = 0;
            for (std::size_t b = 0; b < plan.image_blocks; ++b) sum += static_cast<double>(from[b * step]);
            return static_cast<float>(sum);
        };
        for (std::size_t k = 0; k < plan.k(); ++k)
            dw[filter * plan.k() + k] = total(
                partials.data() + first * plan.partial_size() + k * linalg::tile_cols + lane, plan.partial_size());
        if (db) db[filter] = total(bias_partials.data() + first * linalg::tile_cols + lane, linalg::tile_cols);
    });
}

void convolve_bias_gradient(const RunContext& ctx, const ConvolutionShape& shape, const float* dy, float* db) {
    const std::size_t pixels = shape.out_pixels();
    const double work = 0.1 * static_cast<double>(shape.n * pixels) + 5;
    parallel_tasks(ctx, shape.filters, work, [&](std::size_t filter, int) {
        using simd::Floats, simd::lanes;
        double total = 0;
        for (std::size_t i = 0; i < shape.n; ++i) {
            const float* plane = dy + (i * shape.filters + filter) * pixels;
            for (std::size_t begin = 0; begin < pixels; begin += reduce_block) {
                const std::size_t end = std::min(begin + reduce_block, pixels);
                Floats sums{};
                std::size_t j = begin;
                for (; j + lanes <= end; j += lanes) sums += simd::load(plane + j);
                float sum = 0;
                for (; j < end; ++j) sum += plane[j];
                for (std::size_t l = 0; l < lanes; ++l) sum += sums[l];
                total += static_cast<double>(sum);
            }
        }
        db[filter] = static_cast<float>(total);
    });
}

} // namespace mlcore::nn
