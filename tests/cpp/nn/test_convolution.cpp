// The convolution and its gradients against loops written as the definition, over shapes around the borders of vectors,
// panels and blocks; the same bits for any number of threads.
#include "check.hpp"

#include "core/context.hpp"
#include "nn/convolution/convolution.hpp"
#include "nn/twin.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;
using namespace mlcore::linalg;

namespace {

constexpr auto axis = twin::window_axis<ConvolutionAxis>;

/// Calls f(place in x, place in w, place in y) for every product of the definition.
template <class F>
void each_product(const ConvolutionShape& s, F&& f) {
    const auto inside = [](const ConvolutionAxis& a, std::size_t out, std::size_t tap, std::size_t& at) {
        at = out * a.stride + tap * a.dilation - a.padding; // wraps around below 0
        return at < a.n_in;
    };
    std::size_t h = 0, v = 0;
    for (std::size_t n = 0; n < s.n; ++n)
        for (std::size_t o = 0; o < s.filters; ++o)
            for (std::size_t i = 0; i < s.rows.n_out; ++i)
                for (std::size_t j = 0; j < s.cols.n_out; ++j)
                    for (std::size_t c = 0; c < s.group_channels(); ++c)
                        for (std::size_t a = 0; a < s.rows.n_kernel; ++a)
                            for (std::size_t b = 0; b < s.cols.n_kernel; ++b) {
                                if (!inside(s.rows, i, a, h) || !inside(s.cols, j, b, v)) continue;
                                const std::size_t channel = o / s.group_filters() * s.group_channels() + c;
                                f(((n * s.channels + channel) * s.rows.n_in + h) * s.cols.n_in + v,
                                  ((o * s.group_channels() + c) * s.rows.n_kernel + a) * s.cols.n_kernel + b,
                                  ((n * s.filters + o) * s.rows.n_out + i) * s.cols.n_out + j);
                            }
}

void check_close(const std::vector<float>& got, const std::vector<double>& expected, const char* what) {
    double worst = 0, scale = 1;
    for (std::size_t i = 0; i < got.size(); ++i) {
        worst = std::max(worst, std::isnan(got[i]) ? 1e30 : std::abs(static_cast<double>(got[i]) - expected[i]));
        scale = std::max(scale, std::abs(expected[i]));
    }
    if (worst > 1e-5 * scale) check::fail(what, 0, "differs by " + std::to_string(worst));
}

void check_shape(const ConvolutionShape& s) {
    const StandaloneRun run(2);
    const std::size_t n_x = s.n * s.channels * s.in_pixels(), n_y = s.n * s.filters * s.out_pixels();
    const std::size_t n_w = s.filters * s.group_channels() * s.taps();
    const auto x = twin::normal(n_x, 1), w = twin::normal(n_w, 2), b = twin::normal(s.filters, 3);
    const auto dy = twin::normal(n_y, 4);
    std::vector<double> y_twin(n_y), dx_twin(n_x), dw_twin(n_w), db_twin(s.filters);
    for (std::size_t i = 0; i < n_y; ++i) {
        const std::size_t filter = i / s.out_pixels() % s.filters;
        y_twin[i] = b[filter];
        db_twin[filter] += dy[i];
    }
    each_product(s, [&](std::size_t i, std::size_t k, std::size_t o) {
        y_twin[o] += static_cast<double>(x[i]) * w[k];
        dx_twin[i] += static_cast<double>(dy[o]) * w[k];
        dw_twin[k] += static_cast<double>(dy[o]) * x[i];
    });
    std::vector<float> y(n_y, NAN), dx(n_x, NAN), dw(n_w, NAN), db(s.filters, NAN);
    convolve(run.context, s, x.data(), w.data(), b.data(), Activation::identity, nullptr, y.data());
    convolve_input_gradient(run.context, s, dy.data(), w.data(), dx.data());
    convolve_weight_gradient(run.context, s, x.data(), dy.data(), dw.data(), db.data());
    check_close(y, y_twin, "y");
    check_close(dx, dx_twin, "dx");
    check_close(dw, dw_twin, "dw");
    check_close(db, db_twin, "db");
    std::fill(db.begin(), db.end(), NAN);
    convolve_bias_gradient(run.context, s, dy.data(), db.data());
    check_close(db, db_twin, "db alone");
}

} // namespace

