// Matrix products for predictions in 8-bit integers: C = activation(A B + bias + residual) with B quantised once, a
// scale a column (an output channel), and A on the way, a scale a row (a token).
//   A(i, k) ~ a_i Q(i, k)    B(k, j) ~ b_j R(k, j)    C(i, j) = a_i b_j sum_k Q(i, k) R(k, j) + ...
// Dettmers et al., "LLM.int8()" (NeurIPS 2022), section 2, call it vector-wise quantisation. The few large features
// that they set apart are spread instead: both factors are rotated first (linalg/int8/rotate.hpp), which leaves the
// product as it is.
//
// The sums are exact, whatever instructions make them (linalg/int8/kernel.hpp), and what follows is rounded in one
// order: before the activation, the bits are those of every ISA level, for any number of threads, and a row of C does
// not depend on the other rows.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "linalg/gemm.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::linalg {

/// The right factor of such a product: a quarter of the bytes of a PackedMatrix.
class Int8Matrix {
  public:
    /// Terms of a sum at most: 32 bits hold so many products of 127 x 127.
    static constexpr std::size_t most_rows = 131072;

    Int8Matrix() = default;
    /// B (rows, cols): quantised, any strides. A column that holds a NaN or an infinity gives NaN. Throws ValueError
    /// above most_rows.
    Int8Matrix(const RunContext& ctx, MatrixView<const float> B);

    std::size_t rows() const noexcept { return rows_; }
    std::size_t cols() const noexcept { return cols_; }
    /// Panels of words, as linalg/words/kernel.hpp describes them.
    const std::int8_t* data() const noexcept { return panels_.data(); }
    /// Of each column; zeros beyond the last.
    const float* scales() const noexcept { return scales_.data(); }
    /// What the sums of each column start with; zeros beyond the last.
    const std::int32_t* starts() const noexcept { return starts_.data(); }

  private:
    std::size_t rows_ = 0, cols_ = 0;
    Scratch<std::int8_t> panels_;
    Scratch<float> scales_;
    Scratch<std::int32_t> starts_;
};

/// C (m, n) = activation(A (m, k) B (k, n) + bias + residual); rows of A and C are contiguous. A row of A that holds a
/// NaN or an infinity gives a row of NaN. The residual may be C. Epilogue::pre_activation is not kept here.
void gemm(const RunContext& ctx, MatrixView<const float> A, const Int8Matrix& B, MatrixView<float> C,
          const Epilogue& epilogue = {});

/// What the products of bytes are made with: "plain", "avx_vnni", "avx512_vnni".
const char* int8_kernel_name();

} // namespace mlcore::linalg
