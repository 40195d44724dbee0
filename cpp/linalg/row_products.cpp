#include "linalg/row_products.hpp"

#include "core/eigen.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/sums.hpp"
#include "linalg/columns.hpp"
#include "linalg/weights.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

namespace mlcore::linalg {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Index = Eigen::Index;

constexpr std::size_t tile = 128;  // rows in one matrix product
constexpr std::size_t chunk = 512; // columns packed at a time

template <class T>
void add_row_gram(const RunContext& ctx, MatrixView<const T> x, std::span<const double> mean,
                  std::span<const double> weight, double* gram) {
    const std::size_t n = x.rows, n_tiles = (n + tile - 1) / tile, n_pairs = n_tiles * (n_tiles + 1) / 2;
    Buffer<double> packed(n * chunk);
    for (std::size_t first = 0; first < x.cols; first += chunk) {
        const std::size_t cols = std::min(chunk, x.cols - first);
        parallel_ranges(ctx, n, 0.5 * static_cast<double>(cols), [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t i = begin; i < end; ++i) {
                const double root = std::sqrt(weight_of(weight, i));
                for (std::size_t j = 0; j < cols; ++j)
                    packed[i * cols + j] = root * (static_cast<double>(x(i, first + j)) - mean[first + j]);
            }
        });
        const double ns = 0.05 * static_cast<double>(tile * tile * cols);
        parallel_tasks(ctx, n_pairs, ns, [&](std::size_t task, int) {
            std::size_t a = 0, b = task; // tiles a >= b of the lower triangle
            while (b > a) b -= ++a;
            const std::size_t n_a = std::min(tile, n - a * tile), n_b = std::min(tile, n - b * tile);
            const Eigen::Map<const Matrix> A(packed.data() + a * tile * cols, eigen_index(n_a), eigen_index(cols));
            const Eigen::Map<const Matrix> B(packed.data() + b * tile * cols, eigen_index(n_b), eigen_index(cols));
            Eigen::Map<Matrix, 0, Eigen::OuterStride<>> out(gram + a * tile * n + b * tile, eigen_index(n_a),
                                                            eigen_index(n_b), Eigen::OuterStride<>(eigen_index(n)));
            out.noalias() += A * B.transpose();
        });
    }
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t l = 0; l < i; ++l) gram[l * n + i] = gram[i * n + l];
}

/// out (d) = what f(sum, begin, end) adds to sum (d) over groups of rows.
template <class F>
void sum_over_rows(const RunContext& ctx, std::size_t n, std::size_t d, double stored, double* out, F&& f) {
    const std::size_t n_groups =
        std::clamp<std::size_t>(static_cast<std::size_t>(stored / (8 * static_cast<double>(d))), 1, 16);
    std::fill_n(out, d, 0.0);
    parallel_sums_over(ctx, n, n_groups, 0.8 * stored / static_cast<double>(std::max<std::size_t>(n, 1)), d, out,
                       [&](std::size_t begin, std::size_t end, double* sum, int) { f(sum, begin, end); });
}

double n_stored(const Table& X) {
    return std::visit(
        [](const auto& x) {
            if constexpr (requires { x.n_stored(); })
                return static_cast<double>(x.n_stored());
            else
                return static_cast<double>(x.rows) * static_cast<double>(x.cols);
        },
        X);
}

/// Rows of a dense table as plain arrays of double, centred: in blocks, so that columns side by side are read together.
template <class T, class F>
void for_dense_rows(MatrixView<const T> x, std::span<const double> mean, std::size_t begin, std::size_t end, F&& f) {
    constexpr std::size_t block = 16;
    Buffer<double> rows(block * x.cols);
    for (std::size_t first = begin; first < end; first += block) {
        const std::size_t last = std::min(first + block, end);
        if (x.rows_contiguous())
            for (std::size_t i = first; i < last; ++i) {
                const T* row = x.row(i).data;
                double* to = rows.data() + (i - first) * x.cols;
                for (std::size_t j = 0; j < x.cols; ++j) to[j] = static_cast<double>(row[j]) - mean[j];
            }
        else
            for (std::size_t j = 0; j < x.cols; ++j)
                for (std::size_t i = first; i < last; ++i)
                    rows[(i - first) * x.cols + j] = static_cast<double>(x(i, j)) - mean[j];
        for (std::size_t i = first; i < last; ++i) f(i, rows.data() + (i - first) * x.cols);
    }
}

