// Which rows go from step to step, for one direction. Steps are numbered s in the order in which the direction takes
// them; t is their place in time.
#pragma once

#include "core/memory.hpp"
#include "nn/recurrent/cell.hpp"
#include "nn/recurrent/recurrent.hpp"

#include <algorithm>
#include <cstddef>

namespace mlcore::nn {

class RecurrentSteps {
  public:
    RecurrentSteps(const SequenceLayout& layout, bool reverse) : layout_(layout), reverse_(reverse) {}

    const SequenceLayout& layout() const { return layout_; }
    bool reverse() const { return reverse_; }
    std::size_t count() const { return layout_.n_steps(); }
    std::size_t time(std::size_t s) const { return reverse_ ? count() - 1 - s : s; }
    std::size_t rows(std::size_t s) const { return layout_.rows_of(time(s)); }
    std::size_t first_row(std::size_t s) const { return layout_.first_row(time(s)); }
    /// The rows of step s, from the first on, that have a step before it; the others start from h0.
    std::size_t carried(std::size_t s) const { return s == 0 ? 0 : std::min(rows(s - 1), rows(s)); }

  private:
    const SequenceLayout& layout_;
    bool reverse_;
};

/// state (B, H), longest sequence first, from values in the order of the batch, or zeros.
inline void sort_states(const SequenceLayout& layout, const float* values, std::size_t H, float* state) {
    if (!values) {
        std::fill_n(state, layout.n_batch() * H, 0.0f);
        return;
    }
    for (std::size_t j = 0; j < layout.n_batch(); ++j) std::copy_n(values + layout.sequence(j) * H, H, state + j * H);
}

/// The reverse.
inline void unsort_states(const SequenceLayout& layout, const float* state, std::size_t H, float* values) {
    for (std::size_t j = 0; j < layout.n_batch(); ++j) std::copy_n(state + j * H, H, values + layout.sequence(j) * H);
}

/// f(a value of the cell's type)
template <class F>
auto with_cell(RecurrentCell cell, F&& f) {
    switch (cell) {
    case RecurrentCell::rnn_tanh:
        return f(RnnCell<false>{});
    case RecurrentCell::rnn_relu:
        return f(RnnCell<true>{});
    case RecurrentCell::lstm:
        return f(LstmCell{});
    default:
        return f(GruCell{});
    }
}

} // namespace mlcore::nn
