#include "nn/attention/positions.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"

#include <algorithm>

namespace mlcore::nn {

std::size_t Sequences::longest() const {
    std::int64_t most = 0;
    for (std::size_t b = 0; b < n_sequences; ++b) most = std::max(most, offsets[b + 1] - offsets[b]);
    return static_cast<std::size_t>(most);
}

void add_positions(const RunContext& ctx, const Sequences& sequences, const float* x, float scale, const float* table,
                   std::size_t d, float* out) {
    const std::int64_t *first = sequences.offsets, *last = first + sequences.n_sequences + 1;
    parallel_ranges(ctx, sequences.n_rows(), 0.3 * static_cast<double>(d),
                    [&](std::size_t begin, std::size_t end, int) {
                        const std::int64_t* after = std::upper_bound(first, last, static_cast<std::int64_t>(begin));
                        for (std::size_t i = begin; i < end; ++i) {
                            while (static_cast<std::size_t>(*after) <= i) ++after; // sequences may be empty
                            const float *from = x + i * d, *row = table + (i - static_cast<std::size_t>(after[-1])) * d;
                            float* to = out + i * d;
                            for (std::size_t j = 0; j < d; ++j) to[j] = scale * from[j] + row[j];
                        }
                    });
}

void position_gradients(const RunContext& ctx, const Sequences& sequences, const float* dy, std::size_t d, float* out,
                        std::size_t n_positions) {
    const double ns = static_cast<double>(sequences.n_rows() * d) / static_cast<double>(sequences.longest() + 1);
    parallel_tasks(ctx, n_positions, 20 + ns, [&](std::size_t position, int) {
        Scratch<double> sums(d);
        std::fill_n(sums.data(), d, 0.0);
        for (std::size_t b = 0; b < sequences.n_sequences; ++b) {
            const auto row = static_cast<std::size_t>(sequences.offsets[b]) + position;
            if (row >= static_cast<std::size_t>(sequences.offsets[b + 1])) continue;
            for (std::size_t j = 0; j < d; ++j) sums[j] += static_cast<double>(dy[row * d + j]);
        }
        for (std::size_t j = 0; j < d; ++j) out[position * d + j] = static_cast<float>(sums[j]);
    });
}

void rotate(const RunContext& ctx, const Rotations& rotations, std::size_t batch, std::size_t heads, std::size_t rows,
            std::size_t depth, HeadsView<const float> x, HeadsView<float> out) {
    const std::size_t half = depth / 2;
    const double ns = 10 + 0.5 * static_cast<double>(heads * depth);
    parallel_ranges(ctx, batch * rows, ns, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t b = i / rows, t = i % rows;
            const std::size_t place = rotations.places ? static_cast<std::size_t>(rotations.places[t]) : t;
            const float *cosines = rotations.cosines + place * half, *sines = rotations.sines + place * half;
            for (std::size_t h = 0; h < heads; ++h) {
                const float* from = x.head(b, h) + static_cast<std::ptrdiff_t>(t) * x.row_stride;
                float* to = out.head(b, h) + static_cast<std::ptrdiff_t>(t) * out.row_stride;
                const float direction = rotations.back ? -1.0f : 1.0f;
                for (std::size_t j = 0; j < half; ++j) {
                    const float low = from[j], high = from[half + j], sine = direction * sines[j];
                    to[j] = low * cosines[j] - high * sine;
                    to[half + j] = high * cosines[j] + low * sine;
                }
            }
        }
    });
}

} // namespace mlcore::nn
