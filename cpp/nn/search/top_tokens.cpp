#include "nn/search/top_tokens.hpp"

#include "core/error.hpp"
#include "nn/softmax_row.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace mlcore::nn {
namespace {

using simd::Floats, simd::Integers, simd::lanes;

constexpr std::size_t chains = 4, group = chains * lanes;

/// Whether any lane of a comparison holds.
[[gnu::always_inline]] inline bool any(Integers mask) {
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX__)
    return _mm256_movemask_ps((__m256)mask) != 0;
#else
    int all = 0;
    for (std::size_t l = 0; l < lanes; ++l) all |= mask[l];
    return all != 0;
#endif
}

/// The maxima of all entries whose position leaves the same remainder by `group`; entries that are missing count as
/// -infinity.
std::array<float, group> lane_maxima(std::span<const float> x) {
    Floats most[chains];
    for (Floats& m : most) m = simd::broadcast(minus_infinity);
    std::size_t j = 0;
    for (; j + group <= x.size(); j += group)
#pragma GCC unroll 4
        for (std::size_t c = 0; c < chains; ++c) most[c] = vf::max(simd::load(x.data() + j + c * lanes), most[c]);
    std::array<float, group> maxima;
    for (std::size_t c = 0; c < chains; ++c) simd::store(maxima.data() + c * lanes, most[c]);
    for (; j < x.size(); ++j) maxima[j % group] = std::max(maxima[j % group], x[j]);
    return maxima;
}

/// The entries found so far, the largest first.
class Ranking {
  public:
    Ranking(std::span<TokenLogit> top, float bar) : top_(top), bar_(bar) {}

    /// What an entry must be above to be worth an offer.
    float bar() const { return bar_; }
    std::size_t count() const { return count_; }

    /// Entries come in the order of their ids: an equal one stays behind those before it.
    void offer(float logit, std::size_t token) {
        if (!(logit > bar_)) return;
        std::size_t at = count_ < top_.size() ? count_++ : count_ - 1;
        for (; at > 0 && logit > top_[at - 1].logit; --at) top_[at] = top_[at - 1];
        top_[at] = {logit, static_cast<std::int32_t>(token)};
        if (count_ == top_.size()) bar_ = top_[count_ - 1].logit;
    }

  private:
    std::span<TokenLogit> top_;
    float bar_;
    std::size_t count_ = 0;
};

} // namespace

TopTokens top_tokens(std::span<const float> logits, std::span<TokenLogit> top) {
    std::array<float, group> maxima = lane_maxima(logits);
    const std::size_t n = std::min(top.size(), logits.size());
    const float most = *std::max_element(maxima.begin(), maxima.end());
    float bar = minus_infinity;
    if (n > 0 && n <= group) {
        const auto nth = maxima.begin() + static_cast<std::ptrdiff_t>(n) - 1;
        std::nth_element(maxima.begin(), nth, maxima.end(), std::greater<>());
        bar = std::nextafter(*nth, minus_infinity);
    }
    Ranking ranking(top.first(n), n > 0 ? bar : -minus_infinity);
    const float* x = logits.data();
    // sum_exp visits the entries in order, some vectors at a time
    const double sum = sum_exp(x, logits.size(), most, [&](std::size_t j, Floats e, std::size_t count) {
        if (count == lanes) {
            if (any(simd::load(x + j) > ranking.bar()))
                for (std::size_t l = 0; l < lanes; ++l) ranking.offer(x[j + l], j + l);
        } else {
            for (std::size_t l = 0; l < count; ++l) ranking.offer(x[j + l], j + l);
        }
        return e;
    });
    if (!std::isfinite(most) || !std::isfinite(sum))
        throw ValueError("the network gave logits that are NaN or infinite: no token can be chosen");
    return {static_cast<double>(most) + std::log(sum), ranking.count()};
}

} // namespace mlcore::nn
