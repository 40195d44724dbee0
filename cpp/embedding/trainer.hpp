// Trains word vectors: reads a corpus piece by piece, all threads at once, and makes one step a centre word (one a
// pair where negatives are not shared, one for each 12 context words of a wide window: window_kernel.hpp). See
// docs/embedding.md for the objectives.
//
// Mikolov, Chen, Corrado and Dean, "Efficient estimation of word representations in vector space" (2013) and Mikolov,
// Sutskever, Chen, Corrado and Dean, "Distributed representations of words and phrases" (2013), in the variant of their
// program word2vec.c: the context word's row predicts the centre word, subsampling comes before windows, the step of
// CBOW with a mean is not divided by the number of context words.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "embedding/huffman.hpp"
#include "embedding/sampling.hpp"
#include "text/corpus.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace mlcore::embedding {

enum class Algorithm { skipgram, cbow };
enum class Loss { negative_sampling, hierarchical_softmax };

struct TrainerParams {
    std::size_t vector_size = 100;
    Algorithm algorithm = Algorithm::skipgram;
    Loss loss = Loss::negative_sampling;
    std::size_t window = 5;
    std::size_t negative = 5;
    double ns_exponent = 0.75;
    double sample = 1e-3;
    bool cbow_mean = true;
    bool shrink_windows = true;
    bool shared_negatives = true;
    std::uint64_t seed = 0;

    /// Throws ValueError.
    void check() const;
};

/// Which part of the training a call of Trainer::train is: pieces [first_piece, last_piece) of epoch `epoch` (from 0)
/// of `epochs`. The learning rate decreases linearly from `alpha` to `min_alpha` over the tokens of all epochs.
struct EpochPart {
    std::size_t epoch = 0, epochs = 1;
    std::size_t first_piece = 0, last_piece = 0;
    double alpha = 0.025, min_alpha = 1e-4;
};

/// What a call of Trainer::train has done.
struct TrainingProgress {
    double loss = 0;           // sum over windows
    std::uint64_t n_terms = 0; // what the loss is a sum over: (word, context word) pairs of skip-gram, windows of CBOW
    std::int64_t n_tokens = 0; // unknown words included
};

class Trainer {
  public:
    /// `counts` of the words, each at least 1. A tree only for hierarchical softmax; without one, it is Huffman's.
    Trainer(std::span<const std::int64_t> counts, const TrainerParams& params, std::optional<HuffmanTree> tree = {});

    std::size_t n_words() const { return n_words_; }
    std::size_t n_outputs() const { return n_outputs_; }
    const TrainerParams& params() const { return params_; }
    const HuffmanTree& tree() const { return tree_; }

    /// To be called before train. Takes the first rows over; the rest of the vectors is drawn from (-1, 1) / d,
    /// each a function of the seed and its place, the rest of the context vectors is zero.
    void set_rows(const RunContext& ctx, MatrixView<const float> vectors, MatrixView<const float> context_vectors);

    /// The corpus must be set to the vocabulary of `counts`. With one thread the same bits come out every time.
    TrainingProgress train(const RunContext& ctx, const text::Corpus& corpus, const EpochPart& part);

    /// The rows side by side, (n_words, vector_size) and (n_outputs, vector_size): moves the memory out, once; before
    /// set_rows and the second time they are empty.
    Buffer<float> take_vectors();
    Buffer<float> take_context_vectors();

  private:
    struct Scratch;
    class PieceRun;

    const TrainerParams params_;
    const std::size_t n_words_, n_outputs_;
    const std::size_t row_; // floats a row takes up
    const Subsampler subsampler_;
    HuffmanTree tree_;
    HuffmanPaths paths_;
    std::optional<AliasTable> noise_;
    Buffer<float> vectors_, context_vectors_;
    std::size_t first_top_node_ = 0, windows_an_exchange_ = 1; // see PrivateRows
};

} // namespace mlcore::embedding
