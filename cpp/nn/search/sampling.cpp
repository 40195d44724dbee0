#include "nn/search/sampling.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "nn/search/step_rows.hpp"
#include "nn/search/top_tokens.hpp"
#include "nn/softmax_row.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace mlcore::nn {
namespace {

using simd::Floats;

constexpr std::size_t block = 256; // entries whose weights are computed again when the token is among them

/// e^((x - most) / temperature) of the entries [begin, end) into `weights`; returns their sum.
double block_weights(std::span<const float> x, std::size_t begin, std::size_t end, float most, float temperature,
                     float* weights) {
    for_vectors(begin, end, [&](std::size_t j, std::size_t count) {
        const Floats v = (load_count(x.data() + j, count) - most) / temperature;
        store_count(weights + (j - begin), simd::exp_negative(v), count);
    });
    double sum = 0;
    for (std::size_t j = 0; j < end - begin; ++j) sum += static_cast<double>(weights[j]);
    return sum;
}

} // namespace

std::int32_t TokenSampler::draw(std::span<const float> logits, double uniform) {
    TokenLogit best[1];
    static_cast<void>(top_tokens(logits, best)); // refuses what is no distribution
    most_ = best[0].logit;
    const bool all = (options_.top_k == 0 || options_.top_k >= logits.size()) && options_.top_p >= 1;
    return all ? draw_from_all(logits, uniform) : draw_from_top(logits, uniform);
}

double TokenSampler::total_weight(std::span<const float> logits) {
    const auto temperature = static_cast<float>(options_.temperature);
    float weights[block];
    double total = 0;
    block_sums_.clear();
    for (std::size_t begin = 0; begin < logits.size(); begin += block) {
        const std::size_t end = std::min(begin + block, logits.size());
        block_sums_.push_back(block_weights(logits, begin, end, most_, temperature, weights));
        total += block_sums_.back();
    }
    return total;
}

std::int32_t TokenSampler::draw_from_all(std::span<const float> logits, double uniform) {
    double left = uniform * total_weight(logits);
    std::size_t b = 0, last = 0; // last: block with weight, for what rounding has left over
    for (; b < block_sums_.size(); ++b) {
        if (block_sums_[b] > 0) last = b;
        if (left < block_sums_[b]) break;
        left -= block_sums_[b];
    }
    if (b == block_sums_.size()) {
        b = last;
        left = block_sums_[last];
    }
    float weights[block];
    const std::size_t begin = b * block, end = std::min(begin + block, logits.size());
    static_cast<void>(block_weights(logits, begin, end, most_, static_cast<float>(options_.temperature), weights));
    std::size_t chosen = 0;
    for (std::size_t j = 0; j < end - begin; ++j) {
        const auto w = static_cast<double>(weights[j]);
        if (w > 0) chosen = j;
        if (left < w) break;
        left -= w;
    }
    return static_cast<std::int32_t>(begin + chosen);
}

void TokenSampler::rank(std::span<const float> logits, std::size_t n) {
    constexpr std::size_t few = 256; // a list that is kept in order while the row passes
    if (n <= few) {
        ranked_.resize(n);
        ranked_.resize(top_tokens(logits, ranked_).count);
        return;
    }
    ranked_.clear();
    for (std::size_t j = 0; j < logits.size(); ++j)
        if (logits[j] > minus_infinity) ranked_.push_back({logits[j], static_cast<std::int32_t>(j)});
    const auto before = [](const TokenLogit& a, const TokenLogit& b) {
        return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
    };
    n = std::min(n, ranked_.size());
    std::partial_sort(ranked_.begin(), ranked_.begin() + static_cast<std::ptrdiff_t>(n), ranked_.end(), before);
    ranked_.resize(n);
}

