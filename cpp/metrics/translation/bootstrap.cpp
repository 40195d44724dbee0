#include "metrics/translation/bootstrap.hpp"
#include "core/error.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace mlcore::metrics {
namespace {

__extension__ using Wide = unsigned __int128;

Wide join(std::uint64_t high, std::uint64_t low) { return Wide{high} << 64 | low; }

/// PCG64 XSL RR, from which NumPy takes 32 bits at a time, the low half first.
class Pcg32Stream {
  public:
    /// At the given number of draws of 32 bits after the seed.
    Pcg32Stream(const PcgState& seed, std::uint64_t position)
        : state_(join(seed.state_high, seed.state_low)), increment_(join(seed.increment_high, seed.increment_low)) {
        advance(position / 2);
        if (position % 2 == 1) next();
    }

    std::uint32_t next() {
        has_half_ = !has_half_;
        if (!has_half_) return half_;
        state_ = state_ * multiplier + increment_;
        const auto folded = static_cast<std::uint64_t>(state_ >> 64) ^ static_cast<std::uint64_t>(state_);
        const std::uint64_t bits = std::rotr(folded, static_cast<int>(state_ >> 122));
        half_ = static_cast<std::uint32_t>(bits >> 32);
        return static_cast<std::uint32_t>(bits);
    }

  private:
    static constexpr Wide multiplier = Wide{0x2360ED051FC65DA4} << 64 | 0x4385DF649FCCF645;

    /// n steps at once: a step is an affine map, n of them are put together by squaring.
    void advance(std::uint64_t n) {
        Wide factor = 1, offset = 0;
        for (Wide step_factor = multiplier, step_offset = increment_; n > 0; n /= 2) {
            if (n % 2 == 1) {
                factor *= step_factor;
                offset = offset * step_factor + step_offset;
            }
            step_offset *= step_factor + 1;
            step_factor *= step_factor;
        }
        state_ = state_ * factor + offset;
    }

    Wide state_;
    const Wide increment_;
    std::uint32_t half_ = 0;
    bool has_half_ = false;
};

/// Numbers below n from draws of 32 bits (Lemire, "Fast random integer generation in an interval", 2019): a product of
/// which the high half is the number, unless the low half says that the draw is to be left out.
struct Below {
    explicit Below(std::uint32_t n_) : n(n_), threshold((0 - n) % n) {}

    /// n for a draw that is left out.
    std::uint32_t operator()(std::uint32_t draw) const {
        const std::uint64_t product = std::uint64_t{draw} * n;
        return static_cast<std::uint32_t>(product) < threshold ? n : static_cast<std::uint32_t>(product >> 32);
    }

    const std::uint32_t n;
    const std::uint32_t threshold;
};

/// The statistics by columns.
template <class Count, class Sum>
class Resampler {
  public:
    Resampler(std::span<const std::int64_t> statistics, std::size_t columns)
        : n_(statistics.size() / columns), stride_((n_ + 64) / 64 * 64), columns_(columns), values_(stride_ * columns) {
        for (std::size_t c = 0; c < columns; ++c) {
            Count* const column = values_.data() + c * stride_;
            for (std::size_t i = 0; i < n_; ++i) column[i] = static_cast<Count>(statistics[i * columns + c]);
            std::fill(column + n_, column + stride_, Count{0});
        }
    }

    /// Sums of the segments drawn by n draws of 32 bits from `position` on; returns how many draws were left out.
    std::uint64_t add_slot(const PcgState& seed, std::uint64_t position, Buffer<Count>& counts,
                           std::int64_t* sums) const {
        counts.fill(0);
        const Below below(static_cast<std::uint32_t>(n_));
        Pcg32Stream stream(seed, position);
        // Draws that are left out are counted in the place after the last segment.
        for (std::size_t i = 0; i < n_; ++i) ++counts[below(stream.next())];
        const auto left_out = static_cast<std::uint64_t>(counts[n_]);
        counts[n_] = 0;
        for (std::size_t c = 0; c < columns_; ++c) {
            const Count* const column = values_.data() + c * stride_;
            Sum sum = 0;
            for (std::size_t i = 0; i < stride_; ++i) sum += Sum{counts[i]} * Sum{column[i]};
            sums[c] = sum;
        }
        return left_out;
    }

