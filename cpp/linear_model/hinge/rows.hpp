// Rows of a table as the linear solvers use them: products with a weight vector and sums into one. Values are read as
// they are stored (float32 as float32), weights and sums are float64. The constant feature that stands for the
// intercept is no part of the table: each row acts as if it ended with `bias`.
//
// Weight vectors have padded_width() entries: the coefficients, that of the constant feature, then zeros up to a whole
// SIMD vector, so that the kernels may read and write whole vectors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <variant>

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/table.hpp"

namespace mlcore::linear_model::hinge {

using simd::Doubles;
inline constexpr std::size_t lanes = simd::lanes_of<double>;

/// sum_j x[j] w[j]; w may be read up to the next whole vector.
template <class T>
[[gnu::always_inline]] inline double row_dot(const T* x, const double* w, std::size_t n) {
    Doubles s0{}, s1{}, s2{}, s3{};
    std::size_t j = 0;
    for (; j + 4 * lanes <= n; j += 4 * lanes) {
        s0 = simd::fma(simd::load_widened(x + j), simd::load(w + j), s0);
        s1 = simd::fma(simd::load_widened(x + j + lanes), simd::load(w + j + lanes), s1);
        s2 = simd::fma(simd::load_widened(x + j + 2 * lanes), simd::load(w + j + 2 * lanes), s2);
        s3 = simd::fma(simd::load_widened(x + j + 3 * lanes), simd::load(w + j + 3 * lanes), s3);
    }
    if (j + 2 * lanes <= n) {
        s0 = simd::fma(simd::load_widened(x + j), simd::load(w + j), s0);
        s1 = simd::fma(simd::load_widened(x + j + lanes), simd::load(w + j + lanes), s1);
        j += 2 * lanes;
    }
    if (j + lanes <= n) {
        s2 = simd::fma(simd::load_widened(x + j), simd::load(w + j), s2);
        j += lanes;
    }
    if (j < n) s3 = simd::fma(simd::load_widened_first(x + j, n - j), simd::load(w + j), s3);
    return simd::sum((s0 + s1) + (s2 + s3));
}

/// w[j] += a x[j]; w may be written (with what it holds) up to the next whole vector.
template <class T>
[[gnu::always_inline]] inline void add_row(double a, const T* x, double* w, std::size_t n) {
    const Doubles scale = simd::broadcast(a);
    std::size_t j = 0;
    for (; j + lanes <= n; j += lanes)
        simd::store(w + j, simd::fma(scale, simd::load_widened(x + j), simd::load(w + j)));
    if (j < n) simd::store(w + j, simd::fma(scale, simd::load_widened_first(x + j, n - j), simd::load(w + j)));
}

/// Entries of a weight vector of `features` coefficients and one for the constant feature.
inline std::size_t padded_width(std::size_t features) { return simd::round_up(features + 1, lanes) + lanes; }

/// Dense rows, each contiguous.
template <class T>
struct DenseRows {
    const T* data;
    std::size_t size, features;
    std::ptrdiff_t stride;
    double bias; // 0: no intercept

    const T* row(std::size_t i) const { return data + static_cast<std::ptrdiff_t>(i) * stride; }
    [[gnu::always_inline]] double dot(std::size_t i, const double* w) const {
        return row_dot(row(i), w, features) + bias * w[features];
    }
    [[gnu::always_inline]] void add(std::size_t i, double a, double* w) const {
        add_row(a, row(i), w, features);
        w[features] += a * bias;
    }
    double squared_norm(std::size_t i) const {
        double sum = bias * bias;
        const T* x = row(i);
        for (std::size_t j = 0; j < features; ++j) sum += static_cast<double>(x[j]) * static_cast<double>(x[j]);
        return sum;
    }
    [[gnu::always_inline]] void prefetch(std::size_t i) const {
        const char* begin = reinterpret_cast<const char*>(row(i));
        const std::size_t bytes = std::min<std::size_t>(features * sizeof(T), 1024); // the hardware follows from there
        for (std::size_t b = 0; b < bytes; b += cache_line) __builtin_prefetch(begin + b);
        __builtin_prefetch(begin + bytes - 1);
    }
    /// f(column, value) for the entries of row i, that of the constant feature last.
    template <class F>
    void for_each(std::size_t i, F&& f) const {
        const T* x = row(i);
        for (std::size_t j = 0; j < features; ++j) f(j, static_cast<double>(x[j]));
        if (bias != 0) f(features, bias);
    }
    std::size_t entries() const { return size * features; }
};

/// CSR rows, read in place. Each column at most once a row.
template <class T, class Index>
struct SparseRows {
    CsrView<T, Index> x;
    std::size_t size, features;
    double bias;

