#include "nn/layer_norm.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "nn/elementwise.hpp"
#include "nn/row_sums.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::nn {
namespace {

using simd::Floats;

/// Fixed by the number of rows, because it decides the rounding of dw and db.
std::size_t rows_per_block(std::size_t m) { return std::clamp<std::size_t>(m / 128, 4, 64); }

[[gnu::always_inline]] inline void store_result(float* p, Floats v, std::size_t count, bool past) {
    if (past)
        vf::store_past_caches(p, v);
    else
        store_count(p, v, count);
}

/// One row of the backward pass. dw and db are the sums of its block of rows; dx, dw, db are nullptr if not wanted.
struct RowBackward {
    const float *x = nullptr, *dy = nullptr, *w = nullptr;
    std::size_t n = 0;
    float mean = 0, rstd = 0;
    float *dx = nullptr, *dw = nullptr, *db = nullptr;
    bool past = false; // whether dx is stored past the caches

    Floats h(std::size_t j, std::size_t count) const {
        const Floats v = (load_count(x + j, count) - mean) * rstd;
        return count == simd::lanes ? v : simd::first_lanes(count, v, Floats{});
    }

    /// Which results are wanted is decided outside the loops over the row.
    template <bool centered, bool weighted, bool wants_dx, bool wants_parameters>
    void run() const {
        const auto times_w = [&](Floats d, std::size_t j, std::size_t count) {
            if constexpr (weighted) d *= load_count(w + j, count);
            return d;
        };
        float mean_g = 0, mean_gh = 0;
        if constexpr (wants_dx) {
            const auto sums = row_sums<2>(n, [&](std::size_t j, std::size_t count) {
                const Floats g = times_w(load_count(dy + j, count), j, count);
                return std::array{g, g * h(j, count)};
            });
            const double scale = 1 / static_cast<double>(n);
            if constexpr (centered) mean_g = static_cast<float>(sums[0] * scale);
            mean_gh = static_cast<float>(sums[1] * scale);
        }
        for_vectors(0, n, [&](std::size_t j, std::size_t count) {
            const Floats d = load_count(dy + j, count), v = h(j, count);
            if constexpr (wants_dx) {
                const Floats g = times_w(d, j, count) - mean_g;
                store_result(dx + j, rstd * simd::fma(-v, simd::broadcast(mean_gh), g), count, past);
            }
            if constexpr (wants_parameters) {
                store_count(dw + j, simd::fma(d, v, load_count(dw + j, count)), count);
                store_count(db + j, load_count(db + j, count) + d, count);
            }
        });
    }
};

using RowKernel = void (RowBackward::*)() const;

template <bool centered, bool weighted>
RowKernel row_kernel(bool wants_dx, bool wants_parameters) {
    if (wants_dx)
        return wants_parameters ? &RowBackward::run<centered, weighted, true, true>
                                : &RowBackward::run<centered, weighted, true, false>;
    return wants_parameters ? &RowBackward::run<centered, weighted, false, true>
                            : &RowBackward::run<centered, weighted, false, false>;
}

} // namespace

void layer_norm(const RunContext& ctx, const float* x, std::size_t m, std::size_t n, float epsilon, const float* w,
                const float* b, float* y, float* mean, float* rstd) {
    const double scale = 1 / static_cast<double>(n);
    const bool past = vf::stores_past_caches(y, m, n);
    parallel_tasks(ctx, m, 10 + 0.5 * static_cast<double>(n), [&](std::size_t i, int) {
        const float* row = x + i * n;
        float center = 0;
        if (mean) {
            const double sum = row_sums<1>(
                n, [=](std::size_t j, std::size_t count) { return std::array{load_count(row + j, count)}; })[0];
            mean[i] = center = static_cast<float>(sum * scale);
        }
        const double squares = row_sums<1>(n, [=](std::size_t j, std::size_t count) {
            const Floats d = load_count(row + j, count) - center;
            return std::array{(count == simd::lanes ? d : simd::first_lanes(count, d, Floats{})) * d};
        })[0];
        const auto inverse = static_cast<float>(1 / std::sqrt(squares * scale + static_cast<double>(epsilon)));
        rstd[i] = inverse;
        float* out = y + i * n;
        for_vectors(0, n, [=](std::size_t j, std::size_t count) {
            Floats v = (load_count(row + j, count) - center) * inverse;
            if (w) v *= load_count(w + j, count);
            if (b) v += load_count(b + j, count);
            store_result(out + j, v, count, past);
        });
        if (past) vf::finish_stores();
    });
}

void layer_norm_backward(const RunContext& ctx, const float* x, const float* dy, const float* mean, const float* rstd,
                         const float* w, std::size_t m, std::size_t n, float* dx, float* dw, float* db) {
    const std::size_t rows = rows_per_block(m), n_blocks = (m + rows - 1) / rows;
    const bool wants_parameters = dw || db, past = dx && vf::stores_past_caches(dx, m, n);
    const RowKernel kernel = mean ? (w ? row_kernel<true, true> : row_kernel<true, false>)(dx, wants_parameters)
                                  : (w ? row_kernel<false, true> : row_kernel<false, false>)(dx, wants_parameters);
    Scratch<float> partials(wants_parameters ? 2 * n_blocks * n : 0); // (2, n_blocks, n): of dw, of db
    float *dw_partials = partials.data(), *db_partials = dw_partials + n_blocks * n;
    const double row_ns = 10 + 0.8 * static_cast<double>(n);
    parallel_tasks(ctx, n_blocks, static_cast<double>(rows) * row_ns, [&](std::size_t block, int) {
        RowBackward row{.w = w, .n = n, .dw = dw_partials + block * n, .db = db_partials + block * n, .past = past};
        if (wants_parameters) {
            std::fill_n(row.dw, n, 0.0f);
            std::fill_n(row.db, n, 0.0f);
        }
        for (std::size_t i = block * rows; i < std::min((block + 1) * rows, m); ++i) {
            row.x = x + i * n;
            row.dy = dy + i * n;
            row.dx = dx ? dx + i * n : nullptr;
            row.mean = mean ? mean[i] : 0;
            row.rstd = rstd[i];
            (row.*kernel)();
        }
        if (past) vf::finish_stores();
    });
    if (dw) sum_partials(ctx, dw_partials, n_blocks, n, dw);
    if (db) sum_partials(ctx, db_partials, n_blocks, n, db);
}

} // namespace mlcore::nn
