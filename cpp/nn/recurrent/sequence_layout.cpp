#include "nn/recurrent/sequence_layout.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <numeric>
#include <string>

namespace mlcore::nn {

SequenceLayout::SequenceLayout(std::size_t n_batch, std::size_t n_steps, std::span<const std::int64_t> lengths) {
    if (n_batch == 0 || n_steps == 0)
        throw ValueError("a batch of sequences must not be empty, got " + std::to_string(n_batch) + " sequences of " +
                         std::to_string(n_steps) + " steps");
    if (!lengths.empty() && lengths.size() != n_batch)
        throw ValueError("lengths has " + std::to_string(lengths.size()) + " entries for " + std::to_string(n_batch) +
                         " sequences");
    for (std::size_t b = 0; b < lengths.size(); ++b)
        if (lengths[b] < 1 || static_cast<std::uint64_t>(lengths[b]) > n_steps)
            throw ValueError("lengths must be in [1, " + std::to_string(n_steps) + "], got " +
                             std::to_string(lengths[b]) + " for sequence " + std::to_string(b));
    const auto length = [&](std::size_t b) { return lengths.empty() ? n_steps : static_cast<std::size_t>(lengths[b]); };
    order_.resize(n_batch);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](auto a, auto b) { return length(a) > length(b); });
    first_ = {0};
    std::size_t active = n_batch;
    for (std::size_t t = 0; t < length(order_[0]); ++t) {
        while (length(order_[active - 1]) <= t) --active;
        first_.push_back(first_.back() + active);
    }
}

void pack_sequences(const RunContext& ctx, const SequenceLayout& layout, SequenceView<const float> x,
                    std::size_t n_features, float* packed) {
    const double ns = 0.5 * static_cast<double>(n_features * layout.n_batch());
    parallel_tasks(ctx, layout.n_steps(), ns, [&](std::size_t t, int) {
        float* to = packed + layout.first_row(t) * n_features;
        for (std::size_t j = 0; j < layout.rows_of(t); ++j, to += n_features) {
            const float* from = x.at(layout.sequence(j), t);
            if (x.feature_stride == 1)
                std::copy_n(from, n_features, to);
            else
                for (std::size_t f = 0; f < n_features; ++f, from += x.feature_stride) to[f] = *from;
        }
    });
}

void unpack_sequences(const RunContext& ctx, const SequenceLayout& layout, const float* packed, std::size_t n_features,
                      SequenceView<float> x, std::size_t n_steps) {
    const double ns = 0.5 * static_cast<double>(n_features * layout.n_batch());
    parallel_tasks(ctx, n_steps, ns, [&](std::size_t t, int) {
        const std::size_t active = t < layout.n_steps() ? layout.rows_of(t) : 0;
        const float* from = active > 0 ? packed + layout.first_row(t) * n_features : nullptr;
        for (std::size_t j = 0; j < active; ++j)
            std::copy_n(from + j * n_features, n_features, x.at(layout.sequence(j), t));
        for (std::size_t j = active; j < layout.n_batch() && !x.offsets; ++j)
            std::fill_n(x.at(layout.sequence(j), t), n_features, 0.0f);
    });
}

} // namespace mlcore::nn
