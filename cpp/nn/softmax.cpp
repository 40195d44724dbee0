#include "nn/softmax.hpp"

#include "core/parallel.hpp"
#include "nn/softmax_row.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::nn {
namespace {

using simd::Floats;

/// f(row) for each of m rows with n entries.
template <class F>
void for_rows(const RunContext& ctx, std::size_t m, std::size_t n, F f) {
    parallel_tasks(ctx, m, 5 + 0.6 * static_cast<double>(n), [&](std::size_t row, int) { f(row); });
}

/// y (n) = factor softmax(x), zeros where nothing is finite.
void scaled_softmax(const float* x, std::size_t n, double factor, float* y) {
    const float most = row_max(x, n);
    if (most == minus_infinity) return static_cast<void>(std::fill_n(y, n, empty_row_value(x, n, 0)));
    const double sum = sum_exp(x, n, most, [=](std::size_t j, Floats e, std::size_t count) {
        store_count(y + j, e, count);
        return e;
    });
    const auto scale = static_cast<float>(factor / sum);
    vf::map(y, y, n, [=](Floats e) { return e * scale; });
}

} // namespace

void softmax(const RunContext& ctx, const float* x, std::size_t m, std::size_t n, float* y) {
    for_rows(ctx, m, n, [=](std::size_t row) { scaled_softmax(x + row * n, n, 1, y + row * n); });
}

void softmax_backward(const RunContext& ctx, const float* y, const float* dy, std::size_t m, std::size_t n, float* dx) {
    for_rows(ctx, m, n, [=](std::size_t row) {
        const float *p = y + row * n, *d = dy + row * n;
        const auto mean = static_cast<float>(row_sums<1>(n, [=](std::size_t j, std::size_t count) {
            return std::array{load_count(p + j, count) * load_count(d + j, count)};
        })[0]);
        vf::map(p, d, dx + row * n, n, [=](Floats a, Floats b) { return a * (b - mean); });
    });
}

void log_softmax(const RunContext& ctx, const float* x, std::size_t m, std::size_t n, float* y) {
    for_rows(ctx, m, n, [=](std::size_t row) {
        const float* from = x + row * n;
        float* to = y + row * n;
        const float most = row_max(from, n);
        if (most == minus_infinity) return static_cast<void>(std::fill_n(to, n, empty_row_value(from, n, most)));
        const double sum = sum_exp(from, n, most, [](std::size_t, Floats e, std::size_t) { return e; });
        const auto log_sum = static_cast<float>(std::log(sum));
        vf::map(from, to, n, [=](Floats v) { return (v - most) - log_sum; });
    });
}

void log_softmax_backward(const RunContext& ctx, const float* y, const float* dy, std::size_t m, std::size_t n,
                          float* dx) {
    for_rows(ctx, m, n, [=](std::size_t row) {
        const float *p = y + row * n, *d = dy + row * n;
        const auto sum = static_cast<float>(
            row_sums<1>(n, [=](std::size_t j, std::size_t count) { return std::array{load_count(d + j, count)}; })[0]);
        vf::map(p, d, dx + row * n, n, [=](Floats a, Floats b) { return b - simd::exp_negative(a) * sum; });
    });
}

void logsumexp(const RunContext& ctx, const float* x, std::size_t m, std::size_t n, float* lse) {
    for_rows(ctx, m, n, [=](std::size_t row) {
        const float* from = x + row * n;
        const float most = row_max(from, n);
        if (std::isinf(most)) {
            lse[row] = empty_row_value(from, n, most);
            return;
        }
        const double sum = sum_exp(from, n, most, [](std::size_t, Floats e, std::size_t) { return e; });
        lse[row] = static_cast<float>(static_cast<double>(most) + std::log(sum));
    });
}

void logsumexp_backward(const RunContext& ctx, const float* x, const float* dlse, std::size_t m, std::size_t n,
                        float* dx) {
    for_rows(ctx, m, n,
             [=](std::size_t row) { scaled_softmax(x + row * n, n, static_cast<double>(dlse[row]), dx + row * n); });
}

} // namespace mlcore::nn
