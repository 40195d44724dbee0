// What a search reads from a row of logits x (V), without writing or sorting it: the log-sum-exp of the row, which
// makes log-probabilities of logits, and the n largest entries. Two passes: maxima of the lanes first, then the sum of
// e^(x - max); the n-th largest maximum of a lane is a bound that few entries pass in the second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mlcore::nn {

struct TokenLogit {
    float logit;
    std::int32_t token;
};

struct TopTokens {
    double log_sum;    // of e^x over the whole row
    std::size_t count; // of the tokens that were found: fewer than wanted where too few are finite
};

/// The largest entries of a row into `top`, the largest first, of equal ones that with the lower id first. Tokens of
/// logit -infinity have no probability and are never among them. Throws ValueError where an entry is NaN or infinity,
/// or none is finite.
TopTokens top_tokens(std::span<const float> logits, std::span<TokenLogit> top);

} // namespace mlcore::nn
