#include "boosting/binned_matrix.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "core/parallel.hpp"

namespace mlcore::boosting {
namespace {

constexpr std::size_t block_rows = 256; // a block's rows stay in the L1 cache while its columns are read

void fill_stripe_rows(Stripe& stripe, const BinnedMatrix& data, std::size_t begin, std::size_t end) {
    const std::size_t width = stripe.width, used = stripe.features.size();
    std::uint8_t* out = stripe.bins.data();
    for (std::size_t k = 0; k < width; ++k) {
        if (k >= used) {
            for (std::size_t i = begin; i < end; ++i) out[i * width + k] = 0;
            continue;
        }
        const std::uint8_t* column = data.column(stripe.features[k]);
        for (std::size_t i = begin; i < end; ++i) out[i * width + k] = column[i];
    }
}

} // namespace

BinnedMatrix::BinnedMatrix(const RunContext& ctx, const Table& X, const BinMapper& mapper, bool with_stripes)
    : n_rows_(mlcore::n_rows(X)), place_(n_cols(X)) {
    MLCORE_CHECK(static_cast<int>(n_features()) == mapper.n_features(),
                 "as many columns as the bin mapper has features");
    std::visit(
        [&](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>)
                bin_dense(ctx, view, mapper);
            else
                bin_csr(ctx, view, mapper);
        },
        X);
    if (with_stripes) fill_stripes(ctx);
}

template <class View>
void BinnedMatrix::bin_dense(const RunContext& ctx, const View& view, const BinMapper& mapper) {
    const std::size_t F = n_features();
    std::iota(place_.begin(), place_.end(), 0);
    columns_ = Buffer<std::uint8_t>(n_rows_ * F);
    const ColumnBinner<typename ValueOf<View>::type> binner(mapper);
    const std::size_t n_blocks = (n_rows_ + block_rows - 1) / block_rows;
    parallel_tasks(ctx, n_blocks, 5.0 * static_cast<double>(block_rows * F), [&](std::size_t b, int) {
        const std::size_t begin = b * block_rows, end = std::min(begin + block_rows, n_rows_);
        for (int f = 0; f < static_cast<int>(F); ++f)
            binner.bin(f, view.data + static_cast<std::ptrdiff_t>(begin) * view.row_stride + f * view.col_stride,
                       view.row_stride, end - begin, columns_.data() + static_cast<std::size_t>(f) * n_rows_ + begin);
    });
}

// The rows are cut into parts. First all entries are binned, and those outside of the bin of zero counted, part by part
// and feature by feature; then each part knows where its entries go.
template <class View>
void BinnedMatrix::bin_csr(const RunContext& ctx, const View& view, const BinMapper& mapper) {
    const std::size_t F = n_features(), n_stored = view.n_stored();
    std::vector<std::uint8_t> zero_bin(F);
    for (std::size_t f = 0; f < F; ++f) zero_bin[f] = mapper.bin(static_cast<int>(f), 0.0);

    // A part has a counter a feature, so there are few of them where features are many.
    const std::size_t n_parts =
        std::clamp<std::size_t>(n_stored / std::max<std::size_t>(F, 1), 1, 4 * static_cast<std::size_t>(ctx.n_threads));
    const auto first_row = [&](std::size_t part) { return n_rows_ * part / n_parts; };
    std::vector<std::uint32_t> place_in_column(n_parts * F, 0); // counts at first
    Buffer<std::uint8_t> bins(n_stored);
    const double part_ns = 15.0 * static_cast<double>(n_stored) / static_cast<double>(n_parts);
    parallel_tasks(ctx, n_parts, part_ns, [&](std::size_t part, int) {
        std::uint32_t* count = place_in_column.data() + part * F;
        for (std::size_t k = view.begin(first_row(part)); k < view.begin(first_row(part + 1)); ++k) {
            const auto f = static_cast<std::size_t>(view.indices[k]);
            bins[k] = mapper.bin(static_cast<int>(f), static_cast<double>(view.data[k]));
            count[f] += bins[k] != zero_bin[f];
        }
    });

    std::size_t n_dense = 0;
    sparse_begin_.push_back(0);
    for (std::size_t f = 0; f < F; ++f) {
        std::size_t total = 0;
        for (std::size_t part = 0; part < n_parts; ++part) {
            const std::uint32_t count = std::exchange(place_in_column[part * F + f], static_cast<std::uint32_t>(total));
            total += count;
        }
        if (static_cast<double>(total) < max_sparse_share * static_cast<double>(n_rows_)) {
            place_[f] = -1 - static_cast<std::int32_t>(n_sparse_++);
            sparse_begin_.push_back(sparse_begin_.back() + total);
            default_bin_.push_back(zero_bin[f]);
        } else {
            place_[f] = static_cast<std::int32_t>(n_dense++);
        }
    }
    columns_ = Buffer<std::uint8_t>(n_rows_ * n_dense);
    sparse_rows_ = Buffer<std::uint32_t>(sparse_begin_.back());
    sparse_bins_ = Buffer<std::uint8_t>(sparse_begin_.back());
    parallel_tasks(ctx, F, static_cast<double>(n_rows_) / 16, [&](std::size_t f, int) {
        if (place_[f] >= 0)
            std::memset(columns_.data() + static_cast<std::size_t>(place_[f]) * n_rows_, zero_bin[f], n_rows_);
    });
    parallel_tasks(ctx, n_parts, part_ns, [&](std::size_t part, int) {
        std::uint32_t* next = place_in_column.data() + part * F;
        for (std::size_t i = first_row(part); i < first_row(part + 1); ++i)
            for (std::size_t k = view.begin(i); k < view.end(i); ++k) {
                const auto f = static_cast<std::size_t>(view.indices[k]);
                if (bins[k] == zero_bin[f]) continue;
                if (place_[f] >= 0) {
                    columns_[static_cast<std::size_t>(place_[f]) * n_rows_ + i] = bins[k];
                    continue;
                }
                const std::size_t at = sparse_begin_[static_cast<std::size_t>(-1 - place_[f])] + next[f]++;
                sparse_rows_[at] = static_cast<std::uint32_t>(i);
                sparse_bins_[at] = bins[k];
            }
    });
}

