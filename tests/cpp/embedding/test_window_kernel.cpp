// Against a naive twin in double precision, and the gradient against finite differences of the loss.
#include "check.hpp"
#include "core/random.hpp"
#include "embedding/window_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <thread>
#include <vector>

using namespace mlcore;
using namespace mlcore::embedding;

namespace {

using Rows = std::vector<std::vector<double>>;

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

/// A window over rows of its own: which row each input and output is, and the weights.
struct Case {
    std::size_t size;
    Buffer<float> inputs, outputs;
    std::vector<std::size_t> input_row, output_row;
    std::vector<float> weight;
    Window window{size};

    Case(std::size_t d, std::size_t m, std::size_t n, std::uint64_t seed, double scale = 0.5)
        : size(padded(d)), inputs(m * size, 0.0f), outputs(n * size, 0.0f) {
        const Philox random(seed, 0);
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t k = 0; k < d; ++k)
                inputs[i * size + k] = static_cast<float>(scale * random.normal(i * d + k));
        for (std::size_t j = 0; j < n; ++j)
            for (std::size_t k = 0; k < d; ++k)
                outputs[j * size + k] = static_cast<float>(scale * random.normal((m + j) * d + k));
        for (std::size_t i = 0; i < m; ++i) input_row.push_back(i);
        for (std::size_t j = 0; j < n; ++j) {
            output_row.push_back(j);
            weight.push_back(random.below(1000000 + j, 2) ? 1.0f : -1.0f);
        }
    }

    double step(float alpha) {
        const std::size_t m = input_row.size(), n = output_row.size();
        window.reserve_outputs(n);
        window.n_inputs = m;
        window.n_outputs = n;
        window.multiples = false;
        for (std::size_t i = 0; i < m; ++i) window.input[i] = &inputs[input_row[i] * size];
        for (std::size_t j = 0; j < n; ++j) {
            window.output[j] = &outputs[output_row[j] * size];
            window.weight[j] = weight[j];
            window.multiples = window.multiples || std::abs(weight[j]) != 1;
        }
        skipgram_step(window, alpha);
        return window.loss.take();
    }
};

Rows rows_of(const Buffer<float>& from, std::size_t size) {
    Rows rows(from.size() / size);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].assign(&from[i * size], &from[i * size] + size);
    return rows;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
    return sum;
}

double loss_of(const Case& c, const Rows& inputs, const Rows& outputs) {
    double loss = 0;
    for (std::size_t j = 0; j < c.output_row.size(); ++j)
        for (const std::size_t i : c.input_row) {
            const double x = dot(inputs[i], outputs[c.output_row[j]]);
            loss += std::abs(static_cast<double>(c.weight[j])) * softplus(c.weight[j] < 0 ? x : -x);
        }
    return loss;
}

/// The step in plain loops, in place.
void naive_step(const Case& c, Rows& inputs, Rows& outputs, double alpha) {
    const Rows h = inputs, C = outputs;
    for (std::size_t j = 0; j < c.output_row.size(); ++j)
        for (const std::size_t i : c.input_row) {
            const std::vector<double>&row = C[c.output_row[j]], &input = h[i];
            const double w = static_cast<double>(c.weight[j]), x = dot(input, row);
            const double g = alpha * w / (1 + std::exp(w < 0 ? -x : x));
            for (std::size_t k = 0; k < row.size(); ++k) {
                inputs[i][k] += g * row[k];
                outputs[c.output_row[j]][k] += g * input[k];
            }
        }
}

void check_against_naive(Case& c, float alpha, double tolerance) {
    Rows inputs = rows_of(c.inputs, c.size), outputs = rows_of(c.outputs, c.size);
    const double loss = loss_of(c, inputs, outputs);
    naive_step(c, inputs, outputs, static_cast<double>(alpha));
    CHECK_CLOSE(c.step(alpha), loss, 1e-5 * (1 + loss));
    const Rows got_inputs = rows_of(c.inputs, c.size), got_outputs = rows_of(c.outputs, c.size);
    for (std::size_t i = 0; i < inputs.size(); ++i)
        for (std::size_t k = 0; k < c.size; ++k) CHECK_CLOSE(got_inputs[i][k], inputs[i][k], tolerance);
    for (std::size_t j = 0; j < outputs.size(); ++j)
        for (std::size_t k = 0; k < c.size; ++k) CHECK_CLOSE(got_outputs[j][k], outputs[j][k], tolerance);
}

} // namespace

