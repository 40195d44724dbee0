// The recurrent decoder without a tape beside its formulas in double; a hypothesis has the same bits alone and among
// others.
#include "check.hpp"

#include "core/context.hpp"
#include "core/error.hpp"
#include "nn/inference/recurrent_decoder.hpp"
#include "nn/twin.hpp"

#include <cmath>
#include <cstring>
#include <deque>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

using twin::Values;

constexpr std::size_t V = 13, E = 6, M = 5, n_layers = 2;

/// y = W x + b
std::vector<double> linear(const float* W, const float* b, std::size_t n_out, const std::vector<double>& x) {
    std::vector<double> y(n_out);
    for (std::size_t i = 0; i < n_out; ++i) {
        y[i] = b ? b[i] : 0;
        for (std::size_t j = 0; j < x.size(); ++j) y[i] += W[i * x.size() + j] * x[j];
    }
    return y;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Weights at random, and the network written down step by step.
struct Network {
    std::size_t H;
    std::deque<Values> arrays;
    RecurrentDecoderWeights w;
    RecurrentDecoderWeights::Attention a;

    const float* array(std::size_t n) {
        arrays.push_back(twin::normal(n, arrays.size(), 0.2F)); // larger ones multiply what is rounded
        return arrays.back().data();
    }
    MatrixView<const float> matrix(std::size_t rows, std::size_t cols) {
        return row_major(array(rows * cols), rows, cols);
    }

    /// score: "" for no attention.
    Network(RecurrentCell cell, std::size_t hidden, const std::string& score, bool input_feeding) : H(hidden) {
        w.cell = cell;
        w.hidden = H;
        w.embedding = matrix(V, E);
        w.output = {matrix(V, H), array(V)};
        w.input_feeding = input_feeding;
        const std::size_t rows = recurrent_sizes(cell).weight_blocks * H;
        for (std::size_t l = 0; l < n_layers; ++l) {
            const std::size_t n_in = l > 0 ? H : E + (input_feeding ? H : 0);
            w.layers.push_back({array(rows * n_in), array(rows * H), array(rows), array(rows)});
        }
        if (score.empty()) return;
        w.attention = &a;
        if (score == "additive") {
            a.score = PairScore::additive;
            a.query_proj.weight = matrix(H, H);
            a.weight = array(H);
        }
        a.key_proj.weight = matrix(H, M);
        a.value_proj.weight = matrix(H, M);
        a.state_proj = {matrix(H, H), array(H)};
    }

    struct State {
        std::vector<std::vector<double>> h, c; // of each layer
        std::vector<double> fed;
    };

    /// Logits after `tokens`, for a source of the rows `memory` (n, M).
    std::vector<double> logits(State s, const float* memory, std::size_t n, const std::vector<std::int32_t>& tokens) {
        std::vector<double> o;
        for (const std::int32_t token : tokens) {
            std::vector<double> x;
            for (std::size_t j = 0; j < E; ++j) x.push_back(w.embedding(static_cast<std::size_t>(token), j));
            if (w.input_feeding) x.insert(x.end(), s.fed.begin(), s.fed.end());
            for (std::size_t l = 0; l < n_layers; ++l) {
                run_cell(w.layers[l], x, s.h[l], s.c[l]);
                x = s.h[l];
            }
            o = s.fed = w.attention ? attend(x, memory, n) : x;
        }
        return linear(w.output.weight.data, w.output.bias, V, o);
    }

    void run_cell(const RecurrentWeights& layer, const std::vector<double>& x, std::vector<double>& h,
                  std::vector<double>& c) const {
        const std::size_t rows = recurrent_sizes(w.cell).weight_blocks * H;
        const auto from_x = linear(layer.W_ih, layer.b_ih, rows, x), from_h = linear(layer.W_hh, layer.b_hh, rows, h);
        for (std::size_t j = 0; j < H; ++j) {
            const auto z = [&](std::size_t block) { return from_x[block * H + j] + from_h[block * H + j]; };
            if (w.cell == RecurrentCell::lstm) {
                c[j] = sigmoid(z(1)) * c[j] + sigmoid(z(0)) * std::tanh(z(2));
                h[j] = sigmoid(z(3)) * std::tanh(c[j]);
            } else if (w.cell == RecurrentCell::gru) {
                const double u = sigmoid(z(1));
                h[j] = (1 - u) * std::tanh(from_x[2 * H + j] + sigmoid(z(0)) * from_h[2 * H + j]) + u * h[j];
            } else {
                h[j] = std::tanh(z(0));
            }
        }
    }

    std::vector<double> attend(const std::vector<double>& h, const float* memory, std::size_t n) const {
        const auto query = a.weight ? linear(a.query_proj.weight.data, nullptr, H, h) : h;
        std::vector<double> mixed = linear(a.state_proj.weight.data, a.state_proj.bias, H, h), found(H);
        double total = 0;
        for (std::size_t t = 0; t < n; ++t) {
            const std::vector<double> row(memory + t * M, memory + (t + 1) * M);
            const auto key = linear(a.key_proj.weight.data, nullptr, H, row),
                       value = linear(a.value_proj.weight.data, nullptr, H, row);
            double score = 0;
            for (std::size_t j = 0; j < H; ++j)
                score += a.weight ? a.weight[j] * std::tanh(query[j] + key[j]) : query[j] * key[j];
            total += std::exp(score);
            for (std::size_t j = 0; j < H; ++j) found[j] += std::exp(score) * value[j];
        }
        for (std::size_t j = 0; j < H; ++j) mixed[j] = std::tanh(mixed[j] + (total > 0 ? found[j] / total : 0));
        return mixed;
    }
};

/// Three sources, the second of which is empty.
struct Sources {
    std::vector<std::int64_t> offsets{0, 4, 4, 21};
    Values memory = twin::normal(21 * M, 100), h, c; // states (layers, 3, H)
    std::size_t H;

    explicit Sources(std::size_t hidden)
        : h(twin::normal(n_layers * 3 * hidden, 101)), c(twin::normal(n_layers * 3 * hidden, 102)), H(hidden) {}

    void start(const RunContext& ctx, RecurrentDecoder& decoder) const {
        decoder.start(ctx, h.data(), decoder.has_cell() ? c.data() : nullptr,
                      decoder.has_attention() ? memory.data() : nullptr, offsets);
    }
    void start_one(const RunContext& ctx, RecurrentDecoder& decoder, std::size_t s) const {
        Values first_h, first_c;
        for (std::size_t l = 0; l < n_layers; ++l)
            for (std::size_t j = 0; j < H; ++j) {
                first_h.push_back(h[(l * 3 + s) * H + j]);
                first_c.push_back(c[(l * 3 + s) * H + j]);
            }
        const std::vector<std::int64_t> alone{0, offsets[s + 1] - offsets[s]};
        decoder.start(ctx, first_h.data(), decoder.has_cell() ? first_c.data() : nullptr,
                      decoder.has_attention() ? rows(s) : nullptr, alone);
    }
    const float* rows(std::size_t s) const { return memory.data() + static_cast<std::size_t>(offsets[s]) * M; }
    std::size_t length(std::size_t s) const { return static_cast<std::size_t>(offsets[s + 1] - offsets[s]); }
    Network::State state(std::size_t s) const {
        Network::State state;
        for (std::size_t l = 0; l < n_layers; ++l) {
            const auto at = static_cast<std::ptrdiff_t>((l * 3 + s) * H), end = at + static_cast<std::ptrdiff_t>(H);
            state.h.emplace_back(h.begin() + at, h.begin() + end);
            state.c.emplace_back(c.begin() + at, c.begin() + end);
        }
        state.fed.assign(H, 0.0);
        return state;
    }
};

struct Written {
    std::size_t source;
    std::vector<std::int32_t> tokens;
    Values logits; // after the last
};

/// Five steps of hypotheses that part, end and change places.
std::vector<Written> write(const RunContext& ctx, RecurrentDecoder& decoder) {
    const std::vector<std::vector<std::int32_t>> steps{
        {0, 0, 1, 2, 2}, {1, 0, 2, 2, 3, 3, 4}, {0, 3, 3, 6}, {1, 1, 2, 3, 3}, {0, 4}};
    std::vector<Written> rows{{0, {}, {}}, {1, {}, {}}, {2, {}, {}}};
    for (const std::vector<std::int32_t>& parents : steps) {
        std::vector<Written> next;
        std::vector<std::int32_t> tokens;
        for (std::size_t i = 0; i < parents.size(); ++i) {
            next.push_back(rows[static_cast<std::size_t>(parents[i])]);
            tokens.push_back(static_cast<std::int32_t>((3 * next.back().tokens.size() + 5 * i + 1) % V));
            next.back().tokens.push_back(tokens.back());
        }
        Values logits(parents.size() * V, NAN);
        decoder.step(ctx, parents, tokens, logits.data());
        for (std::size_t i = 0; i < parents.size(); ++i)
            next[i].logits.assign(logits.begin() + static_cast<std::ptrdiff_t>(i * V),
                                  logits.begin() + static_cast<std::ptrdiff_t>((i + 1) * V));
        rows = std::move(next);
    }
    return rows;
}

void check_network(RecurrentCell cell, std::size_t H, const std::string& score, bool input_feeding) {
    Network network(cell, H, score, input_feeding);
    const Sources sources(H);
    const StandaloneRun one(1), three(3);
    RecurrentDecoder decoder(three.context, network.w), other(one.context, network.w);
    sources.start(three.context, decoder);
    for (const Written& row : write(three.context, decoder)) {
        const std::size_t s = row.source;
        const auto expected = network.logits(sources.state(s), sources.rows(s), sources.length(s), row.tokens);
        for (std::size_t v = 0; v < V; ++v) CHECK_CLOSE(row.logits[v], expected[v], 2e-5);
        sources.start_one(one.context, other, s);
        Values alone(V);
        for (const std::int32_t token : row.tokens)
            other.step(one.context, std::vector<std::int32_t>{0}, {&token, 1}, alone.data());
        CHECK(alone == row.logits);
    }
}

void check_step_is_refused(RecurrentDecoder& decoder, const std::vector<std::int32_t>& parents) {
    const StandaloneRun run;
    const std::vector<std::int32_t> tokens(parents.size(), 1);
    Values logits(parents.size() * V);
    CHECK_THROWS(ValueError, decoder.step(run.context, parents, tokens, logits.data()));
}

} // namespace

