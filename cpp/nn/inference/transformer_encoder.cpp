#include "nn/inference/transformer_encoder.hpp"

#include "core/error.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "nn/attention/attention.hpp"
#include "nn/attention/positions.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

namespace mlcore::nn {
namespace {

constexpr std::size_t rows_of_part = 320; // at most, about: more pay less for weights, but leave the nearer caches
constexpr double ns_a_weight = 0.02;      // of one row on one thread, for the estimate of what a part costs

} // namespace

/// Rotations of all positions up to the longest sequence.
struct TransformerEncoder::Angles {
    std::vector<float> cosines, sines; // (positions, depth / 2)
    std::vector<std::int64_t> places;  // (N): the position of each row

    Angles(const Sequences& sequences, std::size_t depth, double base) : places(sequences.n_rows()) {
        const std::size_t half = depth / 2;
        for (std::size_t p = 0; p < sequences.longest(); ++p)
            for (std::size_t i = 0; i < half; ++i) { // the frequencies of functional/_position.py
                const double power = -2.0 * static_cast<double>(i) / static_cast<double>(depth);
                const double angle = static_cast<double>(p) * std::pow(base, power);
                cosines.push_back(static_cast<float>(std::cos(angle)));
                sines.push_back(static_cast<float>(std::sin(angle)));
            }
        for (std::size_t b = 0; b < sequences.n_sequences; ++b)
            for (std::int64_t t = sequences.offsets[b]; t < sequences.offsets[b + 1]; ++t)
                places[static_cast<std::size_t>(t)] = t - sequences.offsets[b];
    }
};

/// Sequences that go through the layers together, and the memory that they are computed in.
struct TransformerEncoder::Part {
    std::size_t n = 0;                 // rows
    std::vector<std::int64_t> offsets; // of its sequences, from 0
    bool only_first = false;           // of each sequence, when the last layer has read all rows
    const Angles* angles = nullptr;
    const std::int64_t* places = nullptr;
    float *x = nullptr, *normed = nullptr, *mixed = nullptr; // (n, d)
    float* wide = nullptr;                                   // (n, 3 d) or (n, hidden)
    float* statistics = nullptr;                             // (2, n)
};

TransformerEncoder::TransformerEncoder(const RunContext& ctx, const EncoderWeights& w)
    : d_(w.d), n_heads_(w.n_heads), norm_first_(w.norm_first), has_final_norm_(w.has_final_norm), rotary_(w.rotary),
      rotary_base_(w.rotary_base), activation_(w.activation), final_norm_(w.final_norm, w.d, w.epsilon) {
    MLCORE_CHECK(n_heads_ > 0 && d_ % n_heads_ == 0, "heads must divide the width");
    layers_.reserve(w.layers.size());
    for (const EncoderLayerWeights& from : w.layers) {
        Layer& layer = layers_.emplace_back();
        layer.self_in = make_projection(ctx, from.self_in, from.precisions[0]);
        layer.self_out = make_projection(ctx, from.self_out, from.precisions[1]);
        layer.linear1 = make_projection(ctx, from.linear1, from.precisions[2]);
        layer.linear2 = make_projection(ctx, from.linear2, from.precisions[3]);
        layer.norm1 = NormLayer(from.norm1, d_, w.epsilon);
        layer.norm2 = NormLayer(from.norm2, d_, w.epsilon);
        hidden_ = std::max(hidden_, layer.linear1.n_out());
        n_weights_ += 4 * d_ * d_ + 2 * d_ * layer.linear1.n_out();
    }
}

/// Where parts begin among the sequences, and the end: whole sequences, of like numbers of rows, as many parts for each
/// of so many threads.
std::vector<std::size_t> TransformerEncoder::cut(std::size_t threads, std::span<const std::int64_t> offsets) const {
    const std::size_t n_rows = static_cast<std::size_t>(offsets.back()), n = offsets.size() - 1;
    const auto divided = [](std::size_t a, std::size_t b) { return (a + b - 1) / b; };
    const std::size_t wanted = divided(n_rows, threads * divided(n_rows, threads * rows_of_part));
    std::vector<std::size_t> bounds{0};
    for (std::size_t b = 0; b < n; ++b) {
        const auto rows_before = static_cast<std::size_t>(offsets[b] - offsets[bounds.back()]);
        const auto rows_with = static_cast<std::size_t>(offsets[b + 1] - offsets[bounds.back()]);
        // The sequence begins a part where that brings the one before closer to what is wanted.
        if (rows_before > 0 && rows_with > wanted && rows_with - wanted > wanted - std::min(wanted, rows_before))
            bounds.push_back(b);
    }
    bounds.push_back(n);
    return bounds;
}

void TransformerEncoder::apply(const RunContext& ctx, const float* x, std::span<const std::int64_t> offsets,
                               float* y) const {
    const auto copy = [&](std::size_t first, std::size_t last, float* rows) {
        const auto begin = static_cast<std::size_t>(offsets[first]), end = static_cast<std::size_t>(offsets[last]);
        std::copy_n(x + begin * d_, (end - begin) * d_, rows);
    };
    apply(ctx, offsets, copy, y, [](std::size_t, std::size_t, const float*) {});
}

void TransformerEncoder::apply(const RunContext& ctx, std::span<const std::int64_t> offsets, const SequenceRows& make,
                               float* y, const SequenceRows& take, bool only_first) const {
    MLCORE_CHECK(!(y && only_first), "either all rows are kept or the first of each sequence");
    const Sequences sequences{offsets.data(), offsets.size() - 1};
    const std::size_t n_rows = sequences.n_rows();
    if (n_rows == 0) return;
    const Angles angles(rotary_ ? sequences : Sequences{offsets.data(), 0}, d_ / n_heads_, rotary_base_);
    std::vector<std::size_t> bounds = cut(static_cast<std::size_t>(ctx.n_threads), offsets);
    const std::size_t a_row = (y ? 2 : 3) * d_ + std::max(3 * d_, hidden_) + 2;
    const auto run_part = [&](std::size_t p, int) {
        const std::int64_t first = offsets[bounds[p]];
        Part part;
        for (std::size_t b = bounds[p]; b <= bounds[p + 1]; ++b) part.offsets.push_back(offsets[b] - first);
        part.n = static_cast<std::size_t>(part.offsets.back());
        part.only_first = only_first;
        part.angles = &angles;
        part.places = rotary_ ? angles.places.data() + first : nullptr;
        Scratch<float> room(part.n * a_row);
        float* at = room.data();
        const auto next = [&](std::size_t width) { return std::exchange(at, at + part.n * width); };
        part.x = y ? y + static_cast<std::size_t>(first) * d_ : next(d_);
        part.normed = next(d_);
        part.mixed = next(d_);
        part.wide = next(std::max(3 * d_, hidden_));
        part.statistics = next(2);
        make(bounds[p], bounds[p + 1], part.x);
        run_layers(ctx, part);
        take(bounds[p], bounds[p + 1], part.x);
    };
    // Parts are dealt out, unless threads would wait long for the one that has the largest: they then share the
    // products of parts as large as those of one thread.
    std::int64_t largest = 0;
    for (std::size_t p = 0; p + 1 < bounds.size(); ++p)
        largest = std::max(largest, offsets[bounds[p + 1]] - offsets[bounds[p]]);
    if (static_cast<double>(largest) * ctx.n_threads > 1.25 * static_cast<double>(n_rows)) {
        bounds = cut(1, offsets);
        for (std::size_t p = 0; p + 1 < bounds.size(); ++p) run_part(p, 0);
        return;
    }
    const std::size_t n_parts = bounds.size() - 1;
    const double ns = ns_a_weight * static_cast<double>(n_weights_) * static_cast<double>(n_rows);
    parallel_tasks(ctx, n_parts, ns / static_cast<double>(n_parts), run_part);
}

/// mixed = attention, from the queries, keys and values in `wide`; of all rows, or (sequences, d) of the first ones.
void TransformerEncoder::attend(const RunContext& ctx, const Part& part, bool only_first) const {
    const std::size_t depth = d_ / n_heads_;
    const auto heads = [&](auto* data, std::size_t row) {
        using T = std::remove_pointer_t<decltype(data)>;
        return HeadsView<T>{data, 0, static_cast<std::ptrdiff_t>(depth), static_cast<std::ptrdiff_t>(row)};
    };
    const float* fused = part.wide;
    if (rotary_) { // queries and keys: as if there were twice as many heads
        const Rotations rotations{part.angles->cosines.data(), part.angles->sines.data(), part.places};
        rotate(ctx, rotations, 1, 2 * n_heads_, part.n, depth, heads(fused, 3 * d_), heads(part.wide, 3 * d_));
    }
    Attention a;
    a.batch = part.offsets.size() - 1;
    a.heads = n_heads_;
    a.n_queries = a.n_keys = part.n;
    a.depth = a.value_depth = depth;
    a.q = heads(fused, 3 * d_);
    a.k = heads(fused + d_, 3 * d_);
    a.v = heads(fused + 2 * d_, 3 * d_);
    a.query_offsets = a.key_offsets = part.offsets.data();
    a.scale = 1 / std::sqrt(static_cast<float>(depth));
    std::vector<std::int64_t> places; // of the queries of each sequence
    if (only_first) {
        places.resize(a.batch + 1);
        std::iota(places.begin(), places.end(), 0);
        gather_first(part, fused, 3 * d_, part.normed);
        a.n_queries = a.batch;
        a.q = heads(static_cast<const float*>(part.normed), d_);
        a.query_offsets = places.data();
    }
    attention(ctx, a, heads(part.mixed, d_), nullptr);
}

/// to (sequences, d): the first d entries of the first row of each sequence. Rows of `from`, which `to` may be, are
/// `row` apart.
void TransformerEncoder::gather_first(const Part& part, const float* from, std::size_t row, float* to) const {
    for (std::size_t b = 0; b + 1 < part.offsets.size(); ++b)
        std::memmove(to + b * d_, from + static_cast<std::size_t>(part.offsets[b]) * row, d_ * sizeof(float));
}

void TransformerEncoder::run_layers(const RunContext& ctx, const Part& part) const {
    std::size_t n = part.n;
    MatrixView<float> X = row_major(part.x, n, d_);
    const auto keep_first = [&] {
        gather_first(part, part.x, d_, part.x);
        n = part.offsets.size() - 1;
        X = row_major(part.x, n, d_);
    };
    /// x = x + f(norm(x)) or norm(x + f(x)): f(input) adds to x.
    const auto sublayer = [&](const NormLayer& norm, auto&& f) {
        if (norm_first_) norm.apply(ctx, part.x, n, part.normed, part.statistics);
        f(row_major<const float>(norm_first_ ? part.normed : part.x, n, d_));
        if (!norm_first_) norm.apply(ctx, part.x, n, part.x, part.statistics);
    };
    for (const Layer& layer : layers_) {
        sublayer(layer.norm1, [&](MatrixView<const float> input) {
            layer.self_in.apply(ctx, input, row_major(part.wide, n, 3 * d_));
            const bool only_first = part.only_first && &layer == &layers_.back();
            attend(ctx, part, only_first);
            if (only_first) keep_first();
            layer.self_out.apply(ctx, row_major<const float>(part.mixed, n, d_), X, linalg::Activation::identity, X);
        });
        sublayer(layer.norm2, [&](MatrixView<const float> input) {
            const MatrixView<float> hidden = row_major(part.wide, n, layer.linear1.n_out());
            layer.linear1.apply(ctx, input, hidden, activation_);
            layer.linear2.apply(ctx, hidden, X, linalg::Activation::identity, X);
        });
    }
    if (part.only_first && layers_.empty()) keep_first();
    if (has_final_norm_) final_norm_.apply(ctx, part.x, n, part.x, part.statistics);
}

} // namespace mlcore::nn
