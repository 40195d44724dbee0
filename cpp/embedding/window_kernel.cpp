#include "embedding/window_kernel.hpp"

#include "core/simd.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

namespace mlcore::embedding {

namespace {

using simd::Floats, simd::lanes;

// Rows are read and written by several threads at once, on purpose. What is inlined is watched as part of the function
// that it ends up in: under the sanitizer marked functions stay functions, or the mark would be lost.
#ifdef __SANITIZE_THREAD__
#define MLCORE_HOGWILD [[gnu::no_sanitize_thread, gnu::noinline]]
#define MLCORE_HOGWILD_INLINE MLCORE_HOGWILD
#else
#define MLCORE_HOGWILD [[gnu::no_sanitize_thread]]
#define MLCORE_HOGWILD_INLINE [[gnu::no_sanitize_thread, gnu::always_inline]]
#endif

#if defined(__AVX512F__)
constexpr std::size_t n_registers = 32;
#else
constexpr std::size_t n_registers = 16;
#endif

/// f(integral_constant<n>) for n in 1..Max, by one jump.
template <std::size_t Max, class F>
[[gnu::always_inline]] inline void with_constant(std::size_t n, F&& f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        using Call = void (*)(F&);
        static constexpr Call table[] = {[](F& g) { g(std::integral_constant<std::size_t, I + 1>{}); }...};
        table[n - 1](f);
    }(std::make_index_sequence<Max>{});
}

/// Whether M inputs are held in registers while outputs come one by one: else they are read from the nearest cache.
template <std::size_t M>
constexpr bool hold_inputs = 2 * M + 4 <= n_registers;

/// Outputs whose dot products with M inputs stay in registers: an even number (then they are stored in whole fours) if
/// there is room for two.
template <std::size_t M>
constexpr std::size_t outputs_at_once = [] {
    const std::size_t room = (n_registers - 2 - (hold_inputs<M> ? M : 1)) / M;
    return room >= 8 ? 8 : room >= 2 ? room / 2 * 2 : 1;
}();

template <std::size_t M>
[[gnu::always_inline]] inline Floats input_vector(const float* p) {
    return hold_inputs<M> ? simd::pinned(simd::load(p)) : simd::load(p);
}

/// x(j, i) = h_i . C_j for M inputs and J outputs; up to 3 floats past the end of x are overwritten.
template <std::size_t M, std::size_t J>
MLCORE_HOGWILD_INLINE inline void dots(float* const* input, float* const* output, std::size_t size, float* x) {
    Floats sum[J * M + 3]; // three more, so that they come in fours
#pragma GCC unroll 32
    for (std::size_t c = 0; c < J * M + 3; ++c) sum[c] = Floats{};
    for (std::size_t k = 0; k < size; k += lanes) {
        Floats h[M];
#pragma GCC unroll 32
        for (std::size_t i = 0; i < M; ++i) h[i] = input_vector<M>(input[i] + k);
#pragma GCC unroll 32
        for (std::size_t j = 0; j < J; ++j) {
            const Floats c = simd::load(output[j] + k);
#pragma GCC unroll 32
            for (std::size_t i = 0; i < M; ++i) sum[j * M + i] = simd::fma(h[i], c, sum[j * M + i]);
        }
    }
#pragma GCC unroll 32
    for (std::size_t first = 0; first < J * M; first += 4)
        simd::store(x + first, simd::sums(sum[first], sum[first + 1], sum[first + 2], sum[first + 3]));
}

/// M inputs and all n outputs, as many at a time as registers can hold.
template <std::size_t M>
[[gnu::always_inline]] inline void all_dots(float* const* input, float* const* output, std::size_t n, std::size_t size,
                                            float* x) {
    constexpr std::size_t J = outputs_at_once<M>;
    for (; n > J; n -= J, output += J, x += J * M) dots<M, J>(input, output, size, x);
    with_constant<J>(n, [&](auto rest) { dots<M, rest>(input, output, size, x); });
}

/// Updates of M inputs, all there are, and of all n outputs.
template <std::size_t M>
MLCORE_HOGWILD_INLINE inline void move(float* const* input, float* const* output, std::size_t n, const float* g,
                                       std::size_t size) {
    for (std::size_t k = 0; k < size; k += lanes) {
        Floats h[M], dh[M];
#pragma GCC unroll 32
        for (std::size_t i = 0; i < M; ++i) {
            h[i] = input_vector<M>(input[i] + k);
            dh[i] = Floats{};
        }
        for (std::size_t j = 0; j < n; ++j) {
            const Floats c = simd::load(output[j] + k);
            Floats moved = c;
#pragma GCC unroll 32
            for (std::size_t i = 0; i < M; ++i) {
                const Floats factor = simd::broadcast(g[j * M + i]);
                dh[i] = simd::fma(factor, c, dh[i]);
                moved = simd::fma(factor, h[i], moved);
            }
            simd::store(output[j] + k, moved);
        }
#pragma GCC unroll 32
        for (std::size_t i = 0; i < M; ++i) // read again: two inputs may be one row
            simd::store(input[i] + k, simd::load(input[i] + k) + dh[i]);
    }
}

/// The whole step for M > 1 inputs.
template <std::size_t M>
MLCORE_HOGWILD void step(Window& w, float alpha) {
    w.spread_weights(); // long before they are read: stores take their time
    all_dots<M>(w.input.data(), w.output.data(), w.n_outputs, w.size, w.y.data());
    w.errors(alpha);
    move<M>(w.input.data(), w.output.data(), w.n_outputs, w.g.data(), w.size);
}

/// Updates of one input and J outputs; dh is set by the first ones and added to by the others.
template <std::size_t J>
MLCORE_HOGWILD_INLINE inline void move_one(const float* h, float* dh, float* const* output, const float* g,
                                           std::size_t size, bool is_first) {
    Floats factor[J];
#pragma GCC unroll 32
    for (std::size_t j = 0; j < J; ++j) factor[j] = simd::broadcast(g[j]);
    for (std::size_t k = 0; k < size; k += lanes) {
        const Floats input = simd::load(h + k);
        Floats sum = is_first ? Floats{} : simd::load(dh + k);
#pragma GCC unroll 32
        for (std::size_t j = 0; j < J; ++j) {
            const Floats c = simd::pinned(simd::load(output[j] + k));
            sum = simd::fma(factor[j], c, sum);
            simd::store(output[j] + k, simd::fma(factor[j], input, c));
        }
        simd::store(dh + k, sum);
    }
}

/// The step for one input, in w.input[0], but for adding dh to a row. A loop over the outputs inside one over columns
/// would end differently every time, at the price of a wrong guess each: here the outer loop is over outputs.
void step_one(Window& w, float alpha) {
    w.n_inputs = 1;
    w.spread_weights();
    all_dots<1>(w.input.data(), w.output.data(), w.n_outputs, w.size, w.y.data());
    w.errors(alpha);
    constexpr std::size_t J = 8;
    for (std::size_t j = 0; j < w.n_outputs; j += J)
        with_constant<J>(std::min(J, w.n_outputs - j), [&](auto n) {
            move_one<n>(w.input[0], w.dh.data(), w.output.data() + j, w.g.data() + j, w.size, j == 0);
        });
}

/// to = scale * sum of the rows.
MLCORE_HOGWILD void combine_rows(std::span<float* const> rows, float scale, float* to, std::size_t size) {
    for (std::size_t k = 0; k < size; k += lanes) {
        Floats sum{};
        for (const float* row : rows) sum += simd::load(row + k);
        simd::store(to + k, sum * scale);
    }
}

/// Each of the rows += x.
MLCORE_HOGWILD void add_to_rows(std::span<float* const> rows, const float* x, std::size_t size) {
    for (std::size_t k = 0; k < size; k += lanes) {
        const Floats added = simd::load(x + k);
        for (float* row : rows) simd::store(row + k, simd::load(row + k) + added);
    }
}

} // namespace

