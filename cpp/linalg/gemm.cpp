#include "linalg/gemm.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "linalg/gemm_kernel.hpp"

#include <algorithm>
#include <cstring>

namespace mlcore::linalg {
namespace {

constexpr std::size_t depth = 384;               // terms of a sum before C is touched: a panel of B is then 48 KiB
constexpr std::size_t most_rows = 8 * tile_rows; // of a packed block of A: 172 KiB, well within L2
constexpr std::size_t few_rows = 8 * tile_rows;  // up to here a product does not pay for a packed copy of B
constexpr double flops_per_ns = 50;              // of one thread, for the estimate of what a task costs

std::size_t n_panels(std::size_t cols) { return (cols + tile_cols - 1) / tile_cols; }

/// Where a packed matrix of so many panels keeps the terms [k, k + n_k) of one of them.
std::size_t panel_offset(std::size_t k, std::size_t n_k, std::size_t panel, std::size_t panels) {
    return (k * panels + panel * n_k) * tile_cols;
}

/// Rows of each tile but the last where m rows are cut: as few tiles as can be, of like height, because a tile of one
/// or two rows takes as long as one of four.
std::size_t tile_height(std::size_t m) {
    const std::size_t tiles = (m + tile_rows - 1) / tile_rows;
    return (m + tiles - 1) / tiles;
}

/// bias, residual and activation for a finished tile of C whose first entry is (row, col), in one pass over it.
void finish(const Epilogue& e, MatrixView<float> C, std::size_t row, std::size_t col, std::size_t m, std::size_t n) {
    using simd::Floats, simd::lanes;
    const bool keeps = e.pre_activation != nullptr, rectifies = e.activation == Activation::relu && !keeps;
    const float* bias = e.bias ? e.bias + col : nullptr;
    for (std::size_t i = 0; i < m; ++i) {
        float* c = &C(row + i, col);
        const float* residual = e.residual.data ? &e.residual(row + i, col) : nullptr;
        const auto finished = [&](Floats v, auto&& read, std::size_t j) {
            if (bias) v += read(bias + j);
            if (residual) v += read(residual + j);
            return rectifies ? (v < 0 ? Floats{} : v) : v; // NaN stays NaN
        };
        std::size_t j = 0;
        if (bias || residual || rectifies) {
            for (; j + lanes <= n; j += lanes)
                simd::store(c + j, finished(simd::load(c + j), [](const float* p) { return simd::load(p); }, j));
            const auto rest = [&](const float* p) { return simd::load_first(p, n - j); };
            if (j < n) simd::store_first(c + j, finished(rest(c + j), rest, j), n - j);
        }
        if (keeps) std::memcpy(e.pre_activation + (row + i) * C.cols + col, c, n * sizeof(float));
        if (e.activation != Activation::identity && !rectifies) activate(e.activation, c, c, n);
    }
}

/// What happens to C, tile by tile.
struct Result {
    MatrixView<float> C;
    bool accumulate;
    const Epilogue& epilogue;

    /// Adds the product of m rows of A, packed panel by panel in `block`, and of one panel of B, over `terms` terms of
    /// which the first is k and the last of all is n_k - 1, to the rows of C from `row` on.
    void add(std::size_t row, std::size_t m, std::size_t panel_number, const float* block, const float* panel,
             std::size_t k, std::size_t terms, std::size_t n_k) const {
        const std::size_t col = panel_number * tile_cols, width = std::min(tile_cols, C.cols - col);
        const std::size_t step = tile_height(m);
        for (std::size_t i = 0; i < m; i += step) {
            const std::size_t height = std::min(step, m - i);
            tile(height, width, block + i * terms, panel, terms, &C(row + i, col), accumulate || k > 0);
            if (k + terms == n_k) finish(epilogue, C, row + i, col, height, width);
        }
    }

    /// The same for panels_at_once(m) panels, one `panel_step` after the other in memory, all of them whole.
    void add_wide(std::size_t row, std::size_t m, std::size_t panel_number, const float* block, const float* panel,
                  std::size_t panel_step, std::size_t k, std::size_t terms, std::size_t n_k) const {
        const std::size_t col = panel_number * tile_cols;
        wide_tile_kernel(m)(block, panel, panel_step, terms, &C(row, col), static_cast<std::size_t>(C.row_stride),
                            accumulate || k > 0);
        if (k + terms == n_k) finish(epilogue, C, row, col, m, panels_at_once(m) * tile_cols);
    }

