// Convolution: forward, gradient with respect to the input, to the weights, for the shapes of small and larger
// networks. Rates count the multiply-adds of the definition, two operations each, beside the peak. Then pooling and
// batch norm, which only move memory: bytes read and written, beside a copy.
#include "bench.hpp"

#include "core/random.hpp"
#include "nn/batch_norm.hpp"
#include "nn/convolution/convolution.hpp"
#include "nn/pooling.hpp"

#include <cstdint>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;
using namespace mlcore::linalg;

namespace {

Buffer<float> random_values(std::size_t n) {
    const Philox random(1, 0);
    Buffer<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(random.uniform(i)) - 0.5f;
    return values;
}

ConvolutionAxis axis(std::size_t n_in, std::size_t kernel, std::size_t stride) {
    const std::size_t padding = kernel / 2;
    return {n_in, kernel, (n_in + 2 * padding - kernel) / stride + 1, stride, 1, padding};
}

void convolution(const char* name, int n_threads, const bench::Peaks& peaks, const ConvolutionShape& s) {
    const StandaloneRun run(n_threads);
    const auto x = random_values(s.n * s.channels * s.in_pixels());
    const auto w = random_values(s.filters * s.group_channels() * s.taps());
    const auto dy = random_values(s.n * s.filters * s.out_pixels());
    Buffer<float> y(dy.size()), dx(x.size()), dw(w.size());
    const double flops = 2.0 * static_cast<double>(dy.size() * s.group_channels() * s.taps());
    const double peak = peaks.fma_gflop * 1e9;
    const auto line = [&](const char* what, auto&& f) {
        const std::string text = std::string(name) + ", " + what;
        bench::print_result(text.c_str(), bench::median_seconds(f), flops, "FLOP", peak);
    };
    line("forward",
         [&] { convolve(run.context, s, x.data(), w.data(), nullptr, Activation::identity, nullptr, y.data()); });
    line("by x", [&] { convolve_input_gradient(run.context, s, dy.data(), w.data(), dx.data()); });
    line("by w", [&] { convolve_weight_gradient(run.context, s, x.data(), dy.data(), dw.data()); });
}

void pooling(int n_threads, const bench::Peaks& peaks) {
    const StandaloneRun run(n_threads);
    constexpr std::size_t planes = 64 * 64, size = 32;
    const PoolingAxis a{size, 2, size / 2, 2, 1, 0};
    const auto x = random_values(planes * size * size);
    Buffer<float> y(x.size() / 4), dx(x.size());
    Buffer<std::int32_t> where(y.size());
    const double peak = peaks.copy_gb * 1e9;
    bench::print_result("max pool 2x2 of 64 x 64 x 32 x 32", bench::median_seconds([&] {
                            max_pool(run.context, planes, a, a, x.data(), y.data(), where.data());
                        }),
                        static_cast<double>(x.size()) * 6, "B", peak);
    bench::print_result("  backward", bench::median_seconds([&] {
                            max_pool_backward(run.context, planes, x.size() / planes, y.size() / planes, y.data(),
                                              where.data(), dx.data());
                        }),
                        static_cast<double>(x.size()) * 6, "B", peak);
}

void batch_norm(int n_threads, const bench::Peaks& peaks) {
    const StandaloneRun run(n_threads);
    const BatchShape shape{64, 64, 32 * 32};
    const auto x = random_values(64 * 64 * 32 * 32);
    Buffer<float> y(x.size()), weight(64, 1.0f), mean(64), inverse(64), dw(64), db(64);
    const double peak = peaks.copy_gb * 1e9, bytes = static_cast<double>(x.size()) * sizeof(float);
    bench::print_result("batch norm of 64 x 64 x 32 x 32", bench::median_seconds([&] {
                            batch_statistics(run.context, shape, x.data(), mean.data(), inverse.data());
                            batch_normalize(run.context, shape, x.data(), mean.data(), inverse.data(), weight.data(),
                                            nullptr, y.data());
                        }),
                        3 * bytes, "B", peak);
    bench::print_result("  backward", bench::median_seconds([&] {
                            batch_norm_backward(run.context, shape, x.data(), x.data(), mean.data(), inverse.data(),
                                                weight.data(), true, y.data(), dw.data(), db.data());
                        }),
                        5 * bytes, "B", peak);
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    const auto square = [](std::size_t n, std::size_t channels, std::size_t size, std::size_t filters,
                           std::size_t kernel, std::size_t stride, std::size_t groups = 1) {
        return ConvolutionShape{n, channels, filters, groups, axis(size, kernel, stride), axis(size, kernel, stride)};
    };
    convolution("64 x 1 x 16 x 16 -> 16, 3x3", n_threads, peaks, square(64, 1, 16, 16, 3, 1));
    convolution("64 x 16 x 16 x 16 -> 32, 3x3", n_threads, peaks, square(64, 16, 16, 32, 3, 1));
    convolution("64 x 16 x 8 x 8 -> 32, 3x3", n_threads, peaks, square(64, 16, 8, 32, 3, 1));
    convolution("8 x 64 x 56 x 56 -> 64, 3x3", n_threads, peaks, square(8, 64, 56, 64, 3, 1));
    convolution("8 x 64 x 56 x 56 -> 128, 3x3 step 2", n_threads, peaks, square(8, 64, 56, 128, 3, 2));
    convolution("8 x 256 x 28 x 28 -> 64, 1x1", n_threads, peaks, square(8, 256, 28, 64, 1, 1));
    convolution("8 x 512 x 7 x 7 -> 512, 3x3", n_threads, peaks, square(8, 512, 7, 512, 3, 1));
    convolution("8 x 128 x 56 x 56 depthwise, 3x3", n_threads, peaks, square(8, 128, 56, 128, 3, 1, 128));
    pooling(n_threads, peaks);
    batch_norm(n_threads, peaks);
}
