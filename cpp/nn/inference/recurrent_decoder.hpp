// A recurrent decoder with attention that writes one token after the other. For a hypothesis with states h, c of each
// layer, the token before and, with input feeding, the result o of the step before:
//
//   x = E[token], or (E[token], o);  each layer: (h, c) = cell(x, h, c), x = h      (nn/recurrent/cell.hpp)
//   o = tanh(W_h h + b + sum_j p_j v_j),  p = softmax of score(h, k_j)              or o = h without attention
//   logits = W o + b
//
// score: w . tanh(W_q h + k_j) or h . k_j. Keys k_j and values v_j are projected once a source: all of its hypotheses
// share them. Those that go on take their states along: rows of H floats, copied by their parents.
#pragma once

#include "core/memory.hpp"
#include "nn/attention/pair_attention.hpp"
#include "nn/inference/projection.hpp"
#include "nn/recurrent/recurrent.hpp"
#include "nn/search/step_model.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::nn {

struct RecurrentDecoderWeights {
    struct Linear {
        MatrixView<const float> weight; // (out, in); data nullptr for none
        const float* bias = nullptr;    // (out); optional
    };
    struct Attention {
        PairScore score = PairScore::dot; // or additive
        Linear query_proj;                // (H, H); additive alone
        Linear key_proj;                  // (H, M); none: keys are the rows of the source, M = H
        const float* weight = nullptr;    // (H); additive alone
        Linear state_proj, value_proj;    // (H, H), (H, M)
    };

    RecurrentCell cell = RecurrentCell::lstm;
    std::size_t hidden = 0;                   // H
    std::vector<RecurrentWeights> layers;     // inputs: E, or E + H with input feeding; above the first H
    MatrixView<const float> embedding;        // (V, E)
    const Attention* attention = nullptr;     // optional
    bool input_feeding = false;               // needs attention
    Precision precision = Precision::float32; // of the weights of all products
    Linear output;                            // (V, H)
};

class RecurrentDecoder final : public StepModel {
  public:
    /// Copies all weights. The shapes fit: whoever makes one has checked them.
    RecurrentDecoder(const RunContext& ctx, const RecurrentDecoderWeights& weights);

    std::size_t n_layers() const noexcept { return layers_.size(); }
    std::size_t hidden() const noexcept { return H_; }
    bool has_cell() const noexcept { return sizes_.has_cell; }
    bool has_attention() const noexcept { return has_attention_; }
    /// M, features of a row of a source; 0 without attention.
    std::size_t memory_size() const noexcept { return M_; }

    /// Sources to write about: first states h and, LSTM, c (layers, B, H); rows [offsets[s], offsets[s + 1]) of memory
    /// (N, M), which a decoder without attention does not read.
    void start(const RunContext& ctx, const float* h, const float* c, const float* memory,
               std::span<const std::int64_t> offsets);

    std::size_t n_tokens() const noexcept override { return embedding_.rows; }
    std::size_t n_sources() const noexcept override { return n_sources_; }
    void step(const RunContext& ctx, std::span<const std::int32_t> parents, std::span<const std::int32_t> tokens,
              float* logits) override;

  private:
    struct Layer {
        Projection from_input, from_state;
        std::vector<float> b_hn; // GRU: of the part of the state's product that the reset gate takes
    };
    struct Matrix { // (rows, columns), room for the largest step
        Scratch<float> data;
        std::size_t cols = 0;

        void resize(std::size_t rows) {
            if (data.size() < rows * cols) data = Scratch<float>(rows * cols);
        }
        float* row(std::size_t i) { return data.data() + i * cols; }
        MatrixView<float> view(std::size_t rows) { return row_major(data.data(), rows, cols); }
    };

    void follow(std::span<const std::int32_t> parents);
    void make_room(std::size_t n_rows);
    void run_layer(const RunContext& ctx, std::size_t layer, MatrixView<const float> x, std::size_t n);
    void attend(const RunContext& ctx, MatrixView<const float> h, std::size_t n);

    RecurrentCell cell_;
    RecurrentSizes sizes_;
    std::size_t H_, E_, M_ = 0;
    bool has_attention_ = false, has_key_proj_ = false, input_feeding_ = false;
    std::vector<float> embedding_values_; // (V, E)
    MatrixView<const float> embedding_;
    std::vector<Layer> layers_;
    PairScore score_ = PairScore::dot;
    Projection query_proj_, key_proj_, value_proj_, state_proj_, output_;
    std::vector<float> score_weight_;

    std::size_t n_sources_ = 0, n_rows_ = 0;          // of the step before
    std::vector<std::int64_t> offsets_;               // of keys and values
    Scratch<float> keys_, values_;                    // (N, H)
    std::vector<std::size_t> sources_, next_sources_; // of each row
    std::vector<Matrix> h_, next_h_, c_, next_c_;     // a layer: (rows, H)
    Matrix fed_, next_fed_;                           // o
    Matrix x_, gates_, products_, queries_, found_;
    Scratch<float> weights_; // of attention
};

} // namespace mlcore::nn
