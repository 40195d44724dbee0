// The convolution and its gradient with respect to the input: both are walks over the pixels of the result.
#include "nn/convolution/convolution.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "linalg/gemm_kernel.hpp"
#include "nn/convolution/window.hpp"
#include "nn/row_tiles.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

namespace mlcore::nn {
namespace {

constexpr std::size_t most_terms = 160; // of a sum, gathered at a time: a panel of pixels then stays in the first cache
constexpr std::size_t slack = 4 * simd::lanes; // entries after a buffer that whole vectors may touch
constexpr double flops_per_ns = 40;            // of one thread, for the estimate of what a task costs

/// w of one group as a matrix (m, k), cut into panels of nearly equal height.
struct Panels {
    std::size_t m, k;

    RowTiles tiles() const { return RowTiles(m); }
    /// Terms that are gathered at a time.
    std::size_t depth() const {
        const std::size_t parts = (k + most_terms - 1) / most_terms;
        return (k + parts - 1) / parts;
    }

    void pack(const RunContext& ctx, const float* w, float* panels) const {
        const double ns = 0.5 * static_cast<double>(linalg::tile_rows * k);
        parallel_tasks(ctx, tiles().count(), ns, [&](std::size_t panel, int) {
            const std::size_t begin = tiles().begin(panel), height = tiles().height(panel);
            for (std::size_t first = 0; first < k; first += depth())
                linalg::pack_panel(row_major(w, m, k), begin, height, first, std::min(depth(), k - first),
                                   panels + begin * k + first * height, height);
        });
    }
};

/// Where the results of a walk go: (images, groups * m, rows, columns) with steps.
struct Destination {
    float* data;
    std::size_t image_step, channel_step, row_step, col_step;
    const float* bias = nullptr; // (groups * m)
    linalg::Activation activation = linalg::Activation::identity;
    float* pre_activation = nullptr; // like data
};

/// Results of m rows for each pixel: sums over channels and taps of panels x source.
struct Walk {
    const float* source; // (images, groups * channels, rows, columns)
    std::size_t groups;
    const Window& window;
    const OutputBlocks& blocks;
    const Panels& shape;
    const float* panels; // of all groups
    const Destination& out;
    std::vector<std::size_t> offsets;

    /// Memory of one thread.
    struct Room {
        Scratch<float> window, gathered, sums;
    };

    std::size_t padded_pixels() const {
        return (blocks.pixels() + linalg::tile_cols - 1) / linalg::tile_cols * linalg::tile_cols;
    }

    Room room() const {
        const std::size_t seen = blocks.images * window.image_size();
        Room made;
        made.window = Scratch<float>(seen + slack);
        made.gathered =
            Scratch<float>(std::max(linalg::tile_cols * shape.depth(), blocks.rows * window.row_length()) + slack);
        made.sums = Scratch<float>(padded_pixels() * shape.m);
        std::fill_n(made.window.data(), seen + slack, 0.0f);
        return made;
    }

    void run(std::size_t group, const OutputBlocks::Block& block, Room& room) const {
        const std::size_t n_pixels = block.pixels(), stride = padded_pixels();
        const std::size_t in_image = window.rows.axis.n_source * window.cols.axis.n_source * window.channels;
        for (std::size_t i = 0; i < block.n_images; ++i)
            window.fill(source + ((block.image + i) * groups + group) * in_image, block.row, block.n_rows, block.col,
                        block.n_cols, room.window.data() + i * window.image_size());
        if (shape.m == 1 && window.channels == 1) {
            for (std::size_t i = 0; i < block.n_images; ++i) sum_taps(group, block, i, room);
            return write(group, 0, block, room.sums.data());
        }
        const RowTiles tiles = shape.tiles();
        for (std::size_t first = 0; first < shape.k; first += shape.depth()) {
            const std::size_t terms = std::min(shape.depth(), shape.k - first);
            for (std::size_t pixel = 0; pixel < n_pixels; pixel += linalg::tile_cols) {
                gather(block, pixel, first, terms, room);
                for (std::size_t p = 0; p < tiles.count(); ++p) {
                    const std::size_t row = tiles.begin(p), height = tiles.height(p);
                    linalg::tile_kernel(height)(panels + (group * shape.m + row) * shape.k + first * height,
                                                room.gathered.data(), terms, room.sums.data() + row * stride + pixel,
                                                stride, first > 0);
                }
            }
        }
        for (std::size_t row = 0; row < shape.m; ++row) write(group, row, block, room.sums.data() + row * stride);
    }

