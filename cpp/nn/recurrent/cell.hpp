// One step of a recurrent layer for one row and a block of hidden units: the gates, and their gradients. z is what the
// products bring: x W_ih^T + h W_hh^T + biases, one column block a gate; dz its gradient. s is the sigmoid.
//
//   RNN    h' = tanh(z) or max(z, 0)                                        (Elman, "Finding structure in time", 1990)
//   LSTM   i, f, o = s(z_i), s(z_f), s(z_o),  g = tanh(z_g)
//          c' = f c + i g,  h' = o tanh(c')          (Hochreiter, Schmidhuber 1997; forget gate: Gers et al. 2000)
//   GRU    r, u = s(z_r), s(z_u),  n = tanh(x_n + r p) with p = h W_hn^T + b_hn
//          h' = (1 - u) n + u h                       (Cho et al. 2014; r after the product, as cuDNN and PyTorch have
//          it)
//
// A row has `columns` blocks of H values for a direction: before the step the products with x, after it what the
// gradient needs, in a buffer of the same shape dz. Left out on purpose: peepholes, projections, layer norm inside.
#pragma once

#include "linalg/vector_functions.hpp"

#include <cstddef>

namespace mlcore::nn {

namespace recurrent_detail {

using simd::Floats, simd::lanes;

struct WholeVector {
    Floats load(const float* p) const { return simd::load(p); }
    void store(float* p, Floats v) const { simd::store(p, v); }
};
struct FirstOfVector {
    std::size_t n;
    Floats load(const float* p) const { return simd::load_first(p, n); }
    void store(float* p, Floats v) const { simd::store_first(p, v, n); }
};

/// f(j, how to load and store there) for the vectors of n entries.
template <class F>
[[gnu::always_inline]] inline void for_vectors(std::size_t n, F f) {
    std::size_t j = 0;
    for (; j + lanes <= n; j += lanes) f(j, WholeVector{});
    if (j < n) f(j, FirstOfVector{n - j});
}

/// By e^(-2 |x|) - 1, which keeps all digits near 0; as simd::exp_negative otherwise.
[[gnu::always_inline]] inline Floats tanh(Floats x) {
    using simd::Integers;
    constexpr float rounder = 0x1.8p23f;
    const Floats size = vf::abs(x), y = -2 * (size > 10 ? Floats{} + 10 : size);
    const Floats shifted = simd::fma(y, simd::broadcast(0x1.715476p0f), simd::broadcast(rounder));
    const Floats n = shifted - rounder;
    const Floats r = simd::fma(n, simd::broadcast(-0x1.7f7d1cp-20f), simd::fma(n, simd::broadcast(-0x1.62e4p-1f), y));
    const Floats r2 = r * r;
    const Floats high = simd::fma(r2, simd::broadcast(0x1.6d98f8p-10f),
                                  simd::fma(r, simd::broadcast(0x1.1227fp-7f), simd::broadcast(0x1.555486p-5f)));
    const Floats low = simd::fma(r, simd::broadcast(0x1.5554bp-3f), simd::broadcast(0x1p-1f));
    const Floats p = simd::fma(r2, simd::fma(r2, high, low), r); // e^r - 1
    const Floats power = (Floats)(((Integers)shifted + 127) << 23);
    const Floats expm1 = simd::fma(power, p, power - 1);
    const Floats result = -expm1 / (expm1 + 2);
    const Integers sign = (Integers)x & static_cast<int>(0x80000000u);
    return (Floats)((Integers)result | sign);
}

} // namespace recurrent_detail

/// What one row has for one block of units in a step. Gate blocks lie H apart in `gates` and `dgates`.
struct CellRow {
    std::size_t n_units, H;
    float* gates;   // in: products with x; out: kept for the gradient
    const float* z; // products with h, one block a product
    std::size_t z_step;
    float* h;          // (n_units) state, in and out
    float* c;          // the same, LSTM only
    float* y;          // h'
    float* kept_cell;  // c', or nullptr
    const float* b_hn; // (n_units), GRU only
};

struct CellGradientRow {
    std::size_t n_units, H;
    const float* gates;
    const float* y;             // h'
    const float* cell;          // c', LSTM only
    const float* previous_cell; // c, LSTM only
    const float* previous;      // h, GRU only
    const float* dh;            // gradient by h'
    float* dc;                  // in: gradient by c'; out: by c
    float* dh_direct;           // out: the part of the gradient by h that does not go through the products
    float* dgates;              // out
    float* bias_sums;           // a vector of sums_step entries for each block: += dgates
    std::size_t sums_step;
};

template <bool relu>
struct RnnCell {
    static constexpr std::size_t columns = 1, input_columns = 1, products = 1;
    static constexpr bool has_cell = false, keeps_gates = false;
    static constexpr std::size_t column_of_product(std::size_t p) { return p; }

