#include "boosting/binned_matrix.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/parallel.hpp"

namespace mlcore::boosting {
namespace {

constexpr std::size_t block_rows = 256; // a block's rows stay in the L1 cache while its columns are read

template <class View>
void bin_block(const View& view, const BinMapper& mapper, std::size_t begin, std::size_t end, std::uint8_t* columns,
               std::size_t n_rows) {
    const int F = mapper.n_features();
    if constexpr (is_dense<View>) {
        for (int f = 0; f < F; ++f)
            mapper.bin(f, view.data + static_cast<std::ptrdiff_t>(begin) * view.row_stride + f * view.col_stride,
                       view.row_stride, end - begin, columns + f * n_rows + begin);
    } else {
        for (int f = 0; f < F; ++f) std::memset(columns + f * n_rows + begin, mapper.bin(f, 0.0), end - begin);
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t k = view.begin(i); k < view.end(i); ++k) {
                const auto f = static_cast<std::size_t>(view.indices[k]);
                columns[f * n_rows + i] = mapper.bin(static_cast<int>(f), static_cast<double>(view.data[k]));
            }
    }
}

void fill_stripe_rows(Stripe& stripe, const std::uint8_t* columns, std::size_t n_rows, std::size_t begin,
                      std::size_t end) {
    const std::size_t width = stripe.width, used = stripe.features.size();
    std::uint8_t* out = stripe.bins.data();
    for (std::size_t k = 0; k < width; ++k) {
        if (k >= used) {
            for (std::size_t i = begin; i < end; ++i) out[i * width + k] = 0;
            continue;
        }
        const std::uint8_t* column = columns + static_cast<std::size_t>(stripe.features[k]) * n_rows;
        for (std::size_t i = begin; i < end; ++i) out[i * width + k] = column[i];
    }
}

} // namespace

BinnedMatrix::BinnedMatrix(const RunContext& ctx, const Table& X, const BinMapper& mapper, bool with_stripes)
    : n_rows_(mlcore::n_rows(X)), n_features_(n_cols(X)), columns_(n_rows_ * n_features_) {
    MLCORE_CHECK(static_cast<int>(n_features_) == mapper.n_features(),
                 "as many columns as the bin mapper has features");
    const std::size_t n_blocks = (n_rows_ + block_rows - 1) / block_rows;
    std::uint8_t* columns = columns_.data();

    parallel_tasks(ctx, n_blocks, 5.0 * static_cast<double>(block_rows * n_features_), [&](std::size_t b, int) {
        const std::size_t begin = b * block_rows, end = std::min(begin + block_rows, n_rows_);
        std::visit([&](const auto& view) { bin_block(view, mapper, begin, end, columns, n_rows_); }, X);
    });
    if (!with_stripes) return;

    std::vector<std::uint8_t> varies(n_features_, 0);
    parallel_tasks(ctx, n_features_, static_cast<double>(n_rows_) / 16, [&](std::size_t f, int) {
        const std::uint8_t* c = columns + f * n_rows_;
        varies[f] = n_rows_ > 0 && std::any_of(c, c + n_rows_, [&](std::uint8_t b) { return b != c[0]; });
    });
    for (std::size_t f = 0; f < n_features_; ++f) {
        if (!varies[f]) continue;
        if (stripes_.empty() || stripes_.back().features.size() == max_stripe_width) stripes_.emplace_back();
        stripes_.back().features.push_back(static_cast<int>(f));
    }
    for (Stripe& stripe : stripes_) {
        stripe.width = (stripe.features.size() + 7) / 8 * 8;
        stripe.bins = Buffer<std::uint8_t>(n_rows_ * stripe.width);
        parallel_tasks(ctx, n_blocks, static_cast<double>(block_rows * stripe.width), [&](std::size_t b, int) {
            fill_stripe_rows(stripe, columns, n_rows_, b * block_rows, std::min((b + 1) * block_rows, n_rows_));
        });
    }
}

std::size_t BinnedMatrix::n_bytes() const {
    std::size_t bytes = n_rows_ * n_features_;
    for (const Stripe& stripe : stripes_) bytes += n_rows_ * stripe.width;
    return bytes;
}

} // namespace mlcore::boosting