    /// Sums of the first n_segments that are drawn from `position` on.
    std::vector<std::int64_t> first_segments(const PcgState& seed, std::uint64_t position,
                                             std::uint64_t n_segments) const {
        std::vector<std::int64_t> sums(columns_);
        const Below below(static_cast<std::uint32_t>(n_));
        for (Pcg32Stream stream(seed, position); n_segments > 0;) {
            const std::uint32_t segment = below(stream.next());
            if (segment == n_) continue;
            for (std::size_t c = 0; c < columns_; ++c) sums[c] += values_[c * stride_ + segment];
            --n_segments;
        }
        return sums;
    }

    /// Places for counts: the segments, one more, and what fills the last vector.
    std::size_t stride() const { return stride_; }

  private:
    const std::size_t n_, stride_, columns_;
    Buffer<Count> values_;
};

template <class Count, class Sum>
std::vector<std::int64_t> sums_of(const RunContext& ctx, std::span<const std::int64_t> statistics, std::size_t columns,
                                  std::size_t n_resamples, const PcgState& seed) {
    const Resampler<Count, Sum> resampler(statistics, columns);
    const std::size_t n = statistics.size() / columns;
    const double ns_per_slot = static_cast<double>(n) * (2.5 + 0.05 * static_cast<double>(columns));
    std::vector<Buffer<Count>> counts(
        static_cast<std::size_t>(threads_for(ctx, ns_per_slot * static_cast<double>(n_resamples))));

    // First as if no draw were left out: resample r has the draws of slot r, [r n, (r + 1) n).
    std::vector<std::int64_t> sums(n_resamples * columns);
    std::vector<std::uint64_t> left_out(n_resamples);
    parallel_tasks(ctx, n_resamples, ns_per_slot, [&](std::size_t r, int thread) {
        Buffer<Count>& mine = counts[static_cast<std::size_t>(thread)];
        if (mine.empty()) mine = Buffer<Count>(resampler.stride());
        left_out[r] = resampler.add_slot(seed, r * n, mine, sums.data() + r * columns);
    });

    // Each draw that is left out moves all later resamples by one: the first segments of a slot belong to the resample
    // before.
    std::vector<std::uint64_t> moved(n_resamples + 1); // segments at the start of a slot that do
    for (std::size_t r = 0; r < n_resamples; ++r) moved[r + 1] = moved[r] + left_out[r];
    std::vector<std::int64_t> firsts((n_resamples + 1) * columns);
    const double ns_per_first = static_cast<double>(moved.back()) / 2 * (4 + static_cast<double>(columns)) + 100;
    parallel_tasks(ctx, n_resamples + 1, ns_per_first, [&](std::size_t r, int) {
        if (moved[r] == 0) return;
        const std::vector<std::int64_t> first = resampler.first_segments(seed, r * n, moved[r]);
        std::copy(first.begin(), first.end(), firsts.begin() + static_cast<std::ptrdiff_t>(r * columns));
    });
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += firsts[i + columns] - firsts[i];
    return sums;
}

} // namespace

std::vector<std::int64_t> bootstrap_sums(const RunContext& ctx, std::span<const std::int64_t> statistics,
                                         std::size_t columns, std::size_t n_resamples, const PcgState& seed) {
    const std::size_t n = statistics.size() / columns;
    if (n > std::numeric_limits<std::uint32_t>::max() - 1)
        throw ValueError("a bootstrap takes fewer than 2^32 - 1 segments");
    const std::int64_t largest = *std::max_element(statistics.begin(), statistics.end());
    if (n == 1) { // nothing to draw
        std::vector<std::int64_t> sums;
        for (std::size_t r = 0; r < n_resamples; ++r) sums.insert(sums.end(), statistics.begin(), statistics.end());
        return sums;
    }
    // A count is n at most, a sum n times the largest value.
    MLCORE_CHECK(largest <= std::numeric_limits<std::int32_t>::max(), "the bootstrap sums 32-bit statistics");
    constexpr std::int64_t short_limit = std::numeric_limits<std::int16_t>::max();
    const auto draws = static_cast<std::int64_t>(n);
    if (draws <= short_limit && largest <= short_limit && largest * draws <= std::numeric_limits<std::int32_t>::max())
        return sums_of<std::int16_t, std::int32_t>(ctx, statistics, columns, n_resamples, seed);
    return sums_of<std::int32_t, std::int64_t>(ctx, statistics, columns, n_resamples, seed);
}

} // namespace mlcore::metrics
