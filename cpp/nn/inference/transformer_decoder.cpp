#include "nn/inference/transformer_decoder.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "nn/inference/cached_attention.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace mlcore::nn {
namespace {

constexpr std::size_t most_rows_of_part = 112; // their activations stay in a second-level cache

HeadLayout layout(std::size_t d, std::size_t n_heads) { return {n_heads, d / n_heads}; }

MatrixView<const float> rows_of(MatrixView<const float> W, std::size_t first, std::size_t n) {
    return {&W(first, 0), n, W.cols, W.row_stride, W.col_stride};
}

/// Outputs [first, first + n) of a layer.
LinearWeights part_of(const LinearWeights& w, std::size_t first, std::size_t n) {
    return {rows_of(w.weight, first, n), w.bias ? w.bias + first : nullptr};
}

/// Tokens of a hypothesis in a layer of the cache.
struct CachedTokens {
    const TokenCache& cache;
    std::size_t layer;
    const std::int32_t* places;
    const float* operator[](std::size_t j) const { return cache.at(layer, places[j]); }
};

/// Tokens of a source.
struct MemoryTokens {
    const float* first;
    std::size_t step;
    const float* operator[](std::size_t j) const { return first + j * step; }
};

} // namespace

struct TransformerDecoder::Part {
    const Row* rows;
    std::size_t n;
    float *x, *normed, *mixed; // (n, d)
    float* wide;               // (n, 3 d) or (n, hidden)
    float* query;              // (n, width of the heads)
    float* statistics;         // (2, n), of a norm
    float* scores;             // (threads, n_scores)
    std::size_t n_scores;
    float* logits; // (n, V) or nullptr
};

TransformerDecoder::TransformerDecoder(const RunContext& ctx, const DecoderWeights& w)
    : d_(w.embedding.cols), n_tokens_(w.output.weight.rows), n_heads_(w.n_heads), norm_first_(w.norm_first),
      has_final_norm_(w.has_final_norm), activation_(w.activation), embedding_scale_(w.embedding_scale),
      positions_(w.positions), rotary_base_(w.rotary_base), embedding_(w.embedding.rows * d_),
      final_norm_(w.final_norm, d_, w.epsilon), output_(make_projection(ctx, w.output, w.precision)) {
    MLCORE_CHECK(n_heads_ > 0 && d_ % n_heads_ == 0, "heads must divide the width");
    for (std::size_t i = 0; i < w.embedding.rows; ++i)
        for (std::size_t j = 0; j < d_; ++j) embedding_[i * d_ + j] = embedding_scale_ * w.embedding(i, j);
    if (positions_ == PositionKind::table) {
        position_table_.resize(w.position_table.rows * d_);
        for (std::size_t i = 0; i < w.position_table.rows; ++i)
            for (std::size_t j = 0; j < d_; ++j) position_table_[i * d_ + j] = w.position_table(i, j);
    }
    n_weights_ = n_tokens_ * d_;
    const auto packed = [&](const LinearWeights& linear) { return make_projection(ctx, linear, w.precision); };
    layers_.reserve(w.layers.size());
    for (const DecoderLayerWeights& from : w.layers) {
        Layer& layer = layers_.emplace_back();
        layer.self_in = packed(from.self_in);
        layer.self_out = packed(from.self_out);
        if (from.cross_in.weight.data) {
            reads_memory_ = true;
            layer.cross_query = packed(part_of(from.cross_in, 0, d_));
            layer.cross_memory = packed(part_of(from.cross_in, d_, 2 * d_));
            layer.cross_out = packed(from.cross_out);
        }
        layer.linear1 = packed(from.linear1);
        layer.linear2 = packed(from.linear2);
        for (const NormWeights& norm : from.norms) layer.norms.emplace_back(norm, d_, w.epsilon);
        MLCORE_CHECK(layer.norms.size() == (reads_memory_ ? 3u : 2u), "a layer has a norm for each of its parts");
        hidden_ = std::max(hidden_, from.linear1.weight.rows);
        n_weights_ += (reads_memory_ ? 6 : 4) * d_ * d_ + 2 * d_ * from.linear1.weight.rows;
    }
    cache_ = TokenCache(layers_.size(), layout(d_, n_heads_).token_floats());
}

