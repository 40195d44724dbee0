// Recurrent layers over whole sequences, forward and backward, one direction or both: nn/recurrent/cell.hpp has the
// formulas, nn/recurrent/sequence_layout.hpp how sequences of different lengths lie in memory.
//
// The products with the inputs of all steps are one matrix product. So are, on the way back, the gradients
// with respect to the weights and the inputs: only h W_hh^T, and its counterpart for the gradient, go step by step,
// over a weight that is packed once (nn/recurrent/product.hpp). Results have the same bits for any number of threads.
//
// Letters: N rows of the layout, B sequences, I inputs, H hidden units, D directions, G column blocks that the cell
// keeps a row, P blocks of H rows that a weight has (RNN 1, LSTM 4 in the order i f g o, GRU 3 in the order r u n).
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "nn/recurrent/sequence_layout.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace mlcore::nn {

enum class RecurrentCell { rnn_tanh, rnn_relu, lstm, gru };

/// "rnn_tanh", "rnn_relu", "lstm", "gru". Throws ValueError.
RecurrentCell parse_recurrent_cell(const std::string& name);

struct RecurrentSizes {
    std::size_t weight_blocks; // P
    std::size_t kept_columns;  // G; 0 where the gradient needs none
    bool has_cell;             // whether there is a state c
};
RecurrentSizes recurrent_sizes(RecurrentCell cell);

/// Weights of one direction: W_ih (P H, I), W_hh (P H, H), biases (P H) or both nullptr.
struct RecurrentWeights {
    const float *W_ih, *W_hh, *b_ih, *b_hh;
};
struct RecurrentWeightGradients {
    float *W_ih, *W_hh, *b_ih, *b_hh;
};

/// What a pass works on, forward or backward.
struct RecurrentInputs {
    RecurrentCell cell;
    const SequenceLayout& layout;
    std::size_t I, H;
    std::span<const RecurrentWeights> weights; // one a direction; the second runs backwards in time
    const float* x;                            // (N, I)
    const float* h0;                           // (D, B, H) or nullptr: zeros
    const float* c0;                           // likewise
};

struct RecurrentForward : RecurrentInputs {
    float* y;     // (N, D H) out
    float* h_n;   // (D, B, H) out: states after the last step of each sequence
    float* c_n;   // likewise, LSTM
    float* gates; // (D, N, G H) out, for the gradient, or nullptr
    float* cells; // (D, N, H) out, LSTM, for the gradient, or nullptr
};
void recurrent_forward(const RunContext& ctx, const RecurrentForward& pass);

/// What a forward pass made, the gradients with respect to its results, and room for those with respect to its inputs:
/// nullptr where none is given or asked for.
struct RecurrentBackward : RecurrentInputs {
    const float *y, *gates, *cells;
    const float *dy, *dh_n, *dc_n;
    float *dx, *dh0, *dc0;
    std::span<const RecurrentWeightGradients> dweights; // one a direction, or empty
};
void recurrent_backward(const RunContext& ctx, const RecurrentBackward& pass);

} // namespace mlcore::nn
