// What a block of outputs of a convolution sees of its source: a copy with the zeros of the padding, in which every tap
// of neighbouring outputs reads neighbouring places, whatever the stride. To that end the places of an axis are sorted
// into phases by their remainder modulo the stride: output o with tap t then reads place o + offset(t) of phase(t).
#pragma once

#include "core/simd.hpp"
#include "nn/convolution/convolution.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

namespace mlcore::nn {

/// One axis: output o meets, with tap t, the entry start + o step + shifts[t] of the source, or a zero outside of it.
struct Axis {
    std::ptrdiff_t start = 0;
    std::size_t step = 1, n_out = 0, n_source = 0;
    std::vector<std::size_t> shifts;
};

/// The axis as the outputs walk over the input.
inline Axis output_axis(const ConvolutionAxis& a) {
    Axis axis{-static_cast<std::ptrdiff_t>(a.padding), a.stride, a.n_out, a.n_in, {}};
    for (std::size_t t = 0; t < a.n_kernel; ++t) axis.shifts.push_back(t * a.dilation);
    return axis;
}

/// The same convolution with rows and columns as one axis, where each output sees just the entry in its own place.
inline ConvolutionShape flattened(const ConvolutionShape& shape) {
    const auto plain = [](const ConvolutionAxis& a) { return a.n_kernel == 1 && a.stride == 1 && a.n_out == a.n_in; };
    if (!plain(shape.rows) || !plain(shape.cols) || shape.rows.padding + shape.cols.padding > 0) return shape;
    ConvolutionShape flat = shape;
    flat.rows = {1, 1, 1};
    flat.cols = {shape.in_pixels(), 1, shape.in_pixels()};
    return flat;
}

/// The places of one axis of the window of up to `block` neighbouring outputs.
struct WindowAxis {
    Axis axis;
    std::size_t block;
    std::size_t length;              // places of a phase
    std::vector<std::size_t> phases; // the remainders that occur
    std::vector<std::size_t> place;  // of each tap of the first output: phase * length + offset

    WindowAxis(Axis a, std::size_t n_block) : axis(std::move(a)), block(n_block) {
        std::size_t reach = 0;
        for (const std::size_t shift : axis.shifts) {
            reach = std::max(reach, shift / axis.step);
            if (std::find(phases.begin(), phases.end(), shift % axis.step) == phases.end())
                phases.push_back(shift % axis.step);
        }
        length = block + reach;
        for (const std::size_t shift : axis.shifts) {
            const auto phase = std::find(phases.begin(), phases.end(), shift % axis.step) - phases.begin();
            place.push_back(static_cast<std::size_t>(phase) * length + shift / axis.step);
        }
    }

    std::size_t size() const { return phases.size() * length; }

    /// Place q of a phase, for outputs from `first` on, as an entry of the source; it may lie outside.
    std::ptrdiff_t source(std::size_t phase, std::size_t q, std::size_t first) const {
        return axis.start + static_cast<std::ptrdiff_t>((first + q) * axis.step + phases[phase]);
    }
};

namespace detail {

/// Short runs: a call of memcpy would cost more than the copy.
[[gnu::always_inline]] inline void copy_run(const float* from, float* to, std::size_t n) {
    using simd::lanes;
    std::size_t j = 0;
    for (; j + lanes <= n; j += lanes) simd::store(to + j, simd::load(from + j));
    if constexpr (lanes > 8)
        for (; j + 8 <= n; j += 8) std::memcpy(to + j, from + j, 8 * sizeof(float));
    for (; j + 4 <= n; j += 4) std::memcpy(to + j, from + j, 4 * sizeof(float));
    for (; j < n; ++j) to[j] = from[j];
}

/// to[j] = from[2 j].
[[gnu::always_inline]] inline void copy_every_second(const float* from, float* to, std::size_t n) {
    using Eight [[gnu::vector_size(8 * sizeof(float))]] = float;
    std::size_t j = 0;
    for (; j + 8 < n; j += 8) { // the entry after the last one taken is read, too
        Eight low, high;
        std::memcpy(&low, from + 2 * j, sizeof low);
        std::memcpy(&high, from + 2 * j + 8, sizeof high);
        const Eight even = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
        std::memcpy(to + j, &even, sizeof even);
    }
    for (; j < n; ++j) to[j] = from[2 * j];
}

/// Zeros, where n is small as a rule; up to three more may be written.
[[gnu::always_inline]] inline void zero_run(float* to, std::size_t n) {
    constexpr float zeros[4] = {};
    for (std::size_t j = 0; j < n; j += 4) std::memcpy(to + j, zeros, sizeof zeros);
}

} // namespace detail

/// The window of a block of outputs, over all channels of a group: (channels, phases of rows, places, phases of
/// columns, places).
struct Window {
    WindowAxis rows, cols;
    std::size_t channels;

    std::size_t row_length() const { return cols.size(); }
    std::size_t channel_size() const { return rows.size() * cols.size(); }
    std::size_t image_size() const { return channels * channel_size(); }

    /// Places that (channel, tap of rows, tap of columns), in C order, reads for the first output of a block; output
    /// (i, j) of the block reads i row_length() + j further on.
    std::vector<std::size_t> offsets() const {
        std::vector<std::size_t> all;
        for (std::size_t c = 0; c < channels; ++c)
            for (const std::size_t u : rows.place)
                for (const std::size_t v : cols.place) all.push_back(c * channel_size() + u * row_length() + v);
        return all;
    }

