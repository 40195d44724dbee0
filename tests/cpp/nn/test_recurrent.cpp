// Recurrent layers against a plain one, in double: one sequence and one step at a time.
#include "check.hpp"

#include "core/vecmath.hpp"
#include "nn/recurrent/cell.hpp"
#include "nn/recurrent/recurrent.hpp"
#include "nn/recurrent/sequence_layout.hpp"
#include "nn/twin.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

using twin::Values;

/// A layer with all that goes in and comes out.
struct Problem {
    RecurrentCell cell;
    RecurrentSizes sizes = recurrent_sizes(cell);
    SequenceLayout layout;
    std::size_t I, H, D, B, N, P;
    bool states;
    Values x, h0, c0, y, h_n, c_n, gates, cells, dy, dh_n, dc_n, dx, dh0, dc0;
    std::vector<Values> w, dw; // W_ih, W_hh, b_ih, b_hh a direction

    Problem(const std::string& name, std::vector<std::int64_t> lengths, std::size_t I_, std::size_t H_, std::size_t D_,
            bool states_)
        : cell(parse_recurrent_cell(name)),
          layout(lengths.size(), static_cast<std::size_t>(*std::max_element(lengths.begin(), lengths.end())), lengths),
          I(I_), H(H_), D(D_), B(lengths.size()), N(layout.n_rows()), P(sizes.weight_blocks), states(states_) {
        const std::size_t S = D * B * H;
        x = twin::normal(N * I, 1);
        h0 = states ? twin::normal(S, 2) : Values(S), c0 = states ? twin::normal(S, 3) : Values(S);
        dy = twin::normal(N * D * H, 4), dh_n = twin::normal(S, 5), dc_n = twin::normal(S, 6);
        y = Values(N * D * H), h_n = c_n = dh0 = dc0 = Values(S), dx = Values(N * I);
        gates = Values(D * N * sizes.kept_columns * H), cells = Values(sizes.has_cell ? D * N * H : 0);
        for (std::size_t d = 0; d < D; ++d) {
            const std::size_t n[] = {P * H * I, P * H * H, P * H, P * H};
            for (std::size_t k = 0; k < 4; ++k)
                w.push_back(twin::normal(n[k], 10 + 4 * d + k, 0.4f)), dw.emplace_back(n[k]);
        }
    }

