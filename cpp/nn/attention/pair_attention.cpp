#include "nn/attention/pair_attention.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/vecmath.hpp"
#include "linalg/gemm.hpp"
#include "nn/softmax_row.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace mlcore::nn {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr std::size_t chunk = 64; // partial sums of a row: their order does not depend on the width of vectors
constexpr std::size_t query_run = 64;

struct Additive {
    static constexpr double ns = 2; // of one value
    static float value(float a, float c) { return vm::tanh_(a + c); }
    static float by_a(float, float, float value) { return 1 - value * value; }
    static constexpr float by_c = 1; // phi_c = by_c phi_a
};

struct Distance {
    static constexpr double ns = 0.2;
    static float value(float a, float c) { return (a - c) * (a - c); }
    static float by_a(float a, float c, float) { return 2 * (a - c); }
    static constexpr float by_c = -1;
};

std::size_t n_seen(const PairAttention& p, std::size_t b) {
    return p.lengths ? static_cast<std::size_t>(p.lengths[b]) : p.n_keys;
}

/// (B, n, F) to (B, F, n).
void transpose(const RunContext& ctx, std::size_t batch, std::size_t n, std::size_t features, const float* from,
               float* to) {
    parallel_tasks(ctx, batch, static_cast<double>(n * features), [&](std::size_t b, int) {
        const std::size_t begin = b * n * features;
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t f = 0; f < features; ++f) to[begin + f * n + i] = from[begin + i * features + f];
    });
}

/// Scores to weights; zeros where no score is finite.
void softmax(float* row, std::size_t n) {
    float top = -infinity;
    for (std::size_t k = 0; k < n; ++k) top = row[k] < top ? top : row[k];
    if (top == -infinity) {
        std::fill_n(row, n, empty_row_value(row, n, 0.0f));
        return;
    }
    std::array<float, chunk> sums{};
    for (std::size_t k = 0; k < n; k += chunk)
        for (std::size_t i = 0; i < std::min(chunk, n - k); ++i) {
            row[k + i] = vm::exp_(row[k + i] - top);
            sums[i] += row[k + i];
        }
    float total = 0;
    for (const float sum : sums) total += sum;
    for (std::size_t k = 0; k < n; ++k) row[k] /= total;
}

/// keys (B, F, Tk): c transposed.
template <class Phi>
void scores(const RunContext& ctx, const PairAttention& p, const float* keys, float* weights) {
    const double work = Phi::ns * static_cast<double>(p.n_keys * p.features);
    parallel_tasks(ctx, p.batch * p.n_queries, work, [&](std::size_t task, int) {
        const std::size_t b = task / p.n_queries, q = task % p.n_queries, seen = n_seen(p, b);
        const float* a = p.a + task * p.features;
        float* row = weights + task * p.n_keys;
        std::fill_n(row, p.n_keys, 0.0f);
        for (std::size_t f = 0; f < p.features; ++f) {
            const float w = p.w[f], x = a[f];
            const float* c = keys + (b * p.features + f) * p.n_keys;
            for (std::size_t k = 0; k < seen; ++k) row[k] += w * Phi::value(x, c[k]);
        }
        if (p.bias) {
            const auto at = [&](std::size_t i, std::size_t axis) {
                return static_cast<std::ptrdiff_t>(i) * p.bias_strides[axis];
            };
            const float* bias = p.bias + at(b, 0) + at(q, 1);
            for (std::size_t k = 0; k < seen; ++k) row[k] += bias[at(k, 2)];
        }
        softmax(row, seen);
    });
}

/// One feature of one batch entry: da, dc (transposed) and dw of it.
template <class Phi>
void feature_gradients(const RunContext& ctx, const PairAttention& p, const float* keys, const float* dscores,
                       float* da, float* dkeys, float* dw) {
    const double work = Phi::ns * static_cast<double>(p.n_queries * p.n_keys);
    parallel_tasks(ctx, p.batch * p.features, work, [&](std::size_t task, int) {
        const std::size_t b = task / p.features, f = task % p.features, seen = n_seen(p, b);
        const float* c = keys + task * p.n_keys;
        float* dc = dkeys + task * p.n_keys;
        std::fill_n(dc, p.n_keys, 0.0f);
        const float w = p.w[f];
        double total = 0;
        Scratch<float> run(p.n_keys); // the sums of a few queries, before they meet those of all
        for (std::size_t q = 0; q < p.n_queries; ++q) {
            if (q % query_run == 0) {
                for (std::size_t k = 0; k < seen && q > 0; ++k) dc[k] += run[k];
                std::fill_n(run.data(), seen, 0.0f);
            }
            const std::size_t row = b * p.n_queries + q;
            const float* ds = dscores + row * p.n_keys;
            const float x = p.a[row * p.features + f];
            std::array<float, chunk> by_a{}, values{};
            for (std::size_t k = 0; k < seen; k += chunk)
                for (std::size_t i = 0; i < std::min(chunk, seen - k); ++i) {
                    const float value = Phi::value(x, c[k + i]);
                    const float gradient = ds[k + i] * Phi::by_a(x, c[k + i], value);
                    by_a[i] += gradient;
                    run[k + i] += gradient;
                    values[i] += ds[k + i] * value;
                }
            float sum = 0;
            for (std::size_t i = 0; i < chunk; ++i) {
                sum += by_a[i];
                total += values[i];
            }
            da[row * p.features + f] = w * sum;
        }
        for (std::size_t k = 0; k < seen && p.n_queries > 0; ++k) dc[k] += run[k];
        for (std::size_t k = 0; k < p.n_keys; ++k) dc[k] *= Phi::by_c * w;
        dw[task] = static_cast<float>(total);
    });
}

