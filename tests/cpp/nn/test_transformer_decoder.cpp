// The decoder without a tape: a hypothesis has the same bits alone and among others, written or read as a prompt.
// Its values stand beside formulas in tests/python/nn/test_transformer_decoder.py.
#include "check.hpp"

#include "core/context.hpp"
#include "core/error.hpp"
#include "nn/inference/transformer_decoder.hpp"
#include "nn/twin.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

constexpr std::size_t V = 19;

/// Weights at random; heads whose depth is no multiple of a vector.
struct Weights {
    std::deque<twin::Values> arrays;
    DecoderWeights w;

    MatrixView<const float> matrix(std::size_t rows, std::size_t cols) {
        arrays.push_back(twin::normal(rows * cols, static_cast<unsigned>(arrays.size())));
        for (float& x : arrays.back()) x *= 0.3f;
        return row_major<const float>(arrays.back().data(), rows, cols);
    }
    LinearWeights linear(std::size_t out, std::size_t in) { return {matrix(out, in), matrix(1, out).data}; }

    Weights(std::size_t d, std::size_t heads, bool reads, PositionKind positions, bool quantize) {
        w.n_heads = heads;
        w.positions = positions;
        w.precision = quantize ? Precision::int8 : Precision::float32;
        w.embedding = matrix(V, d);
        w.output = linear(V, d);
        for (int l = 0; l < 2; ++l) {
            DecoderLayerWeights layer;
            layer.self_in = linear(3 * d, d);
            layer.self_out = linear(d, d);
            if (reads) {
                layer.cross_in = linear(3 * d, d);
                layer.cross_out = linear(d, d);
            }
            layer.linear1 = linear(2 * d + 1, d);
            layer.linear2 = linear(d, 2 * d + 1);
            layer.norms.resize(reads ? 3 : 2);
            w.layers.push_back(layer);
        }
    }
};

struct Written {
    std::size_t source;
    std::vector<std::int32_t> tokens;
    std::vector<float> logits; // after the last
};

/// Many steps of hypotheses that part and end, as no search would have them.
std::vector<Written> write(const RunContext& ctx, TransformerDecoder& decoder, std::size_t n_steps) {
    std::vector<Written> rows(decoder.n_sources());
    for (std::size_t s = 0; s < rows.size(); ++s) rows[s].source = s;
    unsigned random = 1;
    const auto draw = [&](std::size_t n) { return (random = random * 1664525u + 1013904223u) / 65536u % n; };
    for (std::size_t t = 0; t < n_steps; ++t) {
        const std::size_t n = 1 + draw(40);
        std::vector<std::int32_t> parents, tokens;
        for (std::size_t i = 0; i < n; ++i) parents.push_back(static_cast<std::int32_t>(draw(rows.size())));
        std::sort(parents.begin(), parents.end());
        std::vector<Written> next;
        for (const std::int32_t parent : parents) {
            next.push_back(rows[static_cast<std::size_t>(parent)]);
            tokens.push_back(static_cast<std::int32_t>(draw(V)));
            next.back().tokens.push_back(tokens.back());
        }
        std::vector<float> logits(n * V);
        decoder.step(ctx, parents, tokens, logits.data());
        for (std::size_t i = 0; i < n; ++i)
            next[i].logits.assign(logits.begin() + static_cast<std::ptrdiff_t>(i * V),
                                  logits.begin() + static_cast<std::ptrdiff_t>((i + 1) * V));
        rows = std::move(next);
    }
    return rows;
}

std::vector<float> write_alone(const RunContext& ctx, TransformerDecoder& decoder,
                               const std::vector<std::int32_t>& tokens) {
    std::vector<float> logits(V);
    for (const std::int32_t token : tokens) {
        const std::int32_t parent = 0;
        decoder.step(ctx, {&parent, 1}, {&token, 1}, logits.data());
    }
    return logits;
}