    [[gnu::always_inline]] double dot(std::size_t i, const double* w) const {
        const std::size_t end = x.end(i);
        std::size_t k = x.begin(i);
        double s0 = 0, s1 = 0, s2 = 0, s3 = 0; // four chains: an addition takes four cycles
        for (; k + 4 <= end; k += 4) {
            s0 += static_cast<double>(x.data[k]) * w[x.indices[k]];
            s1 += static_cast<double>(x.data[k + 1]) * w[x.indices[k + 1]];
            s2 += static_cast<double>(x.data[k + 2]) * w[x.indices[k + 2]];
            s3 += static_cast<double>(x.data[k + 3]) * w[x.indices[k + 3]];
        }
        for (; k < end; ++k) s0 += static_cast<double>(x.data[k]) * w[x.indices[k]];
        return ((s0 + s1) + (s2 + s3)) + bias * w[features];
    }
    [[gnu::always_inline]] void add(std::size_t i, double a, double* w) const {
        for (std::size_t k = x.begin(i); k < x.end(i); ++k) w[x.indices[k]] += a * static_cast<double>(x.data[k]);
        w[features] += a * bias;
    }
    double squared_norm(std::size_t i) const {
        double sum = bias * bias;
        for (std::size_t k = x.begin(i); k < x.end(i); ++k)
            sum += static_cast<double>(x.data[k]) * static_cast<double>(x.data[k]);
        return sum;
    }
    [[gnu::always_inline]] void prefetch(std::size_t i) const {
        const std::size_t begin = x.begin(i), bytes = std::min<std::size_t>(x.end(i) - begin, 64);
        const auto lines = [](const char* first, std::size_t n) {
            for (std::size_t b = 0; b < n; b += cache_line) __builtin_prefetch(first + b);
        };
        lines(reinterpret_cast<const char*>(x.data + begin), bytes * sizeof(T));
        lines(reinterpret_cast<const char*>(x.indices + begin), bytes * sizeof(Index));
    }
    template <class F>
    void for_each(std::size_t i, F&& f) const {
        for (std::size_t k = x.begin(i); k < x.end(i); ++k)
            f(static_cast<std::size_t>(x.indices[k]), static_cast<double>(x.data[k]));
        if (bias != 0) f(features, bias);
    }
    std::size_t entries() const { return x.n_stored(); }
};

template <class Rows>
inline constexpr bool are_dense = false;
template <class T>
inline constexpr bool are_dense<DenseRows<T>> = true;

/// What a row costs, about, in nanoseconds.
template <class Rows>
double ns_per_row(const Rows& rows) {
    const double entries =
        static_cast<double>(rows.entries()) / static_cast<double>(std::max<std::size_t>(rows.size, 1));
    return 5 + entries * (are_dense<Rows> ? 0.25 : 1.0);
}

using AnyRows =
    std::variant<DenseRows<float>, DenseRows<double>, SparseRows<float, std::int32_t>, SparseRows<float, std::int64_t>,
                 SparseRows<double, std::int32_t>, SparseRows<double, std::int64_t>>;

/// The rows of a table. Where those of a dense one are not contiguous (Fortran order) it holds a copy.
class LinearRows {
  public:
    LinearRows(const RunContext& ctx, const Table& X, double bias);
    const AnyRows& get() const { return rows_; }

  private:
    std::variant<Buffer<float>, Buffer<double>> copy_;
    AnyRows rows_;
};

} // namespace mlcore::linear_model::hinge
