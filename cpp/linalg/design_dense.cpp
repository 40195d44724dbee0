#include "linalg/design_dense.hpp"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

namespace mlcore::linalg {
namespace {

using simd::broadcast, simd::Doubles, simd::fma, simd::load, simd::load_widened, simd::store, simd::sums;
constexpr std::size_t lanes = simd::lanes_of<double>;
constexpr std::size_t panel_bytes = 64 * 1024; // of a block's rows: they stay in the second cache
constexpr std::size_t row_tile = 8;            // rows whose products are computed together

// Tile of a sum of gradients: so many sums, beside what is read, fit into the registers.
#if defined(__AVX512F__)
constexpr std::size_t most_outputs = 6, most_vectors = 4;
#else
constexpr std::size_t most_outputs = 3, most_vectors = 3;
#endif

std::size_t rows_of_block(std::size_t n_cols) {
    return std::clamp(panel_bytes / (8 * std::max<std::size_t>(n_cols, 1)) / 8 * 8, std::size_t{16}, std::size_t{256});
}

/// sum[m * sum_stride + l] += sum_i r[i * r_row + m * r_output] x[i * x_stride + l] for M outputs m and C vectors of
/// columns l.
template <std::size_t M, std::size_t C, class T>
[[gnu::noinline]] void outer_tile(std::size_t n_rows, const double* r, std::size_t r_row, std::size_t r_output,
                                  const T* x, std::ptrdiff_t x_stride, double* sum, std::size_t sum_stride) {
    Doubles total[M][C];
#pragma GCC unroll 8
    for (std::size_t m = 0; m < M; ++m)
#pragma GCC unroll 8
        for (std::size_t c = 0; c < C; ++c) total[m][c] = load(sum + m * sum_stride + c * lanes);
    for (std::size_t i = 0; i < n_rows; ++i, r += r_row, x += x_stride) {
        Doubles columns[C];
#pragma GCC unroll 8
        for (std::size_t c = 0; c < C; ++c) columns[c] = load_widened(x + c * lanes);
#pragma GCC unroll 8
        for (std::size_t m = 0; m < M; ++m) {
            const Doubles weight = broadcast(r[m * r_output]);
#pragma GCC unroll 8
            for (std::size_t c = 0; c < C; ++c) total[m][c] = fma(weight, columns[c], total[m][c]);
        }
    }
#pragma GCC unroll 8
    for (std::size_t m = 0; m < M; ++m)
#pragma GCC unroll 8
        for (std::size_t c = 0; c < C; ++c) store(sum + m * sum_stride + c * lanes, total[m][c]);
}

template <class T>
using OuterTile = void (*)(std::size_t, const double*, std::size_t, std::size_t, const T*, std::ptrdiff_t, double*,
                           std::size_t);

/// The tile for M = m + 1 outputs and C = c + 1 vectors.
template <class T>
OuterTile<T> outer_tile_of(std::size_t m, std::size_t c) {
    static constexpr auto table = []<std::size_t... At>(std::index_sequence<At...>) {
        return std::array<OuterTile<T>, sizeof...(At)>{outer_tile<At / most_vectors + 1, At % most_vectors + 1, T>...};
    }(std::make_index_sequence<most_outputs * most_vectors>{});
    return table[(m - 1) * most_vectors + (c - 1)];
}

/// Cuts n into the fewest parts of at most `most`, as equal as can be: the size of the next part.
std::size_t next_part(std::size_t n, std::size_t most) {
    const std::size_t parts = (n + most - 1) / most;
    return (n + parts - 1) / parts;
}

/// As outer_tile, any numbers of outputs and of columns (a multiple of the vector).
template <class T>
void outer_product(std::size_t n_rows, const double* r, std::size_t r_output, std::size_t n_outputs, const T* x,
                   std::ptrdiff_t x_stride, std::size_t n_columns, double* sum, std::size_t sum_stride) {
    for (std::size_t m = 0; m < n_outputs;) {
        const std::size_t M = next_part(n_outputs - m, most_outputs);
        for (std::size_t l = 0; l < n_columns;) {
            const std::size_t C = next_part((n_columns - l) / lanes, most_vectors);
            outer_tile_of<T>(M, C)(n_rows, r + m * r_output, 1, r_output, x + l, x_stride, sum + m * sum_stride + l,
                                   sum_stride);
            l += C * lanes;
        }
        m += M;
    }
}

/// acc[r] += products of the row r with w, vectors over n columns.
template <std::size_t R, class T>
[[gnu::always_inline]] inline void dot_rows(const T* x, std::ptrdiff_t stride, const double* w, std::size_t n,
                                            std::array<Doubles, R>& acc) {
    for (std::size_t l = 0; l < n; l += lanes) {
        const Doubles weights = load(w + l);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < R; ++r) {
            const T* at = x + static_cast<std::ptrdiff_t>(r) * stride + l;
            __builtin_prefetch(at + static_cast<std::ptrdiff_t>(R) * stride); // the next tile's
            acc[r] = fma(load_widened(at), weights, acc[r]);
        }
    }
}

/// z[v * lanes + l][r] for R rows and V vectors of outputs.
template <std::size_t R, std::size_t V, class T>
[[gnu::noinline]] void score_tile(const T* x, std::ptrdiff_t row_stride, std::ptrdiff_t col_stride, std::size_t n_cols,
                                  const double* w, const double* intercept, std::size_t w_stride, double* z,
                                  std::size_t z_stride, std::size_t n_outputs) {
    Doubles acc[R][V];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (std::size_t v = 0; v < V; ++v) acc[r][v] = load(intercept + v * lanes);
    for (std::size_t j = 0; j < n_cols; ++j, w += w_stride, x += col_stride) {
        Doubles weights[V];
#pragma GCC unroll 8
        for (std::size_t v = 0; v < V; ++v) weights[v] = load(w + v * lanes);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < R; ++r) {
            const Doubles value = broadcast(static_cast<double>(x[static_cast<std::ptrdiff_t>(r) * row_stride]));
#pragma GCC unroll 8
            for (std::size_t v = 0; v < V; ++v) acc[r][v] = fma(value, weights[v], acc[r][v]);
        }
    }
    double by_row[R][V * lanes];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (std::size_t v = 0; v < V; ++v) store(&by_row[r][v * lanes], acc[r][v]);
    for (std::size_t k = 0; k < n_outputs; ++k)
#pragma GCC unroll 8
        for (std::size_t r = 0; r < R; ++r) z[k * z_stride + r] = by_row[r][k];
}