void check_rows(std::size_t d, std::size_t heads, PositionKind positions, bool quantize) {
    const Weights weights(d, heads, true, positions, quantize);
    const StandaloneRun one(1), three(3);
    TransformerDecoder decoder(three.context, weights.w), other(one.context, weights.w);
    const std::vector<std::int64_t> offsets{0, 4, 4, 21, 22};
    const twin::Values memory = twin::normal(22 * d, 5);
    decoder.start(three.context, memory.data(), offsets);
    for (const Written& row : write(three.context, decoder, 25)) {
        const std::int64_t first = offsets[row.source], n = offsets[row.source + 1] - first;
        const std::vector<std::int64_t> alone{0, n};
        other.start(one.context, memory.data() + static_cast<std::size_t>(first) * d, alone);
        CHECK(write_alone(one.context, other, row.tokens) == row.logits);
    }
}

} // namespace

TEST(a_hypothesis_has_the_same_bits_among_others) {
    for (const bool quantize : {false, true}) {
        check_rows(24, 3, PositionKind::sinusoidal, quantize);
        check_rows(64, 2, PositionKind::rotary, quantize);
        check_rows(5, 1, PositionKind::none, quantize);
        check_rows(160, 1, PositionKind::sinusoidal, quantize);
    }
}

TEST(a_prompt_is_what_was_written) {
    const Weights weights(24, 3, false, PositionKind::rotary, false);
    const StandaloneRun run(2);
    TransformerDecoder decoder(run.context, weights.w);
    std::vector<std::int32_t> tokens;
    for (std::int32_t t = 0; t < 150; ++t) tokens.push_back(t * t % static_cast<std::int32_t>(V));
    decoder.start(run.context, std::span(tokens).first(1), std::vector<std::int64_t>{0, 1});
    const std::vector<float> written = write_alone(run.context, decoder, tokens);
    decoder.start(run.context, tokens, std::vector<std::int64_t>{0, 2, 150});
    decoder.start(run.context, tokens, std::vector<std::int64_t>{0, 150});
    CHECK(write_alone(run.context, decoder, {tokens.back()}) == written);
}

TEST(a_table_of_positions_ends) {
    Weights weights(8, 2, false, PositionKind::table, false);
    weights.w.position_table = weights.matrix(3, 8);
    const StandaloneRun run;
    TransformerDecoder decoder(run.context, weights.w);
    const std::vector<std::int32_t> tokens{1, 2, 3, 4};
    decoder.start(run.context, std::span(tokens).first(1), std::vector<std::int64_t>{0, 1});
    CHECK_THROWS(ValueError, write_alone(run.context, decoder, tokens));
    CHECK_THROWS(ValueError, decoder.start(run.context, tokens, std::vector<std::int64_t>{0, 4}));
    CHECK_THROWS(ValueError, write_alone(run.context, decoder, {1})); // a start that fails is none
}

TEST(nothing_follows_a_start_or_a_step_that_was_interrupted) {
    const StandaloneRun run;
    StandaloneRun stopped;
    stopped.stop.request();
    const std::vector<std::int32_t> prompt{1, 2, 3};
    const std::vector<std::int64_t> offsets{0, 3};
    for (const bool reads : {false, true}) {
        const Weights weights(8, 2, reads, PositionKind::sinusoidal, false);
        const twin::Values memory = twin::normal(3 * 8, 5);
        TransformerDecoder decoder(run.context, weights.w);
        const auto start = [&](const RunContext& ctx) {
            reads ? decoder.start(ctx, memory.data(), offsets) : decoder.start(ctx, prompt, offsets);
        };
        start(run.context);
        const std::vector<float> expected = write_alone(run.context, decoder, {4, 5});
        CHECK_THROWS(Interrupted, start(stopped.context));
        CHECK_THROWS(ValueError, write_alone(run.context, decoder, {4}));
        start(run.context);
        CHECK_THROWS(Interrupted, write_alone(stopped.context, decoder, {4}));
        CHECK_THROWS(ValueError, write_alone(run.context, decoder, {4}));
        start(run.context);
        CHECK(write_alone(run.context, decoder, {4, 5}) == expected);
    }
}
