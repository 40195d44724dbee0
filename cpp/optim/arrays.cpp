#include "optim/arrays.hpp"

#include "core/parallel.hpp"
#include "core/simd.hpp"

#include <algorithm>

namespace mlcore::optim {
namespace {

constexpr std::size_t chunk_size = 1 << 14; // entries; decides the order of rounding in sums

struct Chunk {
    std::size_t array, begin, end;
};

/// Chunks of arrays of sizes size_of(array), in order.
template <class SizeOf>
std::vector<Chunk> chunks_of(std::size_t n_arrays, SizeOf&& size_of) {
    std::vector<Chunk> chunks;
    for (std::size_t a = 0; a < n_arrays; ++a)
        for (std::size_t begin = 0, size = size_of(a); begin < size; begin += chunk_size)
            chunks.push_back({a, begin, std::min(begin + chunk_size, size)});
    return chunks;
}

/// n entries: of the gradient from `from` on, of everything else from `place` on.
Piece<float> piece_of(const ParameterArray& array, std::size_t from, std::size_t place, std::size_t n) {
    const auto part = [place](float* state) { return state ? state + place : nullptr; };
    return {n,
            array.gradient + from,
            array.parameters + place,
            part(array.velocity),
            part(array.squares),
            part(array.extra)};
}

/// One piece for each run of entries [begin, end) that lies in one row.
void update_rows(const OptimizerParams& params, const ParameterArray& array, std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end;) {
        const std::size_t row = i / array.width, last = std::min(end, (row + 1) * array.width);
        const std::size_t place = static_cast<std::size_t>(array.rows[row]) * array.width + i % array.width;
        update(params, array.t, piece_of(array, i, place, last - i));
        i = last;
    }
}

double square_sum(const float* x, std::size_t n) {
    constexpr std::size_t lanes = simd::lanes_of<double>;
    simd::Doubles sums[4] = {};
    std::size_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes)
#pragma GCC unroll 4
        for (std::size_t u = 0; u < 4; ++u) {
            const simd::Doubles v = simd::load_widened(x + i + u * lanes);
            sums[u] = simd::fma(v, v, sums[u]);
        }
    const simd::Doubles all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double total = 0;
    for (std::size_t l = 0; l < lanes; ++l) total += all[l];
    for (; i < n; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return total;
}

} // namespace

void update_arrays(const RunContext& ctx, const OptimizerParams& params, std::span<const ParameterArray> arrays) {
    const auto chunks = chunks_of(arrays.size(), [&](std::size_t a) { return arrays[a].size; });
    parallel_tasks(ctx, chunks.size(), 1.0 * chunk_size, [&](std::size_t task, int) {
        const auto [a, begin, end] = chunks[task];
        const ParameterArray& array = arrays[a];
        if (array.rows) return update_rows(params, array, begin, end);
        update(params, array.t, piece_of(array, begin, begin, end - begin));
    });
}

std::vector<double> square_sums(const RunContext& ctx, std::span<const std::span<const float>> arrays) {
    const auto chunks = chunks_of(arrays.size(), [&](std::size_t a) { return arrays[a].size(); });
    std::vector<double> partials(chunks.size()), sums(arrays.size());
    parallel_tasks(ctx, chunks.size(), 0.3 * chunk_size, [&](std::size_t task, int) {
        const auto [a, begin, end] = chunks[task];
        partials[task] = square_sum(arrays[a].data() + begin, end - begin);
    });
    for (std::size_t task = 0; task < chunks.size(); ++task) sums[chunks[task].array] += partials[task];
    return sums;
}

void blend(const RunContext& ctx, std::span<const Blend> arrays, float weight) {
    const auto chunks = chunks_of(arrays.size(), [&](std::size_t a) { return arrays[a].size; });
    parallel_tasks(ctx, chunks.size(), 0.5 * chunk_size, [&](std::size_t task, int) {
        const auto [a, begin, end] = chunks[task];
        float* __restrict target = arrays[a].target;
        const float* __restrict source = arrays[a].source;
        for (std::size_t i = begin; i < end; ++i) target[i] += weight * (source[i] - target[i]);
    });
}

} // namespace mlcore::optim
