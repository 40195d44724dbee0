#include "boosting/histogram.hpp"

#include <algorithm>
#include <numeric>

#include "core/error.hpp"

namespace mlcore::boosting {
namespace {

constexpr std::size_t prefetch_rows = 16;
constexpr std::size_t max_idle_bytes = std::size_t{1} << 40; // all: a trainer's histograms are reused tree after tree

template <bool Scattered, bool All>
void accumulate_rows(const Stripe& stripe, const std::uint32_t* rows, std::size_t begin, std::size_t end,
                     const PackedPair* pairs, const std::uint32_t* byte, const std::uint32_t* offset,
                     std::size_t n_features, PackedPair* histogram) {
    const std::uint8_t* bins = stripe.bins.data();
    const std::size_t width = stripe.width;
    for (std::size_t i = begin; i < end; ++i) {
        const std::size_t row = Scattered ? rows[i] : i;
        if constexpr (Scattered) {
            if (i + prefetch_rows < end) {
                const std::size_t ahead = rows[i + prefetch_rows];
                __builtin_prefetch(bins + ahead * width);
                __builtin_prefetch(pairs + ahead);
            }
        }
        const std::uint8_t* b = bins + row * width;
        const PackedPair pair = pairs[row];
        const auto add = [&](std::size_t k) { histogram[offset[k] + b[All ? k : byte[k]]] += pair; };
        std::size_t k = 0;
        for (; k + 4 <= n_features; k += 4) {
            add(k);
            add(k + 1);
            add(k + 2);
            add(k + 3);
        }
        for (; k < n_features; ++k) add(k);
    }
}

} // namespace

HistogramLayout::HistogramLayout(const BinMapper& mapper, const BinnedMatrix& data, double min_rows)
    : offset_(static_cast<std::size_t>(mapper.n_features()), 0), used_(offset_.size(), 0) {
    const auto add = [&](int f) {
        offset_[f] = n_entries_;
        used_[f] = 1;
        n_entries_ += static_cast<std::size_t>(mapper.n_bins(f)) + 1;
    };
    for (const Stripe& stripe : data.stripes())
        for (const int f : stripe.features) {
            add(f);
            features_.push_back(f);
        }
    sparse_begin_ = n_entries_;
    for (int f = 0; data.has_sparse() && f < mapper.n_features(); ++f) {
        if (!data.is_sparse(f)) continue;
        const std::size_t n = data.sparse_column(f).rows.size();
        if (n == 0) continue;
        features_.push_back(f);
        if (static_cast<double>(n) >= min_rows) add(f);
    }
    std::sort(features_.begin(), features_.end());
    MLCORE_CHECK(n_entries_ < (std::size_t{1} << 32), "histogram offsets fit 32 bits");
}

HistogramBuilder::HistogramBuilder(const BinMapper& mapper, const BinnedMatrix& data, const HistogramLayout& layout)
    : mapper_(mapper), data_(data), layout_(layout), pool_(max_idle_bytes), active_(data.stripes().size()) {
    if (layout.n_entries() > layout.sparse_begin()) index_sparse();
    select({});
}

// The sparse columns row by row.
void HistogramBuilder::index_sparse() {
    const std::size_t n_rows = data_.n_rows();
    std::vector<int> features;
    for (const int f : layout_.features())
        if (data_.is_sparse(f) && layout_.has(f)) features.push_back(f);
    entry_begin_.assign(n_rows + 1, 0);
    for (const int f : features)
        for (const std::uint32_t row : data_.sparse_column(f).rows) ++entry_begin_[row + 1];
    std::partial_sum(entry_begin_.begin(), entry_begin_.end(), entry_begin_.begin());
    entry_ = Buffer<std::uint32_t>(entry_begin_.back());
    auto next = entry_begin_;
    for (const int f : features) {
        const SparseColumn column = data_.sparse_column(f);
        for (std::size_t k = 0; k < column.rows.size(); ++k)
            entry_[next[column.rows[k]]++] = static_cast<std::uint32_t>(layout_.offset(f) + column.bins[k]);
    }
    sparse_per_row_ = static_cast<double>(entry_.size()) / static_cast<double>(n_rows);
}

void HistogramBuilder::select(std::span<const std::uint8_t> active) {
    n_active_ = 0;
    for (std::size_t s = 0; s < active_.size(); ++s) {
        const Stripe& stripe = data_.stripes()[s];
        ActiveBytes& active_bytes = active_[s];
        active_bytes.byte.clear();
        active_bytes.offset.clear();
        for (std::size_t k = 0; k < stripe.features.size(); ++k) {
            const int f = stripe.features[k];
            if (!active.empty() && !active[f]) continue;
            active_bytes.byte.push_back(static_cast<std::uint32_t>(k));
            active_bytes.offset.push_back(static_cast<std::uint32_t>(layout_.offset(f)));
        }
        active_bytes.all = active_bytes.byte.size() == stripe.features.size();
        n_active_ += active_bytes.byte.size();
    }
}

void HistogramBuilder::accumulate(std::size_t s, const std::uint32_t* rows, std::size_t begin, std::size_t end,
                                  const PackedPair* pairs, PackedPair* histogram) const {
    if (s == active_.size()) {
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t row = rows ? rows[i] : i;
            const PackedPair pair = pairs[row];
            for (std::size_t k = entry_begin_[row]; k < entry_begin_[row + 1]; ++k) histogram[entry_[k]] += pair;
        }
        return;
    }
    const Stripe& stripe = data_.stripes()[s];
    const ActiveBytes& active_bytes = active_[s];
    const auto run = [&]<bool Scattered, bool All>() {
        accumulate_rows<Scattered, All>(stripe, rows, begin, end, pairs, active_bytes.byte.data(),
                                        active_bytes.offset.data(), active_bytes.byte.size(), histogram);
    };
    if (rows && active_bytes.all)
        run.template operator()<true, true>();
    else if (rows)
        run.template operator()<true, false>();
    else if (active_bytes.all)
        run.template operator()<false, true>();
    else
        run.template operator()<false, false>();
}

