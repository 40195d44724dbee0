// BERT (Devlin et al., 2019) without a tape, from tokens to rows or to one vector a sequence: embeddings, the layers of
// an encoder with norms after the sums, pooling. Some sequences at a time pass all of it on one thread, so that their
// rows never leave its cache; what threads and batches have to do with the bits, see transformer_encoder.hpp: nothing.
#pragma once

#include "core/context.hpp"
#include "nn/inference/token_embeddings.hpp"
#include "nn/inference/transformer_encoder.hpp"

#include <cstddef>
#include <string>

namespace mlcore::nn {

/// How the rows of a sequence become one vector: their mean, the first of them, or the largest of each feature.
enum class SequencePooling { mean, first, max };

/// "mean", "cls" or "max". Throws ValueError.
SequencePooling parse_sequence_pooling(const std::string& name);

class BertEncoder {
  public:
    /// Copies all weights. The shapes fit: whoever makes one has checked them.
    BertEncoder(const RunContext& ctx, const EmbeddingWeights& embeddings, const EncoderWeights& layers);

    std::size_t width() const noexcept { return embeddings_.width(); }
    const TokenEmbeddings& embeddings() const noexcept { return embeddings_; }

    /// y (N, d): what the last layer makes of each token. Throws ValueError as TokenEmbeddings::check.
    void apply(const RunContext& ctx, const TokenSequences& tokens, float* y) const;

    /// y (B, d): one vector a sequence, none of which is empty; with `normalize` of Euclidean norm 1, unless it is 0.
    void pool(const RunContext& ctx, const TokenSequences& tokens, SequencePooling pooling, bool normalize,
              float* y) const;

  private:
    TokenEmbeddings embeddings_;
    TransformerEncoder layers_;
};

} // namespace mlcore::nn
