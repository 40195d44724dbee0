// Bootstrap over segments (Koehn, "Statistical significance tests for machine translation evaluation", EMNLP 2004): the
// scores of n_resamples corpora, each of n segments drawn with replacement. A score needs the sums of the statistics of
// those segments alone, so that texts are read once.
//
// The draws are those of NumPy's Generator over PCG64 (O'Neill, 2014): integers(n_segments, size=(n_resamples,
// n_segments)), so that with the same seed the resamples are those of sacreBLEU. They are not kept: each resample jumps
// to its place in the stream and counts how often each segment is drawn; the counts times the columns of the statistics
// are its sums. All of that is integers, and so the same for any number of threads.
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::metrics {

/// State and increment of NumPy's PCG64, each of 128 bits.
struct PcgState {
    std::uint64_t state_high, state_low, increment_high, increment_low;
};

/// Sums (n_resamples, columns) of rows of statistics (n_segments, columns), each in [0, 2^31).
/// Throws ValueError for 2^32 - 1 segments or more.
std::vector<std::int64_t> bootstrap_sums(const RunContext& ctx, std::span<const std::int64_t> statistics,
                                         std::size_t columns, std::size_t n_resamples, const PcgState& seed);

} // namespace mlcore::metrics