  private:
    /// Depthwise: the window is read in place. All its places from the first output's to the last's are treated as
    /// outputs, also those between two rows.
    void sum_taps(std::size_t group, const OutputBlocks::Block& block, std::size_t image, Room& room) const {
        using simd::Floats, simd::lanes;
        const std::size_t pitch = window.row_length(), n = (block.n_rows - 1) * pitch + block.n_cols;
        const float* places = room.window.data() + image * window.image_size();
        const float* w = panels + group * shape.k;
        float* all = room.gathered.data();
        for (std::size_t j = 0; j < n; j += 4 * lanes) {
            Floats sums[4] = {};
            for (std::size_t k = 0; k < shape.k; ++k) {
                const float* at = places + offsets[k] + j;
                const Floats weight = simd::broadcast(w[k]);
#pragma GCC unroll 4
                for (std::size_t v = 0; v < 4; ++v) sums[v] = simd::fma(weight, simd::load(at + v * lanes), sums[v]);
            }
#pragma GCC unroll 4
            for (std::size_t v = 0; v < 4; ++v) simd::store(all + j + v * lanes, sums[v]);
        }
        float* to = room.sums.data() + image * block.n_rows * block.n_cols;
        for (std::size_t r = 0; r < block.n_rows; ++r, to += block.n_cols)
            detail::copy_run(all + r * pitch, to, block.n_cols);
    }

    /// A panel of the columns of pixels [pixel, pixel + tile_cols) of the block, terms [first, first + terms).
    void gather(const OutputBlocks::Block& block, std::size_t pixel, std::size_t first, std::size_t terms,
                Room& room) const {
        float* panel = room.gathered.data();
        const std::size_t n = std::min(linalg::tile_cols, block.pixels() - pixel);
        if (n < linalg::tile_cols) std::fill_n(panel, terms * linalg::tile_cols, 0.0f);
        const float* places = room.window.data();
        const std::size_t* offset = offsets.data() + first;
        // Runs of pixels of one row, at most W of them. Each is copied as W whatever its length: what it writes too
        // much is overwritten by the next run, of this term or of the next.
        const auto copy = [&](auto width, auto known_runs) {
            constexpr std::size_t W = width;
            std::size_t from[linalg::tile_cols], to[linalg::tile_cols], found = 0;
            for (std::size_t done = 0; done < n; ++found) {
                const std::size_t at = pixel + done, col = at % block.n_cols, row = at / block.n_cols % block.n_rows;
                const std::size_t image = at / (block.n_cols * block.n_rows);
                from[found] = image * window.image_size() + row * window.row_length() + col;
                to[found] = done;
                done += std::min({W, block.n_cols - col, n - done});
            }
            const std::size_t n_runs = known_runs ? known_runs : found; // a known number: no loop
            for (std::size_t k = 0; k < terms; ++k, panel += linalg::tile_cols) {
                const float* seen = places + offset[k];
#pragma GCC unroll 4
                for (std::size_t r = 0; r < n_runs; ++r) std::memcpy(panel + to[r], seen + from[r], W * sizeof(float));
            }
        };
        constexpr std::integral_constant<std::size_t, simd::lanes> lanes;
        constexpr std::integral_constant<std::size_t, 0> any;
        constexpr std::integral_constant<std::size_t, 2> two;
        constexpr std::integral_constant<std::size_t, 4> four;
        constexpr std::integral_constant<std::size_t, 8> eight;
        const std::size_t width = block.n_cols;
        if (n == linalg::tile_cols && width % lanes == 0)
            copy(lanes, two);
        else if (lanes > 8 && n == linalg::tile_cols && width == 8)
            copy(eight, four);
        else if (lanes > 8 && width > 4 && width <= 8)
            copy(eight, any);
        else if (width <= 4)
            copy(four, any);
        else
            copy(lanes, any);
    }