std::int32_t TokenSampler::draw_from_top(std::span<const float> logits, double uniform) {
    const std::size_t V = logits.size(), k = options_.top_k == 0 ? V : std::min(options_.top_k, V);
    const auto weight = [&](const TokenLogit& t) {
        return std::exp((static_cast<double>(t.logit) - static_cast<double>(most_)) / options_.temperature);
    };
    double total = 0; // of all tokens that top_k leaves
    if (k < V) {
        rank(logits, k);
        for (const TokenLogit& t : ranked_) total += weight(t);
    } else {
        total = total_weight(logits);
    }
    for (std::size_t n = k < V ? k : std::min<std::size_t>(V, 64);; n = std::min(8 * n, V)) {
        if (k == V) rank(logits, n);
        double kept = 0;
        std::size_t count = 0;
        while (count < ranked_.size() && (count == 0 || kept < options_.top_p * total))
            kept += weight(ranked_[count++]);
        if (kept < options_.top_p * total && n < k) continue; // more of them are needed
        double left = uniform * kept;
        std::size_t i = 0;
        for (; i + 1 < count && left >= weight(ranked_[i]); ++i) left -= weight(ranked_[i]);
        return ranked_[i].token;
    }
}

Hypotheses sample(const RunContext& ctx, StepModel& model, const SearchTask& task, const SamplingOptions& options) {
    check_task(model, task);
    const std::size_t n_sources = model.n_sources(), n_samples = options.n_samples;
    MLCORE_CHECK(options.keys.size() == n_sources, "sampling needs a key for each source");
    if (n_samples < 1) throw ValueError("n_samples must be at least 1, got 0");
    if (!(options.temperature >= std::numeric_limits<float>::min() &&
          options.temperature <= std::numeric_limits<float>::max()))
        throw ValueError("temperature must be above 0 and finite, got " + std::to_string(options.temperature));
    if (!(options.top_p > 0 && options.top_p <= 1))
        throw ValueError("top_p must be in (0, 1], got " + std::to_string(options.top_p));
    struct Row {
        std::size_t source, first, n; // samples [first, first + n)
    };
    struct Drawn {
        std::int32_t token;
        double log_probability;
    };
    StepRows rows(model);
    std::vector<Row> open;
    Hypotheses found(n_sources);
    for (std::size_t s = 0; s < n_sources; ++s) {
        found[s].resize(n_samples);
        if (task.max_length[s] == 0) continue;
        rows.add(s, task.begin[s]);
        open.push_back({s, 0, n_samples});
    }
    std::vector<TokenSampler> samplers(static_cast<std::size_t>(ctx.n_threads), TokenSampler(options));
    std::vector<Drawn> drawn(n_sources * n_samples);
    std::vector<Row> next;
    for (std::int64_t length = 1; !open.empty(); ++length) {
        ctx.checkpoint();
        rows.run(ctx);
        parallel_tasks(ctx, open.size(), 2 * row_ns(model.n_tokens()), [&](std::size_t i, int thread) {
            const Row& row = open[i];
            const std::span<float> logits = rows.logits(i);
            const bool may_end = length >= task.min_length || task.end < 0;
            TokenLogit top[2];
            const TopTokens best = top_tokens(logits, std::span(top, may_end ? 0 : 2));
            if (!may_end) {
                if (best.count < 2 && top[0].token == task.end) throw ValueError(nothing_follows);
                logits[static_cast<std::size_t>(task.end)] = minus_infinity;
            }
            const Philox random(ctx.seed, static_cast<std::uint64_t>(options.keys[row.source]));
            for (std::size_t j = row.first; j < row.first + row.n; ++j) {
                const double uniform = random.uniform((std::uint64_t{j} << 32) + static_cast<std::uint64_t>(length));
                const std::int32_t token = samplers[static_cast<std::size_t>(thread)].draw(logits, uniform);
                drawn[row.source * n_samples + j] = {
                    token, static_cast<double>(logits[static_cast<std::size_t>(token)]) - best.log_sum};
            }
        });
        rows.clear();
        next.clear();
        for (std::size_t i = 0; i < open.size(); ++i) {
            const Row& row = open[i];
            for (std::size_t j = row.first; j < row.first + row.n; ++j) {
                const auto [token, log_probability] = drawn[row.source * n_samples + j];
                Hypothesis& written = found[row.source][j];
                written.log_probability += log_probability;
                if (token != task.end) written.tokens.push_back(token);
                if (token == task.end || length == task.max_length[row.source]) {
                    written.score = score_of(written.log_probability, length, task.length_penalty);
                    continue;
                }
                rows.add(i, token);
                next.push_back({row.source, j, 1});
            }
        }
        open.swap(next);
    }
    return found;
}

} // namespace mlcore::nn