// ---- what is written about ----

void TransformerDecoder::start_sources(std::size_t n_sources) {
    hypotheses_.clear(); // until all is there
    next_hypotheses_.clear();
    n_sources_ = n_sources;
    cache_.start(n_sources);
    list_room_ = 0;
    for (std::size_t s = 0; s < n_sources; ++s) next_hypotheses_.push_back({s, -1, 0});
}

void TransformerDecoder::start(const RunContext& ctx, const float* memory, std::span<const std::int64_t> offsets) {
    MLCORE_CHECK(reads_memory_, "a decoder without cross-attention is started by prompts");
    start_sources(offsets.size() - 1);
    offsets_.assign(offsets.begin(), offsets.end());
    const HeadLayout heads = layout(d_, n_heads_);
    const auto n = static_cast<std::size_t>(offsets.back());
    const std::size_t step = heads.token_floats();
    const bool is_padded = heads.padded_depth() != heads.depth;
    Scratch<float> narrow(is_padded ? n * 2 * d_ : 0);
    for (Layer& layer : layers_) {
        if (layer.memory.size() < n * step) layer.memory = Scratch<float>(n * step);
        float* out = is_padded ? narrow.data() : layer.memory.data();
        layer.cross_memory.apply(ctx, row_major(memory, n, d_), row_major(out, n, 2 * d_));
        if (!is_padded) continue;
        for (std::size_t i = 0; i < n; ++i) {
            heads.pad(out + i * 2 * d_, 1, layer.memory.data() + i * step);
            heads.pad(out + i * 2 * d_ + d_, 1, layer.memory.data() + i * step + heads.width());
        }
    }
    hypotheses_.swap(next_hypotheses_);
}

void TransformerDecoder::start(const RunContext& ctx, std::span<const std::int32_t> tokens,
                               std::span<const std::int64_t> offsets) {
    MLCORE_CHECK(!reads_memory_, "a decoder with cross-attention is started by what it reads");
    start_sources(offsets.size() - 1);
    std::size_t longest = 0;
    for (std::size_t s = 0; s < n_sources_; ++s)
        longest = std::max(longest, static_cast<std::size_t>(offsets[s + 1] - offsets[s]));
    make_lists(n_sources_, longest);
    know_positions(longest);
    rows_.clear();
    std::vector<std::size_t> bounds{0}; // of parts: whole sources, for a token sees all those before it
    for (std::size_t s = 0; s < n_sources_; ++s) {
        Hypothesis& written = next_hypotheses_[s];
        std::int32_t* list = next_lists_.data() + s * list_room_;
        for (std::int64_t t = offsets[s]; t + 1 < offsets[s + 1]; ++t) {
            list[written.length++] = written.last = cache_.add(s, written.last);
            rows_.push_back({tokens[static_cast<std::size_t>(t)], s, list, written.length});
        }
        if (rows_.size() - bounds.back() >= most_rows_of_part / 2) bounds.push_back(rows_.size());
    }
    if (bounds.back() != rows_.size()) bounds.push_back(rows_.size());
    lists_.swap(next_lists_);
    if (!rows_.empty()) run_parts(ctx, bounds, nullptr);
    hypotheses_.swap(next_hypotheses_);
}

// ---- a step ----

void TransformerDecoder::make_lists(std::size_t n_rows, std::size_t longest) {
    if (longest > list_room_) { // the lists of the hypotheses so far get more room
        const std::size_t room = std::max(2 * longest, std::size_t{32});
        std::vector<std::int32_t> moved(hypotheses_.size() * room);
        for (std::size_t i = 0; list_room_ > 0 && i < hypotheses_.size(); ++i)
            std::copy_n(lists_.data() + i * list_room_, hypotheses_[i].length, moved.data() + i * room);
        lists_ = std::move(moved);
        list_room_ = room;
    }
    if (next_lists_.size() < n_rows * list_room_) next_lists_.resize(n_rows * list_room_);
}