constexpr std::size_t panel_columns = most_vectors * lanes;

/// Rows (n, stride) cut into panels of columns, each of them row after row: read in order, and kept in the nearest
/// cache, by all tiles that need it.
void pack_panels(const double* rows, std::size_t n, std::size_t stride, double* panels) {
    for (std::size_t l = 0; l < stride; l += panel_columns) {
        const std::size_t width = std::min(panel_columns, stride - l);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t c = 0; c < width; c += lanes, panels += lanes)
                store(panels, load(rows + i * stride + l + c));
    }
}

/// h_i times rows (n, stride), cut into the tiles' outputs, each tile row after row. Writes up to a vector beyond.
void pack_tiles(const double* rows, const double* h, std::size_t n, std::size_t size, std::size_t stride,
                double* tiles) {
    for (std::size_t m = 0; m < size; m += most_outputs) {
        const std::size_t M = std::min(most_outputs, size - m);
        for (std::size_t i = 0; i < n; ++i, tiles += M) {
            const double* from = rows + i * stride + m;
            if (lanes >= most_outputs && m + lanes <= stride) // what is written too much is overwritten by the next
                store(tiles, broadcast(h[i]) * load(from));
            else
                for (std::size_t k = 0; k < M; ++k) tiles[k] = h[i] * from[k];
        }
    }
}

} // namespace