    [[gnu::always_inline]] static void forward(const CellRow& row) {
        recurrent_detail::for_vectors(row.n_units, [&](std::size_t j, auto at) {
            const auto z = at.load(row.gates + j) + at.load(row.z + j);
            const auto h = relu ? vf::max(simd::Floats{}, z) : recurrent_detail::tanh(z);
            at.store(row.h + j, h);
            at.store(row.y + j, h);
        });
    }
    [[gnu::always_inline]] static void backward(const CellGradientRow& row) {
        recurrent_detail::for_vectors(row.n_units, [&](std::size_t j, auto at) {
            const auto y = at.load(row.y + j), dh = at.load(row.dh + j);
            const auto dz = relu ? (y > 0 ? dh : simd::Floats{}) : dh * (1 - y * y);
            at.store(row.dgates + j, dz);
            at.store(row.bias_sums + j, at.load(row.bias_sums + j) + dz);
            at.store(row.dh_direct + j, simd::Floats{});
        });
    }
};

struct LstmCell {
    static constexpr std::size_t columns = 4, input_columns = 4, products = 4;
    static constexpr bool has_cell = true, keeps_gates = true;
    static constexpr std::size_t column_of_product(std::size_t p) { return p; }

    [[gnu::always_inline]] static void forward(const CellRow& row) {
        recurrent_detail::for_vectors(row.n_units, [&](std::size_t j, auto at) {
            const auto z = [&](std::size_t p) {
                return at.load(row.gates + p * row.H + j) + at.load(row.z + p * row.z_step + j);
            };
            const auto i = vf::sigmoid(z(0)), f = vf::sigmoid(z(1));
            const auto g = recurrent_detail::tanh(z(2)), o = vf::sigmoid(z(3));
            const auto c = simd::fma(f, at.load(row.c + j), i * g);
            const auto h = o * recurrent_detail::tanh(c);
            at.store(row.gates + j, i);
            at.store(row.gates + row.H + j, f);
            at.store(row.gates + 2 * row.H + j, g);
            at.store(row.gates + 3 * row.H + j, o);
            at.store(row.c + j, c);
            at.store(row.h + j, h);
            at.store(row.y + j, h);
            if (row.kept_cell) at.store(row.kept_cell + j, c);
        });
    }
    [[gnu::always_inline]] static void backward(const CellGradientRow& row) {
        recurrent_detail::for_vectors(row.n_units, [&](std::size_t j, auto at) {
            const auto gate = [&](std::size_t p) { return at.load(row.gates + p * row.H + j); };
            const auto i = gate(0), f = gate(1), g = gate(2), o = gate(3);
            const auto tanh_c = recurrent_detail::tanh(at.load(row.cell + j));
            const auto dh = at.load(row.dh + j), c_before = at.load(row.previous_cell + j);
            const auto dc = simd::fma(dh * o, 1 - tanh_c * tanh_c, at.load(row.dc + j));
            const auto out = [&](std::size_t p, simd::Floats dz) {
                at.store(row.dgates + p * row.H + j, dz);
                float* sum = row.bias_sums + p * row.sums_step + j;
                at.store(sum, at.load(sum) + dz);
            };
            out(0, dc * g * i * (1 - i));
            out(1, dc * c_before * f * (1 - f));
            out(2, dc * i * (1 - g * g));
            out(3, dh * tanh_c * o * (1 - o));
            at.store(row.dc + j, dc * f);
            at.store(row.dh_direct + j, simd::Floats{});
        });
    }
};

/// Columns r, u, n and p; their gradients the same, where that of z_n stands in n.
struct GruCell {
    static constexpr std::size_t columns = 4, input_columns = 3, products = 3;
    static constexpr bool has_cell = false, keeps_gates = true;
    static constexpr std::size_t column_of_product(std::size_t p) { return p < 2 ? p : 3; }

    [[gnu::always_inline]] static void forward(const CellRow& row) {
        recurrent_detail::for_vectors(row.n_units, [&](std::size_t j, auto at) {
            const auto x = [&](std::size_t p) { return at.load(row.gates + p * row.H + j); };
            const auto z = [&](std::size_t p) { return at.load(row.z + p * row.z_step + j); };
            const auto r = vf::sigmoid(x(0) + z(0)), u = vf::sigmoid(x(1) + z(1));
            const auto p = z(2) + at.load(row.b_hn + j);
            const auto n = recurrent_detail::tanh(simd::fma(r, p, x(2)));
            const auto h = simd::fma(u, at.load(row.h + j) - n, n);
            at.store(row.gates + j, r);
            at.store(row.gates + row.H + j, u);
            at.store(row.gates + 2 * row.H + j, n);
            at.store(row.gates + 3 * row.H + j, p);
            at.store(row.h + j, h);
            at.store(row.y + j, h);
        });
    }
    [[gnu::always_inline]] static void backward(const CellGradientRow& row) {
        recurrent_detail::for_vectors(row.n_units, [&](std::size_t j, auto at) {
            const auto gate = [&](std::size_t p) { return at.load(row.gates + p * row.H + j); };
            const auto r = gate(0), u = gate(1), n = gate(2), p = gate(3);
            const auto dh = at.load(row.dh + j), h = at.load(row.previous + j);
            const auto out = [&](std::size_t k, simd::Floats dz) {
                at.store(row.dgates + k * row.H + j, dz);
                float* sum = row.bias_sums + k * row.sums_step + j;
                at.store(sum, at.load(sum) + dz);
            };
            const auto dn = dh * (1 - u) * (1 - n * n);
            out(0, dn * p * r * (1 - r));
            out(1, dh * (h - n) * u * (1 - u));
            out(2, dn);
            out(3, dn * r);
            at.store(row.dh_direct + j, dh * u);
        });
    }
};

} // namespace mlcore::nn
