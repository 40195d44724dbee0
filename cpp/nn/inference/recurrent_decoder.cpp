#include "nn/inference/recurrent_decoder.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "nn/recurrent/cell.hpp"
#include "nn/recurrent/steps.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace mlcore::nn {
namespace {

Projection projection(const RunContext& ctx, const RecurrentDecoderWeights::Linear& linear, Precision precision) {
    return linear.weight.data ? Projection(ctx, linear.weight, linear.bias, precision) : Projection();
}

} // namespace

RecurrentDecoder::RecurrentDecoder(const RunContext& ctx, const RecurrentDecoderWeights& weights)
    : cell_(weights.cell), sizes_(recurrent_sizes(weights.cell)), H_(weights.hidden), E_(weights.embedding.cols),
      input_feeding_(weights.input_feeding), output_(projection(ctx, weights.output, weights.precision)) {
    const std::size_t V = weights.embedding.rows, P = sizes_.weight_blocks;
    embedding_values_.resize(V * E_);
    for (std::size_t i = 0; i < V; ++i)
        for (std::size_t j = 0; j < E_; ++j) embedding_values_[i * E_ + j] = weights.embedding(i, j);
    embedding_ = row_major<const float>(embedding_values_.data(), V, E_);
    for (const RecurrentWeights& w : weights.layers) {
        const std::size_t I = layers_.empty() ? E_ + (input_feeding_ ? H_ : 0) : H_;
        std::vector<float> bias(P * H_, 0.0f), b_hn(H_, 0.0f);
        const bool gru = cell_ == RecurrentCell::gru;
        for (std::size_t j = 0; j < P * H_ && w.b_ih; ++j) bias[j] = w.b_ih[j] + (gru && j >= 2 * H_ ? 0 : w.b_hh[j]);
        if (gru && w.b_hh) std::copy_n(w.b_hh + 2 * H_, H_, b_hn.data());
        layers_.push_back({Projection(ctx, row_major(w.W_ih, P * H_, I), bias.data(), weights.precision),
                           Projection(ctx, row_major(w.W_hh, P * H_, H_), nullptr, weights.precision),
                           std::move(b_hn)});
    }
    const std::size_t n_layers = layers_.size();
    h_.resize(n_layers), next_h_.resize(n_layers);
    if (sizes_.has_cell) c_.resize(n_layers), next_c_.resize(n_layers);
    for (std::vector<Matrix>* states : {&h_, &next_h_, &c_, &next_c_})
        for (Matrix& state : *states) state.cols = H_;
    x_.cols = E_ + (input_feeding_ ? H_ : 0);
    products_.cols = P * H_;
    gates_.cols = with_cell(cell_, []<class Cell>(Cell) { return Cell::columns; }) * H_;
    if (!weights.attention) return;
    const RecurrentDecoderWeights::Attention& a = *weights.attention;
    has_attention_ = true, has_key_proj_ = a.key_proj.weight.data != nullptr;
    score_ = a.score;
    M_ = a.value_proj.weight.cols;
    query_proj_ = projection(ctx, a.query_proj, weights.precision),
    key_proj_ = projection(ctx, a.key_proj, weights.precision);
    value_proj_ = projection(ctx, a.value_proj, weights.precision),
    state_proj_ = projection(ctx, a.state_proj, weights.precision);
    if (a.weight) score_weight_.assign(a.weight, a.weight + H_);
    for (Matrix* m : {&fed_, &next_fed_, &queries_, &found_}) m->cols = H_;
}

void RecurrentDecoder::start(const RunContext& ctx, const float* h, const float* c, const float* memory,
                             std::span<const std::int64_t> offsets) {
    n_sources_ = n_rows_ = 0; // until all is there
    const std::size_t B = offsets.size() - 1, N = static_cast<std::size_t>(offsets.back());
    offsets_.assign(offsets.begin(), offsets.end());
    if (has_attention_) {
        const auto rows = row_major(memory, N, M_);
        keys_ = Scratch<float>(N * H_), values_ = Scratch<float>(N * H_);
        if (has_key_proj_)
            key_proj_.apply(ctx, rows, row_major(keys_.data(), N, H_));
        else
            std::copy_n(memory, N * H_, keys_.data());
        value_proj_.apply(ctx, rows, row_major(values_.data(), N, H_));
    }
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
        h_[layer].resize(B);
        std::copy_n(h + layer * B * H_, B * H_, h_[layer].row(0));
        if (!sizes_.has_cell) continue;
        c_[layer].resize(B);
        std::copy_n(c + layer * B * H_, B * H_, c_[layer].row(0));
    }
    if (input_feeding_) {
        fed_.resize(B);
        std::fill_n(fed_.row(0), B * H_, 0.0f);
    }
    sources_.resize(B);
    for (std::size_t s = 0; s < B; ++s) sources_[s] = s;
    n_sources_ = n_rows_ = B;
}

