// Attention whose weights are kept, because sequences are short, and whose scores may be no inner products:
//
//   S_qk = sum_f w_f phi(a_qf, c_kf),  P = softmax of the rows of S,  O = P V
//
//   additive: phi(a, c) = tanh(a + c), w learned
//   distance: phi(a, c) = (a - c)^2, w_f = -width^2 / 2: the average under a Gaussian kernel; width 0: the plain one
//   dot:      phi(a, c) = a c, w_f = 1
//
// Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and translate", ICLR 2015;
// Nadaraya, "On estimating regression", 1964; Watson, "Smooth regression analysis", 1964; Luong, Pham and Manning,
// "Effective approaches to attention-based neural machine translation", EMNLP 2015. The gradients:
//
//   dV = P^T dO,  dP = dO V^T,  dS = P (dP - delta),  delta_q = P_q . dP_q
//   dA_qf = w_f sum_k dS_qk phi_a,  dC_kf = w_f sum_q dS_qk phi_c,  dw_f = sum_qk dS_qk phi
//
// phi is never stored: backward computes it again. P is: left out on purpose are the tiles of
// nn/attention/attention.hpp, which is for many heads of few features.
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::nn {

enum class PairScore { additive, distance, dot };

/// All arrays in C order. Sequences are padded, (B, T, ...), or packed: then the rows of all of them follow one
/// another, Nq queries and Nk keys in all, and so do their weights, Tq Tk of each sequence.
struct PairAttention {
    PairScore score = PairScore::additive;
    std::size_t batch = 0, features = 0, value_depth = 0;
    std::size_t n_queries = 0, n_keys = 0; // of a sequence; unused where packed
    const float* a = nullptr;              // (B, Tq, F) or (Nq, F)
    const float* c = nullptr;              // (B, Tk, F) or (Nk, F)
    const float* w = nullptr;              // (F); not of dot
    const float* values = nullptr;         // (B, Tk, Dv) or (Nk, Dv)

    // Padded alone:
    const float* bias = nullptr;           // (B, Tq, Tk) by its strides, added to S; -infinity hides; optional
    std::ptrdiff_t bias_strides[3] = {};   // 0 along an axis that it is broadcast over
    const std::int64_t* lengths = nullptr; // (B) in [0, Tk]: keys from there on are hidden; optional

    // Packed alone: (B + 1), the first row of each sequence and the number of rows, and the same of weights.
    const std::int64_t *query_offsets = nullptr, *key_offsets = nullptr, *weight_offsets = nullptr;
};

/// weights (B, Tq, Tk), or packed: P, rows of zeros where all keys are hidden; out, like a with Dv features.
void pair_attention(const RunContext& ctx, const PairAttention& p, float* weights, float* out);

/// What is not asked for is nullptr; all in C order.
struct PairGradients {
    float *da = nullptr, *dc = nullptr, *dw = nullptr, *dvalues = nullptr;
};

/// weights: of the forward pass. dscores, like weights: receives dS, the gradient with respect to the bias.
void pair_attention_backward(const RunContext& ctx, const PairAttention& p, const float* weights, const float* dout,
                             float* dscores, const PairGradients& gradients);

} // namespace mlcore::nn
