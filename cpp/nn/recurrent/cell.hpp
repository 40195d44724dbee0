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
#include "nn/row_sums.hpp"

#include <cstddef>

namespace mlcore::nn {

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
    const float* dh;            // gradient with respect to h'
    float* dc;                  // in: gradient with respect to c'; out: to c
    float* dh_direct;           // out: the part of dh of the step before that does not go through the products
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
        for_vectors(0, row.n_units, [&](std::size_t j, auto count) {
            const auto z = load_count(row.gates + j, count) + load_count(row.z + j, count);
            const auto h = relu ? vf::max(simd::Floats{}, z) : vf::tanh(z);
            store_count(row.h + j, h, count);
            store_count(row.y + j, h, count);
        });
    }
    [[gnu::always_inline]] static void backward(const CellGradientRow& row) {
        for_vectors(0, row.n_units, [&](std::size_t j, auto count) {
            const auto y = load_count(row.y + j, count), dh = load_count(row.dh + j, count);
            const auto dz = relu ? (y > 0 ? dh : simd::Floats{}) : dh * (1 - y * y);
            store_count(row.dgates + j, dz, count);
            store_count(row.bias_sums + j, load_count(row.bias_sums + j, count) + dz, count);
            store_count(row.dh_direct + j, simd::Floats{}, count);
        });
    }
};

struct LstmCell {
    static constexpr std::size_t columns = 4, input_columns = 4, products = 4;
    static constexpr bool has_cell = true, keeps_gates = true;
    static constexpr std::size_t column_of_product(std::size_t p) { return p; }

    [[gnu::always_inline]] static void forward(const CellRow& row) {
        for_vectors(0, row.n_units, [&](std::size_t j, auto count) {
            const auto z = [&](std::size_t p) {
                return load_count(row.gates + p * row.H + j, count) + load_count(row.z + p * row.z_step + j, count);
            };
            const auto i = vf::sigmoid(z(0)), f = vf::sigmoid(z(1));
            const auto g = vf::tanh(z(2)), o = vf::sigmoid(z(3));
            const auto c = simd::fma(f, load_count(row.c + j, count), i * g);
            const auto h = o * vf::tanh(c);
            store_count(row.gates + j, i, count);
            store_count(row.gates + row.H + j, f, count);
            store_count(row.gates + 2 * row.H + j, g, count);
            store_count(row.gates + 3 * row.H + j, o, count);
            store_count(row.c + j, c, count);
            store_count(row.h + j, h, count);
            store_count(row.y + j, h, count);
            if (row.kept_cell) store_count(row.kept_cell + j, c, count);
        });
    }
    [[gnu::always_inline]] static void backward(const CellGradientRow& row) {
        for_vectors(0, row.n_units, [&](std::size_t j, auto count) {
            const auto gate = [&](std::size_t p) { return load_count(row.gates + p * row.H + j, count); };
            const auto i = gate(0), f = gate(1), g = gate(2), o = gate(3);
            const auto tanh_c = vf::tanh(load_count(row.cell + j, count));
            const auto dh = load_count(row.dh + j, count), c_before = load_count(row.previous_cell + j, count);
            const auto dc = simd::fma(dh * o, 1 - tanh_c * tanh_c, load_count(row.dc + j, count));
            const auto out = [&](std::size_t p, simd::Floats dz) {
                store_count(row.dgates + p * row.H + j, dz, count);
                float* sum = row.bias_sums + p * row.sums_step + j;
                store_count(sum, load_count(sum, count) + dz, count);
            };
            out(0, dc * g * i * (1 - i));
            out(1, dc * c_before * f * (1 - f));
            out(2, dc * i * (1 - g * g));
            out(3, dh * tanh_c * o * (1 - o));
            store_count(row.dc + j, dc * f, count);
            store_count(row.dh_direct + j, simd::Floats{}, count);
        });
    }
};

/// Columns r, u, n and p; their gradients the same, where that of z_n stands in n.
struct GruCell {
    static constexpr std::size_t columns = 4, input_columns = 3, products = 3;
    static constexpr bool has_cell = false, keeps_gates = true;
    static constexpr std::size_t column_of_product(std::size_t p) { return p < 2 ? p : 3; }

    [[gnu::always_inline]] static void forward(const CellRow& row) {
        for_vectors(0, row.n_units, [&](std::size_t j, auto count) {
            const auto x = [&](std::size_t p) { return load_count(row.gates + p * row.H + j, count); };
            const auto z = [&](std::size_t p) { return load_count(row.z + p * row.z_step + j, count); };
            const auto r = vf::sigmoid(x(0) + z(0)), u = vf::sigmoid(x(1) + z(1));
            const auto p = z(2) + load_count(row.b_hn + j, count);
            const auto n = vf::tanh(simd::fma(r, p, x(2)));
            const auto h = simd::fma(u, load_count(row.h + j, count) - n, n);
            store_count(row.gates + j, r, count);
            store_count(row.gates + row.H + j, u, count);
            store_count(row.gates + 2 * row.H + j, n, count);
            store_count(row.gates + 3 * row.H + j, p, count);
            store_count(row.h + j, h, count);
            store_count(row.y + j, h, count);
        });
    }
    [[gnu::always_inline]] static void backward(const CellGradientRow& row) {
        for_vectors(0, row.n_units, [&](std::size_t j, auto count) {
            const auto gate = [&](std::size_t p) { return load_count(row.gates + p * row.H + j, count); };
            const auto r = gate(0), u = gate(1), n = gate(2), p = gate(3);
            const auto dh = load_count(row.dh + j, count), h = load_count(row.previous + j, count);
            const auto out = [&](std::size_t k, simd::Floats dz) {
                store_count(row.dgates + k * row.H + j, dz, count);
                float* sum = row.bias_sums + k * row.sums_step + j;
                store_count(sum, load_count(sum, count) + dz, count);
            };
            const auto dn = dh * (1 - u) * (1 - n * n);
            out(0, dn * p * r * (1 - r));
            out(1, dh * (h - n) * u * (1 - u));
            out(2, dn);
            out(3, dn * r);
            store_count(row.dh_direct + j, dh * u, count);
        });
    }
};

} // namespace mlcore::nn
