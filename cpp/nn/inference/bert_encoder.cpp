#include "nn/inference/bert_encoder.hpp"

#include "core/choice.hpp"
#include "core/error.hpp"
#include "core/simd.hpp"
#include "nn/row_sums.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::nn {
namespace {

/// The sums run in double: a mean of many rows is as exact as one of few.
void mean_of_rows(const float* x, std::size_t n, std::size_t d, float* y) {
    using simd::Doubles, simd::lanes_of;
    constexpr std::size_t lanes = lanes_of<double>;
    const double scale = 1 / static_cast<double>(n);
    std::size_t j = 0;
    for (; j + lanes <= d; j += lanes) {
        Doubles sum{};
        for (std::size_t i = 0; i < n; ++i) sum += simd::load_widened(x + i * d + j);
        sum *= scale;
        for (std::size_t l = 0; l < lanes; ++l) y[j + l] = static_cast<float>(sum[l]);
    }
    for (; j < d; ++j) {
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i * d + j]);
        y[j] = static_cast<float>(sum * scale);
    }
}

void largest_of_rows(const float* x, std::size_t n, std::size_t d, float* y) {
    std::copy_n(x, d, y);
    for (std::size_t i = 1; i < n; ++i)
        for (std::size_t j = 0; j < d; ++j) {
            const float v = x[i * d + j];
            y[j] = v <= y[j] || y[j] != y[j] ? y[j] : v; // NaN is kept
        }
}

void normalize_row(float* y, std::size_t d) {
    double squares = 0;
    for (std::size_t j = 0; j < d; ++j) squares += static_cast<double>(y[j]) * static_cast<double>(y[j]);
    if (squares == 0) return;
    const double scale = 1 / std::sqrt(squares);
    for (std::size_t j = 0; j < d; ++j) y[j] = static_cast<float>(static_cast<double>(y[j]) * scale);
}

} // namespace

SequencePooling parse_sequence_pooling(const std::string& name) {
    return choose<SequencePooling>(
        "pooling", name,
        {{"mean", SequencePooling::mean}, {"cls", SequencePooling::first}, {"max", SequencePooling::max}});
}

BertEncoder::BertEncoder(const RunContext& ctx, const EmbeddingWeights& embeddings, const EncoderWeights& layers)
    : embeddings_(embeddings, layers.epsilon), layers_(ctx, layers) {
    MLCORE_CHECK(embeddings_.width() == layers_.width(), "embeddings must be as wide as the layers");
}

void BertEncoder::apply(const RunContext& ctx, const TokenSequences& tokens, float* y) const {
    embeddings_.check(tokens);
    const auto embed = [&](std::size_t first, std::size_t last, float* x) {
        embeddings_.apply(ctx, tokens, first, last, x);
    };
    layers_.apply(ctx, tokens.offsets, embed, y, [](std::size_t, std::size_t, const float*) {});
}

void BertEncoder::pool(const RunContext& ctx, const TokenSequences& tokens, SequencePooling pooling, bool normalize,
                       float* y) const {
    embeddings_.check(tokens);
    const std::size_t d = width();
    const bool only_first = pooling == SequencePooling::first;
    const auto embed = [&](std::size_t first, std::size_t last, float* x) {
        embeddings_.apply(ctx, tokens, first, last, x);
    };
    const auto reduce = [&](std::size_t first, std::size_t last, const float* x) {
        for (std::size_t b = first; b < last; ++b) {
            const auto n = only_first ? 1 : static_cast<std::size_t>(tokens.offsets[b + 1] - tokens.offsets[b]);
            float* to = y + b * d;
            switch (pooling) {
            case SequencePooling::mean:
                mean_of_rows(x, n, d, to);
                break;
            case SequencePooling::first:
                std::copy_n(x, d, to);
                break;
            case SequencePooling::max:
                largest_of_rows(x, n, d, to);
                break;
            }
            if (normalize) normalize_row(to, d);
            x += n * d;
        }
    };
    layers_.apply(ctx, tokens.offsets, embed, nullptr, reduce, only_first);
}

} // namespace mlcore::nn