/// f(i, j, x_ij) for what rows [begin, end) hold, entries that come in parts added up.
template <class T, class I, class F>
void for_entries(const CsrView<T, I>& x, std::size_t begin, std::size_t end, F&& f) {
    std::vector<std::pair<std::size_t, double>> row;
    for (std::size_t i = begin; i < end; ++i) {
        bool ascending = true;
        for (std::size_t k = x.begin(i) + 1; k < x.end(i); ++k) ascending &= x.indices[k] > x.indices[k - 1];
        if (ascending) {
            for (std::size_t k = x.begin(i); k < x.end(i); ++k)
                f(i, static_cast<std::size_t>(x.indices[k]), static_cast<double>(x.data[k]));
            continue;
        }
        row.clear();
        for (std::size_t k = x.begin(i); k < x.end(i); ++k)
            row.emplace_back(static_cast<std::size_t>(x.indices[k]), static_cast<double>(x.data[k]));
        std::stable_sort(row.begin(), row.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        for (std::size_t p = 0, q = 0; p < row.size(); p = q) {
            double value = 0;
            for (; q < row.size() && row[q].first == row[p].first; ++q) value += row[q].second;
            f(i, row[p].first, value);
        }
    }
}

double dot(const double* a, const double* b, std::size_t n) {
    return sum_in_lanes<32>(n, [=](std::size_t i) { return a[i] * b[i]; });
}

/// sum_j += sum_i s_i (x_ij - from_j), squares_j += sum_i s_i (x_ij - from_j)^2 over rows [begin, end).
template <class T>
void add_moments(MatrixView<const T> x, const double* __restrict from, std::span<const double> weight,
                 std::size_t begin, std::size_t end, double* __restrict sum, double* __restrict squares) {
    constexpr std::size_t together = 4; // rows: the sums are loaded and stored once for them
    std::size_t i = begin;
    if (x.rows_contiguous())
        for (; i + together <= end; i += together) {
            const T *__restrict a = x.row(i).data, *__restrict b = x.row(i + 1).data,
                    *__restrict c = x.row(i + 2).data, *__restrict e = x.row(i + 3).data;
            const double s = weight_of(weight, i), t = weight_of(weight, i + 1), u = weight_of(weight, i + 2),
                         v = weight_of(weight, i + 3);
            for (std::size_t j = 0; j < x.cols; ++j) {
                const double m = from[j], p = static_cast<double>(a[j]) - m, q = static_cast<double>(b[j]) - m,
                             r = static_cast<double>(c[j]) - m, w = static_cast<double>(e[j]) - m;
                sum[j] += (s * p + t * q) + (u * r + v * w);
                squares[j] += (s * p * p + t * q * q) + (u * r * r + v * w * w);
            }
        }
    constexpr std::size_t lanes = 8;
    for (std::size_t j = 0; i < end && j < x.cols; ++j) {
        double total[lanes] = {}, total_squares[lanes] = {};
        const auto add = [&](std::size_t l, std::size_t row) {
            const double value = static_cast<double>(x(row, j)) - from[j], weighted = weight_of(weight, row) * value;
            total[l] += weighted;
            total_squares[l] += weighted * value;
        };
        std::size_t k = i;
        for (; k + lanes <= end; k += lanes)
            for (std::size_t l = 0; l < lanes; ++l) add(l, k + l);
        for (std::size_t l = 0; k < end; ++k, ++l) add(l, k);
        for (std::size_t l = 0; l < lanes; ++l) {
            sum[j] += total[l];
            squares[j] += total_squares[l];
        }
    }
}

} // namespace

Buffer<double> row_gram(const RunContext& ctx, const Table& X, std::span<const double> mean,
                        std::span<const double> weight) {
    const std::size_t n = n_rows(X);
    Buffer<double> gram(n * n, 0.0);
    std::visit(
        [&](const auto& x) {
            if constexpr (requires { x.n_stored(); })
                MLCORE_CHECK(false, "row_gram is for dense tables");
            else
                add_row_gram(ctx, x, mean, weight, gram.data());
        },
        X);
    return gram;
}