void BinnedMatrix::fill_stripes(const RunContext& ctx) {
    const std::size_t n_blocks = (n_rows_ + block_rows - 1) / block_rows;
    std::vector<int> dense; // features in columns_, in this order
    for (std::size_t f = 0; f < n_features(); ++f)
        if (place_[f] >= 0) dense.push_back(static_cast<int>(f));
    std::vector<std::uint8_t> varies(dense.size(), 0);
    parallel_tasks(ctx, dense.size(), static_cast<double>(n_rows_) / 16, [&](std::size_t j, int) {
        const std::uint8_t* c = column(dense[j]);
        varies[j] = n_rows_ > 0 && std::any_of(c, c + n_rows_, [&](std::uint8_t b) { return b != c[0]; });
    });
    for (std::size_t j = 0; j < dense.size(); ++j) {
        if (!varies[j]) continue;
        if (stripes_.empty() || stripes_.back().features.size() == max_stripe_width) stripes_.emplace_back();
        stripes_.back().features.push_back(dense[j]);
    }
    for (Stripe& stripe : stripes_) {
        stripe.width = (stripe.features.size() + 7) / 8 * 8;
        stripe.bins = Buffer<std::uint8_t>(n_rows_ * stripe.width);
        parallel_tasks(ctx, n_blocks, static_cast<double>(block_rows * stripe.width), [&](std::size_t b, int) {
            fill_stripe_rows(stripe, *this, b * block_rows, std::min((b + 1) * block_rows, n_rows_));
        });
    }
}

int BinnedMatrix::sparse_bin(int f, std::size_t row) const {
    const SparseColumn column = sparse_column(f);
    const auto found = std::lower_bound(column.rows.begin(), column.rows.end(), row);
    if (found == column.rows.end() || *found != row) return column.default_bin;
    return column.bins[found - column.rows.begin()];
}

void BinnedMatrix::write_column(int f, std::size_t first, std::size_t last, std::uint8_t* out) const {
    if (!is_sparse(f)) {
        std::copy(column(f) + first, column(f) + last, out);
        return;
    }
    const SparseColumn column = sparse_column(f);
    std::fill_n(out, last - first, column.default_bin);
    auto k =
        static_cast<std::size_t>(std::lower_bound(column.rows.begin(), column.rows.end(), first) - column.rows.begin());
    for (; k < column.rows.size() && column.rows[k] < last; ++k) out[column.rows[k] - first] = column.bins[k];
}

std::size_t BinnedMatrix::n_bytes() const {
    std::size_t bytes = columns_.size() + sparse_rows_.size() * sizeof(std::uint32_t) + sparse_bins_.size();
    for (const Stripe& stripe : stripes_) bytes += n_rows_ * stripe.width;
    return bytes;
}

} // namespace mlcore::boosting