    /// Copies what outputs [row, row + n_rows) x [col, col + n_cols) see of `image` (channels, rows, columns). Up to
    /// three entries after a window are written to as well.
    void fill(const float* image, std::size_t row, std::size_t n_rows, std::size_t col, std::size_t n_cols,
              float* window) const {
        const std::size_t height = rows.axis.n_source, width = cols.axis.n_source;
        const std::size_t used = rows.length - rows.block + n_rows; // places of a phase of rows
        std::vector<Run> runs;
        for (std::size_t phase = 0; phase < cols.phases.size(); ++phase) runs.push_back(run(phase, col, n_cols));
        for (std::size_t c = 0; c < channels; ++c, image += height * width)
            for (std::size_t phase = 0; phase < rows.phases.size(); ++phase)
                for (std::size_t q = 0; q < used; ++q) {
                    const std::ptrdiff_t from = rows.source(phase, q, row);
                    float* to = window + c * channel_size() + (phase * rows.length + q) * row_length();
                    if (from < 0 || from >= static_cast<std::ptrdiff_t>(height))
                        std::fill_n(to, row_length(), 0.0f);
                    else
                        for (const Run& r : runs) {
                            fill_run(r, image + static_cast<std::size_t>(from) * width, to);
                            to += cols.length;
                        }
                }
    }

  private:
    /// A phase of columns: place q holds entry first + q step of a row, for q in [begin, end); zero elsewhere.
    struct Run {
        std::ptrdiff_t first;
        std::size_t begin, end, size;
    };

    Run run(std::size_t phase, std::size_t col, std::size_t n_cols) const {
        const auto width = static_cast<std::ptrdiff_t>(cols.axis.n_source);
        const auto step = static_cast<std::ptrdiff_t>(cols.axis.step);
        const auto size = static_cast<std::ptrdiff_t>(cols.length - cols.block + n_cols);
        const std::ptrdiff_t first = cols.source(phase, 0, col);
        const std::ptrdiff_t begin = std::min(size, first < 0 ? (-first + step - 1) / step : 0);
        const std::ptrdiff_t end = std::clamp(first < width ? (width - first + step - 1) / step : 0, begin, size);
        return {first, static_cast<std::size_t>(begin), static_cast<std::size_t>(end), static_cast<std::size_t>(size)};
    }

    [[gnu::always_inline]] void fill_run(const Run& r, const float* entries, float* to) const {
        detail::zero_run(to, r.begin);
        if (cols.axis.step == 1)
            detail::copy_run(entries + r.first + static_cast<std::ptrdiff_t>(r.begin), to + r.begin, r.end - r.begin);
        else if (cols.axis.step == 2)
            detail::copy_every_second(entries + r.first + 2 * static_cast<std::ptrdiff_t>(r.begin), to + r.begin,
                                      r.end - r.begin);
        else
            for (std::size_t q = r.begin; q < r.end; ++q)
                to[q] = entries[r.first + static_cast<std::ptrdiff_t>(q * cols.axis.step)];
        detail::zero_run(to + r.end, r.size - r.end);
    }
};

/// How the outputs are cut into blocks of about `target` pixels: many small images, one image, some of its rows, or a
/// part of one row. A block of the size that leaves the least of its last panel of `width` pixels empty.
struct OutputBlocks {
    std::size_t n_images, n_rows, n_cols;       // all outputs
    std::size_t images = 1, rows = 1, cols = 1; // of a block

    OutputBlocks(std::size_t all_images, std::size_t all_rows, std::size_t all_cols, std::size_t target,
                 std::size_t width)
        : n_images(all_images), n_rows(all_rows), n_cols(all_cols) {
        const auto best = [&](std::size_t unit,
                              std::size_t most) { // units of so many pixels each
            std::size_t found = 1;
            double filled = 0;
            for (std::size_t k = 1; k <= std::max<std::size_t>(1, std::min(most, target / unit)); ++k) {
                const double share =
                    static_cast<double>(k * unit) / static_cast<double>((k * unit + width - 1) / width * width);
                if (share >= filled - 0.01) {
                    found = k;
                    filled = std::max(filled, share);
                }
            }
            return found;
        };
        cols = std::min(n_cols, target);
        if (n_rows * n_cols <= target) {
            rows = n_rows;
            images = best(n_rows * n_cols, n_images);
        } else if (n_cols <= target) {
            rows = best(n_cols, n_rows);
        }
    }

    static std::size_t parts(std::size_t n, std::size_t block) { return (n + block - 1) / block; }
    std::size_t size() const { return parts(n_images, images) * parts(n_rows, rows) * parts(n_cols, cols); }
    std::size_t pixels() const { return images * rows * cols; }

    struct Block {
        std::size_t image, n_images, row, n_rows, col, n_cols;
        std::size_t pixels() const { return n_images * n_rows * n_cols; }
    };
    Block operator[](std::size_t i) const {
        const std::size_t col = i % parts(n_cols, cols) * cols, rest = i / parts(n_cols, cols);
        const std::size_t row = rest % parts(n_rows, rows) * rows, image = rest / parts(n_rows, rows) * images;
        return {image, std::min(images, n_images - image), row, std::min(rows, n_rows - row),
                col,   std::min(cols, n_cols - col)};
    }
};

} // namespace mlcore::nn