double LossSum::take() {
    flush();
    return std::exchange(sum_, 0.0);
}

void LossSum::flush() {
    for (std::size_t l = 0; l < lanes; ++l) sum_ += static_cast<double>(std::log(product_[l]) + linear_[l]);
    product_ = simd::broadcast(1.0f);
    linear_ = Floats{};
    n_factors_ = 0;
}

Window::Window(std::size_t row_size) : size(row_size), h(row_size), dh(row_size) {}

void Window::reserve_outputs(std::size_t n) {
    if (n <= output.size()) return;
    output.resize(n);
    weight.resize(n);
    for (Buffer<float>* matrix : {&y, &factor, &g}) *matrix = Buffer<float>(max_inputs * n + 2 * lanes);
}

void Window::spread_weights() {
    // By whole vectors: what comes next overwrites what is too much.
    for (std::size_t j = 0; j < n_outputs; ++j)
        for (std::size_t i = 0; i < n_inputs; i += lanes)
            simd::store(&factor[j * n_inputs + i], simd::broadcast(weight[j]));
}

void Window::errors(float alpha) {
    const std::size_t used = n_inputs * n_outputs;
    for (std::size_t first = 0; first < used; first += lanes) {
        const Floats f = simd::load(&factor[first]), x = simd::load_fours(&y[first]);
        Floats right = f < 0 ? -x : x; // y_ij
        if (first + lanes > used)      // past the end: right for sure, no loss
            right = simd::first_lanes(used - first, right, simd::broadcast(200.0f));
        const Floats e = simd::exp_negative(right < 0 ? right : -right);
        const Floats one_plus = e + 1;
        simd::store(&g[first], f * alpha * (right < 0 ? simd::broadcast(1.0f) : e) / one_plus);
        loss.product_ *= one_plus;
        loss.linear_ += right < 0 ? -right : Floats{};
        if (++loss.n_factors_ == 100) loss.flush();
    }
    if (multiples) // what the product holds once counts m_j times
        for (std::size_t e = 0; e < used; ++e) {
            const auto w = static_cast<double>(factor[e]), x = static_cast<double>(y[e]);
            const double wrong = w < 0 ? x : -x;
            loss.sum_ += (std::abs(w) - 1.0) * (std::max(wrong, 0.0) + std::log1p(std::exp(-std::abs(wrong))));
        }
}

