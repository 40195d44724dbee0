#include "nn/attention/pair_attention.hpp"

#include "core/vecmath.hpp"
#include "linalg/gemm.hpp"
#include "nn/attention/pair_scores.hpp"
#include "nn/softmax_row.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace mlcore::nn {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr std::size_t chunk = 64; // partial sums of a row: their order does not depend on the width of vectors
constexpr double ns_per_product = 0.02;

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

/// scores to weights, in place: those of hidden keys are 0.
void weigh(const RunContext& ctx, const PairAttention& p, float* weights) {
    for_sequences(ctx, p, 2, [&](const PairSequence& s) {
        for (std::size_t q = 0; q < s.n_queries; ++q) {
            float* row = weights + s.first_weight + q * s.n_keys;
            if (p.bias) {
                const auto at = [&](std::size_t i, std::size_t axis) {
                    return static_cast<std::ptrdiff_t>(i) * p.bias_strides[axis];
                };
                const float* bias = p.bias + at(s.b, 0) + at(q, 1);
                for (std::size_t k = 0; k < s.n_seen; ++k) row[k] += bias[at(k, 2)];
            }
            softmax(row, s.n_seen);
            std::fill(row + s.n_seen, row + s.n_keys, 0.0f);
        }
    });
}

template <class T>
MatrixView<T> query_rows(const PairSequence& s, T* rows, std::size_t n_columns) {
    return row_major(rows + s.first_query * n_columns, s.n_queries, n_columns);
}
/// Of the keys that are seen: padding may be anything, NaN too.
template <class T>
MatrixView<T> key_rows(const PairSequence& s, T* rows, std::size_t n_columns) {
    return row_major(rows + s.first_key * n_columns, s.n_seen, n_columns);
}
void clear_padding(const PairSequence& s, float* rows, std::size_t n_columns) {
    std::fill(rows + (s.first_key + s.n_seen) * n_columns, rows + (s.first_key + s.n_keys) * n_columns, 0.0f);
}

} // namespace

void dot_scores(const RunContext& ctx, const PairAttention& p, float* scores) {
    for_sequences(ctx, p, ns_per_product * static_cast<double>(p.features), [&](const PairSequence& s) {
        linalg::gemm(ctx, query_rows(s, p.a, p.features), linalg::transposed(key_rows(s, p.c, p.features)),
                     s.seen(scores));
    });
}

void dot_gradients(const RunContext& ctx, const PairAttention& p, const float* dscores, const PairGradients& g) {
    for_sequences(ctx, p, 2 * ns_per_product * static_cast<double>(p.features), [&](const PairSequence& s) {
        if (g.da) linalg::gemm(ctx, s.seen(dscores), key_rows(s, p.c, p.features), query_rows(s, g.da, p.features));
        if (!g.dc) return;
        linalg::gemm(ctx, linalg::transposed(s.seen(dscores)), query_rows(s, p.a, p.features),
                     key_rows(s, g.dc, p.features));
        clear_padding(s, g.dc, p.features);
    });
}

void pair_attention(const RunContext& ctx, const PairAttention& p, float* weights, float* out) {
    if (p.score == PairScore::additive)
        additive_scores(ctx, p, weights);
    else if (p.score == PairScore::distance)
        distance_scores(ctx, p, weights);
    else
        dot_scores(ctx, p, weights);
    weigh(ctx, p, weights);
    const std::size_t Dv = p.value_depth;
    for_sequences(ctx, p, ns_per_product * static_cast<double>(Dv), [&](const PairSequence& s) {
        linalg::gemm(ctx, s.seen<const float>(weights), key_rows(s, p.values, Dv), query_rows(s, out, Dv));
    });
}

void pair_attention_backward(const RunContext& ctx, const PairAttention& p, const float* weights, const float* dout,
                             float* dscores, const PairGradients& gradients) {
    const std::size_t Dv = p.value_depth;
    for_sequences(ctx, p, 2 * ns_per_product * static_cast<double>(Dv), [&](const PairSequence& s) {
        const MatrixView<const float> dO = query_rows(s, dout, Dv);
        if (gradients.dvalues) {
            linalg::gemm(ctx, linalg::transposed(s.seen(weights)), dO, key_rows(s, gradients.dvalues, Dv));
            clear_padding(s, gradients.dvalues, Dv);
        }
        linalg::gemm(ctx, dO, linalg::transposed(key_rows(s, p.values, Dv)), s.seen(dscores));
        for (std::size_t q = 0; q < s.n_queries; ++q) {
            const float* P = weights + s.first_weight + q * s.n_keys;
            float* dS = dscores + s.first_weight + q * s.n_keys; // holds dP
            double delta = 0;
            for (std::size_t k = 0; k < s.n_seen; ++k) delta += static_cast<double>(P[k] * dS[k]);
            for (std::size_t k = 0; k < s.n_seen; ++k) dS[k] = P[k] * (dS[k] - static_cast<float>(delta));
            std::fill(dS + s.n_seen, dS + s.n_keys, 0.0f);
        }
    });
    if (!gradients.da && !gradients.dc && !gradients.dw) return;
    if (p.score == PairScore::additive)
        additive_gradients(ctx, p, dscores, gradients);
    else if (p.score == PairScore::distance)
        distance_gradients(ctx, p, dscores, gradients);
    else
        dot_gradients(ctx, p, dscores, gradients);
}

} // namespace mlcore::nn
