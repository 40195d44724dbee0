// The decoder of a Transformer, or a language model, that writes one token after the other. Keys and values of what is
// written are kept (nn/inference/token_cache.hpp), those of what is read are computed once a source and shared by its
// hypotheses. Layers are those of PyTorch's TransformerDecoderLayer, or of its TransformerEncoderLayer under a causal
// mask where there is nothing to read:
//
//   x = scale * E[token] + P[position]
//   norm_first: x = x + f(norm(x)), else x = norm(x + f(x)), f: attention to what is written, to what is read,
//   linear2(activation(linear1 x))
//   logits = W norm(x) + b
//
// Rows go through all layers some at a time, each part on one thread: what lies between the products stays in its
// cache, and threads meet once a step. A row has the same bits in any part.
#pragma once

#include "core/memory.hpp"
#include "linalg/activation.hpp"
#include "nn/inference/layer_weights.hpp"
#include "nn/inference/projection.hpp"
#include "nn/inference/token_cache.hpp"
#include "nn/search/step_model.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::nn {

struct DecoderLayerWeights {
    LinearWeights self_in, self_out;   // (3 d, d): queries, keys, values; (d, d)
    LinearWeights cross_in, cross_out; // likewise; of a language model none
    LinearWeights linear1, linear2;    // (f, d), (d, f)
    std::vector<NormWeights> norms;    // of each sublayer
};

enum class PositionKind { none, table, sinusoidal, rotary };

struct DecoderWeights {
    std::vector<DecoderLayerWeights> layers;
    MatrixView<const float> embedding; // (V, d)
    float embedding_scale = 1;
    PositionKind positions = PositionKind::none;
    MatrixView<const float> position_table; // (positions, d)
    double rotary_base = 10000;             // see mlcore.nn.functional.rotary_embedding
    bool has_final_norm = false;
    NormWeights final_norm;
    LinearWeights output; // (V, d)
    std::size_t n_heads = 1;
    bool norm_first = false;
    linalg::Activation activation = linalg::Activation::relu;
    float epsilon = 1e-5f;                    // of the norms
    Precision precision = Precision::float32; // of the weights of all products
};

class TransformerDecoder final : public StepModel {
  public:
    /// Copies all weights. The shapes fit: whoever makes one has checked them.
    TransformerDecoder(const RunContext& ctx, const DecoderWeights& weights);

    bool reads_memory() const noexcept { return reads_memory_; }
    std::size_t width() const noexcept { return d_; }

    /// Sources to write about: rows [offsets[s], offsets[s + 1]) of memory (N, d), possibly none.
    void start(const RunContext& ctx, const float* memory, std::span<const std::int64_t> offsets);
    /// Prompts to continue, of one token or more: all tokens but the last of each are read now, in one pass; the last
    /// is the one of the first step. Not for a decoder that reads memory.
    void start(const RunContext& ctx, std::span<const std::int32_t> tokens, std::span<const std::int64_t> offsets);

    std::size_t n_tokens() const noexcept override { return n_tokens_; }
    std::size_t n_sources() const noexcept override { return n_sources_; }
    void step(const RunContext& ctx, std::span<const std::int32_t> parents, std::span<const std::int32_t> tokens,
              float* logits) override;

    /// Blocks of the cache that hold a token.
    std::size_t n_blocks_in_use() const { return cache_.n_blocks_in_use(); }

  private:
    struct Layer {
        Projection self_in, self_out, cross_query, cross_memory, cross_out, linear1, linear2;
        std::vector<NormLayer> norms;
        Scratch<float> memory; // (N, token_floats): keys and values of what is read
    };
    /// A hypothesis as far as it is written.
    struct Hypothesis {
        std::size_t source;
        std::int32_t last; // its last token in the cache, -1 for none
        std::size_t length;
    };
    /// A token on its way through the layers. It sees the first `n_seen` tokens of a list, itself the last of them.
    struct Row {
        std::int32_t token;
        std::size_t source;
        const std::int32_t* seen;
        std::size_t n_seen;

        std::int32_t place() const { return seen[n_seen - 1]; }
        std::size_t position() const { return n_seen - 1; }
    };
    /// Rows that go through the layers together, and the memory that they are computed in.
    struct Part;

    void start_sources(std::size_t n_sources);
    void make_lists(std::size_t n_rows, std::size_t longest);
    void know_positions(std::size_t n);
    std::size_t rows_of_part(const RunContext& ctx, std::size_t n_rows) const;
    void run_parts(const RunContext& ctx, std::span<const std::size_t> bounds, float* logits);
    void run_layers(const RunContext& ctx, const Part& part);
    void embed(const Part& part) const;
    void split_projection(const Part& part, std::size_t layer);
    void rotate(float* heads, std::size_t position) const;

    std::size_t d_ = 0, n_tokens_ = 0, n_heads_ = 1, hidden_ = 0, n_weights_ = 0;
    bool norm_first_ = false, reads_memory_ = false, has_final_norm_ = false;
    linalg::Activation activation_ = linalg::Activation::relu;
    float embedding_scale_ = 1;
    PositionKind positions_ = PositionKind::none;
    double rotary_base_ = 10000;
    std::vector<Layer> layers_;
    std::vector<float> embedding_;      // (V, d)
    std::vector<float> position_table_; // (positions, d), or of rotations (positions, depth): cosines, then sines
    NormLayer final_norm_;
    Projection output_;

    std::size_t n_sources_ = 0;
    std::vector<std::int64_t> offsets_; // of the memory
    TokenCache cache_;
    std::vector<Hypothesis> hypotheses_, next_hypotheses_; // of the step before, and of this one
    std::vector<std::int32_t> lists_, next_lists_;         // their tokens in the cache, list_room_ for each
    std::size_t list_room_ = 0;
    std::vector<Row> rows_;
    Scratch<float> room_;   // of all rows, see Part
    Scratch<float> scores_; // of each thread
};

} // namespace mlcore::nn