void TransformerDecoder::step(const RunContext& ctx, std::span<const std::int32_t> parents,
                              std::span<const std::int32_t> tokens, float* logits) {
    MLCORE_CHECK(parents.size() == tokens.size(), "each row of a step has a parent and a token");
    std::size_t longest = 0;
    for (const std::int32_t parent : parents) {
        if (parent < 0 || static_cast<std::size_t>(parent) >= hypotheses_.size())
            throw ValueError("a row cannot continue row " + std::to_string(parent) + " of the " +
                             std::to_string(hypotheses_.size()) + " of the step before");
        longest = std::max(longest, hypotheses_[static_cast<std::size_t>(parent)].length + 1);
    }
    know_positions(longest);
    make_lists(parents.size(), longest);
    rows_.clear();
    next_hypotheses_.clear();
    for (std::size_t i = 0; i < parents.size(); ++i) {
        const auto parent = static_cast<std::size_t>(parents[i]);
        const Hypothesis& before = hypotheses_[parent];
        std::int32_t* list = next_lists_.data() + i * list_room_;
        std::copy_n(lists_.data() + parent * list_room_, before.length, list);
        const std::int32_t place = list[before.length] = cache_.add(before.source, before.last);
        next_hypotheses_.push_back({before.source, place, before.length + 1});
        rows_.push_back({tokens[i], before.source, list, before.length + 1});
    }
    for (const Hypothesis& before : hypotheses_) cache_.release(before.last);
    hypotheses_.clear(); // what follows a step that fails would read keys and values that are not there
    lists_.swap(next_lists_);
    if (rows_.empty()) return;
    std::vector<std::size_t> bounds{0};
    for (const std::size_t n = rows_of_part(ctx, rows_.size()); bounds.back() < rows_.size();)
        bounds.push_back(std::min(bounds.back() + n, rows_.size()));
    run_parts(ctx, bounds, logits);
    hypotheses_.swap(next_hypotheses_);
}

/// Few rows are one part, whose products are shared by the threads; many are as many parts as there are threads, or a
/// multiple of that.
std::size_t TransformerDecoder::rows_of_part(const RunContext& ctx, std::size_t n_rows) const {
    constexpr std::size_t worth_a_part = 8;
    const auto threads = static_cast<std::size_t>(ctx.n_threads);
    if (n_rows < threads * worth_a_part) return std::min(n_rows, most_rows_of_part);
    const std::size_t a_thread = (n_rows + threads - 1) / threads;
    const std::size_t rounds = (a_thread + most_rows_of_part - 1) / most_rows_of_part;
    return (n_rows + threads * rounds - 1) / (threads * rounds);
}

void TransformerDecoder::know_positions(std::size_t n) {
    if (positions_ == PositionKind::none) return;
    const bool rotates = positions_ == PositionKind::rotary;
    const std::size_t width = rotates ? d_ / n_heads_ : d_, known = position_table_.size() / width;
    if (n <= known) return;
    if (positions_ == PositionKind::table)
        throw ValueError("a sequence has " + std::to_string(n) + " tokens, but the table of positions " +
                         std::to_string(known) + " rows");
    const std::size_t wanted = std::max(n, 2 * known);
    position_table_.resize(wanted * width);
    const double base = rotates ? rotary_base_ : 10000.0;
    for (std::size_t p = known; p < wanted; ++p)
        for (std::size_t i = 0; i < width; i += 2) { // the frequencies of functional/_position.py
            const double angle =
                static_cast<double>(p) * std::pow(base, -static_cast<double>(i) / static_cast<double>(width));
            float* row = position_table_.data() + p * width;
            const auto cosine = static_cast<float>(std::cos(angle)), sine = static_cast<float>(std::sin(angle));
            if (rotates) {
                row[i / 2] = cosine;
                row[width / 2 + i / 2] = sine;
            } else {
                row[i] = sine;
                if (i + 1 < width) row[i + 1] = cosine;
            }
        }
}

