// Sampling: each token is drawn from the distribution that the network gives, after
//
//   temperature  logits are divided by it: below 1 the probable tokens become more so, above 1 less;
//   top_k        only the k largest logits are left (of equal ones those with the lower ids);
//   top_p        only the most probable tokens are left, as few as together have at least the probability p (Holtzman,
//                Buys, Du, Forbes and Choi, "The curious case of neural text degeneration", ICLR 2020)
//
// in this order. Random numbers are a function of (seed, key of the source, sample, step): what is drawn for a source
// depends neither on the other sources nor on threads.
#pragma once

#include "nn/search/search.hpp"
#include "nn/search/top_tokens.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::nn {

struct SamplingOptions {
    std::size_t n_samples = 1; // hypotheses of each source, returned in the order of their numbers
    double temperature = 1;
    std::size_t top_k = 0; // 0: all tokens
    double top_p = 1;
    std::span<const std::int64_t> keys; // (sources): whose random numbers are drawn
};

/// Draws tokens from rows of logits.
class TokenSampler {
  public:
    explicit TokenSampler(const SamplingOptions& options) : options_(options) {}

    /// uniform: in [0, 1). Throws ValueError where logits are NaN or infinite, or none is finite.
    std::int32_t draw(std::span<const float> logits, double uniform);

  private:
    std::int32_t draw_from_all(std::span<const float> logits, double uniform);
    std::int32_t draw_from_top(std::span<const float> logits, double uniform);
    void rank(std::span<const float> logits, std::size_t n);
    double total_weight(std::span<const float> logits);

    const SamplingOptions& options_;
    std::vector<TokenLogit> ranked_;
    std::vector<double> block_sums_;
    float most_ = 0; // largest logit of the row
};

/// The log-probabilities of the hypotheses are those of the network: of temperature 1 and all tokens. ctx.seed is the
/// seed.
Hypotheses sample(const RunContext& ctx, StepModel& model, const SearchTask& task, const SamplingOptions& options);

} // namespace mlcore::nn