    void run(int n_threads) {
        const StandaloneRun standalone(n_threads);
        std::vector<RecurrentWeights> weights;
        std::vector<RecurrentWeightGradients> dweights;
        for (std::size_t k = 0; k < 4 * D; k += 4) {
            weights.push_back({w[k].data(), w[k + 1].data(), w[k + 2].data(), w[k + 3].data()});
            dweights.push_back({dw[k].data(), dw[k + 1].data(), dw[k + 2].data(), dw[k + 3].data()});
        }
        const float* h = states ? h0.data() : nullptr;
        const float* c = states && sizes.has_cell ? c0.data() : nullptr;
        recurrent_forward(standalone.context, {{cell, layout, I, H, weights, x.data(), h, c},
                                               y.data(),
                                               h_n.data(),
                                               c_n.data(),
                                               sizes.kept_columns ? gates.data() : nullptr,
                                               sizes.has_cell ? cells.data() : nullptr});
        recurrent_backward(standalone.context, {{cell, layout, I, H, weights, x.data(), h, c},
                                                y.data(),
                                                gates.data(),
                                                cells.data(),
                                                dy.data(),
                                                dh_n.data(),
                                                sizes.has_cell ? dc_n.data() : nullptr,
                                                dx.data(),
                                                states ? dh0.data() : nullptr,
                                                states && sizes.has_cell ? dc0.data() : nullptr,
                                                dweights});
    }
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// The loss of a problem, sum dy y + dh_n h_n + dc_n c_n, in double; y_n is compared on the way.
double loss(const Problem& p, bool compares) {
    double total = 0;
    const bool lstm = p.cell == RecurrentCell::lstm, gru = p.cell == RecurrentCell::gru;
    for (std::size_t d = 0; d < p.D; ++d)
        for (std::size_t j = 0; j < p.B; ++j) {
            const std::size_t b = p.layout.sequence(j), state = (d * p.B + b) * p.H;
            std::vector<double> h(p.h0.begin() + static_cast<std::ptrdiff_t>(state),
                                  p.h0.begin() + static_cast<std::ptrdiff_t>(state + p.H));
            std::vector<double> c(p.c0.begin() + static_cast<std::ptrdiff_t>(state),
                                  p.c0.begin() + static_cast<std::ptrdiff_t>(state + p.H));
            std::size_t length = 0;
            while (length < p.layout.n_steps() && p.layout.rows_of(length) > j) ++length;
            for (std::size_t s = 0; s < length; ++s) {
                const std::size_t t = d == 0 ? s : length - 1 - s, row = p.layout.first_row(t) + j;
                const Values* w = &p.w[4 * d];
                std::vector<double> a(p.P * p.H), q(p.P * p.H);
                for (std::size_t k = 0; k < a.size(); ++k) {
                    a[k] = w[2][k], q[k] = w[3][k];
                    for (std::size_t i = 0; i < p.I; ++i) a[k] += double{w[0][k * p.I + i]} * p.x[row * p.I + i];
                    for (std::size_t i = 0; i < p.H; ++i) q[k] += double{w[1][k * p.H + i]} * h[i];
                }
                for (std::size_t k = 0; k < p.H; ++k) {
                    const auto z = [&](std::size_t part) { return a[part * p.H + k] + q[part * p.H + k]; };
                    if (lstm) {
                        c[k] = sigmoid(z(1)) * c[k] + sigmoid(z(0)) * std::tanh(z(2));
                        h[k] = sigmoid(z(3)) * std::tanh(c[k]);
                    } else if (gru) {
                        const double u = sigmoid(z(1));
                        const double n = std::tanh(a[2 * p.H + k] + sigmoid(z(0)) * q[2 * p.H + k]);
                        h[k] = (1 - u) * n + u * h[k];
                    } else {
                        h[k] = p.cell == RecurrentCell::rnn_relu ? std::max(z(0), 0.0) : std::tanh(z(0));
                    }
                    const std::size_t place = (row * p.D + d) * p.H + k;
                    if (compares) CHECK_CLOSE(p.y[place], h[k], 2e-5);
                    total += double{p.dy[place]} * h[k];
                }
            }
            for (std::size_t k = 0; k < p.H; ++k) {
                if (compares) CHECK_CLOSE(p.h_n[state + k], h[k], 2e-5);
                if (compares && lstm) CHECK_CLOSE(p.c_n[state + k], c[k], 2e-5);
                total += double{p.dh_n[state + k]} * h[k] + (lstm ? double{p.dc_n[state + k]} * c[k] : 0);
            }
        }
    return total;
}

/// Central differences by some entries of `values` beside the gradient.
void check_gradient(Problem& p, Values& values, const Values& gradient) {
    const float step = 0x1p-10f; // small, because the ReLU has a kink
    for (std::size_t i = 0; i < values.size(); i += std::max<std::size_t>(values.size() / 5, 1)) {
        const float before = values[i];
        double losses[2], places[2];
        for (const int side : {0, 1}) {
            values[i] = side ? before - step : before + step;
            places[side] = values[i]; // rounded
            losses[side] = loss(p, false);
        }
        values[i] = before;
        const double expected = (losses[0] - losses[1]) / (places[0] - places[1]);
        CHECK_CLOSE(gradient[i], expected, 1e-4 * (1 + std::abs(expected)));
    }
}

} // namespace

TEST(layout_sorts_by_length) {
    const std::int64_t lengths[] = {2, 4, 1, 2};
    const SequenceLayout layout(4, 5, lengths);
    CHECK_EQUAL(layout.n_steps(), std::size_t{4});
    CHECK_EQUAL(layout.n_rows(), std::size_t{9});
    for (const auto& [j, b] : {std::pair{0, 1}, {1, 0}, {2, 3}, {3, 2}})
        CHECK_EQUAL(layout.sequence(static_cast<std::size_t>(j)), static_cast<std::size_t>(b));
    CHECK_EQUAL(layout.rows_of(1), std::size_t{3});
    CHECK_EQUAL(layout.first_row(2), std::size_t{7});
    CHECK(!layout.equal_lengths());
    CHECK(SequenceLayout(4, 5).equal_lengths());
    CHECK_THROWS(ValueError, SequenceLayout(4, 3, lengths));
    CHECK_THROWS(ValueError, SequenceLayout(3, 5, lengths));
    CHECK_THROWS(ValueError, SequenceLayout(0, 5));
}

