#include "linalg/normal_equations.hpp"

#include "core/eigen.hpp"
#include "core/parallel.hpp"
#include "core/sums.hpp"
#include "linalg/columns.hpp"
#include "linalg/weights.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>
#include <variant>

namespace mlcore::linalg {
namespace {

using Matrix = Eigen::MatrixXd;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Index = Eigen::Index;

constexpr std::size_t tile = 128;      // columns in one matrix product
constexpr std::size_t row_block = 256; // rows of a product: a packed tile fits the L2 cache
constexpr std::size_t rows_a_group = 4096;
constexpr std::size_t chunk_bytes = 32 << 20; // of rows that are packed at a time

template <class T>
void add_rows(MatrixView<const T> x, std::span<const double> weight, std::size_t begin, std::size_t end, double* sum) {
    if (x.rows_contiguous()) {
        for (std::size_t i = begin; i < end; ++i) {
            const T* row = x.row(i).data;
            const double s = weight_of(weight, i);
            for (std::size_t j = 0; j < x.cols; ++j) sum[j] += s * static_cast<double>(row[j]);
        }
        return;
    }
    for (std::size_t j = 0; j < x.cols; ++j) {
        double lane[8] = {};
        for (std::size_t i = begin; i < end; ++i) lane[i % 8] += weight_of(weight, i) * static_cast<double>(x(i, j));
        for (std::size_t l = 0; l < 8; ++l) sum[j] += lane[l];
    }
}

template <class T, class I>
void add_rows(const CsrView<T, I>& x, std::span<const double> weight, std::size_t begin, std::size_t end, double* sum) {
    for (std::size_t i = begin; i < end; ++i)
        for (std::size_t k = x.begin(i); k < x.end(i); ++k)
            sum[static_cast<std::size_t>(x.indices[k])] += weight_of(weight, i) * static_cast<double>(x.data[k]);
}

template <class View>
double ns_per_row(const View& x) {
    if constexpr (requires { x.n_stored(); })
        return 1.5 * static_cast<double>(x.n_stored()) / static_cast<double>(std::max<std::size_t>(x.rows, 1)) + 2;
    else
        return 0.3 * static_cast<double>(x.cols) + 2;
}

template <class View>
std::vector<double> means(const RunContext& ctx, const View& x, std::span<const double> weight, double weight_sum) {
    std::vector<double> mean(x.cols);
    const std::size_t n_groups = std::clamp<std::size_t>(x.rows / rows_a_group, 1, 16);
    parallel_sums_over(
        ctx, x.rows, n_groups, ns_per_row(x), x.cols, mean.data(),
        [&](std::size_t begin, std::size_t end, double* sum, int) { add_rows(x, weight, begin, end, sum); });
    for (double& m : mean) m /= weight_sum;
    return mean;
}

// ---- dense ----------------------------------------------------------------------------------------------------------

/// Rows of a block or of the table itself: entry (i, j) at data[i * stride + j] if by_row, else at data[i + j *
/// stride].
struct Block {
    const double* data;
    std::size_t stride, rows;
    bool by_row;
};

/// root_i (x_ij - mean_j) for rows [begin, end), column after column.
template <class T>
void pack_columns(MatrixView<const T> x, const double* mean, std::span<const double> weight, std::size_t begin,
                  std::size_t end, double* __restrict out) {
    const std::size_t n = end - begin;
    for (std::size_t j = 0; j < x.cols; ++j) {
        const double m = mean[j];
        double* __restrict to = out + j * n;
        if (x.cols_contiguous()) {
            const T* __restrict column = &x(begin, j);
            for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<double>(column[i]) - m;
        } else {
            for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<double>(x(begin + i, j)) - m;
        }
        if (!weight.empty())
            for (std::size_t i = 0; i < n; ++i) to[i] *= std::sqrt(weight[begin + i]);
    }
}

/// The same row after row, for a table whose rows are contiguous.
template <class T>
void pack_rows(MatrixView<const T> x, const double* mean, std::span<const double> weight, std::size_t begin,
               std::size_t end, double* __restrict out) {
    for (std::size_t i = begin; i < end; ++i) {
        const T* __restrict row = x.row(i).data;
        double* __restrict to = out + (i - begin) * x.cols;
        const double root = std::sqrt(weight_of(weight, i));
        for (std::size_t j = 0; j < x.cols; ++j) to[j] = root * (static_cast<double>(row[j]) - mean[j]);
    }
}

template <class T>
Block pack(MatrixView<const T> x, const std::vector<double>& mean, std::span<const double> weight, std::size_t begin,
           std::size_t end, double* out) {
    if (x.rows_contiguous()) {
        pack_rows(x, mean.data(), weight, begin, end, out);
        return {out, x.cols, end - begin, true};
    }
    pack_columns(x, mean.data(), weight, begin, end, out);
    return {out, end - begin, end - begin, false};
}

/// f(matrix) with columns [first, last) of the block as an Eigen matrix.
template <class F>
void with_columns(const Block& block, std::size_t first, std::size_t last, F&& f) {
    const Eigen::OuterStride<> stride(eigen_index(block.stride));
    const Index rows = eigen_index(block.rows), cols = eigen_index(last - first);
    if (block.by_row)
        f(Eigen::Map<const RowMatrix, 0, Eigen::OuterStride<>>(block.data + first, rows, cols, stride));
    else
        f(Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>(block.data + first * block.stride, rows, cols, stride));
}

/// Adds to gram (d, d), lower triangle, and cross (t, d) the products of one tile of columns with another, or with
/// itself and the targets.
void add_products(const Block& x, const Block& y, std::size_t d, std::size_t t, std::size_t a, std::size_t b,
                  double* gram, double* cross) {
    const std::size_t a0 = a * tile, a1 = std::min(a0 + tile, d), b0 = b * tile, b1 = std::min(b0 + tile, d);
    const Eigen::OuterStride<> stride(eigen_index(d));
    Eigen::Map<RowMatrix, 0, Eigen::OuterStride<>> of_tiles(gram + a0 * d + b0, eigen_index(a1 - a0),
                                                            eigen_index(b1 - b0), stride);
    Eigen::Map<Matrix, 0, Eigen::OuterStride<>> of_targets(cross + a0, eigen_index(a1 - a0), eigen_index(t), stride);
    with_columns(x, a0, a1, [&](const auto& A) {
        if (a != b) {
            with_columns(x, b0, b1, [&](const auto& B) { of_tiles.noalias() += A.transpose() * B; });
            return;
        }
        of_tiles.template selfadjointView<Eigen::Lower>().rankUpdate(A.transpose());
        with_columns(y, 0, t, [&](const auto& B) {
            if (t == 1)
                of_targets.col(0).noalias() += A.transpose() * B.col(0);
            else
                of_targets.noalias() += A.transpose() * B;
        });
    });
}

/// Up to `tile` columns: groups of rows are shared out, each with sums of its own.
template <class T>
void products_of_few(const RunContext& ctx, MatrixView<const T> X, MatrixView<const double> Y,
                     std::span<const double> weight, NormalEquations& out) {
    const std::size_t n = X.rows, d = X.cols, t = Y.cols, size = d * d + t * d;
    const std::size_t n_groups = std::clamp<std::size_t>(n / rows_a_group, 1, 32);
    Buffer<double> total(size, 0.0);
    const double ns = (0.05 * static_cast<double>(d) + 1) * static_cast<double>(d);
    const auto add = [&](std::size_t first, std::size_t last, double* gram, int) {
        Buffer<double> rows(row_block * d), targets(row_block * t);
        for (std::size_t begin = first; begin < last; begin += row_block) {
            const std::size_t end = std::min(begin + row_block, last);
            const Block x = pack(X, out.mean, weight, begin, end, rows.data());
            const Block y = pack(Y, out.target_mean, weight, begin, end, targets.data());
            add_products(x, y, d, t, 0, 0, gram, gram + d * d);
        }
    };
    parallel_sums_over(ctx, n, n_groups, ns, size, total.data(), add);
    std::copy(total.data(), total.data() + d * d, out.gram.data());
    std::copy(total.data() + d * d, total.data() + size, out.cross.data());
}

/// The rows as they lie in memory, if they need neither centring nor weights nor a wider type.
template <class T>
std::optional<Block> in_place(MatrixView<const T> x, std::span<const double> weight, const std::vector<double>& mean) {
    if constexpr (std::is_same_v<T, double>) {
        if (!weight.empty() || std::any_of(mean.begin(), mean.end(), [](double m) { return m != 0; })) return {};
        if (x.rows_contiguous() && x.row_stride >= static_cast<std::ptrdiff_t>(x.cols))
            return Block{x.data, static_cast<std::size_t>(x.row_stride), x.rows, true};
        if (x.cols_contiguous() && x.col_stride >= static_cast<std::ptrdiff_t>(x.rows))
            return Block{x.data, static_cast<std::size_t>(x.col_stride), x.rows, false};
    }
    return {};
}

template <class T>
Block pack_shared(const RunContext& ctx, MatrixView<const T> X, const std::vector<double>& mean,
                  std::span<const double> weight, std::size_t begin, std::size_t end, double* out) {
    const std::size_t n = end - begin, d = X.cols;
    if (X.rows_contiguous()) {
        parallel_ranges(ctx, n, 0.5 * static_cast<double>(d), [&](std::size_t first, std::size_t last, int) {
            pack_rows(X, mean.data(), weight, begin + first, begin + last, out + first * d);
        });
        return {out, d, n, true};
    }
    parallel_ranges(ctx, d, 0.5 * static_cast<double>(n), [&](std::size_t first, std::size_t last, int) {
        const MatrixView<const T> some{&X(0, first), X.rows, last - first, X.row_stride, X.col_stride};
        pack_columns(some, mean.data() + first, weight, begin, end, out + first * n);
    });
    return {out, n, n, false};
}

/// More columns: pairs of tiles of columns are shared out, chunk by chunk of rows.
template <class T>
void products_of_many(const RunContext& ctx, MatrixView<const T> X, MatrixView<const double> Y,
                      std::span<const double> weight, NormalEquations& out) {
    const std::size_t n = X.rows, d = X.cols, t = Y.cols, n_tiles = (d + tile - 1) / tile;
    const std::optional<Block> direct = in_place(X, weight, out.mean);
    const std::size_t rows = direct ? n : std::min(n, std::max(chunk_bytes / sizeof(double) / d, row_block));
    Buffer<double> packed(direct ? 0 : rows * d), targets(rows * t);
    for (std::size_t begin = 0; begin < n; begin += rows) {
        const std::size_t end = std::min(begin + rows, n);
        const Block x = direct ? *direct : pack_shared(ctx, X, out.mean, weight, begin, end, packed.data());
        const Block y = pack(Y, out.target_mean, weight, begin, end, targets.data());
        const double ns = 0.05 * static_cast<double>(tile * tile * (end - begin));
        parallel_tasks(ctx, n_tiles * (n_tiles + 1) / 2, ns, [&](std::size_t task, int) {
            std::size_t a = 0, b = task; // tiles a >= b of the lower triangle
            while (b > a) b -= ++a;
            add_products(x, y, d, t, a, b, out.gram.data(), out.cross.data());
        });
    }
}

template <class T>
void products(const RunContext& ctx, MatrixView<const T> X, MatrixView<const double> Y, std::span<const double> weight,
              NormalEquations& out) {
    if (X.cols <= tile)
        products_of_few(ctx, X, Y, weight, out);
    else
        products_of_many(ctx, X, Y, weight, out);
    for (std::size_t j = 0; j < X.cols; ++j) // only the lower triangle is there
        for (std::size_t k = 0; k < j; ++k) out.gram[k * X.cols + j] = out.gram[j * X.cols + k];
}

// ---- sparse ---------------------------------------------------------------------------------------------------------

template <class T, class I>
void products(const RunContext& ctx, const CsrView<T, I>& X, MatrixView<const double> Y, std::span<const double> weight,
              NormalEquations& out) {
    const std::size_t n = X.rows, d = X.cols, t = Y.cols, size = d * d + t * d;
    const std::size_t n_groups = std::clamp<std::size_t>(X.n_stored() / (4 * size), 1, 8);
    Buffer<double> total(size, 0.0);
    const double a_row = static_cast<double>(X.n_stored()) / static_cast<double>(std::max<std::size_t>(n, 1));
    const double ns = a_row * (a_row / 2 + static_cast<double>(t)) + 5;
    const auto add = [&](std::size_t begin, std::size_t end, double* gram, int) {
        double* cross = gram + d * d;
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t k = X.begin(i); k < X.end(i); ++k) {
                const auto j = static_cast<std::size_t>(X.indices[k]);
                const double x = weight_of(weight, i) * static_cast<double>(X.data[k]);
                for (std::size_t c = 0; c < t; ++c) cross[c * d + j] += x * (Y(i, c) - out.target_mean[c]);
                // Entries of a row may come in any order and repeat a column: all ordered pairs of the lower triangle.
                for (std::size_t l = X.begin(i); l < X.end(i); ++l)
                    if (const auto other = static_cast<std::size_t>(X.indices[l]); other <= j)
                        gram[j * d + other] += x * static_cast<double>(X.data[l]);
            }
    };
    parallel_sums_over(ctx, n, n_groups, ns, size, total.data(), add);
    // Targets are centred, so sum_i s_i m_j y~_i is zero but for rounding: nothing to take off the cross products.
    std::copy(total.data() + d * d, total.data() + size, out.cross.data());
    for (std::size_t j = 0; j < d; ++j)
        for (std::size_t k = 0; k <= j; ++k) {
            const double value = total[j * d + k] - out.weight_sum * out.mean[j] * out.mean[k];
            out.gram[j * d + k] = out.gram[k * d + j] = value;
        }
}

/// What is left of a constant column after centring is rounding, in its products with others too.
void clear_column(NormalEquations& out, std::size_t j) {
    const std::size_t d = out.mean.size();
    for (std::size_t k = 0; k < d; ++k) out.gram[j * d + k] = out.gram[k * d + j] = 0;
    for (std::size_t t = 0; t < out.target_mean.size(); ++t) out.cross[t * d + j] = 0;
}

} // namespace

