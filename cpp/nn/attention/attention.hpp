// Scaled dot product attention and its gradient, float32, without a matrix of all scores in memory. For each head:
//
//   S = scale Q K^T + bias,  P = softmax of the rows of S,  O = P V
//   dV = P^T dO,  dP = dO V^T,  dS = P (dP - delta),  delta_q = dO_q . O_q,  dQ = scale dS K,  dK = scale dS^T Q
//
// Keys are taken in blocks; each query keeps the running maximum and sum of its row (Milakov and Gimelshein, "Online
// normalizer calculation for softmax", 2018; Dao, Fu, Ermon, Rudra and Re, "FlashAttention", NeurIPS 2022). Of the
// forward pass only maximum m and log s of each row are kept, s the sum of e^(S - m), from which the backward pass
// makes the same tiles of P again. Apart, because m + log s has lost log s where scores are large: a row that is all
// hidden by the lowest finite bias would get weights of 1 instead of 1 / n. Memory is linear in the lengths.
//
// Tiles lie transposed, keys by queries: a vector then holds one key and as many queries as it has lanes, maximum and
// sum run down the tile without any exchange between lanes, and the tile is a factor of the next product as it is.
// Every entry is summed in an order that depends on the shapes alone: same bits for any number of threads.
//
// Sequences of different lengths may be padded (B, H, T, D) with `lengths`, or packed: rows of all sequences one after
// the other, and offsets. Packed ones cost nothing but their own pairs, and a sequence has the same bits in any batch.
//
// Left out on purpose: keys shared by several heads, gradients of gradients, a bias of packed rows.
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::nn {

/// (B, H, T, D) with any strides but that of the last axis, which is 1: a view of a fused projection needs no copy.
template <class T>
struct HeadsView {
    T* data = nullptr;
    std::ptrdiff_t batch_stride = 0, head_stride = 0, row_stride = 0;

    T* head(std::size_t b, std::size_t h) const {
        return data + static_cast<std::ptrdiff_t>(b) * batch_stride + static_cast<std::ptrdiff_t>(h) * head_stride;
    }
};

/// (B, H, Tq, Tk), any strides: 0 along an axis that it is broadcast over. -infinity hides a key from a query.
struct BiasView {
    const float* data = nullptr;
    std::ptrdiff_t strides[4] = {};

    const float* head(std::size_t b, std::size_t h) const {
        return data + static_cast<std::ptrdiff_t>(b) * strides[0] + static_cast<std::ptrdiff_t>(h) * strides[1];
    }
};

struct Attention {
    std::size_t batch = 0, heads = 0;
    std::size_t n_queries = 0, n_keys = 0;  // of a sequence; of all sequences together where they are packed
    std::size_t depth = 0, value_depth = 0; // D of queries and keys, Dv of values
    HeadsView<const float> q, k, v;         // (B, H, Tq, D), (B, H, Tk, D), (B, H, Tk, Dv)
    BiasView bias;                          // optional
    const std::int64_t* lengths = nullptr;  // (B) in [0, Tk]: keys from there on are hidden; optional
    // (B + 1), both or none: packed rows, of which [offsets[b], offsets[b + 1]) are sequence b. They rise from 0 to
    // n_queries and n_keys; batch strides are 0, there is neither a bias nor `lengths`.
    const std::int64_t *query_offsets = nullptr, *key_offsets = nullptr;
    float scale = 1;
    bool causal = false; // query t sees the keys 0 .. t
    float dropout = 0;   // in [0, 1), rounded to a multiple of 2^-16; drawn by ctx.seed
};

/// out (B, H, Tq, Dv); log_sums (2, B, H, Tq), packed: (2, and for each sequence (H, Tq)), or nullptr: maximum of each
/// row and logarithm of its sum, 0 and infinity for a row all of whose keys are hidden: its output is 0.
void attention(const RunContext& ctx, const Attention& a, HeadsView<float> out, float* log_sums);

/// What is not asked for has data nullptr.
struct AttentionGradients {
    HeadsView<float> dq, dk, dv; // like q, k, v
    float* dscores = nullptr;    // (B, H, Tq, Tk) in C order: dS, the gradient with respect to the bias
};

/// ctx.seed as in the forward pass.
void attention_backward(const RunContext& ctx, const Attention& a, HeadsView<const float> out, const float* log_sums,
                        HeadsView<const float> dout, const AttentionGradients& gradients);

/// weights (B, H, Tq, Tk) in C order, packed: for each sequence (H, Tq, Tk): P, without dropout. For pictures.
void attention_weights(const RunContext& ctx, const Attention& a, const float* log_sums, float* weights);

} // namespace mlcore::nn