    /// Bias, activation, and out they go.
    void write(std::size_t group, std::size_t row, const OutputBlocks::Block& block, float* sums) const {
        const std::size_t channel = group * shape.m + row, n_pixels = block.pixels();
        const float b = out.bias ? out.bias[channel] : 0.0f;
        if (out.col_step == 1 && out.activation == linalg::Activation::relu && !out.pre_activation)
            return each_run(channel, block, [&](std::size_t at, std::size_t to, std::size_t n) {
                for (std::size_t j = 0; j < n; ++j) {
                    const float z = sums[at + j] + b;
                    out.data[to + j] = z < 0 ? 0 : z; // NaN stays NaN
                }
            });
        if (out.bias)
            for (std::size_t j = 0; j < n_pixels; ++j) sums[j] += b;
        if (out.pre_activation)
            each_run(channel, block, [&](std::size_t at, std::size_t to, std::size_t n) {
                detail::copy_run(sums + at, out.pre_activation + to, n);
            });
        if (out.activation != linalg::Activation::identity) linalg::activate(out.activation, sums, sums, n_pixels);
        each_run(channel, block, [&](std::size_t at, std::size_t to, std::size_t n) {
            if (out.col_step == 1)
                detail::copy_run(sums + at, out.data + to, n);
            else
                for (std::size_t j = 0; j < n; ++j) out.data[to + j * out.col_step] = sums[at + j];
        });
    }