double weighted_means(const RunContext& ctx, const Table& X, MatrixView<const double> Y, std::span<const double> weight,
                      bool fit_intercept, std::vector<double>& mean, std::vector<double>& target_mean) {
    const double weight_sum = sum_of_weights(weight, Y.rows);
    mean.assign(n_cols(X), 0);
    target_mean.assign(Y.cols, 0);
    if (fit_intercept) {
        mean = std::visit([&](const auto& x) { return means(ctx, x, weight, weight_sum); }, X);
        target_mean = means(ctx, Y, weight, weight_sum);
    }
    return weight_sum;
}

NormalEquations normal_equations(const RunContext& ctx, const Table& X, MatrixView<const double> Y,
                                 std::span<const double> weight, bool fit_intercept) {
    NormalEquations out;
    const std::size_t d = n_cols(X), t = Y.cols;
    out.weight_sum = weighted_means(ctx, X, Y, weight, fit_intercept, out.mean, out.target_mean);
    out.gram = Buffer<double>(d * d, 0.0);
    out.cross = Buffer<double>(t * d, 0.0);
    std::visit([&](const auto& x) { products(ctx, x, Y, weight, out); }, X);
    for (std::size_t j = 0; j < d; ++j)
        if (is_constant(out.gram[j * d + j], out.weight_sum, out.mean[j])) clear_column(out, j);

    const std::size_t n_groups = std::clamp<std::size_t>(Y.rows / rows_a_group, 1, 16);
    out.target_squares.assign(t, 0.0);
    parallel_sums_over(ctx, Y.rows, n_groups, 2.0 * static_cast<double>(t), t, out.target_squares.data(),
                       [&](std::size_t begin, std::size_t end, double* sum, int) {
                           for (std::size_t c = 0; c < t; ++c)
                               for (std::size_t i = begin; i < end; ++i) {
                                   const double y = Y(i, c) - out.target_mean[c];
                                   sum[c] += weight_of(weight, i) * y * y;
                               }
                       });
    for (std::size_t c = 0; c < t; ++c)
        if (is_constant(out.target_squares[c], out.weight_sum, out.target_mean[c])) {
            out.target_squares[c] = 0;
            std::fill_n(out.cross.data() + c * d, d, 0.0);
        }
    return out;
}

} // namespace mlcore::linalg
