#include "linalg/int8/product.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "linalg/int8/kernel.hpp"
#include "linalg/int8/quantize.hpp"
#include "linalg/int8/rotate.hpp"
#include "linalg/words/epilogue.hpp"
#include "linalg/words/product.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace mlcore::linalg {
namespace {

using int8::Kernel;
using simd::Floats, simd::Integers;

constexpr double ops_per_ns = 200; // of one thread, for the estimate of what a task costs
constexpr double ns_per_quantized = 0.1;

std::size_t n_words(std::size_t terms, const Kernel& kernel) { return (terms + kernel.terms - 1) / kernel.terms; }

/// A row of A as the kernel reads it: words of bytes or of 16-bit integers; the last one is filled up by zeros.
float quantize_words(const float* x, std::size_t n, const Kernel& kernel, std::int32_t* words) {
    const std::size_t filled = n_words(n, kernel) * kernel.terms;
    const auto write = [&]<class Out>(Out* q) {
        const float scale = int8::quantize_row(x, n, kernel.offset, q);
        std::fill(q + n, q + filled, static_cast<Out>(kernel.offset));
        return scale;
    };
    return kernel.terms == 4 ? write(reinterpret_cast<std::int8_t*>(words))
                             : write(reinterpret_cast<std::int16_t*>(words));
}

} // namespace

Int8Matrix::Int8Matrix(const RunContext& ctx, MatrixView<const float> B) : rows_(B.rows), cols_(B.cols) {
    if (rows_ > most_rows)
        throw ValueError("products in 8-bit integers take at most " + std::to_string(most_rows) + " terms, got " +
                         std::to_string(rows_));
    const Kernel& kernel = int8::kernel();
    const std::size_t words = n_words(rows_, kernel), panels = words::n_panels(cols_, kernel);
    const std::size_t filled = words * kernel.terms, panel_bytes = filled * kernel.cols;
    panels_ = Scratch<std::int8_t>(panels * panel_bytes);
    scales_ = Scratch<float>(panels * kernel.cols);
    starts_ = Scratch<std::int32_t>(panels * kernel.cols);
    parallel_tasks(ctx, panels, 1.0 * static_cast<double>(panel_bytes), [&](std::size_t p, int) {
        std::vector<float> column(rows_), rotated(rows_);
        std::vector<std::int8_t> integers(filled);
        for (std::size_t j = 0; j < kernel.cols; ++j) {
            const std::size_t col = p * kernel.cols + j;
            float scale = 0;
            std::fill(integers.begin(), integers.end(), std::int8_t{0});
            if (col < cols_) {
                for (std::size_t k = 0; k < rows_; ++k) column[k] = B(k, col);
                int8::rotate_row(column.data(), rows_, rotated.data());
                // What two rotated vectors have as their product is short of that of the vectors by this factor.
                scale = int8::quantize_row(rotated.data(), rows_, 0, integers.data()) *
                        static_cast<float>(int8::rotated_together(rows_));
            }
            std::int32_t sum = 0;
            for (const std::int8_t q : integers) sum += q;
            scales_[col] = scale;
            starts_[col] = -kernel.offset * sum;
            std::int8_t* to = panels_.data() + p * panel_bytes + j * kernel.terms;
            for (std::size_t w = 0; w < words; ++w)
                std::memcpy(to + w * kernel.cols * kernel.terms, integers.data() + w * kernel.terms, kernel.terms);
        }
    });
}

void gemm(const RunContext& ctx, MatrixView<const float> A, const Int8Matrix& B, MatrixView<float> C,
          const Epilogue& epilogue) {
    MLCORE_CHECK(A.cols == B.rows() && A.rows == C.rows && B.cols() == C.cols, "shapes of a matrix product do not fit");
    MLCORE_CHECK(A.rows_contiguous() && C.rows_contiguous(), "rows must be contiguous");
    MLCORE_CHECK(!epilogue.pre_activation, "a product for predictions keeps nothing for a gradient");
    if (C.rows == 0 || C.cols == 0) return;
    const Kernel& kernel = int8::kernel();
    Scratch<float> row_scales(A.rows);
    const std::size_t words = n_words(A.cols, kernel);
    const auto quantize = [&](std::size_t first, std::size_t count, std::int32_t* to) {
        Scratch<float> rotated(A.cols);
        for (std::size_t i = first; i < first + count; ++i, to += words) {
            int8::rotate_row(&A(i, 0), A.cols, rotated.data());
            row_scales[i] = quantize_words(rotated.data(), A.cols, kernel, to);
        }
    };
    const words::Rows rows(ctx, A.rows, words, kernel.rows, ns_per_quantized * static_cast<double>(A.cols), quantize);
    const auto finish = [&](const std::int32_t* sums, std::size_t stride, std::size_t row, std::size_t col,
                            std::size_t m, std::size_t n) {
        words::finish(epilogue, C, sums, stride, row, col, m, n,
                      [scales = B.scales() + col, row_scales = row_scales.data() + row](const std::int32_t* from,
                                                                                        std::size_t i, std::size_t j) {
                          Integers v;
                          std::memcpy(&v, from, sizeof v);
                          return __builtin_convertvector(v, Floats) * simd::load(scales + j) * row_scales[i];
                      });
    };
    words::multiply(ctx, rows, words::Columns<std::int32_t>{kernel, B.data(), B.starts(), C.cols}, ops_per_ns, finish);
}

const char* int8_kernel_name() { return int8::kernel().name; }

} // namespace mlcore::linalg