TEST(step_equals_the_naive_one_for_every_shape) {
    for (std::size_t m = 1; m <= max_inputs; ++m)
        for (std::size_t n = 1; n <= 20; ++n) {
            Case c(1 + (m * 31 + n * 7) % 130, m, n, m * 100 + n);
            check_against_naive(c, 0.1f, 2e-5);
        }
}

TEST(outputs_may_be_many) {
    for (const std::size_t m : {std::size_t{1}, std::size_t{12}}) {
        Case c(24, m, 300, m);
        check_against_naive(c, 0.01f, 1e-4); // long sums
    }
}

TEST(a_word_twice_in_the_window_gets_both_updates) {
    Case c(50, 7, 6, 1);
    c.input_row[1] = c.input_row[0];
    c.input_row[6] = c.input_row[0];
    check_against_naive(c, 0.1f, 1e-4);
}

TEST(a_negative_drawn_twice_counts_twice) {
    Case c(50, 5, 6, 2);
    c.weight = {1, -2, -1, -3, -1, -1};
    check_against_naive(c, 0.1f, 1e-4);
}

TEST(rows_may_be_of_any_scale) {
    for (const double scale : {1e-20, 1e-3, 3.0}) { // products up to +-1000: sigmoid and loss at their ends
        Case c(100, 6, 6, 3, scale);
        check_against_naive(c, 0.01f, 1e-5 * std::max(1.0, scale));
    }
    Case c(100, 6, 6, 3, 20); // products of tens of thousands, beyond what exp can take
    c.weight = {1, -2, -1, -3, -1, -1};
    check_against_naive(c, 1e-4f, 1e-3);
}

TEST(the_step_is_the_gradient_of_the_loss) {
    Case c(7, 5, 6, 4);
    c.weight = {1, -1, -2, -1, -1, 1};
    const Rows inputs = rows_of(c.inputs, c.size), outputs = rows_of(c.outputs, c.size);
    const float alpha = 0x1p-4f; // steps large enough to be read off float rows
    c.step(alpha);
    const Rows moved_inputs = rows_of(c.inputs, c.size), moved_outputs = rows_of(c.outputs, c.size);
    const double h = 1e-5;
    const auto slope = [&](bool of_input, std::size_t row, std::size_t k) {
        Rows a = inputs, b = outputs;
        double& x = of_input ? a[row][k] : b[row][k];
        x += h;
        const double above = loss_of(c, a, b);
        x -= 2 * h;
        return (above - loss_of(c, a, b)) / (2 * h);
    };
    for (std::size_t k = 0; k < 7; ++k) {
        for (std::size_t i = 0; i < 5; ++i)
            CHECK_CLOSE((inputs[i][k] - moved_inputs[i][k]) / static_cast<double>(alpha), slope(true, i, k), 1e-5);
        for (std::size_t j = 0; j < 6; ++j)
            CHECK_CLOSE((outputs[j][k] - moved_outputs[j][k]) / static_cast<double>(alpha), slope(false, j, k), 1e-5);
    }
}

TEST(padding_stays_zero) {
    Case c(33, 7, 6, 5);
    c.step(0.5f);
    for (std::size_t i = 0; i < 7; ++i)
        for (std::size_t k = 33; k < c.size; ++k) CHECK_EQUAL(c.inputs[i * c.size + k], 0.0f);
}

TEST(the_loss_of_many_steps_is_the_sum) {
    Case c(20, 6, 6, 6);
    double expected = 0;
    const Rows inputs = rows_of(c.inputs, c.size), outputs = rows_of(c.outputs, c.size);
    expected = 500 * loss_of(c, inputs, outputs);
    double got = c.step(0); // takes; a learning rate of 0 moves nothing
    for (int i = 1; i < 500; ++i) skipgram_step(c.window, 0);
    got += c.window.loss.take();
    CHECK_CLOSE(got, expected, 1e-6 * expected);
    CHECK_EQUAL(c.window.loss.take(), 0.0);
}

