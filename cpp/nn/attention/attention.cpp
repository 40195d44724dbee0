#include "nn/attention/attention.hpp"

#include "core/vecmath.hpp"
#include "nn/attention/head.hpp"
#include "nn/attention/tile.hpp"

namespace mlcore::nn {
namespace {

using namespace tiles;
using simd::Floats, simd::lanes;

constexpr std::size_t task_panels = 16; // panels of queries a task: keys are packed once for all of them

/// Scores (n, cols) become weights relative to the running maximum. factors: by what earlier sums must be multiplied.
/// Returns whether that is other than 1 for any query.
bool update_softmax(float* tile, std::size_t n, std::size_t cols, float* maximum, float* sum, float* factors) {
    simd::Integers changed{};
    for (std::size_t j = 0; j < cols; j += lanes) {
        const Floats before = simd::load(maximum + j);
        Floats tops[4] = {before, before, before, before}; // four chains hide the latency of one
        std::size_t i = 0;
        for (; i + 4 <= n; i += 4)
#pragma GCC unroll 4
            for (std::size_t c = 0; c < 4; ++c) {
                const Floats s = simd::load(tile + (i + c) * panel + j);
                tops[c] = s < tops[c] ? tops[c] : s; // NaN is kept
            }
        for (; i < n; ++i) {
            const Floats s = simd::load(tile + i * panel + j);
            tops[0] = s < tops[0] ? tops[0] : s;
        }
#pragma GCC unroll 3
        for (std::size_t c = 1; c < 4; ++c) tops[0] = tops[c] < tops[0] ? tops[0] : tops[c];
        const Floats top = tops[0];
        const Floats shift = top == -infinity ? Floats{} : top; // no key seen yet: weights 0, not NaN
        Floats sums[4] = {};
        for (i = 0; i + 4 <= n; i += 4)
#pragma GCC unroll 4
            for (std::size_t c = 0; c < 4; ++c) {
                float* at = tile + (i + c) * panel + j;
                const Floats p = exp_score(simd::load(at) - shift);
                simd::store(at, p);
                sums[c] += p;
            }
#pragma GCC unroll 4
        for (std::size_t c = 0; c < 4; ++c) { // the same sum for each key, however many hidden ones follow
            if (i + c >= n) break;
            float* at = tile + (i + c) * panel + j;
            const Floats p = exp_score(simd::load(at) - shift);
            simd::store(at, p);
            sums[c] += p;
        }
        const Floats factor = exp_score(before - shift);
        simd::store(maximum + j, top);
        simd::store(sum + j, simd::load(sum + j) * factor + ((sums[0] + sums[1]) + (sums[2] + sums[3])));
        simd::store(factors + j, factor);
        changed |= factor != 1;
    }
    int any = 0;
    for (std::size_t l = 0; l < lanes; ++l) any |= changed[l];
    return any != 0;
}

/// Outputs of some queries of one head at a time, with memory for up to `most` of them.
class Forward {
  public:
    Forward(const Attention& a, std::uint64_t seed, std::size_t most)
        : a_(a), seed_(seed), most_(n_panels(most) * panel), key_width_(padded(a.depth)), width_(padded(a.value_depth)),
          queries_(most_ * a.depth), out_(most_ * width_), keys_(key_block * key_width_), values_(key_block * width_),
          tile_(key_block * panel), maximum_(most_), sum_(most_),
          room_(a.bias.data || a.dropout > 0 ? key_block * panel : 0) {}

    /// The queries [first, first + n).
    void run(const Head& head, std::size_t first, std::size_t n, HeadsView<float> out, float* log_sums) {
        const std::size_t rows = n_panels(n) * panel;
        std::fill_n(maximum_.data(), rows, -infinity);
        std::fill_n(sum_.data(), rows, 0.0f);
        pack_queries(head.query_row(a_.q, first), a_.q.row_stride, n, a_.depth, queries_.data());
        const std::size_t seen = visible(a_.causal, head.n_seen, 0, first + n - 1);
        if (seen == 0) std::fill_n(out_.data(), n * width_, 0.0f);
        for (std::size_t k = 0; k < seen; k += key_block) keys(head, first, n, k, std::min(key_block, seen - k));

        for (std::size_t j = 0; j < n; ++j) {
            const float inverse = sum_[j] == 0 ? 0 : 1 / sum_[j];
            unpack_row(out_.data() + j * width_, a_.value_depth, inverse, head.query_row(out, first + j));
        }
        if (!log_sums) return;
        float* tops = log_sums + head.statistics + first;
        float* logs = tops + n_statistics(a_);
        for (std::size_t j = 0; j < n; ++j) {
            tops[j] = sum_[j] == 0 ? 0 : maximum_[j];
            logs[j] = sum_[j] == 0 ? infinity : vm::log_(sum_[j]);
        }
    }