/// States of the parents: they become those of this step, row by row.
void RecurrentDecoder::follow(std::span<const std::int32_t> parents) {
    const std::size_t n = parents.size();
    next_sources_.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
        if (parents[i] < 0 || static_cast<std::size_t>(parents[i]) >= n_rows_)
            throw ValueError("parents must be rows of the step before, in [0, " + std::to_string(n_rows_) + "), got " +
                             std::to_string(parents[i]));
        next_sources_[i] = sources_[static_cast<std::size_t>(parents[i])];
        if (i > 0 && next_sources_[i] < next_sources_[i - 1])
            throw ValueError("rows of a step must come in the order of their sources");
    }
    n_rows_ = 0; // until the step is done: one that fails leaves states of no use
    const auto gather = [&](Matrix& from, Matrix& to) {
        to.resize(n);
        for (std::size_t i = 0; i < n; ++i)
            std::copy_n(from.row(static_cast<std::size_t>(parents[i])), from.cols, to.row(i));
        std::swap(from, to);
    };
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
        gather(h_[layer], next_h_[layer]);
        if (sizes_.has_cell) gather(c_[layer], next_c_[layer]);
    }
    if (input_feeding_) gather(fed_, next_fed_);
    std::swap(sources_, next_sources_);
}

void RecurrentDecoder::make_room(std::size_t n_rows) {
    for (Matrix* m : {&x_, &gates_, &products_}) m->resize(n_rows);
    if (!has_attention_) return;
    for (Matrix* m : {&fed_, &queries_, &found_}) m->resize(n_rows);
    std::size_t n_pairs = 0;
    for (const std::size_t s : sources_) n_pairs += static_cast<std::size_t>(offsets_[s + 1] - offsets_[s]);
    if (weights_.size() < n_pairs) weights_ = Scratch<float>(n_pairs);
}

/// h and c of a layer after the step.
void RecurrentDecoder::run_layer(const RunContext& ctx, std::size_t layer, MatrixView<const float> x, std::size_t n) {
    const Layer& w = layers_[layer];
    const std::size_t width = products_.cols;
    w.from_input.apply(ctx, x, {gates_.row(0), n, width, static_cast<std::ptrdiff_t>(gates_.cols), 1});
    w.from_state.apply(ctx, h_[layer].view(n), products_.view(n));
    with_cell(cell_, [&]<class Cell>(Cell) {
        parallel_tasks(ctx, n, 3.0 * static_cast<double>(width), [&](std::size_t i, int) {
            float* h = h_[layer].row(i);
            Cell::forward({.n_units = H_,
                           .H = H_,
                           .gates = gates_.row(i),
                           .z = products_.row(i),
                           .z_step = H_,
                           .h = h,
                           .c = Cell::has_cell ? c_[layer].row(i) : nullptr,
                           .y = h,
                           .kept_cell = nullptr,
                           .b_hn = w.b_hn.data()});
        });
    });
}

/// o of the step, from the states of the last layer.
void RecurrentDecoder::attend(const RunContext& ctx, MatrixView<const float> h, std::size_t n) {
    std::vector<std::int64_t> rows_of_source(n_sources_ + 1, 0), weights_of_source(n_sources_ + 1, 0);
    for (const std::size_t s : sources_) ++rows_of_source[s + 1];
    for (std::size_t s = 0; s < n_sources_; ++s) {
        weights_of_source[s + 1] = weights_of_source[s] + rows_of_source[s + 1] * (offsets_[s + 1] - offsets_[s]);
        rows_of_source[s + 1] += rows_of_source[s];
    }
    const bool additive = score_ == PairScore::additive;
    if (additive) query_proj_.apply(ctx, h, queries_.view(n));
    PairAttention p;
    p.score = score_;
    p.batch = n_sources_;
    p.features = p.value_depth = H_;
    p.a = additive ? queries_.row(0) : h.data;
    p.c = keys_.data(), p.values = values_.data();
    p.w = score_weight_.data();
    p.query_offsets = rows_of_source.data(), p.key_offsets = offsets_.data();
    p.weight_offsets = weights_of_source.data();
    pair_attention(ctx, p, weights_.data(), found_.row(0));
    state_proj_.apply(ctx, h, fed_.view(n), linalg::Activation::tanh, found_.view(n));
}

void RecurrentDecoder::step(const RunContext& ctx, std::span<const std::int32_t> parents,
                            std::span<const std::int32_t> tokens, float* logits) {
    MLCORE_CHECK(parents.size() == tokens.size(), "each row of a step has a parent and a token");
    const std::size_t n = parents.size();
    follow(parents);
    make_room(n);
    if (n == 0) return;
    for (std::size_t i = 0; i < n; ++i) {
        std::copy_n(&embedding_(static_cast<std::size_t>(tokens[i]), 0), E_, x_.row(i));
        if (input_feeding_) std::copy_n(fed_.row(i), H_, x_.row(i) + E_);
    }
    MatrixView<const float> x = x_.view(n);
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
        run_layer(ctx, layer, x, n);
        x = h_[layer].view(n);
    }
    if (has_attention_) {
        attend(ctx, x, n);
        x = fed_.view(n);
    }
    output_.apply(ctx, x, row_major(logits, n, n_tokens()));
    n_rows_ = n;
}

} // namespace mlcore::nn
