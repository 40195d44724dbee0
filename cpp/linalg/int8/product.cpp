#include "linalg/int8/product.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "linalg/gemm_kernel.hpp"
#include "linalg/int8/kernel.hpp"
#include "linalg/int8/quantize.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace mlcore::linalg {
namespace {

using int8::Kernel;
using simd::Floats, simd::Integers, simd::lanes;

constexpr std::size_t most_sums = 2 * 16 * 16; // of a tile of any kernel
constexpr double ops_per_ns = 200;             // of one thread, for the estimate of what a task costs
constexpr double ns_per_quantized = 0.1;
constexpr std::size_t block_words = 48 * 1024; // of rows that stay in the second-level cache while all columns pass

std::size_t n_words(std::size_t terms, const Kernel& kernel) { return (terms + kernel.terms - 1) / kernel.terms; }
std::size_t n_panels(std::size_t cols, const Kernel& kernel) { return (cols + kernel.cols - 1) / kernel.cols; }

/// Rows of each tile but the last where m rows are cut: as few tiles as can be, of like height.
std::size_t tile_height(std::size_t m, const Kernel& kernel) {
    const std::size_t tiles = (m + kernel.rows - 1) / kernel.rows;
    return tiles == 0 ? 1 : (m + tiles - 1) / tiles;
}

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

/// A as integers: panels of `height` rows one after another, and the scale of each row.
struct QuantizedRows {
    std::size_t height, words;
    Scratch<std::int32_t> panels;
    Scratch<float> scales;

    QuantizedRows(const RunContext& ctx, MatrixView<const float> A, const Kernel& kernel)
        : height(tile_height(A.rows, kernel)), words(n_words(A.cols, kernel)), panels(A.rows * words), scales(A.rows) {
        const std::size_t n_tiles = (A.rows + height - 1) / height;
        parallel_tasks(ctx, n_tiles, ns_per_quantized * static_cast<double>(height * A.cols), [&](std::size_t t, int) {
            const std::size_t first = t * height, m = std::min(height, A.rows - first);
            std::int32_t* panel = panels.data() + first * words;
            Scratch<std::int32_t> rows(m > 1 ? m * words : 0);
            std::int32_t* to = m > 1 ? rows.data() : panel; // one row is a panel as it is
            for (std::size_t i = 0; i < m; ++i)
                scales[first + i] = quantize_words(&A(first + i, 0), A.cols, kernel, to + i * words);
            if (m > 1) interleave_words(rows.data(), m, panel);
        });
    }

    /// panel[w * m + i] = rows[i * words + w]. A word is as wide as a float, and moved as one.
    void interleave_words(const std::int32_t* rows, std::size_t m, std::int32_t* panel) const {
        interleave(reinterpret_cast<const float*>(rows), static_cast<std::ptrdiff_t>(words), m, words,
                   reinterpret_cast<float*>(panel), m);
    }
};

/// From sums to C.
struct Result {
    const Epilogue& epilogue;
    MatrixView<float> C;
    const float *row_scales, *col_scales;

    /// A tile of m rows and n columns whose first entry is (row, col).
    void finish(const std::int32_t* sums, std::size_t stride, std::size_t row, std::size_t col, std::size_t m,
                std::size_t n) const {
        for (std::size_t i = 0; i < m; ++i, sums += stride) {
            float* c = &C(row + i, col);
            const float* residual = epilogue.residual.data ? &epilogue.residual(row + i, col) : nullptr;
            const float* bias = epilogue.bias ? epilogue.bias + col : nullptr;
            std::size_t j = 0;
            for (; j + lanes <= n; j += lanes) {
                Floats v = scaled(sums + j, row + i, col + j);
                if (bias) v += simd::load(bias + j);
                if (residual) v += simd::load(residual + j);
                simd::store(c + j, rectified(v));
            }
            if (j < n) {
                Floats v = scaled(sums + j, row + i, col + j);
                if (bias) v += simd::load_first(bias + j, n - j);
                if (residual) v += simd::load_first(residual + j, n - j);
                simd::store_first(c + j, rectified(v), n - j);
            }
            if (epilogue.activation != Activation::identity && epilogue.activation != Activation::relu)
                activate(epilogue.activation, c, c, n);
        }
    }

