// A small encoder with random weights, and its formulas in plain loops and float64.
#pragma once

#include "core/random.hpp"
#include "nn/inference/transformer_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace encoder_twin {

using namespace mlcore;
using namespace mlcore::nn;

using Rows = std::vector<std::vector<double>>;

inline constexpr std::size_t d = 12, n_heads = 2, depth = d / n_heads, hidden = 20, n_layers = 2;

inline std::vector<float> random_values(std::size_t n, std::uint64_t stream, double centre = 0) {
    const Philox random(5, stream);
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(centre + 0.8 * (random.uniform(i) - 0.5));
    return values;
}

struct LayerValues {
    std::vector<float> in, in_bias, out, w1, b1, w2, b2, norm1, shift1, norm2, shift2;

    explicit LayerValues(std::uint64_t s)
        : in(random_values(3 * d * d, s)), in_bias(random_values(3 * d, s + 1)), out(random_values(d * d, s + 2)),
          w1(random_values(hidden * d, s + 3)), b1(random_values(hidden, s + 4)), w2(random_values(d * hidden, s + 5)),
          b2(random_values(d, s + 6)), norm1(random_values(d, s + 7, 1)), shift1(random_values(d, s + 8)),
          norm2(random_values(d, s + 9, 1)), shift2(random_values(d, s + 10)) {}
};

struct Network {
    std::vector<LayerValues> layers;
    bool norm_first, rotary;

    Network(bool pre_norm, bool rotates) : norm_first(pre_norm), rotary(rotates) {
        for (std::size_t l = 0; l < n_layers; ++l) layers.emplace_back(100 * l);
    }

    EncoderWeights weights() const {
        EncoderWeights w;
        for (const LayerValues& v : layers)
            w.layers.push_back({{row_major(v.in.data(), 3 * d, d), v.in_bias.data()},
                                {row_major(v.out.data(), d, d), nullptr},
                                {row_major(v.w1.data(), hidden, d), v.b1.data()},
                                {row_major(v.w2.data(), d, hidden), v.b2.data()},
                                {v.norm1.data(), v.shift1.data()},
                                {v.norm2.data(), v.shift2.data()}});
        w.d = d;
        w.n_heads = n_heads;
        w.norm_first = norm_first;
        w.rotary = rotary;
        w.has_final_norm = norm_first;
        return w;
    }
};

// ---- the twin ----

inline Rows linear(const Rows& x, const std::vector<float>& w, const std::vector<float>& b, std::size_t n_out) {
    Rows y;
    for (const auto& row : x) {
        auto& out = y.emplace_back(n_out);
        for (std::size_t j = 0; j < n_out; ++j) {
            out[j] = b.empty() ? 0 : static_cast<double>(b[j]);
            for (std::size_t k = 0; k < row.size(); ++k) out[j] += row[k] * static_cast<double>(w[j * row.size() + k]);
        }
    }
    return y;
}

inline Rows norm(Rows x, const std::vector<float>& w, const std::vector<float>& b) {
    for (auto& row : x) {
        double mean = 0, square = 0;
        for (const double v : row) mean += v / d;
        for (const double v : row) square += (v - mean) * (v - mean) / d;
        for (std::size_t i = 0; i < d; ++i)
            row[i] = (row[i] - mean) / std::sqrt(square + 1e-5) * (w.empty() ? 1.0 : static_cast<double>(w[i])) +
                     (b.empty() ? 0.0 : static_cast<double>(b[i]));
    }
    return x;
}

inline Rows sum(Rows x, const Rows& y) {
    for (std::size_t i = 0; i < x.size(); ++i)
        for (std::size_t j = 0; j < d; ++j) x[i][j] += y[i][j];
    return x;
}

/// The entries of a head at `first`, rotated by the angles of a position.
inline void rotate(std::vector<double>& row, std::size_t first, std::size_t position) {
    for (std::size_t i = 0; i < depth / 2; ++i) {
        const double angle = static_cast<double>(position) *
                             std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(depth));
        double &low = row[first + i], &high = row[first + depth / 2 + i];
        const double was = low;
        low = was * std::cos(angle) - high * std::sin(angle);
        high = high * std::cos(angle) + was * std::sin(angle);
    }
}

inline Rows attention(const Rows& x, const LayerValues& v, bool rotary) {
    Rows fused = linear(x, v.in, v.in_bias, 3 * d), mixed(x.size(), std::vector<double>(d));
    for (std::size_t t = 0; rotary && t < x.size(); ++t)
        for (std::size_t h = 0; h < 2 * n_heads; ++h) rotate(fused[t], h * depth, t);
    for (std::size_t h = 0; h < n_heads; ++h)
        for (std::size_t q = 0; q < x.size(); ++q) {
            double total = 0;
            for (std::size_t k = 0; k < x.size(); ++k) {
                double score = 0;
                for (std::size_t i = h * depth; i < (h + 1) * depth; ++i) score += fused[q][i] * fused[k][d + i];
                const double p = std::exp(score / std::sqrt(static_cast<double>(depth)));
                total += p;
                for (std::size_t i = h * depth; i < (h + 1) * depth; ++i) mixed[q][i] += p * fused[k][2 * d + i];
            }
            for (std::size_t i = h * depth; i < (h + 1) * depth; ++i) mixed[q][i] /= total;
        }
    return linear(mixed, v.out, {}, d);
}

inline Rows feed_forward(const Rows& x, const LayerValues& v) {
    Rows h = linear(x, v.w1, v.b1, hidden);
    for (auto& row : h)
        for (double& value : row) value = std::max(value, 0.0);
    return linear(h, v.w2, v.b2, d);
}

inline Rows twin(const Network& network, Rows x) {
    for (const LayerValues& v : network.layers) {
        if (network.norm_first) {
            x = sum(x, attention(norm(x, v.norm1, v.shift1), v, network.rotary));
            x = sum(x, feed_forward(norm(x, v.norm2, v.shift2), v));
        } else {
            x = norm(sum(x, attention(x, v, network.rotary)), v.norm1, v.shift1);
            x = norm(sum(x, feed_forward(x, v)), v.norm2, v.shift2);
        }
    }
    return network.norm_first ? norm(x, {}, {}) : x;
}

} // namespace encoder_twin