template <class T>
DenseDesign<T>::DenseDesign(MatrixView<const T> X)
    : Design(X.rows, X.cols, rows_of_block(X.cols)), X_(X),
      n_direct_(X.rows_contiguous() ? X.cols / column_unit * column_unit : 0) {}

template <class T>
void DenseDesign<T>::pack(std::size_t begin, std::size_t end, Scratch& scratch) const {
    if (scratch.begin == begin && scratch.end == end) return;
    const std::size_t width = padded_cols() - n_direct_;
    if (scratch.panel.size() < block_rows() * width) scratch.panel = Buffer<double>(block_rows() * width, 0.0);
    for (std::size_t i = begin; i < end; ++i) {
        const T* from = row(i) + static_cast<std::ptrdiff_t>(n_direct_) * X_.col_stride;
        double* to = scratch.panel.data() + (i - begin) * width;
        for (std::size_t j = n_direct_; j < n_cols(); ++j, from += X_.col_stride) *to++ = static_cast<double>(*from);
    }
    scratch.begin = begin;
    scratch.end = end;
}

template <class T>
void DenseDesign<T>::scores(std::size_t begin, std::size_t end, const Coefficients& w, double* z,
                            Scratch& scratch) const {
    const std::size_t K = w.n_outputs;
    if (K > 1) {
        const auto tiles = [&]<std::size_t R>(std::size_t i, std::integral_constant<std::size_t, R>) {
            std::size_t k = 0;
            for (; k + lanes < K; k += 2 * lanes)
                score_tile<R, 2>(row(i), X_.row_stride, X_.col_stride, n_cols(), &w.by_column[k], &w.intercept[k],
                                 w.padded_outputs, z + k * block_rows() + i - begin, block_rows(),
                                 std::min(2 * lanes, K - k));
            if (k < K)
                score_tile<R, 1>(row(i), X_.row_stride, X_.col_stride, n_cols(), &w.by_column[k], &w.intercept[k],
                                 w.padded_outputs, z + k * block_rows() + i - begin, block_rows(), K - k);
        };
        std::size_t i = begin;
        for (; i + row_tile <= end; i += row_tile) tiles(i, std::integral_constant<std::size_t, row_tile>{});
        for (; i < end; ++i) tiles(i, std::integral_constant<std::size_t, 1>{});
        return;
    }
    const std::size_t width = padded_cols() - n_direct_;
    if (width > 0) pack(begin, end, scratch);
    const auto panel_row = [&](std::size_t i) { return scratch.panel.data() + (i - begin) * width; };
    const auto panel_stride = static_cast<std::ptrdiff_t>(width);
    const Doubles intercept = broadcast(w.intercept[0]);
    std::size_t i = begin;
    for (; i + lanes <= end; i += lanes) {
        std::array<Doubles, lanes> acc{};
        dot_rows(row(i), X_.row_stride, w.by_column.data(), n_direct_, acc);
        if (width > 0) dot_rows(panel_row(i), panel_stride, &w.by_column[n_direct_], width, acc);
        store(z + i - begin, sums(acc) + intercept);
    }
    for (; i < end; ++i) {
        std::array<Doubles, lanes> acc{}; // the lanes are summed in the order of the tile above
        std::array<Doubles, 1> one{};
        dot_rows(row(i), 0, w.by_column.data(), n_direct_, one);
        if (width > 0) dot_rows(panel_row(i), 0, &w.by_column[n_direct_], width, one);
        acc[0] = one[0];
        z[i - begin] = sums(acc)[0] + intercept[0];
    }
}

template <class T>
void DenseDesign<T>::add_gradient(std::size_t begin, std::size_t end, const double* r, std::size_t K, double* sum,
                                  Scratch& scratch) const {
    const std::size_t D = padded_cols(), width = D - n_direct_;
    if (n_direct_ > 0) outer_product(end - begin, r, block_rows(), K, row(begin), X_.row_stride, n_direct_, sum, D);
    if (width == 0) return;
    pack(begin, end, scratch);
    outer_product(end - begin, r, block_rows(), K, static_cast<const double*>(scratch.panel.data()),
                  static_cast<std::ptrdiff_t>(width), width, sum + n_direct_, D);
}

