#include "nn/inference/token_embeddings.hpp"

#include "core/error.hpp"
#include "nn/row_sums.hpp"

#include <string>

namespace mlcore::nn {
namespace {

Buffer<float> copied(MatrixView<const float> table) {
    Buffer<float> rows(table.rows * table.cols);
    for (std::size_t i = 0; i < table.rows; ++i)
        for (std::size_t j = 0; j < table.cols; ++j) rows[i * table.cols + j] = table(i, j);
    return rows;
}

void check_ids(const char* what, const std::int64_t* ids, std::size_t n, std::size_t n_rows) {
    for (std::size_t i = 0; i < n; ++i)
        if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= n_rows)
            throw ValueError(std::string(what) + " must be in [0, " + std::to_string(n_rows) + "), got " +
                             std::to_string(ids[i]));
}

} // namespace

TokenEmbeddings::TokenEmbeddings(const EmbeddingWeights& w, float epsilon)
    : d_(w.words.cols), words_(copied(w.words)), positions_(copied(w.positions)), types_(copied(w.types)),
      norm_(w.norm, d_, epsilon) {
    MLCORE_CHECK(d_ > 0 && w.positions.cols == d_ && w.types.cols == d_, "tables of embeddings must be equally wide");
}

void TokenEmbeddings::check(const TokenSequences& tokens) const {
    const auto n = static_cast<std::size_t>(tokens.offsets.back());
    check_ids("ids", tokens.ids, n, n_words());
    check_ids("types", tokens.types, n, n_types());
    for (std::size_t b = 0; b + 1 < tokens.offsets.size(); ++b)
        if (const auto length = static_cast<std::size_t>(tokens.offsets[b + 1] - tokens.offsets[b]);
            length > n_positions())
            throw ValueError("sequence " + std::to_string(b) + " has " + std::to_string(length) +
                             " tokens, more than the " + std::to_string(n_positions()) + " positions of the model");
}

void TokenEmbeddings::apply(const RunContext& ctx, const TokenSequences& tokens, std::size_t first, std::size_t last,
                            float* x) const {
    const auto row = [this](const Buffer<float>& table, std::int64_t i) {
        return table.data() + static_cast<std::size_t>(i) * d_;
    };
    float* to = x;
    for (std::size_t b = first; b < last; ++b)
        for (std::int64_t begin = tokens.offsets[b], t = begin; t < tokens.offsets[b + 1]; ++t, to += d_) {
            const float* word = row(words_, tokens.ids[t]);
            const float* type = row(types_, tokens.types[t]);
            const float* position = row(positions_, t - begin);
            for_vectors(0, d_, [=](std::size_t j, auto count) {
                const simd::Floats sum = load_count(word + j, count) + load_count(type + j, count);
                store_count(to + j, sum + load_count(position + j, count), count);
            });
        }
    const auto n = static_cast<std::size_t>(tokens.offsets[last] - tokens.offsets[first]);
    Scratch<float> statistics(2 * n);
    norm_.apply(ctx, x, n, x, statistics.data());
}

} // namespace mlcore::nn