  private:
    /// The queries [first, first + n_queries) and the keys [k, k + n).
    void keys(const Head& head, std::size_t first, std::size_t n_queries, std::size_t k, std::size_t n) {
        pack_rows(head.key_row(a_.k, k), a_.k.row_stride, n, a_.depth, a_.scale, keys_.data());
        pack_rows(head.key_row(a_.v, k), a_.v.row_stride, n, a_.value_depth, 1, values_.data());
        float factors[panel];
        float* tile = tile_.data();
        for (std::size_t p = 0; p < n_queries; p += panel) {
            const std::size_t query = first + p, here = std::min(panel, n_queries - p), cols = tile_width(here);
            const std::size_t m = visible(a_.causal, n, k, query + here - 1);
            if (m == 0) continue;
            scores_tile(m, cols, keys_.data(), key_width_, queries_.data() + p * a_.depth, a_.depth, tile);
            if (a_.bias.data) add_bias(a_, a_.bias.head(head.b, head.h), k, m, query, cols, tile, room_.data());
            if (a_.causal) hide_later_keys(tile, m, cols, k, query);
            float* out = out_.data() + p * width_;
            const bool changed = update_softmax(tile, m, cols, maximum_.data() + p, sum_.data() + p, factors);
            if (changed && k > 0)
                for (std::size_t j = 0; j < here; ++j)
                    for (std::size_t d = 0; d < width_; ++d) out[j * width_ + d] *= factors[j];
            if (a_.dropout > 0) {
                DropoutMask(seed_, head.stream, a_.dropout).fill(k, m, query, cols, room_.data());
                multiply(tile, room_.data(), m, cols);
            }
            product<1>(here, width_, tile, values_.data(), Terms{m, panel, width_}, out, width_, k > 0);
        }
    }

    const Attention& a_;
    std::uint64_t seed_;
    std::size_t most_, key_width_, width_;
    Scratch<float> queries_, out_, keys_, values_, tile_, maximum_, sum_, room_;
};

/// What `n` multiply-adds for each pair of up to n_queries queries and the keys of a head cost, in ns.
double pair_cost(const Attention& a, const Head& head, std::size_t n_queries, double n) {
    const double pairs = static_cast<double>(std::min(n_queries, head.n_queries)) * static_cast<double>(head.n_seen);
    return 300 + pairs * n / 50 * static_cast<double>(a.depth + a.value_depth) / 2;
}

} // namespace

void attention(const RunContext& ctx, const Attention& a, HeadsView<float> out, float* log_sums) {
    constexpr std::size_t chunk = task_panels * panel;
    const auto chunks = [](const Head& head) { return (head.n_queries + chunk - 1) / chunk; };
    const HeadTasks tasks(a, chunks, [&](const Head& head) { return pair_cost(a, head, chunk, 4); });
    const std::size_t most = std::min(chunk, LongestSequence(a).queries);
    tasks.run(
        ctx, [&] { return Forward(a, ctx.seed, most); },
        [&](Forward& forward, const HeadTask& task) {
            const Head head(a, task.b, task.h);
            const std::size_t first = (chunks(head) - 1 - task.part) * chunk; // with `causal` the longest first
            forward.run(head, first, std::min(chunk, head.n_queries - first), out, log_sums);
        });
}

void attention_weights(const RunContext& ctx, const Attention& a, const float* log_sums, float* weights) {
    struct Room {
        Scratch<float> queries, keys, tile, bias;
    };
    const std::size_t width = padded(a.depth);
    std::vector<std::size_t> begin(a.batch + 1); // of each sequence, in weights
    for (std::size_t b = 0; b < a.batch; ++b) {
        const Head head(a, b, 0);
        begin[b + 1] = begin[b] + a.heads * head.n_queries * head.n_keys;
    }
    const HeadTasks tasks(
        a, [](const Head& head) { return n_panels(head.n_queries); },
        [&](const Head& head) { return pair_cost(a, head, panel, 4); });
    tasks.run(
        ctx,
        [&] {
            return Room{Scratch<float>(panel * a.depth), Scratch<float>(key_block * width),
                        Scratch<float>(key_block * panel), Scratch<float>(key_block * panel)};
        },
        [&](Room& room, const HeadTask& task) {
            const Head head(a, task.b, task.h);
            const std::size_t first = task.part * panel, n = std::min(panel, head.n_queries - first);
            const std::size_t cols = tile_width(n);
            pack_queries(head.query_row(a.q, first), a.q.row_stride, n, a.depth, room.queries.data());
            float* rows = weights + begin[task.b] + (task.h * head.n_queries + first) * head.n_keys;
            std::fill_n(rows, n * head.n_keys, 0.0f);
            const float *tops = log_sums + head.statistics + first, *logs = tops + n_statistics(a);
            const std::size_t seen = visible(a.causal, head.n_seen, 0, first + n - 1);
            for (std::size_t k = 0; k < seen; k += key_block) {
                const std::size_t m = std::min(key_block, seen - k);
                float* tile = room.tile.data();
                pack_rows(head.key_row(a.k, k), a.k.row_stride, m, a.depth, a.scale, room.keys.data());
                scores_tile(m, cols, room.keys.data(), width, room.queries.data(), a.depth, tile);
                if (a.bias.data) add_bias(a, a.bias.head(task.b, task.h), k, m, first, cols, tile, room.bias.data());
                if (a.causal) hide_later_keys(tile, m, cols, k, first);
                for (std::size_t j = 0; j < n; ++j)
                    for (std::size_t i = 0; i < m; ++i)
                        rows[j * head.n_keys + k + i] = vm::exp_((tile[i * panel + j] - tops[j]) - logs[j]);
            }
        });
}

} // namespace mlcore::nn