PackedPair* HistogramBuilder::counter(int thread) {
    const auto t = static_cast<std::size_t>(thread);
    if (!own_[t]) own_[t] = take();
    auto* histogram = own_[t].as<PackedPair>();
    if (!dirty_[t]) std::fill_n(histogram, layout_.n_entries(), PackedPair{});
    dirty_[t] = 1;
    return histogram;
}

void HistogramBuilder::start(int n_threads) {
    own_.resize(std::max(own_.size(), static_cast<std::size_t>(n_threads)));
    dirty_.assign(own_.size(), 0);
}

void HistogramBuilder::add(int thread, std::span<const std::uint32_t> rows, const PackedPair* pairs) {
    PackedPair* histogram = counter(thread);
    for (std::size_t s = 0; s < n_stripes(); ++s) accumulate(s, rows.data(), 0, rows.size(), pairs, histogram);
}

void HistogramBuilder::add(int thread, std::size_t first, std::size_t n, const PackedPair* pairs) {
    PackedPair* histogram = counter(thread);
    for (std::size_t s = 0; s < n_stripes(); ++s) accumulate(s, nullptr, first, first + n, pairs, histogram);
}

void HistogramBuilder::collect(std::size_t begin, std::size_t end, PackedPair* histogram) const {
    bool first = true;
    for (std::size_t t = 0; t < own_.size(); ++t) {
        if (!dirty_[t]) continue;
        const auto* counted = own_[t].as<PackedPair>();
        if (first)
            std::copy(counted + begin, counted + end, histogram + begin);
        else
            for (std::size_t k = begin; k < end; ++k) histogram[k] += counted[k];
        first = false;
    }
    if (first) std::fill(histogram + begin, histogram + end, PackedPair{});
}

void HistogramBuilder::complete(int f, const PackedPair& total, PackedPair* histogram) const {
    PackedPair* bins = histogram + layout_.offset(f);
    PackedPair& rest = bins[data_.sparse_column(f).default_bin];
    rest = PackedPair{};
    PackedPair others{};
    for (int b = 0; b <= mapper_.missing_bin(f); ++b) others += bins[b];
    rest = total - others;
}

void HistogramBuilder::build_stripe(std::size_t s, const std::uint32_t* rows, std::size_t n, const PackedPair* pairs,
                                    PackedPair* histogram) const {
    const auto first_entry = [&](std::size_t stripe) {
        if (stripe < active_.size()) return layout_.offset(data_.stripes()[stripe].features.front());
        return stripe == active_.size() ? layout_.sparse_begin() : layout_.n_entries();
    };
    std::fill(histogram + first_entry(s), histogram + first_entry(s + 1), PackedPair{});
    accumulate(s, rows, 0, n, pairs, histogram);
}

} // namespace mlcore::boosting
