// Matrix products C = A B, float32, of any layout: a view with swapped strides is the transpose.
//
// Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (TOMS 2008): B is packed once into panels
// of as many columns as two vectors hold, blocks of A into panels of as many rows as the registers take, and a kernel
// that keeps one tile of C in registers runs over both. Each entry of C is summed over k in one fixed order whatever
// the tile, the block or the thread that computes it: results have the same bits for any number of threads, and a row
// of C does not depend on how many other rows there are.
//
// What is done with each finished tile while it is in cache is the epilogue: bias, residual, activation.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "linalg/activation.hpp"

#include <cstddef>

namespace mlcore::linalg {

/// C = activation(A B + bias + residual). All parts are optional.
struct Epilogue {
    const float* bias = nullptr;        // (columns of C): added to each row
    MatrixView<const float> residual{}; // like C
    Activation activation = Activation::identity;
    float* pre_activation = nullptr; // if given, like C in C order: what went into the activation
};

/// The right factor of a product, packed: for weights that are used more than once, as in the steps of a sequence.
class PackedMatrix {
  public:
    PackedMatrix() = default;
    /// B (rows, cols): copied, any strides.
    PackedMatrix(const RunContext& ctx, MatrixView<const float> B);

    std::size_t rows() const noexcept { return rows_; }
    std::size_t cols() const noexcept { return cols_; }
    const float* data() const noexcept { return panels_.data(); }

  private:
    std::size_t rows_ = 0, cols_ = 0;
    Scratch<float> panels_;
};

/// C (m, n) = A (m, k) B (k, n), or C += A B with accumulate. The rows of C must be contiguous (col_stride 1); A and B
/// may have any strides. k = 0 gives zeros. Inside a parallel loop it runs on the thread that calls it.
void gemm(const RunContext& ctx, MatrixView<const float> A, MatrixView<const float> B, MatrixView<float> C,
          bool accumulate = false, const Epilogue& epilogue = {});
void gemm(const RunContext& ctx, MatrixView<const float> A, const PackedMatrix& B, MatrixView<float> C,
          bool accumulate = false, const Epilogue& epilogue = {});

/// n_batch products of one shape, each of A, B, C a given number of elements after the one before (0: the same one).
void gemm_batched(const RunContext& ctx, std::size_t n_batch, MatrixView<const float> A, std::ptrdiff_t A_step,
                  MatrixView<const float> B, std::ptrdiff_t B_step, MatrixView<float> C, std::ptrdiff_t C_step);

/// The transpose, without moving anything.
inline MatrixView<const float> transposed(MatrixView<const float> A) {
    return {A.data, A.cols, A.rows, A.col_stride, A.row_stride};
}

} // namespace mlcore::linalg
