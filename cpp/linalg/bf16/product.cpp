#include "linalg/bf16/product.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "linalg/bf16/kernel.hpp"
#include "linalg/bf16/round.hpp"
#include "linalg/words/epilogue.hpp"
#include "linalg/words/product.hpp"

#include <algorithm>
#include <vector>

namespace mlcore::linalg {
namespace {

using bf16::Kernel;

constexpr double ops_per_ns = 100; // of one thread, for the estimate of what a task costs
constexpr double ns_per_rounded = 0.1;

/// Terms come in pairs, whatever a word holds of them; a missing one is 0.
std::size_t filled(std::size_t terms) { return terms + terms % 2; }

/// A row of A as the kernel reads it.
void round_words(const float* x, std::size_t n, const Kernel& kernel, std::int32_t* words) {
    if (kernel.terms == 2) {
        auto* halves = reinterpret_cast<std::uint16_t*>(words);
        bf16::round_row(x, n, halves);
        if (n % 2 != 0) halves[n] = 0;
        return;
    }
    auto* floats = reinterpret_cast<float*>(words);
    bf16::round_row_swapped(x, n - n % 2, floats);
    if (n % 2 == 0) return;
    const float last[] = {x[n - 1], 0};
    bf16::round_row_swapped(last, 2, floats + n - 1);
}

} // namespace

Bf16Matrix::Bf16Matrix(const RunContext& ctx, MatrixView<const float> B) : rows_(B.rows), cols_(B.cols) {
    const Kernel& kernel = bf16::kernel();
    const std::size_t panels = words::n_panels(cols_, kernel), terms = filled(rows_), step = terms * kernel.cols;
    panels_ = Scratch<std::uint16_t>(panels * step);
    parallel_tasks(ctx, panels, 0.5 * static_cast<double>(step), [&](std::size_t p, int) {
        std::vector<float> column(rows_);
        std::vector<std::uint16_t> halves(terms);
        for (std::size_t j = 0; j < kernel.cols; ++j) {
            const std::size_t col = p * kernel.cols + j;
            if (col < cols_) {
                for (std::size_t k = 0; k < rows_; ++k) column[k] = B(k, col);
                bf16::round_row(column.data(), rows_, halves.data());
            } else {
                std::fill(halves.begin(), halves.end(), std::uint16_t{0});
            }
            std::uint16_t* to = panels_.data() + p * step;
            for (std::size_t k = 0; k < terms; ++k)
                if (kernel.terms == 2)
                    to[(k / 2 * kernel.cols + j) * 2 + k % 2] = halves[k];
                else
                    to[(k ^ 1) * kernel.cols + j] = halves[k];
        }
    });
}

void gemm(const RunContext& ctx, MatrixView<const float> A, const Bf16Matrix& B, MatrixView<float> C,
          const Epilogue& epilogue) {
    MLCORE_CHECK(A.cols == B.rows() && A.rows == C.rows && B.cols() == C.cols, "shapes of a matrix product do not fit");
    MLCORE_CHECK(A.rows_contiguous() && C.rows_contiguous(), "rows must be contiguous");
    MLCORE_CHECK(!epilogue.pre_activation, "a product for predictions keeps nothing for a gradient");
    if (C.rows == 0 || C.cols == 0) return;
    const Kernel& kernel = bf16::kernel();
    const std::size_t words = filled(A.cols) / kernel.terms;
    const auto round = [&](std::size_t first, std::size_t count, std::int32_t* to) {
        for (std::size_t i = first; i < first + count; ++i, to += words) round_words(&A(i, 0), A.cols, kernel, to);
    };
    const words::Rows rows(ctx, A.rows, words, kernel.rows, ns_per_rounded * static_cast<double>(A.cols), round);
    const auto finish = [&](const float* sums, std::size_t stride, std::size_t row, std::size_t col, std::size_t m,
                            std::size_t n) {
        words::finish(epilogue, C, sums, stride, row, col, m, n,
                      [](const float* from, std::size_t, std::size_t) { return simd::load(from); });
    };
    words::multiply(ctx, rows, words::Columns<float>{kernel, B.data(), nullptr, C.cols}, ops_per_ns, finish);
}

const char* bf16_kernel_name() { return bf16::kernel().name; }

} // namespace mlcore::linalg