TEST(cbow_is_the_step_of_one_input_for_all_context_rows) {
    for (const std::size_t n : {std::size_t{6}, std::size_t{21}})
        for (const float scale : {0.2f, 1.0f}) {
            Case c(37, 5, n, 7);
            const Rows rows = rows_of(c.inputs, c.size);
            const std::vector<std::size_t> context{0, 1, 2, 2, 4}; // one word twice
            Rows outputs = rows_of(c.outputs, c.size), inputs(1, std::vector<double>(c.size, 0.0));
            for (const std::size_t i : context)
                for (std::size_t k = 0; k < c.size; ++k) inputs[0][k] += static_cast<double>(scale) * rows[i][k];
            const Rows h = inputs;
            Case single(1, 1, n, 7);
            single.weight = c.weight;
            const double loss = loss_of(single, inputs, outputs);
            naive_step(single, inputs, outputs, 0.1);

            std::vector<float*> pointers;
            for (const std::size_t i : context) pointers.push_back(&c.inputs[i * c.size]);
            c.step(0); // sets outputs and weights; moves nothing
            cbow_step(c.window, pointers, scale, 0.1f);
            CHECK_CLOSE(c.window.loss.take(), loss, 1e-5 * (1 + loss));
            const Rows moved = rows_of(c.inputs, c.size), moved_outputs = rows_of(c.outputs, c.size);
            for (std::size_t k = 0; k < c.size; ++k) {
                const double dh = inputs[0][k] - h[0][k];
                CHECK_CLOSE(moved[0][k], rows[0][k] + dh, 1e-5);
                CHECK_CLOSE(moved[2][k], rows[2][k] + 2 * dh, 1e-5);
                CHECK_CLOSE(moved[3][k], rows[3][k], 0);
                for (std::size_t j = 0; j < n; ++j) CHECK_CLOSE(moved_outputs[j][k], outputs[j][k], 1e-5);
            }
        }
}

/// What comes out is anybody's guess; the thread sanitizer must take every race for the intended one.
TEST(threads_may_make_steps_on_the_same_rows) {
    Case c(20, 12, 9, 8); // two groups of outputs for a single input
    const auto work = [&c] {
        Window window(c.size);
        window.reserve_outputs(9);
        window.n_outputs = 9;
        std::vector<float*> context;
        for (std::size_t i = 0; i < 12; ++i) context.push_back(&c.inputs[i * c.size]);
        for (std::size_t j = 0; j < 9; ++j) {
            window.output[j] = &c.outputs[j * c.size];
            window.weight[j] = c.weight[j];
        }
        for (int round = 0; round < 50; ++round) {
            for (std::size_t m = 1; m <= max_inputs; ++m) {
                window.n_inputs = m;
                std::copy_n(context.begin(), m, window.input.begin());
                skipgram_step(window, 0.01f);
            }
            cbow_step(window, context, 0.1f, 0.01f);
        }
    };
    std::thread other(work);
    work();
    other.join();
    for (const Buffer<float>* rows : {&c.inputs, &c.outputs})
        for (const float x : *rows) CHECK(std::isfinite(x));
}

TEST(private_rows_add_up_what_all_have_moved) {
    const std::size_t n = 3, size = padded(20);
    Buffer<float> shared(n * size, 1.0f);
    PrivateRows a(shared.data(), n, size), b(shared.data(), n, size);
    a.exchange();
    b.exchange();
    CHECK_EQUAL(a.row(2)[5], 1.0f);
    a.row(1)[7] += 2;
    b.row(1)[7] += 4;
    b.row(2)[0] -= 1;
    CHECK_EQUAL(shared[size + 7], 1.0f); // nobody knows yet
    a.exchange();
    CHECK_EQUAL(shared[size + 7], 3.0f);
    b.exchange();
    CHECK_EQUAL(shared[size + 7], 7.0f);
    CHECK_EQUAL(b.row(1)[7], 7.0f);
    CHECK_EQUAL(a.row(1)[7], 3.0f); // until the next exchange
    a.exchange();
    CHECK_EQUAL(a.row(1)[7], 7.0f);
    CHECK_EQUAL(a.row(2)[0], 0.0f);
    CHECK_EQUAL(shared[0], 1.0f);
    PrivateRows().exchange(); // of no rows
}