void residual_correlation(const RunContext& ctx, const Table& X, std::span<const double> mean,
                          std::span<const double> weight, const double* offset, const double* v, double* out) {
    const std::size_t n = n_rows(X), d = n_cols(X);
    const auto start = [&](std::size_t i) { return offset ? offset[i] : 0.0; };
    std::visit(
        [&](const auto& x) {
            if constexpr (requires { x.n_stored(); }) {
                const double mean_v = v ? dot(mean.data(), v, d) : 0;
                std::vector<double> q(n);
                sum_over_rows(ctx, n, d, n_stored(X), out, [&](double* sum, std::size_t begin, std::size_t end) {
                    for (std::size_t i = begin; i < end; ++i) {
                        double p = start(i) + mean_v;
                        if (v)
                            for (std::size_t k = x.begin(i); k < x.end(i); ++k)
                                p -= static_cast<double>(x.data[k]) * v[static_cast<std::size_t>(x.indices[k])];
                        q[i] = weight_of(weight, i) * p;
                        for (std::size_t k = x.begin(i); k < x.end(i); ++k)
                            sum[static_cast<std::size_t>(x.indices[k])] += q[i] * static_cast<double>(x.data[k]);
                    }
                });
                double sum_q = 0;
                for (const double value : q) sum_q += value;
                for (std::size_t j = 0; j < d; ++j) out[j] -= sum_q * mean[j];
            } else {
                sum_over_rows(ctx, n, d, n_stored(X), out,
                              [&](double* __restrict sum, std::size_t begin, std::size_t end) {
                                  for_dense_rows(x, mean, begin, end, [&](std::size_t i, const double* __restrict row) {
                                      const double q = weight_of(weight, i) * (start(i) - (v ? dot(row, v, d) : 0));
                                      for (std::size_t j = 0; j < d; ++j) sum[j] += q * row[j];
                                  });
                              });
            }
        },
        X);
}

std::vector<double> column_squares(const RunContext& ctx, const Table& X, std::span<const double> mean,
                                   std::span<const double> weight) {
    const std::size_t n = n_rows(X), d = n_cols(X);
    std::vector<double> out(d);
    const double weight_sum = sum_of_weights(weight, n);
    std::visit(
        [&](const auto& x) {
            if constexpr (requires { x.n_stored(); }) {
                sum_over_rows(ctx, n, d, n_stored(X), out.data(), [&](double* sum, std::size_t begin, std::size_t end) {
                    for_entries(x, begin, end, [&](std::size_t i, std::size_t j, double value) {
                        sum[j] += weight_of(weight, i) * value * value;
                    });
                });
                for (std::size_t j = 0; j < d; ++j) out[j] -= weight_sum * mean[j] * mean[j];
            } else {
                sum_over_rows(ctx, n, d, n_stored(X), out.data(), [&](double* sum, std::size_t begin, std::size_t end) {
                    for_dense_rows(x, mean, begin, end, [&](std::size_t i, const double* row) {
                        for (std::size_t j = 0; j < d; ++j) sum[j] += weight_of(weight, i) * row[j] * row[j];
                    });
                });
            }
        },
        X);
    for (std::size_t j = 0; j < d; ++j)
        if (is_constant(out[j], weight_sum, mean[j])) out[j] = 0;
    return out;
}

TableMoments table_moments(const RunContext& ctx, const Table& X, std::span<const double> weight, bool fit_intercept) {
    const std::size_t n = n_rows(X), d = n_cols(X);
    TableMoments out{sum_of_weights(weight, n), std::vector<double>(d), std::vector<double>(d)};
    // The row of the largest weight is what others are compared with: nothing is lost far from zero.
    const auto heaviest =
        static_cast<std::size_t>(std::max_element(weight.begin(), weight.end()) - weight.begin()); // 0 without weights
    std::vector<double> from(d, 0.0), sums(2 * d);
    std::visit(
        [&](const auto& x) {
            if constexpr (requires { x.n_stored(); }) {
                sum_over_rows(ctx, n, 2 * d, n_stored(X), sums.data(),
                              [&](double* sum, std::size_t begin, std::size_t end) {
                                  for_entries(x, begin, end, [&](std::size_t i, std::size_t j, double value) {
                                      sum[j] += weight_of(weight, i) * value;
                                      sum[d + j] += weight_of(weight, i) * value * value;
                                  });
                              });
            } else {
                if (fit_intercept)
                    for (std::size_t j = 0; j < d; ++j) from[j] = static_cast<double>(x(heaviest, j));
                sum_over_rows(ctx, n, 2 * d, n_stored(X), sums.data(),
                              [&](double* sum, std::size_t begin, std::size_t end) {
                                  add_moments(x, from.data(), weight, begin, end, sum, sum + d);
                              });
            }
        },
        X);
    for (std::size_t j = 0; j < d; ++j) {
        const double moved = fit_intercept ? sums[j] / out.weight_sum : 0;
        out.mean[j] = from[j] + moved;
        out.squares[j] = std::max(sums[d + j] - moved * sums[j], 0.0);
        if (!std::isfinite(sums[d + j])) throw ValueError("the data overflow: scale the features");
        if (is_constant(out.squares[j], out.weight_sum, out.mean[j])) out.squares[j] = 0;
    }
    return out;
}

} // namespace mlcore::linalg