TEST(square_kernels) {
    for (const std::size_t size : {1u, 3u, 4u, 8u, 15u, 17u})
        for (const std::size_t kernel : {1u, 2u, 3u, 5u})
            for (const std::size_t padding : {0u, 1u, 2u}) {
                if (kernel > size + 2 * padding) continue;
                const auto a = axis(size, kernel, 1, padding, 1);
                check_shape({3, 2, 5, 1, a, a});
            }
}

TEST(strides_and_dilations) {
    for (const std::size_t stride : {1u, 2u, 3u, 5u})
        for (const std::size_t dilation : {1u, 2u, 3u})
            for (const std::size_t kernel : {1u, 2u, 3u})
                check_shape({2, 3, 4, 1, axis(11, kernel, stride, 2, dilation), axis(13, 3, stride, 1, dilation)});
    check_shape({2, 3, 4, 1, axis(9, 1, 2, 0, 1), axis(9, 3, 4, 0, 1)}); // positions that no output sees
    check_shape({2, 1, 1, 1, axis(5, 2, 7, 4, 5), axis(6, 2, 1000000007, 0, 5)});
}

TEST(numbers_of_filters_and_channels) {
    for (const std::size_t filters : {1u, 13u, 14u, 15u, 16u, 17u, 31u, 32u, 33u, 47u})
        check_shape({2, 3, filters, 1, axis(6, 3, 1, 1, 1), axis(7, 3, 1, 1, 1)});
    check_shape({2, 70, 40, 1, axis(5, 3, 1, 1, 1), axis(8, 3, 1, 1, 1)}); // more terms than are gathered at a time
}

TEST(groups) {
    const auto a = axis(7, 3, 1, 1, 1), b = axis(9, 3, 2, 1, 1);
    check_shape({3, 4, 6, 2, a, b});
    check_shape({3, 6, 6, 6, a, b});
    check_shape({3, 6, 12, 6, a, b});
    check_shape({2, 5, 5, 5, axis(40, 3, 1, 1, 2), axis(37, 5, 1, 2, 1)});
}

TEST(pixels_in_several_blocks) {
    check_shape({1, 2, 3, 1, axis(1, 1, 1, 0, 1), axis(1300, 5, 1, 2, 1)}); // a part of one row
    check_shape({2, 2, 3, 1, axis(70, 3, 1, 1, 1), axis(33, 3, 1, 1, 1)});  // some rows
    for (const std::size_t size : {4u, 5u, 8u, 16u, 32u})                   // many images
        check_shape({70, 2, 3, 1, axis(4, 3, 1, 1, 1), axis(size, 3, 1, 1, 1)});
    check_shape({2, 3, 3, 3, axis(1, 1, 1, 0, 1), axis(1300, 5, 2, 2, 1)});
}

TEST(same_bits_for_any_number_of_threads) {
    const ConvolutionShape s{40, 8, 24, 1, axis(12, 3, 1, 1, 1), axis(12, 3, 1, 1, 1)};
    const auto x = twin::normal(s.n * s.channels * s.in_pixels(), 1), w = twin::normal(24 * 8 * 9, 2);
    const auto dy = twin::normal(s.n * s.filters * s.out_pixels(), 4);
    std::vector<float> first;
    for (const int n_threads : {1, 2, 3, 7}) {
        const StandaloneRun run(n_threads);
        std::vector<float> all(dy.size() + x.size() + w.size());
        convolve(run.context, s, x.data(), w.data(), nullptr, Activation::tanh, nullptr, all.data());
        convolve_input_gradient(run.context, s, dy.data(), w.data(), all.data() + dy.size());
        convolve_weight_gradient(run.context, s, x.data(), dy.data(), all.data() + dy.size() + x.size());
        if (first.empty()) first = all;
        CHECK(first == all);
    }
}

TEST(activation_is_fused) {
    const ConvolutionShape s{2, 1, 3, 1, axis(5, 3, 1, 1, 1), axis(5, 3, 1, 1, 1)};
    const StandaloneRun run(1);
    const auto x = twin::normal(50, 1), w = twin::normal(27, 2);
    std::vector<float> plain(150), y(150), z(150);
    convolve(run.context, s, x.data(), w.data(), nullptr, Activation::identity, nullptr, plain.data());
    convolve(run.context, s, x.data(), w.data(), nullptr, Activation::relu, z.data(), y.data());
    CHECK(z == plain);
    for (std::size_t i = 0; i < 150; ++i) CHECK_EQUAL(y[i], std::max(plain[i], 0.0f));
}
