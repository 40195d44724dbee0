// Convolution of images (cross-correlation, as is the custom for networks). Letters: x (n, channels, height, width) the
// input, w (filters, channels / groups, kernel_height, kernel_width) the weights, b (filters) the bias, y (n, filters,
// out_height, out_width) the result, all in C order; dx, dw, dy the gradients of the loss with respect to them.
//
//   y[n, f, i, j] = b[f] + sum over c, u, v of w[f, c, u, v] x[n, c0 + c, i s - p + u d, j s - p + v d]
//
// with stride s, padding p, dilation d of each axis, zeros outside of x, and c0 the first channel of f's group.
// Convolution along one axis is the case height = kernel_height = 1.
//
// It is a product of w as a matrix (filters, channels * taps) with a matrix that has a column for each pixel of y
// (Chellapilla, Puri, Simard, "High performance convolutional neural networks for document processing", 2006). That
// matrix never exists as a whole: a block of pixels, of one image or of many small ones, is gathered from a padded copy
// of the part of x that it sees, straight into the panels that the kernel of gemm_kernel.hpp reads. The gradient with
// respect to x is the same walk over dy, one for each remainder that a position of x can have modulo the stride; the
// gradient with respect to w sums over blocks of images that depend on the shape alone. Where each group has one
// channel and one filter (depthwise), nothing is gathered.
//
// Results have the same bits for any number of threads. Left out on purpose: transforms that save multiplications
// (Winograd, Fourier), because they round worse; transposed convolution.
#pragma once

#include "core/context.hpp"
#include "linalg/activation.hpp"

#include <cstddef>

namespace mlcore::nn {

struct ConvolutionAxis {
    std::size_t n_in, n_kernel, n_out;
    std::size_t stride = 1, dilation = 1;
    std::size_t padding = 0; // zeros before the first entry; those after the last follow from n_out
};

struct ConvolutionShape {
    std::size_t n, channels, filters;
    std::size_t groups = 1; // divides channels and filters
    ConvolutionAxis rows, cols;

    std::size_t group_channels() const { return channels / groups; }
    std::size_t group_filters() const { return filters / groups; }
    std::size_t taps() const { return rows.n_kernel * cols.n_kernel; }
    std::size_t in_pixels() const { return rows.n_in * cols.n_in; }
    std::size_t out_pixels() const { return rows.n_out * cols.n_out; }
    bool depthwise() const { return group_channels() == 1 && group_filters() == 1; }
};

/// y = activation(x * w + b). bias: or nullptr. pre_activation: like y, or nullptr: what went into the activation.
void convolve(const RunContext& ctx, const ConvolutionShape& shape, const float* x, const float* w, const float* bias,
              linalg::Activation activation, float* pre_activation, float* y);

/// dx from dy: overwritten.
void convolve_input_gradient(const RunContext& ctx, const ConvolutionShape& shape, const float* dy, const float* w,
                             float* dx);

/// dw from x and dy: overwritten. db: likewise, unless it is nullptr.
void convolve_weight_gradient(const RunContext& ctx, const ConvolutionShape& shape, const float* x, const float* dy,
                              float* dw, float* db = nullptr);

/// db[f] = the sum of dy (n, filters, out_height, out_width) over images and pixels.
void convolve_bias_gradient(const RunContext& ctx, const ConvolutionShape& shape, const float* dy, float* db);

} // namespace mlcore::nn
