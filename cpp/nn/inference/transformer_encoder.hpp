// The encoder of a Transformer without a tape, over packed rows: the layers of PyTorch's TransformerEncoderLayer.
//
//   norm_first: x = x + f(norm(x)), else x = norm(x + f(x)), f: attention of the rows of a sequence to each other,
//   linear2(activation(linear1 x)); at the end a norm, or none
//
// Some sequences at a time go through all layers on one thread: what lies between the products stays in its cache, and
// threads meet once. Where there are too few sequences for that, the threads share each product. A sequence has the
// same bits in any batch and for any number of threads.
#pragma once

#include "core/context.hpp"
#include "linalg/activation.hpp"
#include "nn/inference/layer_weights.hpp"
#include "nn/inference/projection.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace mlcore::nn {

struct EncoderLayerWeights {
    LinearWeights self_in, self_out;       // (3 d, d): queries, keys, values; (d, d)
    LinearWeights linear1, linear2;        // (f, d), (d, f)
    NormWeights norm1, norm2;              // of attention, of the two linear layers
    std::array<Precision, 4> precisions{}; // of the products, in this order
};

struct EncoderWeights {
    std::vector<EncoderLayerWeights> layers;
    std::size_t d = 0, n_heads = 1;
    bool norm_first = false;
    linalg::Activation activation = linalg::Activation::relu;
    float epsilon = 1e-5f; // of the norms
    bool has_final_norm = false;
    NormWeights final_norm;
    bool rotary = false;        // queries and keys are rotated by their positions
    double rotary_base = 10000; // see mlcore.nn.functional.rotary_embedding
};

/// What makes the rows of some sequences, or takes them: x (n, d) are those of the sequences [first, last).
using SequenceRows = std::function<void(std::size_t first, std::size_t last, float* x)>;

class TransformerEncoder {
  public:
    /// Copies all weights. The shapes fit: whoever makes one has checked them.
    TransformerEncoder(const RunContext& ctx, const EncoderWeights& weights);

    std::size_t width() const noexcept { return d_; }

    /// x, y (N, d); sequence b is rows [offsets[b], offsets[b + 1]), possibly none; offsets rise from 0 to N. May be
    /// called from several threads at a time.
    void apply(const RunContext& ctx, const float* x, std::span<const std::int64_t> offsets, float* y) const;

    /// The same for rows that `make` writes and `take` gets, while they are in cache; both are called from several
    /// threads at a time, once for each sequence. Rows are kept in y (N, d) unless it is nullptr. only_first: `take`
    /// gets the first row of each sequence alone, (last - first, d), and most of the last layer is spared; y is nullptr
    /// and no sequence empty then.
    void apply(const RunContext& ctx, std::span<const std::int64_t> offsets, const SequenceRows& make, float* y,
               const SequenceRows& take, bool only_first = false) const;

  private:
    struct Layer {
        Projection self_in, self_out, linear1, linear2;
        NormLayer norm1, norm2;
    };
    struct Angles;
    struct Part;

    std::vector<std::size_t> cut(std::size_t threads, std::span<const std::int64_t> offsets) const;
    void run_layers(const RunContext& ctx, const Part& part) const;
    void attend(const RunContext& ctx, const Part& part, bool only_first) const;
    void gather_first(const Part& part, const float* from, std::size_t row, float* to) const;

    std::size_t d_ = 0, n_heads_ = 1, hidden_ = 0, n_weights_ = 0;
    bool norm_first_ = false, has_final_norm_ = false, rotary_ = false;
    double rotary_base_ = 10000;
    linalg::Activation activation_ = linalg::Activation::relu;
    std::vector<Layer> layers_;
    NormLayer final_norm_;
};

} // namespace mlcore::nn
