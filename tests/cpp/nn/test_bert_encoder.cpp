// BERT without a tape beside its formulas in plain loops and float64; bits of sequences in any batch; bad input.
#include "check.hpp"
#include "core/context.hpp"
#include "core/error.hpp"
#include "nn/encoder_twin.hpp"
#include "nn/inference/bert_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;
using namespace encoder_twin;

namespace {

constexpr std::size_t n_words = 30, n_positions = 150, n_types = 3;

struct Tables {
    std::vector<float> words = random_values(n_words * d, 1001), positions = random_values(n_positions * d, 1002),
                       types = random_values(n_types * d, 1003), norm = random_values(d, 1004, 1),
                       shift = random_values(d, 1005);

    EmbeddingWeights weights() const {
        return {row_major(words.data(), n_words, d),
                row_major(positions.data(), n_positions, d),
                row_major(types.data(), n_types, d),
                {norm.data(), shift.data()}};
    }
};

/// Random tokens of sequences of these lengths.
struct Tokens {
    std::vector<std::int64_t> ids, types, offsets{0};

    explicit Tokens(const std::vector<std::size_t>& lengths) {
        const Philox random(9, 0);
        for (const std::size_t length : lengths) offsets.push_back(offsets.back() + static_cast<std::int64_t>(length));
        for (std::size_t i = 0; i < size(); ++i) {
            ids.push_back(static_cast<std::int64_t>(random.uniform(2 * i) * n_words));
            types.push_back(static_cast<std::int64_t>(random.uniform(2 * i + 1) * n_types));
        }
    }
    std::size_t size() const { return static_cast<std::size_t>(offsets.back()); }
    std::size_t n_sequences() const { return offsets.size() - 1; }
    TokenSequences view() const { return {ids.data(), types.data(), offsets}; }
    /// Sequence b alone.
    Tokens one(std::size_t b) const {
        Tokens part({static_cast<std::size_t>(offsets[b + 1] - offsets[b])});
        std::copy_n(ids.begin() + offsets[b], part.size(), part.ids.begin());
        std::copy_n(types.begin() + offsets[b], part.size(), part.types.begin());
        return part;
    }
};

const Tokens tokens({5, 1, 84, 140, 7, 2});

Rows embedded(const Tables& tables, const Tokens& sequence) {
    Rows x;
    for (std::size_t t = 0; t < sequence.size(); ++t) {
        auto& row = x.emplace_back();
        for (std::size_t j = 0; j < d; ++j)
            row.push_back(static_cast<double>(tables.words[static_cast<std::size_t>(sequence.ids[t]) * d + j]) +
                          static_cast<double>(tables.types[static_cast<std::size_t>(sequence.types[t]) * d + j]) +
                          static_cast<double>(tables.positions[t * d + j]));
    }
    return norm(x, tables.norm, tables.shift);
}

std::vector<double> pooled(const Rows& rows, SequencePooling pooling, bool normalize) {
    std::vector<double> y = rows[0];
    double squares = 0;
    for (std::size_t j = 0; j < d; ++j) {
        for (std::size_t i = 1; i < rows.size(); ++i) {
            if (pooling == SequencePooling::mean) y[j] += rows[i][j];
            if (pooling == SequencePooling::max) y[j] = std::max(y[j], rows[i][j]);
        }
        if (pooling == SequencePooling::mean) y[j] /= static_cast<double>(rows.size());
        squares += y[j] * y[j];
    }
    if (normalize)
        for (double& v : y) v /= std::sqrt(squares);
    return y;
}

const Tables tables;
const Network network(false, false);

constexpr SequencePooling poolings[] = {SequencePooling::mean, SequencePooling::first, SequencePooling::max};

} // namespace

TEST(values) {
    StandaloneRun run(2);
    const BertEncoder encoder(run.context, tables.weights(), network.weights());
    CHECK_EQUAL(encoder.width(), d);
    std::vector<float> y(tokens.size() * d), pools[3][2];
    encoder.apply(run.context, tokens.view(), y.data());
    for (const SequencePooling pooling : poolings)
        for (const bool normalize : {false, true}) {
            auto& to = pools[static_cast<std::size_t>(pooling)][normalize];
            to.resize(tokens.n_sequences() * d);
            encoder.pool(run.context, tokens.view(), pooling, normalize, to.data());
        }
    for (std::size_t b = 0; b < tokens.n_sequences(); ++b) {
        const Rows expected = twin(network, embedded(tables, tokens.one(b)));
        const auto first = static_cast<std::size_t>(tokens.offsets[b]);
        for (std::size_t i = 0; i < expected.size(); ++i)
            for (std::size_t j = 0; j < d; ++j)
                CHECK_CLOSE(static_cast<double>(y[(first + i) * d + j]), expected[i][j], 1e-5);
        for (const SequencePooling pooling : poolings)
            for (const bool normalize : {false, true}) {
                const auto vector = pooled(expected, pooling, normalize);
                const auto& found = pools[static_cast<std::size_t>(pooling)][normalize];
                for (std::size_t j = 0; j < d; ++j) CHECK_CLOSE(static_cast<double>(found[b * d + j]), vector[j], 1e-5);
            }
    }
}