TEST(all_cells_and_scores_against_the_formulas) {
    for (const RecurrentCell cell : {RecurrentCell::lstm, RecurrentCell::gru, RecurrentCell::rnn_tanh})
        for (const std::size_t H : {3, 40}) {
            check_network(cell, H, "", false);
            for (const char* score : {"additive", "general"})
                for (const bool input_feeding : {false, true}) check_network(cell, H, score, input_feeding);
        }
}

TEST(a_refused_step_changes_nothing_and_a_failed_one_ends_all) {
    Network network(RecurrentCell::gru, 7, "additive", true);
    const Sources sources(7);
    StandaloneRun run;
    RecurrentDecoder decoder(run.context, network.w);
    check_step_is_refused(decoder, {0}); // never started
    sources.start(run.context, decoder);
    const std::vector<Written> expected = write(run.context, decoder);
    sources.start(run.context, decoder);
    for (const std::vector<std::int32_t>& wrong : std::vector<std::vector<std::int32_t>>{{3}, {-1}, {2, 0}})
        check_step_is_refused(decoder, wrong);
    const std::vector<Written> got = write(run.context, decoder);
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i].logits == expected[i].logits);

    sources.start(run.context, decoder);
    StandaloneRun stopped;
    stopped.stop.request();
    CHECK_THROWS(Interrupted, write(stopped.context, decoder));
    check_step_is_refused(decoder, {0});
}