template <class T>
void DenseDesign<T>::read_gradient(const double* sum, std::size_t K, double* gradient) const {
    for (std::size_t k = 0; k < K; ++k) std::copy_n(sum + k * padded_cols(), n_cols(), gradient + k * (n_cols() + 1));
}

template <class T>
void DenseDesign<T>::copy_row(std::size_t i, const ColumnSet& columns, double* to) const {
    const T* from = row(i);
    double* const last = to + columns.stride();
    if (columns.all() && n_direct_ > 0) {
        for (std::size_t j = 0; j < n_direct_; j += lanes) store(to + j, load_widened(from + j));
        to += n_direct_;
        for (std::size_t j = n_direct_; j < n_cols(); ++j) *to++ = static_cast<double>(from[j]);
    } else {
        for (const std::uint32_t j : columns.chosen())
            *to++ = static_cast<double>(from[static_cast<std::ptrdiff_t>(j) * X_.col_stride]);
    }
    *to++ = 1.0;
    std::fill(to, last, 0.0);
}

template <class T>
void DenseDesign<T>::add_products(std::size_t begin, std::size_t end, const double* h, const ColumnSet& rows,
                                  const ColumnSet& columns, double* sum, Scratch& scratch) const {
    const std::size_t n = end - begin, R = rows.stride(), C = columns.stride();
    const bool same = same_columns(rows, columns);
    const std::size_t needed = n * (2 * C + 2 * R) + lanes;
    if (scratch.weighted.size() < needed) scratch.weighted = Buffer<double>(needed);
    double *a = scratch.weighted.data(), *b = a + n * C, *panels = b + n * R, *tiles = panels + n * C;
    for (std::size_t i = 0; i < n; ++i) copy_row(begin + i, columns, a + i * C);
    if (!same)
        for (std::size_t i = 0; i < n; ++i) copy_row(begin + i, rows, b + i * R);
    pack_panels(a, n, C, panels);
    pack_tiles(same ? a : b, h, n, rows.size(), R, tiles);
    for (std::size_t l = 0; l < C; l += panel_columns) {
        const std::size_t width = std::min(panel_columns, C - l);
        for (std::size_t m = 0; m < rows.size() && !(same && m >= l + width); m += most_outputs) {
            const std::size_t M = std::min(most_outputs, rows.size() - m);
            const std::size_t skip = same && m > l ? (m - l) / lanes * lanes : 0; // below the diagonal
            outer_tile_of<double>(M, (width - skip) / lanes)(n, tiles + m * n, M, 1, panels + l * n + skip,
                                                             static_cast<std::ptrdiff_t>(width), sum + m * C + l + skip,
                                                             C);
        }
    }
}

template <class T>
void DenseDesign<T>::add_squares(std::size_t begin, std::size_t end, const double* h, double* sum, Scratch&) const {
    for (std::size_t i = begin; i < end; ++i) {
        const T* x = row(i);
        for (std::size_t j = 0; j < n_cols(); ++j, x += X_.col_stride)
            sum[j] += h[i - begin] * static_cast<double>(*x) * static_cast<double>(*x);
    }
}

template <class T>
void DenseDesign<T>::row_squares(std::size_t begin, std::size_t end, const Coordinates& in, double* squares) const {
    for (std::size_t i = begin; i < end; ++i) {
        const T* x = row(i);
        double total = 0;
        for (std::size_t j = 0; j < n_cols(); ++j, x += X_.col_stride) {
            const double value = in.value(j, static_cast<double>(*x));
            total += value * value;
        }
        squares[i - begin] = total;
    }
}

template class DenseDesign<float>;
template class DenseDesign<double>;

} // namespace mlcore::linalg