TEST(packing_there_and_back) {
    const std::int64_t lengths[] = {2, 3, 1};
    const SequenceLayout layout(3, 4, lengths);
    const Values x = twin::normal(3 * 4 * 5, 1);
    Values packed(6 * 5), back(3 * 4 * 5, 7);
    const StandaloneRun run(2);
    pack_sequences(run.context, layout, {x.data(), 20, 5, 1}, 5, packed.data());
    unpack_sequences(run.context, layout, packed.data(), 5, {back.data(), 20, 5, 1}, 4);
    for (std::size_t b = 0; b < 3; ++b)
        for (std::size_t t = 0; t < 4; ++t)
            for (std::size_t f = 0; f < 5; ++f) {
                const std::size_t i = (b * 4 + t) * 5 + f;
                CHECK_EQUAL(back[i], static_cast<std::int64_t>(t) < lengths[b] ? x[i] : 0);
            }
    // The axes of the features and the steps exchanged.
    Values other(6 * 5), turned(3 * 4 * 5);
    for (std::size_t b = 0; b < 3; ++b)
        for (std::size_t t = 0; t < 4; ++t)
            for (std::size_t f = 0; f < 5; ++f) turned[(b * 5 + f) * 4 + t] = x[(b * 4 + t) * 5 + f];
    pack_sequences(run.context, layout, {turned.data(), 20, 1, 4}, 5, other.data());
    CHECK(packed == other);
}

TEST(tanh_of_vectors) {
    double worst = 0;
    for (float x = -12; x < 12; x += 0.00123f) {
        const float y = vf::tanh(simd::broadcast(x))[0];
        worst = std::max(worst, std::abs(static_cast<double>(y) / std::tanh(static_cast<double>(x)) - 1));
    }
    CHECK(worst < 4 * 0x1p-23);
    for (const float x : {0.0f, -0.0f, 1e-30f, 1e30f, -1e30f, INFINITY, -INFINITY, NAN})
        CHECK_CLOSE(vf::tanh(simd::broadcast(x))[0], std::tanh(x), 1e-37);
}

TEST(values_and_gradients_of_all_cells) {
    for (const char* name : {"rnn_tanh", "rnn_relu", "lstm", "gru"})
        for (const std::size_t D : {1u, 2u})
            for (const bool states : {false, true}) {
                Problem p(name, {2, 5, 1, 5, 3, 4}, 3, 6, D, states);
                p.run(1);
                loss(p, true);
                check_gradient(p, p.x, p.dx);
                for (std::size_t k = 0; k < p.w.size(); ++k) check_gradient(p, p.w[k], p.dw[k]);
                if (states) check_gradient(p, p.h0, p.dh0);
                if (states && p.sizes.has_cell) check_gradient(p, p.c0, p.dc0);
            }
}

TEST(sizes_around_the_borders_of_tiles) {
    for (const std::size_t H : {1, 4, 7, 8, 9, 16, 31, 33})
        for (const std::size_t B : {1, 3, 6, 7, 14, 15, 61}) {
            std::vector<std::int64_t> lengths(B, 2);
            lengths[B / 2] = 3, lengths[B - 1] = 1;
            Problem p(H % 2 ? "lstm" : "gru", lengths, 2, H, 2, B % 2 == 0);
            p.run(1);
            loss(p, true);
        }
}

TEST(threads_do_not_change_a_bit) {
    for (const char* name : {"rnn_tanh", "lstm", "gru"}) {
        Problem one(name, {7, 9, 9, 2, 5, 9, 1, 3, 8, 9, 6, 9, 9, 9, 4, 9, 9}, 20, 150, 2, true), three = one;
        one.run(1);
        three.run(3);
        CHECK(one.y == three.y && one.h_n == three.h_n && one.c_n == three.c_n);
        CHECK(one.dx == three.dx && one.dh0 == three.dh0 && one.dc0 == three.dc0 && one.dw == three.dw);
    }
}
