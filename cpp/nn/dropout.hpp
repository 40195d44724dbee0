// Dropout (Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov 2014), scaled at training time so that nothing
// needs to be done at test time; and Gaussian noise.
//   y_i = x_i k_i / (1 - p), k_i = 0 with probability p, else 1
// k_i is a function of (seed, i). Whoever has few entries draws them again in the backward pass; drawing costs five
// times as much as reading what was drawn from a mask of a bit an entry. Their randomness is Philox4x32-10
// (nn/philox_vectors.hpp) for as many counters at a time as a vector holds: group g of 32 entries takes the blocks of
// counters 8 g ... 8 g + 7; entries 2 c and 2 c + 1 of the group get words 0 and 1 of block c, entries 16
// + 2 c and 17 + 2 c words 2 and 3.
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::nn {

/// Words of a mask of n entries.
constexpr std::size_t mask_words(std::size_t n) { return (n + 511) / 512 * 16; }

/// y (n) = dropout(x (n)) + residual (n), or without it if nullptr; 0 <= p <= 1. y may be x or residual. As this is
/// linear in x, the same call on dy gives dx. The k_i go to mask (mask_words(n)) if it is not nullptr.
void dropout(const RunContext& ctx, const float* x, const float* residual, std::size_t n, double p, std::uint64_t seed,
             float* y, std::uint32_t* mask = nullptr);

/// dx (n) from dy (n) and the mask of dropout with the same n and p. dx may be dy.
void dropout_backward(const RunContext& ctx, const float* dy, const std::uint32_t* mask, std::size_t n, double p,
                      float* dx);

/// y (n) = x (n) + std z, z standard normal by Box and Muller.
void gaussian_noise(const RunContext& ctx, const float* x, std::size_t n, float std, std::uint64_t seed, float* y);

} // namespace mlcore::nn
