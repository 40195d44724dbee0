#include "embedding/sampling.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mlcore::embedding {

namespace {

/// The largest 32-bit draw that counts as "below p": floor(p * 2^32) - 1, at least 0.
std::uint32_t threshold_for(double p) {
    return static_cast<std::uint32_t>(std::clamp(std::floor(p * 0x1p32) - 1, 0.0, 0x1p32 - 1));
}

double probability_of(std::uint32_t threshold) { return (static_cast<double>(threshold) + 1) * 0x1p-32; }

} // namespace

Subsampler::Subsampler(std::span<const std::int64_t> counts, double sample) {
    if (sample == 0) return;
    const double total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
    threshold_.reserve(counts.size());
    for (const std::int64_t count : counts) {
        const double ratio = sample * total / static_cast<double>(count); // t / f
        threshold_.push_back(threshold_for(std::min(1.0, std::sqrt(ratio) + ratio)));
    }
}

double Subsampler::probability(std::int32_t word) const {
    return active() ? probability_of(threshold_[static_cast<std::size_t>(word)]) : 1.0;
}

AliasTable::AliasTable(std::span<const std::int64_t> counts, double exponent) : slots_(counts.size()) {
    const std::size_t n = counts.size();
    MLCORE_CHECK(n < (std::size_t{1} << 31), "word ids are 32 bits");
    std::vector<double> p(n);
    for (std::size_t i = 0; i < n; ++i) p[i] = std::pow(static_cast<double>(counts[i]), exponent);
    const double scale = static_cast<double>(n) / std::accumulate(p.begin(), p.end(), 0.0);
    std::vector<std::int32_t> small, large; // slots with less, or not less, than their share
    for (std::size_t i = 0; i < n; ++i) {
        p[i] *= scale;
        (p[i] < 1 ? small : large).push_back(static_cast<std::int32_t>(i));
        slots_[i] = {0xFFFFFFFF, static_cast<std::int32_t>(i)};
    }
    while (!small.empty() && !large.empty()) {
        const auto s = static_cast<std::size_t>(small.back()), l = static_cast<std::size_t>(large.back());
        small.pop_back();
        large.pop_back();
        slots_[s] = {threshold_for(p[s]), static_cast<std::int32_t>(l)};
        p[l] = (p[l] + p[s]) - 1; // what l has left after filling up the slot of s
        (p[l] < 1 ? small : large).push_back(static_cast<std::int32_t>(l));
    } // what remains is full but for rounding
}

std::vector<double> AliasTable::probabilities() const {
    std::vector<double> p(slots_.size(), 0.0);
    const double share = 1 / static_cast<double>(slots_.size());
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        const double own = probability_of(slots_[i].threshold);
        p[i] += share * own;
        p[static_cast<std::size_t>(slots_[i].alias)] += share * (1 - own);
    }
    return p;
}

} // namespace mlcore::embedding
