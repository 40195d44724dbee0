// Attention whose scores are no inner products, but sums over features of a function of two numbers:
//
//   S_qk = sum_f w_f phi(a_qf, c_kf),  P = softmax of the rows of S,  O = P V
//
//   additive: phi(a, c) = tanh(a + c), w learned
//   distance: phi(a, c) = (a - c)^2, w_f = -width^2 / 2: the average under a Gaussian kernel; width 0: the plain one
//
// Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and translate", ICLR 2015;
// Nadaraya, "On estimating regression", 1964; Watson, "Smooth regression analysis", 1964. The gradients:
//
//   dV = P^T dO,  dP = dO V^T,  dS = P (dP - delta),  delta_q = dO_q . O_q
//   dA_qf = w_f sum_k dS_qk phi_a,  dC_kf = w_f sum_q dS_qk phi_c,  dw_f = sum_qk dS_qk phi
//
// phi is never stored: backward computes it again. P is kept, (B, Tq, Tk): left out on purpose are the tiles of
// nn/attention/attention.hpp, because sequences are short where such scores are used.
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::nn {

enum class PairScore { additive, distance };

/// All arrays in C order.
struct PairAttention {
    PairScore score = PairScore::additive;
    std::size_t batch = 0, n_queries = 0, n_keys = 0, features = 0, value_depth = 0;
    const float* a = nullptr;              // (B, Tq, F)
    const float* c = nullptr;              // (B, Tk, F)
    const float* w = nullptr;              // (F)
    const float* values = nullptr;         // (B, Tk, Dv)
    const float* bias = nullptr;           // (B, Tq, Tk) by its strides, added to S; -infinity hides; optional
    std::ptrdiff_t bias_strides[3] = {};   // 0 along an axis that it is broadcast over
    const std::int64_t* lengths = nullptr; // (B) in [0, Tk]: keys from there on are hidden; optional
};

/// weights (B, Tq, Tk): P, rows of zeros where all keys are hidden; out (B, Tq, Dv).
void pair_attention(const RunContext& ctx, const PairAttention& p, float* weights, float* out);

/// What is not asked for is nullptr; all in C order.
struct PairGradients {
    float *da = nullptr, *dc = nullptr, *dw = nullptr, *dvalues = nullptr;
};

/// weights, out: of the forward pass. dscores (B, Tq, Tk): receives dS, the gradient with respect to the bias.
void pair_attention_backward(const RunContext& ctx, const PairAttention& p, const float* weights, const float* out,
                             const float* dout, float* dscores, const PairGradients& gradients);

} // namespace mlcore::nn