std::ptrdiff_t step(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }

MatrixView<const float> first_cols(MatrixView<const float> A, std::size_t n) {
    A.cols = n;
    return A;
}

} // namespace

void pair_attention(const RunContext& ctx, const PairAttention& p, float* weights, float* out) {
    Scratch<float> keys(p.batch * p.features * p.n_keys);
    transpose(ctx, p.batch, p.n_keys, p.features, p.c, keys.data());
    if (p.score == PairScore::additive)
        scores<Additive>(ctx, p, keys.data(), weights);
    else
        scores<Distance>(ctx, p, keys.data(), weights);
    if (!p.lengths)
        return linalg::gemm_batched(ctx, p.batch, row_major<const float>(weights, p.n_queries, p.n_keys),
                                    step(p.n_queries * p.n_keys), row_major(p.values, p.n_keys, p.value_depth),
                                    step(p.n_keys * p.value_depth), row_major(out, p.n_queries, p.value_depth),
                                    step(p.n_queries * p.value_depth));
    for (std::size_t b = 0; b < p.batch; ++b) // values that are padding may be anything, NaN too
        linalg::gemm(ctx,
                     first_cols(row_major<const float>(weights + b * p.n_queries * p.n_keys, p.n_queries, p.n_keys),
                                n_seen(p, b)),
                     row_major(p.values + b * p.n_keys * p.value_depth, n_seen(p, b), p.value_depth),
                     row_major(out + b * p.n_queries * p.value_depth, p.n_queries, p.value_depth));
}

void pair_attention_backward(const RunContext& ctx, const PairAttention& p, const float* weights, const float* out,
                             const float* dout, float* dscores, const PairGradients& gradients) {
    const std::size_t scores = p.n_queries * p.n_keys, outs = p.n_queries * p.value_depth;
    const MatrixView<const float> P = row_major(weights, p.n_queries, p.n_keys),
                                  dO = row_major(dout, p.n_queries, p.value_depth),
                                  V = row_major(p.values, p.n_keys, p.value_depth);
    if (gradients.dvalues)
        linalg::gemm_batched(ctx, p.batch, linalg::transposed(P), step(scores), dO, step(outs),
                             row_major(gradients.dvalues, p.n_keys, p.value_depth), step(p.n_keys * p.value_depth));
    linalg::gemm_batched(ctx, p.batch, dO, step(outs), linalg::transposed(V), step(p.n_keys * p.value_depth),
                         row_major(dscores, p.n_queries, p.n_keys), step(scores));
    parallel_tasks(ctx, p.batch * p.n_queries, static_cast<double>(p.n_keys), [&](std::size_t row, int) {
        float delta = 0;
        for (std::size_t d = 0; d < p.value_depth; ++d)
            delta += dout[row * p.value_depth + d] * out[row * p.value_depth + d];
        float* ds = dscores + row * p.n_keys;
        const std::size_t seen = n_seen(p, row / p.n_queries);
        for (std::size_t k = 0; k < seen; ++k) ds[k] = weights[row * p.n_keys + k] * (ds[k] - delta);
        std::fill(ds + seen, ds + p.n_keys, 0.0f);
    });
    if (!gradients.da && !gradients.dc && !gradients.dw) return;

    const std::size_t pairs = p.batch * p.features;
    Scratch<float> keys(pairs * p.n_keys), dkeys(pairs * p.n_keys), dw(pairs);
    Scratch<float> da(gradients.da ? 0 : p.batch * p.n_queries * p.features);
    transpose(ctx, p.batch, p.n_keys, p.features, p.c, keys.data());
    float* to = gradients.da ? gradients.da : da.data();
    if (p.score == PairScore::additive)
        feature_gradients<Additive>(ctx, p, keys.data(), dscores, to, dkeys.data(), dw.data());
    else
        feature_gradients<Distance>(ctx, p, keys.data(), dscores, to, dkeys.data(), dw.data());
    if (gradients.dc) transpose(ctx, p.batch, p.features, p.n_keys, dkeys.data(), gradients.dc);
    if (gradients.dw)
        for (std::size_t f = 0; f < p.features; ++f) {
            double sum = 0;
            for (std::size_t b = 0; b < p.batch; ++b) sum += dw[b * p.features + f];
            gradients.dw[f] = static_cast<float>(sum);
        }
}

} // namespace mlcore::nn
