// Matrix products for predictions in bfloat16: C = activation(A B + bias + residual) with B rounded once, A on the way,
// and sums in float32 (linalg/bf16/kernel.hpp): half of the bytes, and twice the speed where the processor has an
// instruction for it. Range and units are those of float32, so that nothing is scaled.
//
// An entry of C is one sum over k in a fixed order: its bits do not depend on threads or on other rows, nor, but for
// the smallest numbers, on the processor.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "linalg/gemm.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::linalg {

/// The right factor of such a product: half of the bytes of a PackedMatrix.
class Bf16Matrix {
  public:
    Bf16Matrix() = default;
    /// B (rows, cols): rounded to nearest even, any strides.
    Bf16Matrix(const RunContext& ctx, MatrixView<const float> B);

    std::size_t rows() const noexcept { return rows_; }
    std::size_t cols() const noexcept { return cols_; }
    /// Panels of words, as linalg/words/kernel.hpp and linalg/bf16/kernel.hpp describe them.
    const std::uint16_t* data() const noexcept { return panels_.data(); }

  private:
    std::size_t rows_ = 0, cols_ = 0;
    Scratch<std::uint16_t> panels_;
};

/// C (m, n) = activation(A (m, k) B (k, n) + bias + residual); rows of A and C are contiguous. The residual may be C.
/// Epilogue::pre_activation is not kept here.
void gemm(const RunContext& ctx, MatrixView<const float> A, const Bf16Matrix& B, MatrixView<float> C,
          const Epilogue& epilogue = {});

/// What the products of bfloat16 are made with: "plain", "avx512_bf16".
const char* bf16_kernel_name();

} // namespace mlcore::linalg
