// Sequences of different lengths without padding. The batch is sorted by length, longest first, and its steps are laid
// one after the other: step t holds row j of every sequence that is longer than t, j counting in that order. So each
// step works on a block of rows, and the rows of one step are the first of those of the step before.
//
//     lengths 2, 4, 1:   step    0      1    2  3
//                        rows  1 0 2   1 0   1  1     (which sequence of the batch)
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::nn {

class SequenceLayout {
  public:
    /// n_batch sequences of at most n_steps steps; without lengths all have just n_steps. Throws ValueError unless
    /// there is one and each length is in [1, n_steps].
    SequenceLayout(std::size_t n_batch, std::size_t n_steps, std::span<const std::int64_t> lengths = {});

    std::size_t n_batch() const noexcept { return order_.size(); }
    /// Of the longest sequence.
    std::size_t n_steps() const noexcept { return first_.size() - 1; }
    /// All steps of all sequences.
    std::size_t n_rows() const noexcept { return first_.back(); }
    std::size_t first_row(std::size_t step) const noexcept { return first_[step]; }
    std::size_t rows_of(std::size_t step) const noexcept { return first_[step + 1] - first_[step]; }
    /// Which sequence of the batch is row j of its steps.
    std::size_t sequence(std::size_t j) const noexcept { return order_[j]; }
    bool equal_lengths() const noexcept { return n_rows() == n_batch() * n_steps(); }

  private:
    std::vector<std::size_t> order_, first_;
};

/// Entries (b, t, f) of a batch of sequences: a tensor of any strides, or sequences one after the other, where sequence
/// b begins at step offsets[b].
template <class T>
struct SequenceView {
    T* data;
    std::ptrdiff_t batch_stride, step_stride, feature_stride;
    const std::int64_t* offsets = nullptr;

    T* at(std::size_t b, std::size_t t) const {
        const auto step = static_cast<std::ptrdiff_t>(t);
        if (offsets) return data + (static_cast<std::ptrdiff_t>(offsets[b]) + step) * step_stride;
        return data + static_cast<std::ptrdiff_t>(b) * batch_stride + step * step_stride;
    }
};

/// packed (n_rows, n_features) = x (B, T, n_features)
void pack_sequences(const RunContext& ctx, const SequenceLayout& layout, SequenceView<const float> x,
                    std::size_t n_features, float* packed);

/// x (B, n_steps, n_features) = packed (n_rows, n_features), and zeros after the end of each sequence, unless x has
/// offsets; features of x side by side.
void unpack_sequences(const RunContext& ctx, const SequenceLayout& layout, const float* packed, std::size_t n_features,
                      SequenceView<float> x, std::size_t n_steps);

} // namespace mlcore::nn