    /// f(first sum, its place, number) for the pixels of each row, or of each image where its rows adjoin.
    template <class F>
    [[gnu::always_inline]] void each_run(std::size_t channel, const OutputBlocks::Block& block, F&& f) const {
        const bool plane = out.col_step == 1 && block.n_cols == out.row_step;
        const std::size_t n_runs = plane ? 1 : block.n_rows, run = plane ? block.n_rows * block.n_cols : block.n_cols;
        std::size_t at = 0;
        for (std::size_t i = 0; i < block.n_images; ++i)
            for (std::size_t r = 0; r < n_runs; ++r, at += run)
                f(at,
                  (block.image + i) * out.image_step + channel * out.channel_step + (block.row + r) * out.row_step +
                      block.col * out.col_step,
                  run);
    }
};

/// out = w x source, for w (groups, m, channels * taps).
void walk(const RunContext& ctx, std::size_t n_images, std::size_t groups, std::size_t channels, const float* source,
          const Axis& rows, const Axis& cols, const float* w, std::size_t m, const Destination& out) {
    const Panels shape{m, channels * rows.shifts.size() * cols.shifts.size()};
    const std::size_t target = shape.k > 128 || m > 128 ? 256 : 512; // both buffers within L2
    const OutputBlocks blocks(n_images, rows.n_out, cols.n_out, target, linalg::tile_cols);
    const Window window{WindowAxis(rows, blocks.rows), WindowAxis(cols, blocks.cols), channels};
    Scratch<float> panels(groups * m * shape.k);
    for (std::size_t g = 0; g < groups; ++g) shape.pack(ctx, w + g * m * shape.k, panels.data() + g * m * shape.k);
    const Walk job{source, groups, window, blocks, shape, panels.data(), out, window.offsets()};

    const double work = 2.0 * static_cast<double>(blocks.pixels()) * static_cast<double>(m * shape.k) / flops_per_ns +
                        0.3 * static_cast<double>(blocks.pixels() * (m + shape.k));
    const std::size_t n_tasks = groups * blocks.size();
    std::vector<Walk::Room> rooms;
    const int n_threads = threads_for(ctx, work * static_cast<double>(n_tasks));
    for (int t = 0; t < n_threads; ++t) rooms.push_back(job.room());
    parallel_tasks(ctx, n_tasks, work, [&](std::size_t task, int thread) {
        job.run(task % groups, blocks[task / groups], rooms[static_cast<std::size_t>(thread)]);
    });
}

/// The positions h of x with h + padding = q stride + remainder: they meet dy at q - a with the taps t for which t
/// dilation = a stride + remainder, and with no others.
struct Positions {
    std::size_t first; // h; the others follow `stride` apart
    Axis axis;         // outputs are q, the source is dy
    std::vector<std::size_t> taps;
};

std::vector<Positions> positions_by_remainder(const ConvolutionAxis& a) {
    std::vector<Positions> all;
    for (std::size_t remainder = 0; remainder < std::min(a.stride, a.n_in + a.padding); ++remainder) {
        const std::size_t before = a.padding > remainder ? (a.padding - remainder + a.stride - 1) / a.stride : 0;
        Positions found{before * a.stride + remainder - a.padding, {}, {}};
        if (found.first >= a.n_in) continue;
        for (std::size_t t = 0; t < a.n_kernel; ++t)
            if (t * a.dilation % a.stride == remainder) found.taps.push_back(t);
        const std::size_t reach = found.taps.empty() ? 0 : found.taps.back() * a.dilation / a.stride;
        found.axis = {static_cast<std::ptrdiff_t>(before) - static_cast<std::ptrdiff_t>(reach),
                      1,
                      (a.n_in - 1 - found.first) / a.stride + 1,
                      a.n_out,
                      {}};
        for (const std::size_t t : found.taps) found.axis.shifts.push_back(reach - t * a.dilation / a.stride);
        all.push_back(std::move(found));
    }
    return all;
}

} // namespace

void convolve(const RunContext& ctx, const ConvolutionShape& original, const float* x, const float* w,
              const float* bias, linalg::Activation activation, float* pre_activation, float* y) {
    const ConvolutionShape shape = flattened(original);
    const Destination out{y,
                          shape.filters * shape.out_pixels(),
                          shape.out_pixels(),
                          shape.cols.n_out,
                          1,
                          bias,
                          activation,
                          pre_activation};
    walk(ctx, shape.n, shape.groups, shape.group_channels(), x, output_axis(shape.rows), output_axis(shape.cols), w,
         shape.group_filters(), out);
}

void convolve_input_gradient(const RunContext& ctx, const ConvolutionShape& original, const float* dy, const float* w,
                             float* dx) {
    const ConvolutionShape shape = flattened(original);
    const auto rows = positions_by_remainder(shape.rows), cols = positions_by_remainder(shape.cols);
    const std::size_t channels = shape.group_channels(), filters = shape.group_filters();
    const auto idle = [](const std::vector<Positions>& all) {
        return std::any_of(all.begin(), all.end(), [](const Positions& p) { return p.taps.empty(); });
    };
    if (idle(rows) || idle(cols)) // positions that no output has seen
        parallel_ranges(ctx, shape.n * shape.channels * shape.in_pixels(), 0.1,
                        [&](std::size_t begin, std::size_t end, int) { std::fill(dx + begin, dx + end, 0.0f); });
    for (const Positions& r : rows)
        for (const Positions& c : cols) {
            if (r.taps.empty() || c.taps.empty()) continue;
            // The weights that take part, with filters and channels exchanged: (groups, channels, filters * taps).
            const std::size_t n_taps = r.taps.size() * c.taps.size();
            Scratch<float> exchanged(shape.filters * channels * n_taps);
            parallel_tasks(ctx, shape.filters, 2.0 * static_cast<double>(channels * n_taps), [&](std::size_t f, int) {
                for (std::size_t k = 0; k < channels; ++k) {
                    float* to = exchanged.data() + ((f / filters * channels + k) * filters + f % filters) * n_taps;
                    const float* from = w + (f * channels + k) * shape.taps();
                    for (const std::size_t u : r.taps)
                        for (const std::size_t v : c.taps) *to++ = from[u * shape.cols.n_kernel + v];
                }
            });
            const Destination out{dx + r.first * shape.cols.n_in + c.first, shape.channels * shape.in_pixels(),
                                  shape.in_pixels(), shape.cols.n_in * shape.rows.stride, shape.cols.stride};
            walk(ctx, shape.n, shape.groups, filters, dy, r.axis, c.axis, exchanged.data(), channels, out);
        }
}

} // namespace mlcore::nn
