// What BERT (Devlin et al., 2019) makes of tokens before its first layer: y = norm(word[id] + type[t] + position[p]), p
// counting from 0 in each sequence.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "nn/inference/layer_weights.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace mlcore::nn {

struct EmbeddingWeights {
    MatrixView<const float> words, positions, types; // (V, d), (P, d), (T, d)
    NormWeights norm;
};

/// Packed tokens: sequence b is [offsets[b], offsets[b + 1]); offsets rise from 0 to N.
struct TokenSequences {
    const std::int64_t *ids = nullptr, *types = nullptr; // (N)
    std::span<const std::int64_t> offsets;               // (B + 1)
};

class TokenEmbeddings {
  public:
    /// Copies all weights.
    TokenEmbeddings(const EmbeddingWeights& weights, float epsilon);

    std::size_t width() const noexcept { return d_; }
    std::size_t n_words() const noexcept { return words_.size() / d_; }
    std::size_t n_positions() const noexcept { return positions_.size() / d_; }
    std::size_t n_types() const noexcept { return types_.size() / d_; }

    /// Throws ValueError unless ids and types are rows of their tables, and no sequence is longer than there are
    /// positions.
    void check(const TokenSequences& tokens) const;

    /// x (n, d): rows of the sequences [first, last), which have been checked.
    void apply(const RunContext& ctx, const TokenSequences& tokens, std::size_t first, std::size_t last,
               float* x) const;

  private:
    std::size_t d_;
    Buffer<float> words_, positions_, types_;
    NormLayer norm_;
};

} // namespace mlcore::nn