PrivateRows::PrivateRows(float* shared, std::size_t n, std::size_t size)
    : shared_(shared), n_(n), size_(size), own_(n * size, 0.0f), before_(n * size, 0.0f) {}

MLCORE_HOGWILD void PrivateRows::exchange() {
    for (std::size_t i = 0; i < n_; ++i) {
        float *own = &own_[i * size_], *before = &before_[i * size_], *shared = shared_ + i * size_;
        const bool moved = !std::equal(own, own + size_, before);
        for (std::size_t k = 0; k < size_; k += lanes) {
            Floats row = simd::load(shared + k);
            if (moved) {
                row += simd::load(own + k) - simd::load(before + k);
                simd::store(shared + k, row);
            }
            simd::store(own + k, row);
            simd::store(before + k, row);
        }
    }
}

void skipgram_step(Window& w, float alpha) {
    if (w.n_inputs == 1) {
        step_one(w, alpha);
        add_to_rows({w.input.data(), 1}, w.dh.data(), w.size);
    } else {
        with_constant<max_inputs - 1>(w.n_inputs - 1, [&](auto M) { step<M + 1>(w, alpha); });
    }
}

void cbow_step(Window& w, std::span<float* const> context, float scale, float alpha) {
    combine_rows(context, scale, w.h.data(), w.size);
    w.input[0] = w.h.data();
    step_one(w, alpha);
    add_to_rows(context, w.dh.data(), w.size);
}

} // namespace mlcore::embedding
