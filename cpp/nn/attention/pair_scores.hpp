// The scores of nn/attention/pair_attention.hpp, each in the order of loops that suits it, and where a sequence lies.
#pragma once

#include "core/parallel.hpp"
#include "core/view.hpp"
#include "nn/attention/pair_attention.hpp"

#include <cstddef>

namespace mlcore::nn {

/// The rows and the weights of one sequence of the batch.
struct PairSequence {
    std::size_t b, first_query, n_queries, first_key, n_keys;
    std::size_t n_seen;       // keys that are not padding
    std::size_t first_weight; // of n_queries rows of n_keys

    PairSequence(const PairAttention& p, std::size_t sequence) : b(sequence) {
        const auto at = [](std::int64_t offset) { return static_cast<std::size_t>(offset); };
        if (p.query_offsets) {
            first_query = at(p.query_offsets[b]), n_queries = at(p.query_offsets[b + 1]) - first_query;
            first_key = at(p.key_offsets[b]), n_seen = n_keys = at(p.key_offsets[b + 1]) - first_key;
            first_weight = at(p.weight_offsets[b]);
        } else {
            n_queries = p.n_queries, n_keys = p.n_keys, n_seen = p.lengths ? at(p.lengths[b]) : n_keys;
            first_query = b * n_queries, first_key = b * n_keys, first_weight = first_query * n_keys;
        }
    }

    /// The weights of the keys that are seen.
    template <class T>
    MatrixView<T> seen(T* weights) const {
        return {weights + first_weight, n_queries, n_seen, static_cast<std::ptrdiff_t>(n_keys), 1};
    }
};

/// Pairs of a query and a key.
inline std::size_t n_pairs(const PairAttention& p) {
    return p.query_offsets ? static_cast<std::size_t>(p.weight_offsets[p.batch]) : p.batch * p.n_queries * p.n_keys;
}

/// f(sequence) for each of the batch: many are dealt out to threads, few come one after the other, so that their
/// products may use all threads. ns_per_pair: of one query and one key.
template <class F>
void for_sequences(const RunContext& ctx, const PairAttention& p, double ns_per_pair, F&& f) {
    const double work = ns_per_pair * static_cast<double>(n_pairs(p)) / static_cast<double>(p.batch + 1);
    if (p.batch >= 4 * static_cast<std::size_t>(ctx.n_threads))
        return parallel_tasks(ctx, p.batch, work, [&](std::size_t b, int) { f(PairSequence(p, b)); });
    for (std::size_t b = 0; b < p.batch; ++b) f(PairSequence(p, b));
}

/// scores, like the weights: S of the keys that are seen, without the bias.
void additive_scores(const RunContext& ctx, const PairAttention& p, float* scores);
void distance_scores(const RunContext& ctx, const PairAttention& p, float* scores);
void dot_scores(const RunContext& ctx, const PairAttention& p, float* scores);

/// Gradients with respect to a, c and w, those that are not nullptr, from those with respect to the scores.
void additive_gradients(const RunContext& ctx, const PairAttention& p, const float* dscores, const PairGradients& g);
void distance_gradients(const RunContext& ctx, const PairAttention& p, const float* dscores, const PairGradients& g);
void dot_gradients(const RunContext& ctx, const PairAttention& p, const float* dscores, const PairGradients& g);

} // namespace mlcore::nn
