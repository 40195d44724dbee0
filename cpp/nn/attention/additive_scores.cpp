// Additive scores: vectors run along the features, of which there are some hundreds, so that short sequences fill them.
#include "core/memory.hpp"
#include "linalg/vector_functions.hpp"
#include "nn/attention/pair_scores.hpp"
#include "nn/row_sums.hpp"

#include <algorithm>
#include <array>

namespace mlcore::nn {
namespace {

using simd::Floats, simd::lanes;

constexpr double ns = 0.4;               // of one tanh
constexpr std::size_t keys_at_once = 4;  // independent chains of arithmetic
constexpr std::size_t block = 2 * lanes; // features of a task of the gradient
constexpr std::size_t query_run = 64;    // queries whose gradients are summed before they meet those of all

/// Tasks of at most so many query rows of a sequence: a batch of one long sequence has work for all threads.
constexpr std::size_t rows_at_once = 16;

/// scores (n <= keys_at_once) of one query a (F) and keys c (n, F).
template <std::size_t n>
[[gnu::always_inline]] inline void score_keys(const float* a, const float* c, const float* w, std::size_t F,
                                              float* scores) {
    std::array<Floats, keys_at_once> sums{};
    for_vectors(0, F, [&](std::size_t f, auto count) {
        const Floats x = load_count(a + f, count), weight = load_count(w + f, count);
        for (std::size_t i = 0; i < n; ++i)
            sums[i] = simd::fma(weight, vf::tanh(x + load_count(c + i * F + f, count)), sums[i]);
    });
    const simd::Floats4 totals = simd::sums(sums[0], sums[1], sums[2], sums[3]);
    for (std::size_t i = 0; i < n; ++i) scores[i] = totals[i];
}

/// What the gradient of a block of features of one sequence is made of.
struct BlockGradients {
    float* da; // of the first query of the sequence, at the block; or nullptr
    float* dc; // likewise
    float* dw; // of the block; or nullptr
};

/// count <= lanes features from f on.
template <class Count>
[[gnu::always_inline]] inline void block_gradients(const PairAttention& p, const PairSequence& s, const float* dscores,
                                                   std::size_t f, Count count, float* run, const BlockGradients& to) {
    const std::size_t F = p.features;
    const float *a = p.a + s.first_query * F + f, *c = p.c + s.first_key * F + f;
    const Floats w = load_count(p.w + f, count);
    if (to.dc)
        for (std::size_t k = 0; k < s.n_keys; ++k) store_count(to.dc + k * F, Floats{}, count);
    std::array<double, lanes> dw{};
    for (std::size_t begin = 0; begin < s.n_queries; begin += query_run) {
        std::fill_n(run, s.n_seen * lanes, 0.0f);
        const std::size_t end = std::min(begin + query_run, s.n_queries);
        for (std::size_t q = begin; q < end; ++q) {
            const Floats x = load_count(a + q * F, count);
            const float* dS = dscores + s.first_weight + q * s.n_keys;
            Floats by_a{}, by_w{};
            for (std::size_t k = 0; k < s.n_seen; ++k) {
                const Floats t = vf::tanh(x + load_count(c + k * F, count)), ds = simd::broadcast(dS[k]);
                const Floats g = ds * simd::fma(-t, t, Floats{} + 1);
                by_a += g;
                by_w = simd::fma(ds, t, by_w);
                simd::store(run + k * lanes, simd::load(run + k * lanes) + g);
            }
            if (to.da) store_count(to.da + q * F, w * by_a, count);
            for (std::size_t i = 0; i < lanes; ++i) dw[i] += static_cast<double>(by_w[i]);
        }
        if (to.dc)
            for (std::size_t k = 0; k < s.n_seen; ++k)
                store_count(to.dc + k * F, simd::fma(w, simd::load(run + k * lanes), load_count(to.dc + k * F, count)),
                            count);
    }
    if (to.dw)
        for (std::size_t i = 0; i < count; ++i) to.dw[i] = static_cast<float>(dw[i]);
}

} // namespace

void additive_scores(const RunContext& ctx, const PairAttention& p, float* scores) {
    std::vector<std::size_t> first_task(p.batch + 1, 0);
    for (std::size_t b = 0; b < p.batch; ++b)
        first_task[b + 1] = first_task[b] + (PairSequence(p, b).n_queries + rows_at_once - 1) / rows_at_once;
    const std::size_t n_tasks = first_task[p.batch], F = p.features;
    const double work = ns * static_cast<double>(n_pairs(p) * F) / static_cast<double>(n_tasks + 1);
    parallel_tasks(ctx, n_tasks, work, [&](std::size_t task, int) {
        const auto after = std::upper_bound(first_task.begin(), first_task.end(), task);
        const auto b = static_cast<std::size_t>(after - first_task.begin()) - 1;
        const PairSequence s(p, b);
        const std::size_t first = (task - first_task[b]) * rows_at_once;
        for (std::size_t q = first; q < std::min(first + rows_at_once, s.n_queries); ++q) {
            const float *a = p.a + (s.first_query + q) * F, *c = p.c + s.first_key * F;
            float* row = scores + s.first_weight + q * s.n_keys;
            std::size_t k = 0;
            for (; k + keys_at_once <= s.n_seen; k += keys_at_once)
                score_keys<keys_at_once>(a, c + k * F, p.w, F, row + k);
            for (; k < s.n_seen; ++k) score_keys<1>(a, c + k * F, p.w, F, row + k);
        }
    });
}

void additive_gradients(const RunContext& ctx, const PairAttention& p, const float* dscores, const PairGradients& g) {
    const std::size_t F = p.features, n_blocks = (F + block - 1) / block;
    Scratch<float> dw(g.dw ? p.batch * F : 0);
    const double work = ns * static_cast<double>(n_pairs(p) * block) / static_cast<double>(p.batch + 1);
    parallel_tasks(ctx, p.batch * n_blocks, work, [&](std::size_t task, int) {
        const PairSequence s(p, task / n_blocks);
        const std::size_t begin = task % n_blocks * block;
        Scratch<float> run(s.n_seen * lanes);
        for_vectors(begin, std::min(begin + block, F), [&](std::size_t f, auto count) {
            block_gradients(p, s, dscores, f, count, run.data(),
                            {g.da ? g.da + s.first_query * F + f : nullptr, g.dc ? g.dc + s.first_key * F + f : nullptr,
                             g.dw ? dw.data() + s.b * F + f : nullptr});
        });
    });
    for (std::size_t f = 0; f < F && g.dw; ++f) {
        double sum = 0;
        for (std::size_t b = 0; b < p.batch; ++b) sum += static_cast<double>(dw[b * F + f]);
        g.dw[f] = static_cast<float>(sum);
    }
}

} // namespace mlcore::nn
