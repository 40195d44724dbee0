#include "boosting/histogram.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/parallel.hpp"

namespace mlcore::boosting {
namespace {

constexpr std::size_t prefetch_rows = 16;
constexpr std::size_t min_rows_per_chunk = 4096;
constexpr double ns_per_update = 0.8;
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

HistogramLayout::HistogramLayout(const BinMapper& mapper, const BinnedMatrix& data)
    : offset_(static_cast<std::size_t>(mapper.n_features()), 0), used_(offset_.size(), 0) {
    for (const Stripe& stripe : data.stripes())
        for (const int f : stripe.features) {
            offset_[f] = n_entries_;
            used_[f] = 1;
            features_.push_back(f);
            n_entries_ += static_cast<std::size_t>(mapper.n_bins(f)) + 1;
        }
    MLCORE_CHECK(n_entries_ < (std::size_t{1} << 32), "histogram offsets fit 32 bits");
}

HistogramBuilder::HistogramBuilder(const BinnedMatrix& data, const HistogramLayout& layout)
    : data_(data), layout_(layout), pool_(max_idle_bytes), lanes_(data.stripes().size()) {
    select({});
}

void HistogramBuilder::select(std::span<const std::uint8_t> active) {
    n_active_ = 0;
    for (std::size_t s = 0; s < lanes_.size(); ++s) {
        const Stripe& stripe = data_.stripes()[s];
        Lane& lane = lanes_[s];
        lane.byte.clear();
        lane.offset.clear();
        for (std::size_t k = 0; k < stripe.features.size(); ++k) {
            const int f = stripe.features[k];
            if (!active.empty() && !active[f]) continue;
            lane.byte.push_back(static_cast<std::uint32_t>(k));
            lane.offset.push_back(static_cast<std::uint32_t>(layout_.offset(f)));
        }
        lane.all = lane.byte.size() == stripe.features.size();
        n_active_ += lane.byte.size();
    }
}

void HistogramBuilder::accumulate(std::size_t s, const std::uint32_t* rows, std::size_t begin, std::size_t end,
                                  const PackedPair* pairs, PackedPair* histogram) const {
    const Stripe& stripe = data_.stripes()[s];
    const Lane& lane = lanes_[s];
    const auto run = [&]<bool Scattered, bool All>() {
        accumulate_rows<Scattered, All>(stripe, rows, begin, end, pairs, lane.byte.data(), lane.offset.data(),
                                        lane.byte.size(), histogram);
    };
    if (rows && lane.all)
        run.template operator()<true, true>();
    else if (rows)
        run.template operator()<true, false>();
    else if (lane.all)
        run.template operator()<false, true>();
    else
        run.template operator()<false, false>();
}

void HistogramBuilder::build(const RunContext& ctx, const std::uint32_t* rows, std::size_t n, const PackedPair* pairs,
                             PackedPair* histogram) {
    const std::size_t n_entries = layout_.n_entries(), n_stripes = lanes_.size();
    const double work_ns = static_cast<double>(n * n_active_) * ns_per_update + static_cast<double>(n_entries);
    const auto threads = static_cast<std::size_t>(threads_for(ctx, work_ns));

    // Tasks are (stripe, chunk of rows). Chunks beyond the first count into histograms of their own, summed at the end:
    // only as many as give every thread work.
    const std::size_t wanted = n_stripes == 0 ? 1 : (threads + n_stripes - 1) / n_stripes;
    const std::size_t n_chunks = std::clamp<std::size_t>(n / min_rows_per_chunk, 1, std::max<std::size_t>(wanted, 1));
    std::vector<Histogram> partial(n_chunks - 1);
    for (Histogram& p : partial) p = take();
    const auto target = [&](std::size_t chunk) { return chunk == 0 ? histogram : partial[chunk - 1].as<PackedPair>(); };

    const std::size_t n_tasks = n_stripes * n_chunks;
    const double task_ns = work_ns / static_cast<double>(std::max<std::size_t>(n_tasks, 1));
    parallel_tasks(ctx, n_tasks, task_ns, [&](std::size_t task, int) {
        const std::size_t s = task % n_stripes, chunk = task / n_stripes;
        const Lane& lane = lanes_[s];
        if (lane.offset.empty()) return;
        const auto& features = data_.stripes()[s].features;
        const std::size_t first = layout_.offset(features.front());
        const std::size_t last =
            s + 1 < n_stripes ? layout_.offset(data_.stripes()[s + 1].features.front()) : n_entries;
        std::memset(static_cast<void*>(target(chunk) + first), 0, (last - first) * sizeof(PackedPair));
        accumulate(s, rows, n * chunk / n_chunks, n * (chunk + 1) / n_chunks, pairs, target(chunk));
    });
    if (n_chunks > 1) {
        parallel_ranges(ctx, n_entries, 0.5 * static_cast<double>(n_chunks),
                        [&](std::size_t begin, std::size_t end, int) {
                            for (const Histogram& p : partial)
                                for (std::size_t k = begin; k < end; ++k) histogram[k] += p.as<PackedPair>()[k];
                        });
    }
}

void HistogramBuilder::subtract(const RunContext& ctx, PackedPair* parent, const PackedPair* smaller) const {
    parallel_ranges(ctx, layout_.n_entries(), 0.7, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t k = begin; k < end; ++k) parent[k] = parent[k] - smaller[k];
    });
}

} // namespace mlcore::boosting