    void tile(std::size_t height, std::size_t width, const float* a, const float* panel, std::size_t terms, float* c,
              bool adds) const {
        const auto stride = static_cast<std::size_t>(C.row_stride);
        if (width == tile_cols) return tile_kernel(height)(a, panel, terms, c, stride, adds);
        float whole[tile_rows * tile_cols];
        if (adds)
            for (std::size_t i = 0; i < height; ++i) {
                std::memcpy(whole + i * tile_cols, c + i * stride, width * sizeof(float));
                std::fill(whole + i * tile_cols + width, whole + (i + 1) * tile_cols, 0.0f);
            }
        tile_kernel(height)(a, panel, terms, whole, tile_cols, adds);
        for (std::size_t i = 0; i < height; ++i)
            std::memcpy(c + i * stride, whole + i * tile_cols, width * sizeof(float));
    }
};

/// Rows [row, row + m) of A and terms [k, k + terms), as panels one after another.
void pack_rows(MatrixView<const float> A, std::size_t row, std::size_t m, std::size_t k, std::size_t terms,
               float* block) {
    const std::size_t step = tile_height(m);
    for (std::size_t i = 0; i < m; i += step) {
        const std::size_t height = std::min(step, m - i);
        pack_panel(A, row + i, height, k, terms, block + i * terms, height);
    }
}

/// A product of few rows: B is too large for its one use to be packed as a whole, so each panel of it is packed when it
/// is its turn, and stays in cache while all rows pass it.
void multiply_few_rows(const RunContext& ctx, MatrixView<const float> A, MatrixView<const float> B,
                       const Result& result) {
    const std::size_t m = A.rows, n_k = A.cols, columns = n_panels(B.cols);
    Scratch<float> rows(m * n_k);
    for (std::size_t k = 0; k < n_k; k += depth) pack_rows(A, 0, m, k, std::min(depth, n_k - k), rows.data() + k * m);
    const MatrixView<const float> columns_of_B = transposed(B);
    const double work = (2.0 * static_cast<double>(m) / flops_per_ns + 0.3) * static_cast<double>(n_k * tile_cols);
    const auto threads = static_cast<std::size_t>(threads_for(ctx, work * static_cast<double>(columns)));
    Scratch<float> panels(threads * depth * tile_cols);
    parallel_tasks(ctx, columns, work, [&](std::size_t p, int thread) {
        const std::size_t col = p * tile_cols;
        float* panel = panels.data() + static_cast<std::size_t>(thread) * depth * tile_cols;
        for (std::size_t k = 0; k < n_k; k += depth) {
            const std::size_t terms = std::min(depth, n_k - k);
            pack_panel(columns_of_B, col, std::min(tile_cols, B.cols - col), k, terms, panel, tile_cols);
            result.add(0, m, p, rows.data() + k * m, panel, k, terms, n_k);
        }
    });
}

void check(MatrixView<const float> A, std::size_t b_rows, std::size_t b_cols, MatrixView<float> C) {
    MLCORE_CHECK(A.cols == b_rows && A.rows == C.rows && b_cols == C.cols, "shapes of a matrix product do not fit");
    MLCORE_CHECK(C.rows_contiguous() && C.row_stride >= 0, "rows of the result must be contiguous");
}

/// Whether C is done with: it is empty, or its sums are.
bool trivial(const Result& result, std::size_t n_k) {
    const MatrixView<float>& C = result.C;
    if (n_k > 0) return C.rows == 0 || C.cols == 0;
    for (std::size_t i = 0; i < C.rows && C.cols > 0; ++i) {
        if (!result.accumulate) std::fill_n(&C(i, 0), C.cols, 0.0f);
        finish(result.epilogue, C, i, 0, 1, C.cols);
    }
    return true;
}

void multiply(const RunContext& ctx, MatrixView<const float> A, const PackedMatrix& B, const Result& result) {
    const std::size_t m = A.rows, n_k = A.cols, columns = n_panels(B.cols());
    const std::size_t whole = B.cols() / tile_cols; // panels without columns that are missing
    const double work = 2.0 * static_cast<double>(m) * static_cast<double>(n_k * columns * tile_cols) / flops_per_ns;
    const auto threads = static_cast<std::size_t>(threads_for(ctx, work));
    // Blocks of rows, several a thread; columns are cut as well where there are too few rows for that, which packs each
    // block again for every part: rather one block more than a cut.
    const std::size_t wanted = threads == 1 ? 1 : 4 * threads;
    const std::size_t tiles = (m + tile_rows - 1) / tile_rows;
    std::size_t block = std::min(most_rows / tile_rows, std::max<std::size_t>(tiles / wanted, 4));
    block = std::min(block, tiles) * tile_rows;
    const std::size_t row_blocks = (m + block - 1) / block;
    const std::size_t column_blocks = std::clamp<std::size_t>((wanted + row_blocks - 1) / row_blocks, 1, columns);
    const std::size_t room = block * std::min(depth, n_k);
    const std::size_t n_tasks = row_blocks * column_blocks;
    const double ns = work / static_cast<double>(n_tasks);
    Scratch<float> blocks(static_cast<std::size_t>(threads_for(ctx, static_cast<double>(n_tasks) * ns)) * room);
    parallel_tasks(ctx, n_tasks, ns, [&](std::size_t task, int thread) {
        const std::size_t row = task / column_blocks * block, part = task % column_blocks;
        const std::size_t height = std::min(block, m - row), end = columns * (part + 1) / column_blocks;
        const std::size_t at_once = height > tile_rows ? 1 : panels_at_once(height);
        float* rows = blocks.data() + static_cast<std::size_t>(thread) * room;
        for (std::size_t k = 0; k < n_k; k += depth) {
            const std::size_t terms = std::min(depth, n_k - k);
            pack_rows(A, row, height, k, terms, rows);
            std::size_t p = columns * part / column_blocks;
            if (at_once > 1)
                for (; p + at_once <= std::min(end, whole); p += at_once)
                    result.add_wide(row, height, p, rows, B.data() + panel_offset(k, terms, p, columns),
                                    terms * tile_cols, k, terms, n_k);
            for (; p < end; ++p)
                result.add(row, height, p, rows, B.data() + panel_offset(k, terms, p, columns), k, terms, n_k);
        }
    });
}

} // namespace

PackedMatrix::PackedMatrix(const RunContext& ctx, MatrixView<const float> B)
    : rows_(B.rows), cols_(B.cols), panels_(B.rows * n_panels(B.cols) * tile_cols) {
    const std::size_t columns = n_panels(cols_), depths = (rows_ + depth - 1) / depth;
    const MatrixView<const float> columns_of_B = transposed(B);
    const double ns = 0.3 * static_cast<double>(std::min(depth, rows_) * tile_cols);
    parallel_tasks(ctx, columns * depths, ns, [&](std::size_t task, int) {
        const std::size_t k = task / columns * depth, panel = task % columns, col = panel * tile_cols;
        const std::size_t terms = std::min(depth, rows_ - k);
        pack_panel(columns_of_B, col, std::min(tile_cols, cols_ - col), k, terms,
                   panels_.data() + panel_offset(k, terms, panel, columns), tile_cols);
    });
}

void gemm(const RunContext& ctx, MatrixView<const float> A, const PackedMatrix& B, MatrixView<float> C, bool accumulate,
          const Epilogue& epilogue) {
    check(A, B.rows(), B.cols(), C);
    const Result result{C, accumulate, epilogue};
    if (!trivial(result, A.cols)) multiply(ctx, A, B, result);
}

void gemm(const RunContext& ctx, MatrixView<const float> A, MatrixView<const float> B, MatrixView<float> C,
          bool accumulate, const Epilogue& epilogue) {
    check(A, B.rows, B.cols, C);
    const Result result{C, accumulate, epilogue};
    if (trivial(result, A.cols)) return;
    if (C.rows <= few_rows) return multiply_few_rows(ctx, A, B, result);
    multiply(ctx, A, PackedMatrix(ctx, B), result);
}

void gemm_batched(const RunContext& ctx, std::size_t n_batch, MatrixView<const float> A, std::ptrdiff_t A_step,
                  MatrixView<const float> B, std::ptrdiff_t B_step, MatrixView<float> C, std::ptrdiff_t C_step) {
    check(A, B.rows, B.cols, C);
    const auto at = [](auto view, std::size_t i, std::ptrdiff_t step) {
        view.data += static_cast<std::ptrdiff_t>(i) * step;
        return view;
    };
    const double work = 2.0 * static_cast<double>(C.rows * C.cols) * static_cast<double>(A.cols) / flops_per_ns;
    // Many small products: one a task. Few large ones: one after the other, each on all threads.
    if (n_batch >= 4 * static_cast<std::size_t>(ctx.n_threads))
        return parallel_tasks(ctx, n_batch, work, [&](std::size_t i, int) {
            gemm(ctx, at(A, i, A_step), at(B, i, B_step), at(C, i, C_step));
        });
    for (std::size_t i = 0; i < n_batch; ++i) gemm(ctx, at(A, i, A_step), at(B, i, B_step), at(C, i, C_step));
}

} // namespace mlcore::linalg
