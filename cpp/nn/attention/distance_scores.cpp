// Scores by squared distances: vectors run along the keys, because points may have one feature alone.
#include "core/memory.hpp"
#include "nn/attention/pair_scores.hpp"

#include <algorithm>
#include <array>

namespace mlcore::nn {
namespace {

constexpr double ns = 0.2;        // of one squared difference
constexpr std::size_t chunk = 64; // partial sums of a row: their order does not depend on the width of vectors
constexpr std::size_t query_run = 64;

/// The features of the keys of all sequences that are seen, transposed one by one: (F, Tk) each.
Scratch<float> features_of_keys(const RunContext& ctx, const PairAttention& p) {
    std::size_t n_rows = p.key_offsets ? static_cast<std::size_t>(p.key_offsets[p.batch]) : p.batch * p.n_keys;
    Scratch<float> keys(n_rows * p.features);
    for_sequences(ctx, p, 1, [&](const PairSequence& s) {
        const float* from = p.c + s.first_key * p.features;
        float* to = keys.data() + s.first_key * p.features;
        for (std::size_t k = 0; k < s.n_seen; ++k)
            for (std::size_t f = 0; f < p.features; ++f) to[f * s.n_keys + k] = from[k * p.features + f];
    });
    return keys;
}

} // namespace

void distance_scores(const RunContext& ctx, const PairAttention& p, float* scores) {
    const Scratch<float> keys = features_of_keys(ctx, p);
    for_sequences(ctx, p, ns * static_cast<double>(p.features), [&](const PairSequence& s) {
        const float* c = keys.data() + s.first_key * p.features;
        parallel_tasks(ctx, s.n_queries, ns * static_cast<double>(p.features * s.n_seen), [&](std::size_t q, int) {
            const float* a = p.a + (s.first_query + q) * p.features;
            float* row = scores + s.first_weight + q * s.n_keys;
            std::fill_n(row, s.n_seen, 0.0f);
            for (std::size_t f = 0; f < p.features; ++f) {
                const float w = p.w[f], x = a[f];
                for (std::size_t k = 0; k < s.n_seen; ++k) {
                    const float d = x - c[f * s.n_keys + k];
                    row[k] += w * (d * d);
                }
            }
        });
    });
}

void distance_gradients(const RunContext& ctx, const PairAttention& p, const float* dscores, const PairGradients& g) {
    const std::size_t F = p.features;
    const Scratch<float> keys = features_of_keys(ctx, p);
    Scratch<float> dw(p.batch * F);
    const double work = ns * static_cast<double>(n_pairs(p)) / static_cast<double>(p.batch + 1);
    parallel_tasks(ctx, p.batch * F, work, [&](std::size_t task, int) {
        const PairSequence s(p, task / F);
        const std::size_t f = task % F;
        const float* c = keys.data() + s.first_key * F + f * s.n_keys;
        const float w = p.w[f];
        double total = 0;
        Scratch<float> run(s.n_seen), dc(s.n_seen); // sums of a few queries, and of all
        std::fill_n(dc.data(), s.n_seen, 0.0f);
        std::fill_n(run.data(), s.n_seen, 0.0f);
        const auto end_run = [&] {
            for (std::size_t k = 0; k < s.n_seen; ++k) dc[k] += run[k];
            std::fill_n(run.data(), s.n_seen, 0.0f);
        };
        for (std::size_t q = 0; q < s.n_queries; ++q) {
            const float* ds = dscores + s.first_weight + q * s.n_keys;
            const float x = p.a[(s.first_query + q) * F + f];
            std::array<float, chunk> by_a{}, values{};
            for (std::size_t k = 0; k < s.n_seen; k += chunk)
                for (std::size_t i = 0; i < std::min(chunk, s.n_seen - k); ++i) {
                    const float d = x - c[k + i], gradient = ds[k + i] * (2 * d);
                    by_a[i] += gradient;
                    run[k + i] += gradient;
                    values[i] += ds[k + i] * (d * d);
                }
            float sum = 0;
            for (std::size_t i = 0; i < chunk; ++i) {
                sum += by_a[i];
                total += static_cast<double>(values[i]);
            }
            if (g.da) g.da[(s.first_query + q) * F + f] = w * sum;
            if (q % query_run == query_run - 1) end_run();
        }
        end_run();
        float* to = g.dc ? g.dc + s.first_key * F + f : nullptr;
        for (std::size_t k = 0; k < s.n_keys && to; ++k) to[k * F] = k < s.n_seen ? -w * dc[k] : 0.0f;
        dw[task] = static_cast<float>(total);
    });
    for (std::size_t f = 0; f < F && g.dw; ++f) {
        double sum = 0;
        for (std::size_t b = 0; b < p.batch; ++b) sum += static_cast<double>(dw[b * F + f]);
        g.dw[f] = static_cast<float>(sum);
    }
}

} // namespace mlcore::nn