void TransformerDecoder::run_parts(const RunContext& ctx, std::span<const std::size_t> bounds, float* logits) {
    const HeadLayout heads = layout(d_, n_heads_);
    const std::size_t wide = std::max(3 * d_, hidden_), n_rows = rows_.size();
    const std::size_t a_row = 3 * d_ + wide + heads.width() + 2;
    if (room_.size() < n_rows * a_row) room_ = Scratch<float>(n_rows * a_row);
    std::size_t n_scores = 0;
    for (const Row& row : rows_) n_scores = std::max(n_scores, row.n_seen);
    for (std::size_t s = 0; reads_memory_ && s < n_sources_; ++s)
        n_scores = std::max(n_scores, static_cast<std::size_t>(offsets_[s + 1] - offsets_[s]));
    n_scores = simd::round_up(n_scores + 1, 2 * simd::lanes); // threads do not write to one cache line
    const std::size_t scores = n_scores * static_cast<std::size_t>(ctx.n_threads);
    if (scores_.size() < scores) scores_ = Scratch<float>(2 * scores);
    const double ns_a_part =
        0.04 * static_cast<double>(n_weights_) * static_cast<double>(n_rows) / static_cast<double>(bounds.size() - 1);
    const auto run_part = [&](std::size_t p, int thread) {
        const std::size_t first = bounds[p], n = bounds[p + 1] - first;
        float* at = room_.data() + first * a_row;
        const auto take = [&](std::size_t width) { return std::exchange(at, at + n * width); };
        Part part;
        part.rows = rows_.data() + first;
        part.n = n;
        part.x = take(d_);
        part.normed = take(d_);
        part.mixed = take(d_);
        part.wide = take(wide);
        part.query = take(heads.width());
        part.statistics = take(2);
        part.scores = scores_.data() + static_cast<std::size_t>(thread) * n_scores;
        part.n_scores = n_scores;
        part.logits = logits ? logits + first * n_tokens_ : nullptr;
        run_layers(ctx, part);
    };
    if (bounds.size() == 2) return run_part(0, 0); // not a region: its products are
    parallel_tasks(ctx, bounds.size() - 1, ns_a_part, run_part);
}

// ---- layers ----

void TransformerDecoder::embed(const Part& part) const {
    const bool adds = positions_ == PositionKind::table || positions_ == PositionKind::sinusoidal;
    for (std::size_t i = 0; i < part.n; ++i) {
        const float* row = embedding_.data() + static_cast<std::size_t>(part.rows[i].token) * d_;
        float* x = part.x + i * d_;
        if (!adds) {
            std::copy_n(row, d_, x);
            continue;
        }
        const float* position = position_table_.data() + part.rows[i].position() * d_;
        for (std::size_t j = 0; j < d_; ++j) x[j] = row[j] + position[j];
    }
}

/// Entries i and i + depth / 2 of each head by the angles of a position; padded heads.
void TransformerDecoder::rotate(float* padded, std::size_t position) const {
    const HeadLayout heads = layout(d_, n_heads_);
    const std::size_t half = heads.depth / 2;
    const float *cosine = position_table_.data() + position * heads.depth, *sine = cosine + half;
    for (std::size_t h = 0; h < n_heads_; ++h, padded += heads.padded_depth())
        for (std::size_t i = 0; i < half; ++i) {
            const float low = padded[i], high = padded[i + half];
            padded[i] = low * cosine[i] - high * sine[i];
            padded[i + half] = high * cosine[i] + low * sine[i];
        }
}

/// Rows of the fused projection to queries, and to keys and values in the cache.
void TransformerDecoder::split_projection(const Part& part, std::size_t layer) {
    const HeadLayout heads = layout(d_, n_heads_);
    const float scale = 1 / std::sqrt(static_cast<float>(heads.depth));
    for (std::size_t i = 0; i < part.n; ++i) {
        const Row& row = part.rows[i];
        const float* from = part.wide + i * 3 * d_;
        float *query = part.query + i * heads.width(), *keys = cache_.at(layer, row.place());
        heads.pad(from, scale, query);
        heads.pad(from + d_, 1, keys);
        heads.pad(from + 2 * d_, 1, keys + heads.width());
        if (positions_ != PositionKind::rotary) continue;
        rotate(query, row.position());
        rotate(keys, row.position());
    }
}