TEST(a_sequence_has_the_same_bits_in_any_batch) {
    StandaloneRun serial(1), parallel(3);
    const BertEncoder encoder(serial.context, tables.weights(), network.weights());
    std::vector<float> together(tokens.size() * d), threads(tokens.size() * d), alone(tokens.size() * d);
    encoder.apply(serial.context, tokens.view(), together.data());
    encoder.apply(parallel.context, tokens.view(), threads.data());
    CHECK(together == threads);
    for (std::size_t b = 0; b < tokens.n_sequences(); ++b)
        encoder.apply(parallel.context, tokens.one(b).view(),
                      alone.data() + static_cast<std::size_t>(tokens.offsets[b]) * d);
    CHECK(together == alone);
    for (const SequencePooling pooling : poolings) {
        std::vector<float> all(tokens.n_sequences() * d), each(all.size()), many(all.size());
        encoder.pool(serial.context, tokens.view(), pooling, true, all.data());
        encoder.pool(parallel.context, tokens.view(), pooling, true, many.data());
        for (std::size_t b = 0; b < tokens.n_sequences(); ++b)
            encoder.pool(parallel.context, tokens.one(b).view(), pooling, true, each.data() + b * d);
        CHECK(all == each);
        CHECK(all == many);
        for (std::size_t b = 0; pooling == SequencePooling::first && b < tokens.n_sequences(); ++b) {
            std::vector<float> first(d);
            encoder.pool(serial.context, tokens.view(), pooling, false, all.data());
            std::copy_n(together.begin() + tokens.offsets[b] * static_cast<std::int64_t>(d), d, first.begin());
            CHECK(std::equal(first.begin(), first.end(), all.begin() + static_cast<std::ptrdiff_t>(b * d)));
        }
    }
}

TEST(pooling_of_odd_rows) {
    Tables zeros; // rows of one value each: their norm is 0, and what is left is the shift
    std::fill(zeros.words.begin(), zeros.words.end(), 0.0F);
    std::fill(zeros.positions.begin(), zeros.positions.end(), 0.0F);
    std::fill(zeros.types.begin(), zeros.types.end(), 0.0F);
    std::fill(zeros.shift.begin(), zeros.shift.end(), 0.0F);
    EncoderWeights no_layers = network.weights();
    no_layers.layers.clear();
    StandaloneRun run(1);
    std::vector<float> y(tokens.n_sequences() * d);
    BertEncoder(run.context, zeros.weights(), no_layers)
        .pool(run.context, tokens.view(), SequencePooling::mean, true, y.data());
    CHECK(std::all_of(y.begin(), y.end(), [](float v) { return v == 0; })); // not NaN

    zeros.words[4 * d + 2] = std::numeric_limits<float>::quiet_NaN();
    Tokens one({3});
    for (const std::size_t at : {0, 1, 2}) {
        one.ids = {1, 1, 1};
        one.ids[at] = 4;
        for (const SequencePooling pooling : {SequencePooling::mean, SequencePooling::max}) {
            BertEncoder(run.context, zeros.weights(), no_layers)
                .pool(run.context, one.view(), pooling, false, y.data());
            CHECK(std::all_of(y.begin(), y.begin() + d, [](float v) { return std::isnan(v); }));
        }
    }
}

TEST(bad_input) {
    StandaloneRun run(1);
    const BertEncoder encoder(run.context, tables.weights(), network.weights());
    std::vector<float> y(200 * d);
    const auto change = [](auto&& f) {
        Tokens changed({3, 4});
        f(changed);
        return changed;
    };
    for (const std::int64_t id : {std::int64_t{-1}, std::int64_t{n_words}, std::numeric_limits<std::int64_t>::min()}) {
        const Tokens bad = change([&](Tokens& t) { t.ids[6] = id; });
        CHECK_THROWS(ValueError, encoder.apply(run.context, bad.view(), y.data()));
        CHECK_THROWS(ValueError, encoder.pool(run.context, bad.view(), SequencePooling::mean, false, y.data()));
    }
    for (const std::int64_t type : {-1, 3}) {
        const Tokens bad = change([&](Tokens& t) { t.types[0] = type; });
        CHECK_THROWS(ValueError, encoder.apply(run.context, bad.view(), y.data()));
    }
    encoder.apply(run.context, Tokens({n_positions, 1}).view(), y.data());
    CHECK_THROWS(ValueError, encoder.apply(run.context, Tokens({1, n_positions + 1}).view(), y.data()));
    CHECK_THROWS(ValueError, parse_sequence_pooling("sum"));
    encoder.apply(run.context, Tokens({}).view(), y.data()); // nothing to do
    encoder.pool(run.context, Tokens({}).view(), SequencePooling::max, true, y.data());
}
