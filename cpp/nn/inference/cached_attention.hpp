// Attention of single queries, as steps of a decoder need it: for each head
//
//   p = softmax of q . k_j over the tokens j,  out = sum of p_j v_j
//
// with the scale in q. A token has the keys of all heads, then their values, each head padded with zeros to whole
// vectors; where the tokens lie is up to the caller. Sums run in an order that depends on the number of tokens alone.
#pragma once

#include "core/simd.hpp"
#include "nn/row_sums.hpp"
#include "nn/softmax_row.hpp"

#include <algorithm>
#include <cstddef>

namespace mlcore::nn {

struct HeadLayout {
    std::size_t n_heads, depth;

    std::size_t padded_depth() const { return simd::round_up(depth, simd::lanes); }
    std::size_t width() const { return n_heads * padded_depth(); } // of the keys of a token, or its values
    std::size_t token_floats() const { return 2 * width(); }

    /// A row (heads, depth) to heads padded, times a factor.
    void pad(const float* row, float factor, float* padded) const {
        const std::size_t wide = padded_depth();
        for (std::size_t h = 0; h < n_heads; ++h, row += depth, padded += wide) {
            for (std::size_t i = 0; i < depth; ++i) padded[i] = factor * row[i];
            std::fill(padded + depth, padded + wide, 0.0f);
        }
    }
};

namespace detail {

/// scores[j] = q . k_j of one head; padded with -infinity to whole vectors. Four tokens at a time, whose sums of lanes
/// cost little more than those of one.
template <class Tokens>
void score_tokens(const float* q, std::size_t depth, const Tokens& tokens, std::size_t n, std::size_t offset,
                  float* scores) {
    using simd::Floats, simd::lanes;
    std::fill(scores + n / lanes * lanes, scores + simd::round_up(n, lanes), minus_infinity);
    std::size_t j = 0;
    for (; j + 4 <= n; j += 4) {
        const float* k[4];
        for (std::size_t t = 0; t < 4; ++t) k[t] = tokens[j + t] + offset;
        Floats sums[4] = {};
        for (std::size_t i = 0; i < depth; i += lanes) {
            const Floats here = simd::load(q + i);
#pragma GCC unroll 4
            for (std::size_t t = 0; t < 4; ++t) sums[t] = simd::fma(here, simd::load(k[t] + i), sums[t]);
        }
        simd::store(scores + j, simd::sums(sums[0], sums[1], sums[2], sums[3]));
    }
    for (; j < n; ++j) {
        const float* k = tokens[j] + offset;
        Floats sum{};
        for (std::size_t i = 0; i < depth; i += lanes) sum = simd::fma(simd::load(q + i), simd::load(k + i), sum);
        scores[j] = sum_lanes(sum);
    }
}

/// Scores to e^(score - maximum), the padding to 0; returns their sum.
inline float exponentiate(float* scores, std::size_t n) {
    using simd::Floats, simd::lanes;
    const float most = row_max(scores, n);
    Floats sum{};
    for (std::size_t j = 0; j < n; j += lanes) {
        const Floats e = simd::exp_negative(simd::load(scores + j) - most);
        simd::store(scores + j, e);
        sum += e;
    }
    return sum_lanes(sum);
}

/// N vectors of the sum of p_j v_j.
template <std::size_t N, class Tokens>
void add_values(const float* p, float factor, const Tokens& tokens, std::size_t n, std::size_t offset,
                simd::Floats* out) {
    using simd::Floats, simd::lanes;
    Floats sums[N] = {};
    for (std::size_t j = 0; j < n; ++j) {
        const float* v = tokens[j] + offset;
        const Floats weight = simd::broadcast(p[j]);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < N; ++i) sums[i] = simd::fma(weight, simd::load(v + i * lanes), sums[i]);
    }
    for (std::size_t i = 0; i < N; ++i) out[i] = factor * sums[i];
}

} // namespace detail

/// out (heads, depth) of one query, padded; zeros without a token. tokens[j]: where token j lies. scores: room for n
/// rounded up to whole vectors.
template <class Tokens>
void attend(const HeadLayout& heads, const float* query, const Tokens& tokens, std::size_t n, float* scores,
            float* out) {
    using simd::Floats, simd::lanes;
    const std::size_t wide = heads.padded_depth(), depth = heads.depth;
    if (n == 0) {
        std::fill_n(out, heads.n_heads * depth, 0.0f);
        return;
    }
    for (std::size_t h = 0; h < heads.n_heads; ++h) {
        detail::score_tokens(query + h * wide, wide, tokens, n, h * wide, scores);
        const float factor = 1 / detail::exponentiate(scores, n);
        for (std::size_t i = 0; i < depth; i += 4 * lanes) {
            const std::size_t offset = heads.width() + h * wide + i,
                              n_vectors = std::min<std::size_t>(4, (wide - i) / lanes);
            Floats sums[4];
            switch (n_vectors) {
            case 1:
                detail::add_values<1>(scores, factor, tokens, n, offset, sums);
                break;
            case 2:
                detail::add_values<2>(scores, factor, tokens, n, offset, sums);
                break;
            case 3:
                detail::add_values<3>(scores, factor, tokens, n, offset, sums);
                break;
            default:
                detail::add_values<4>(scores, factor, tokens, n, offset, sums);
            }
            for (std::size_t v = 0; v < n_vectors; ++v) {
                const std::size_t at = i + v * lanes;
                store_count(out + h * depth + at, sums[v], std::min(lanes, depth - at));
            }
        }
    }
}

} // namespace mlcore::nn
