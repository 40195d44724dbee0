// Kernels that memory bandwidth bounds: softmax, cross-entropy with its gradient, layer norm, activations, dropout,
// embedding. The rate counts what must be read and written at least once.
#include "bench.hpp"

#include "core/random.hpp"
#include "nn/cross_entropy.hpp"
#include "nn/dropout.hpp"
#include "nn/elementwise.hpp"
#include "nn/embedding.hpp"
#include "nn/layer_norm.hpp"
#include "nn/losses.hpp"
#include "nn/softmax.hpp"

using namespace mlcore;
using namespace mlcore::nn;
using namespace mlcore::linalg;

namespace {

Buffer<float> random_array(std::size_t n) {
    Buffer<float> x(n);
    const Philox random(1, 0);
    for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(random.uniform(i % 65536) * 8 - 4);
    return x;
}

void expect(bool right, const char* what) {
    if (right) return;
    std::printf("wrong result of %s\n", what);
    std::exit(1);
}

struct Bench {
    const RunContext& ctx;
    double copy_bytes; // a second, at best

    template <class F>
    void operator()(const char* name, double floats, F&& f) const {
        const double seconds = bench::median_seconds(f, 5);
        bench::print_result(name, seconds, 4 * floats, "B", copy_bytes);
    }
};

void logits(const Bench& bench, std::size_t m, std::size_t n, const char* softmax_name, const char* ce_name,
            const char* ce_forward_name) {
    const Buffer<float> x = random_array(m * n);
    Buffer<float> y(m * n);
    std::vector<std::int64_t> target(m);
    for (std::size_t i = 0; i < m; ++i) target[i] = static_cast<std::int64_t>(i * 7919 % n);
    const double size = static_cast<double>(m * n);

    softmax(bench.ctx, x.data(), m, n, y.data());
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += static_cast<double>(y[j]);
    expect(std::abs(sum - 1) < 1e-5, "softmax");
    bench(softmax_name, 2 * size, [&] { softmax(bench.ctx, x.data(), m, n, y.data()); });

    CrossEntropy problem;
    problem.x = x.data();
    problem.m = m;
    problem.n = n;
    problem.target = target.data();
    cross_entropy(bench.ctx, problem, 1, nullptr, nullptr, y.data());
    sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += static_cast<double>(y[j]);
    expect(std::abs(sum) < 1e-5, "cross_entropy");
    bench(ce_name, 2 * size, [&] { cross_entropy(bench.ctx, problem, 1, nullptr, nullptr, y.data()); });
    bench(ce_forward_name, size, [&] { cross_entropy(bench.ctx, problem, 1, nullptr, nullptr, nullptr); });
}

void norms(const Bench& bench, std::size_t m, std::size_t n) {
    const Buffer<float> x = random_array(m * n), dy = random_array(m * n), w = random_array(n), b = random_array(n);
    Buffer<float> y(m * n), dx(m * n), mean(m), rstd(m), dw(n), db(n);
    const double size = static_cast<double>(m * n);
    const auto forward = [&] {
        layer_norm(bench.ctx, x.data(), m, n, 1e-5f, w.data(), b.data(), y.data(), mean.data(), rstd.data());
    };
    const auto backward = [&] {
        layer_norm_backward(bench.ctx, x.data(), dy.data(), mean.data(), rstd.data(), w.data(), m, n, dx.data(),
                            dw.data(), db.data());
    };
    forward();
    backward();
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += static_cast<double>(dx[j]);
    expect(std::abs(sum) < 1e-2, "layer_norm_backward");
    bench("layer norm forward 8192 x 768", 2 * size, forward);
    bench("layer norm backward", 3 * size, backward);
    bench("layer norm forward and backward", 5 * size, [&] {
        forward();
        backward();
    });
}

void entries(const Bench& bench, std::size_t n) {
    const Buffer<float> x = random_array(n), t = random_array(n);
    Buffer<float> y(n);
    const double size = static_cast<double>(n);
    const RunContext& ctx = bench.ctx;
    add(ctx, x.data(), t.data(), y.data(), n, n);
    expect(y[17] == x[17] + t[17], "add");
    bench("add, 16M", 3 * size, [&] { add(ctx, x.data(), t.data(), y.data(), n, n); });
    bench("relu", 2 * size, [&] { activate(ctx, Activation::relu, x.data(), y.data(), n, 0); });
    bench("gelu", 2 * size, [&] { activate(ctx, Activation::gelu, x.data(), y.data(), n, 0); });
    bench("gelu backward", 3 * size,
          [&] { activate_backward(ctx, Activation::gelu, x.data(), t.data(), y.data(), n, 0); });
    bench("silu", 2 * size, [&] { activate(ctx, Activation::silu, x.data(), y.data(), n, 0); });
    bench("dropout", 2 * size, [&] { dropout(ctx, x.data(), nullptr, n, 0.1, 1, y.data()); });
    std::vector<std::uint32_t> mask(mask_words(n));
    bench("dropout that keeps its mask", 2 * size,
          [&] { dropout(ctx, x.data(), nullptr, n, 0.1, 1, y.data(), mask.data()); });
    bench("dropout backward", 2 * size, [&] { dropout_backward(ctx, x.data(), mask.data(), n, 0.1, y.data()); });
    bench("dropout + residual", 3 * size, [&] { dropout(ctx, x.data(), t.data(), n, 0.1, 1, y.data()); });
    bench("gaussian noise", 2 * size, [&] { gaussian_noise(ctx, x.data(), n, 0.1f, 1, y.data()); });
    PointwiseLoss problem;
    problem.kind = Loss::logistic;
    problem.n = n;
    problem.x = x.data();
    problem.target = t.data();
    bench("binary cross-entropy and gradient", 3 * size,
          [&] { pointwise_loss(ctx, problem, 1, nullptr, nullptr, y.data()); });
    constexpr std::size_t d = 256;
    const std::size_t rows = n / d;
    bench("sum of rows, 65536 x 256", size, [&] { sum_rows(ctx, x.data(), rows, d, y.data()); });
    std::vector<std::int64_t> ids(rows);
    const Philox random(2, 0);
    for (std::size_t i = 0; i < rows; ++i) ids[i] = static_cast<std::int64_t>(random.below(i, 30000));
    bench("embedding, 65536 ids of 30000 x 256", 2 * size,
          [&] { gather_rows(ctx, x.data(), ids.data(), rows, d, y.data()); });
    bench("embedding backward", 2 * size,
          [&] { scatter_add_rows(ctx, t.data(), ids.data(), rows, d, -1, y.data(), 30000); });
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    StandaloneRun run(n_threads);
    const Bench bench{run.context, peaks.copy_gb * 1e9};
    logits(bench, 4096, 32000, "softmax 4096 x 32000", "cross-entropy and gradient", "cross-entropy alone");
    logits(bench, 1 << 20, 10, "softmax 1048576 x 10", "cross-entropy and gradient", "cross-entropy alone");
    norms(bench, 8192, 768);
    entries(bench, std::size_t{1} << 24);
}
