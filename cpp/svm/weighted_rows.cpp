#include "svm/weighted_rows.hpp"

#include <algorithm>

namespace mlcore::svm {
namespace {

constexpr std::size_t rows_per_batch = 96;

/// out[o][j] += sum over r of coef[o][r] values[r][j] for M outputs and four vectors of j.
template <std::size_t M>
void add_sums(const double* coef, std::size_t stride, const double* values, std::size_t n_rows, std::size_t width,
              double* out) {
    constexpr std::size_t L = simd::lanes_of<double>;
    simd::Doubles sums[M][2];
    for (std::size_t o = 0; o < M; ++o)
        for (std::size_t h = 0; h < 2; ++h) sums[o][h] = simd::load(out + o * width + h * L);
    for (std::size_t r = 0; r < n_rows; ++r) {
        const simd::Doubles left = simd::load(values + r * width), right = simd::load(values + r * width + L);
#pragma GCC unroll 4
        for (std::size_t o = 0; o < M; ++o) {
            const simd::Doubles c = simd::broadcast(coef[o * stride + r]);
            sums[o][0] = simd::fma(c, left, sums[o][0]);
            sums[o][1] = simd::fma(c, right, sums[o][1]);
        }
    }
    for (std::size_t o = 0; o < M; ++o)
        for (std::size_t h = 0; h < 2; ++h) simd::store(out + o * width + h * L, sums[o][h]);
}

} // namespace

WeightedRows::WeightedRows(const RunContext& ctx, const Points& points, std::span<const std::int32_t> ids,
                           const double* coef, std::size_t stride, std::size_t n_outputs)
    : coef_(coef), stride_(stride), n_outputs_(n_outputs) {
    for (std::size_t begin = 0; begin < ids.size(); begin += rows_per_batch)
        batches_.emplace_back(ctx, points, ids.subspan(begin, std::min(rows_per_batch, ids.size() - begin)));
}

void WeightedRows::panel(const Columns& columns, std::size_t panel, double* out, Scratch& scratch) const {
    const std::size_t width = columns.width();
    if (scratch.tile.empty()) {
        scratch.tile = Buffer<float>(rows_per_batch * width);
        scratch.wide = Buffer<double>(rows_per_batch * width);
        for (std::size_t r = 0; r < rows_per_batch; ++r) scratch.rows.push_back(scratch.tile.data() + r * width);
    }
    std::fill_n(out, n_outputs_ * width, 0.0);
    const double* coef = coef_;
    for (const RowBatch& batch : batches_) {
        batch.values(columns, panel, scratch.rows.data(), scratch.batch);
        for (std::size_t at = 0; at < batch.size() * width; ++at)
            scratch.wide[at] = static_cast<double>(scratch.tile[at]);
        for (std::size_t half = 0; half < width; half += 2 * simd::lanes_of<double>) {
            std::size_t o = 0;
            for (; o + 4 <= n_outputs_; o += 4)
                add_sums<4>(coef + o * stride_, stride_, scratch.wide.data() + half, batch.size(), width,
                            out + o * width + half);
            for (; o < n_outputs_; ++o)
                add_sums<1>(coef + o * stride_, stride_, scratch.wide.data() + half, batch.size(), width,
                            out + o * width + half);
        }
        coef += batch.size();
    }
}

double WeightedRows::panel_ns(const Columns& columns) const {
    double ns = 0;
    for (const RowBatch& batch : batches_) ns += batch.panel_ns(columns);
    return ns;
}

} // namespace mlcore::svm
