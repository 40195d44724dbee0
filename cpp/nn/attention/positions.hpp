// What tells attention, which is blind to order, the position of a row: a row of a table that is added (sinusoids, or
// learned), or a rotation of pairs of entries (Su et al., "RoFormer: enhanced transformer with rotary position
// embedding", 2021). Positions begin again at 0 in each of the sequences, whose rows lie one after the other.
#pragma once

#include "core/context.hpp"
#include "nn/attention/attention.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::nn {

/// Rows of n_sequences sequences: sequence b is [offsets[b], offsets[b + 1]); offsets rise from 0.
struct Sequences {
    const std::int64_t* offsets = nullptr; // (n_sequences + 1)
    std::size_t n_sequences = 0;

    std::size_t n_rows() const { return static_cast<std::size_t>(offsets[n_sequences]); }
    std::size_t longest() const;
};

/// out (N, d) = scale x (N, d) + table (longest or more, d) at the position of each row.
void add_positions(const RunContext& ctx, const Sequences& sequences, const float* x, float scale, const float* table,
                   std::size_t d, float* out);

/// out (n_positions >= longest, d): the gradient with respect to the table, the sum of dy (N, d) over the rows of each
/// position, in the order of the sequences.
void position_gradients(const RunContext& ctx, const Sequences& sequences, const float* dy, std::size_t d, float* out,
                        std::size_t n_positions);

/// Rotations of vectors of D entries: entries i and i + D / 2 by an angle, given as cosines and sines (., D / 2).
struct Rotations {
    const float *cosines = nullptr, *sines = nullptr;
    const std::int64_t* places = nullptr; // (T): the row of both for each row; nullptr: 0, 1, 2 ...
    bool back = false;                    // by the opposite angles: the gradient
};

/// out (B, H, T, D), which may be x itself.
void rotate(const RunContext& ctx, const Rotations& rotations, std::size_t batch, std::size_t heads, std::size_t rows,
            std::size_t depth, HeadsView<const float> x, HeadsView<float> out);

} // namespace mlcore::nn