  private:
    Floats scaled(const std::int32_t* sums, std::size_t row, std::size_t col) const {
        Integers v;
        std::memcpy(&v, sums, sizeof v);
        return __builtin_convertvector(v, Floats) * simd::load(col_scales + col) * row_scales[row];
    }
    Floats rectified(Floats v) const {
        return epilogue.activation == Activation::relu ? (v < 0 ? Floats{} : v) : v; // NaN stays NaN
    }
};

} // namespace

Int8Matrix::Int8Matrix(const RunContext& ctx, MatrixView<const float> B) : rows_(B.rows), cols_(B.cols) {
    if (rows_ > most_rows)
        throw ValueError("products in 8-bit integers take at most " + std::to_string(most_rows) + " terms, got " +
                         std::to_string(rows_));
    const Kernel& kernel = int8::kernel();
    const std::size_t words = n_words(rows_, kernel), panels = n_panels(cols_, kernel);
    const std::size_t filled = words * kernel.terms, panel_bytes = filled * kernel.cols;
    panels_ = Scratch<std::int8_t>(panels * panel_bytes);
    scales_ = Scratch<float>(panels * kernel.cols);
    starts_ = Scratch<std::int32_t>(panels * kernel.cols);
    parallel_tasks(ctx, panels, 1.0 * static_cast<double>(panel_bytes), [&](std::size_t p, int) {
        std::vector<float> column(rows_);
        std::vector<std::int8_t> integers(filled);
        for (std::size_t j = 0; j < kernel.cols; ++j) {
            const std::size_t col = p * kernel.cols + j;
            float scale = 0;
            std::fill(integers.begin(), integers.end(), std::int8_t{0});
            if (col < cols_) {
                for (std::size_t k = 0; k < rows_; ++k) column[k] = B(k, col);
                scale = int8::quantize_row(column.data(), rows_, 0, integers.data());
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
    const std::size_t m = A.rows;
    if (m == 0 || C.cols == 0) return;
    const Kernel& kernel = int8::kernel();
    const QuantizedRows left(ctx, A, kernel);
    const Result result{epilogue, C, left.scales.data(), B.scales()};
    const std::size_t panels = n_panels(C.cols, kernel), whole = C.cols / kernel.cols;
    const std::size_t panel_bytes = left.words * kernel.terms * kernel.cols;

    // Blocks of tiles, several a thread; columns are cut as well where there are too few rows for that.
    const std::size_t tiles = (m + left.height - 1) / left.height;
    const double work = 2.0 * static_cast<double>(m) * static_cast<double>(panels * panel_bytes) / ops_per_ns;
    const auto threads = static_cast<std::size_t>(threads_for(ctx, work));
    const std::size_t wanted = threads == 1 ? 1 : 4 * threads;
    const std::size_t fit = std::max<std::size_t>(block_words / std::max<std::size_t>(left.height * left.words, 1), 1);
    const std::size_t block = std::min({fit, std::max<std::size_t>((tiles + wanted - 1) / wanted, 4), tiles});
    const std::size_t row_blocks = (tiles + block - 1) / block;
    const std::size_t column_blocks = std::clamp<std::size_t>((wanted + row_blocks - 1) / row_blocks, 1, panels);
    const std::size_t n_tasks = row_blocks * column_blocks;
    parallel_tasks(ctx, n_tasks, work / static_cast<double>(n_tasks), [&](std::size_t task, int) {
        const std::size_t first = task / column_blocks * block, last = std::min(first + block, tiles);
        const std::size_t part = task % column_blocks, end = panels * (part + 1) / column_blocks;
        std::int32_t sums[most_sums];
        for (std::size_t p = panels * part / column_blocks, taken; p < end; p += taken) {
            const std::size_t at_once = int8::panels_at_once(kernel.rows, left.height);
            taken = first + 1 == last && p + at_once <= std::min(end, whole) ? at_once : 1;
            for (std::size_t t = first; t < last; ++t) {
                const std::size_t row = t * left.height, height = std::min(left.height, m - row);
                const std::size_t col = p * kernel.cols, width = std::min(taken * kernel.cols, C.cols - col);
                const int8::Tile tile{left.panels.data() + row * left.words,
                                      B.data() + p * panel_bytes,
                                      left.words,
                                      panel_bytes,
                                      B.starts() + col,
                                      sums,
                                      taken * kernel.cols};
                (taken > 1 ? kernel.wide : kernel.narrow)[height - 1](tile);
                result.finish(sums, tile.stride, row, col, height, width);
            }
        }
    });
}

const char* int8_kernel_name() { return int8::kernel().name; }

} // namespace mlcore::linalg
