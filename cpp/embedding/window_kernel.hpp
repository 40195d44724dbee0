// One step of word2vec on one window: every input (M of them) is scored against every output row (N of them), and all
// move along the gradient of the window's loss at the old values. All four models are this step:
//   skip-gram: inputs are the rows of the context words; CBOW: one input, their mean or sum.
//   negative sampling: outputs are the centre word and its negatives; hierarchical softmax: the nodes on its path.
//
//   x_ij = h_i . C_j     y_ij = s_j x_ij, s_j = +1 if output j is wanted, -1 if not
//   loss = sum_ij m_j log(1 + e^-y_ij)
//   g_ij = alpha m_j s_j / (1 + e^y_ij)
//   dh_i = sum_j g_ij C_j     C_j += sum_i g_ij h_i
//   skip-gram: the row of h_i += dh_i; CBOW: every row of the context += dh
//
// As small matrix products the step loads each row once for M (or N) dot products instead of once for each: the
// batching of Ji, Satish, Li and Dubey, "Parallelizing word2vec in shared and distributed memory" (arXiv 1604.04661),
// with rows left in place instead of gathered.
//
// Hogwild (Niu, Recht, Re and Wright, NIPS 2011): threads run steps on the same rows without locks, and an update may
// get lost when two write one row at a time. Those races are all here, in the functions marked MLCORE_HOGWILD.
#pragma once

#include "core/memory.hpp"
#include "core/simd.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace mlcore::embedding {

/// Inputs of one step at most: as many as stay in registers. More are taken in turn (Trainer), which is also what keeps
/// very wide windows stable: all inputs of a step push an output row from the same old value.
inline constexpr std::size_t max_inputs = 12;

/// Floats a row takes up: whole cache lines, so that no vector load straddles two. The padding stays zero.
constexpr std::size_t padded(std::size_t size) {
    constexpr std::size_t line = cache_line / sizeof(float);
    return (size + line - 1) / line * line;
}

/// Sums -log p over many probabilities p = 1 / (1 + e^-y): one logarithm for many, that of the product of their
/// denominators. Four lanes or more of products run side by side.
class LossSum {
  public:
    /// The sum so far; starts again at 0.
    double take();

  private:
    friend struct Window;
    [[gnu::noinline]] void flush(); // once in a while

    simd::Floats product_ = simd::broadcast(1.0f); // of factors in [1, 2]
    simd::Floats linear_{};
    std::size_t n_factors_ = 0; // a lane; flushed before the product could overflow
    double sum_ = 0;
};

/// The operands of a step, and room for its intermediate values. One a thread.
struct Window {
    /// Rows have `size` floats, a padded size.
    explicit Window(std::size_t row_size);
    /// Room for so many at least; what stands there stays.
    void reserve_outputs(std::size_t n);

    std::size_t n_inputs = 0, n_outputs = 0;
    std::array<float*, max_inputs> input; // skip-gram: h_i; two may be the same row
    std::vector<float*> output;           // C_j, all different
    std::vector<float> weight;            // m_j s_j
    bool multiples = false;               // some m_j is not 1

    LossSum loss; // of all steps since it was taken

    // For the steps alone.
    void spread_weights();    // weight to factor
    void errors(float alpha); // y and factor to g and the loss
    const std::size_t size;
    Buffer<float> y, factor, g; // (N, M), and room for a vector more
    Buffer<float> h, dh;        // of a single input
};

/// A thread's own copies of a few rows that every step moves, such as those at the root of a tree: written by all
/// threads at once, they would travel from core to core all the time. Copies are brought into line every so often.
class PrivateRows {
  public:
    PrivateRows() = default;
    /// Of the n rows from `shared` on.
    PrivateRows(float* shared, std::size_t n, std::size_t size);

    float* row(std::size_t i) { return &own_[i * size_]; }
    /// Adds to the shared rows what the copies have moved since the last time, and takes over what others have.
    void exchange();

  private:
    float* shared_ = nullptr;
    std::size_t n_ = 0, size_ = 0;
    Buffer<float> own_, before_; // and what the copies were after the last exchange
};

/// One step of skip-gram: adds the loss before it to `window.loss`.
void skipgram_step(Window& window, float alpha);

/// One step of CBOW: the input is `scale` times the sum of the context rows. Two may be the same.
void cbow_step(Window& window, std::span<float* const> context, float scale, float alpha);

} // namespace mlcore::embedding