void TransformerDecoder::run_layers(const RunContext& ctx, const Part& part) {
    const HeadLayout heads = layout(d_, n_heads_);
    const std::size_t n = part.n;
    const MatrixView<float> X = row_major(part.x, n, d_);
    /// x = x + f(norm(x)) or norm(x + f(x)): f(input) adds to x.
    const auto sublayer = [&](const NormLayer& w, auto&& f) {
        if (norm_first_) w.apply(ctx, part.x, n, part.normed, part.statistics);
        f(row_major<const float>(norm_first_ ? part.normed : part.x, n, d_));
        if (!norm_first_) w.apply(ctx, part.x, n, part.x, part.statistics);
    };
    const auto attend_all = [&](std::size_t tokens, auto&& attend_row) {
        const double ns = 0.05 * static_cast<double>(tokens * heads.token_floats());
        parallel_tasks(ctx, n, ns, [&](std::size_t i, int thread) {
            attend_row(i, part.query + i * heads.width(),
                       part.scores + static_cast<std::size_t>(thread) * part.n_scores, part.mixed + i * d_);
        });
    };
    embed(part);
    for (std::size_t l = 0; l < layers_.size(); ++l) {
        const Layer& layer = layers_[l];
        bool only_cache = false;
        sublayer(layer.norms[0], [&](MatrixView<const float> input) {
            layer.self_in.apply(ctx, input, row_major(part.wide, n, 3 * d_));
            split_projection(part, l);
            only_cache = !part.logits && l + 1 == layers_.size();
            if (only_cache) return;
            attend_all(part.rows[0].n_seen, [&](std::size_t i, const float* query, float* scores, float* out) {
                const Row& row = part.rows[i];
                attend(heads, query, CachedTokens{cache_, l, row.seen}, row.n_seen, scores, out);
            });
            layer.self_out.apply(ctx, row_major<const float>(part.mixed, n, d_), X, linalg::Activation::identity, X);
        });
        if (only_cache) return;
        if (reads_memory_)
            sublayer(layer.norms[1], [&](MatrixView<const float> input) {
                layer.cross_query.apply(ctx, input, row_major(part.wide, n, d_));
                const float scale = 1 / std::sqrt(static_cast<float>(heads.depth));
                for (std::size_t i = 0; i < n; ++i)
                    heads.pad(part.wide + i * d_, scale, part.query + i * heads.width());
                const auto length = [&](std::size_t s) {
                    return static_cast<std::size_t>(offsets_[s + 1] - offsets_[s]);
                };
                attend_all(
                    length(part.rows[0].source), [&](std::size_t i, const float* query, float* scores, float* out) {
                        const std::size_t source = part.rows[i].source;
                        const float* first =
                            layer.memory.data() + static_cast<std::size_t>(offsets_[source]) * heads.token_floats();
                        attend(heads, query, MemoryTokens{first, heads.token_floats()}, length(source), scores, out);
                    });
                layer.cross_out.apply(ctx, row_major<const float>(part.mixed, n, d_), X, linalg::Activation::identity,
                                      X);
            });
        sublayer(layer.norms.back(), [&](MatrixView<const float> input) {
            const MatrixView<float> hidden = row_major(part.wide, n, layer.linear1.n_out());
            layer.linear1.apply(ctx, input, hidden, activation_);
            layer.linear2.apply(ctx, hidden, X, linalg::Activation::identity, X);
        });
    }
    if (!part.logits) return;
    if (has_final_norm_) final_norm_.apply(ctx, part.x, n, part.normed, part.statistics);
    output_.apply(ctx, row_major<const float>(has_final_norm_ ? part.normed : part.x, n, d_),
                  row_major(part.logits, n, n_tokens_));
}

} // namespace mlcore::nn
