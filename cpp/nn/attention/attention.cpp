#include "nn/attention/attention.hpp"

#include "core/parallel.hpp"
#include "core/vecmath.hpp"
#include "nn/attention/tile.hpp"

namespace mlcore::nn {
namespace {

using namespace tiles;
using simd::Floats, simd::lanes;

constexpr std::size_t task_panels = 16; // panels of queries a task: keys are packed once for all of them

/// Keys that the queries of batch entry b may see at all.
std::size_t n_seen(const Attention& a, std::size_t b) {
    return a.lengths ? static_cast<std::size_t>(a.lengths[b]) : a.n_keys;
}

/// Scores become weights relative to the running maximum. factors: by what earlier sums must be multiplied. Returns
/// whether that is other than 1 for any query.
bool update_softmax(float* tile, std::size_t n, float* maximum, float* sum, float* factors) {
    bool changed = false;
    for (std::size_t j = 0; j < panel; j += lanes) {
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
        for (; i < n; ++i) {
            float* at = tile + i * panel + j;
            const Floats p = exp_score(simd::load(at) - shift);
            simd::store(at, p);
            sums[0] += p;
        }
        const Floats factor = exp_score(before - shift);
        simd::store(maximum + j, top);
        simd::store(sum + j, simd::load(sum + j) * factor + ((sums[0] + sums[1]) + (sums[2] + sums[3])));
        simd::store(factors + j, factor);
        for (std::size_t l = 0; l < lanes; ++l) changed |= factors[j + l] != 1;
    }
    return changed;
}

/// The queries [first, first + n) of one head.
class ForwardTask {
  public:
    ForwardTask(const Attention& a, std::uint64_t seed, std::size_t n)
        : a_(a), seed_(seed), n_(n), panels_(n_panels(n)), width_(padded(a.value_depth)),
          queries_(panels_ * panel * a.depth), out_(panels_ * panel * width_), keys_(key_block * a.depth),
          values_(key_block * width_), tile_(key_block * panel), maximum_(3 * panels_ * panel),
          room_(a.bias.data || a.dropout > 0 ? key_block * panel : 0) {}

    void run(std::size_t b, std::size_t h, std::size_t first, HeadsView<float> out, float* log_sums) {
        float* sum = maximum_.data() + panels_ * panel;
        std::fill_n(out_.data(), out_.size(), 0.0f);
        std::fill_n(maximum_.data(), panels_ * panel, -infinity);
        std::fill_n(sum, panels_ * panel, 0.0f);
        pack_queries(a_.q.head(b, h) + static_cast<std::ptrdiff_t>(first) * a_.q.row_stride, a_.q.row_stride, n_,
                     a_.depth, a_.scale, queries_.data());
        const std::size_t seen = visible(a_.causal, n_seen(a_, b), 0, first + n_ - 1);
        for (std::size_t k = 0; k < seen; k += key_block) keys(b, h, first, k, std::min(key_block, seen - k));

        for (std::size_t j = 0; j < n_; ++j) {
            const float total = sum[j], inverse = total == 0 ? 0 : 1 / total;
            unpack_row(out_.data() + j * width_, a_.value_depth, inverse,
                       out.head(b, h) + static_cast<std::ptrdiff_t>(first + j) * out.row_stride);
        }
        if (!log_sums) return;
        float* tops = log_sums + (b * a_.heads + h) * a_.n_queries + first;
        float* logs = tops + a_.batch * a_.heads * a_.n_queries;
        for (std::size_t j = 0; j < n_; ++j) {
            tops[j] = sum[j] == 0 ? 0 : maximum_[j];
            logs[j] = sum[j] == 0 ? infinity : vm::log_(sum[j]);
        }
    }

  private:
    void keys(std::size_t b, std::size_t h, std::size_t first, std::size_t k, std::size_t n) {
        const auto at = [](HeadsView<const float> x, std::size_t i, std::size_t j, std::size_t row) {
            return x.head(i, j) + static_cast<std::ptrdiff_t>(row) * x.row_stride;
        };
        pack_left(at(a_.k, b, h, k), a_.k.row_stride, n, a_.depth, keys_.data());
        pack_rows(at(a_.v, b, h, k), a_.v.row_stride, n, n, a_.value_depth, 1, values_.data());
        float* sum = maximum_.data() + panels_ * panel;
        float* factors = sum + panels_ * panel;
        float* tile = tile_.data();
        for (std::size_t p = 0; p < panels_; ++p) {
            const std::size_t query = first + p * panel, here = std::min(panel, n_ - p * panel);
            const std::size_t m = visible(a_.causal, n, k, query + here - 1);
            if (m == 0) continue;
            left_product(m, n, keys_.data(), queries_.data() + p * panel * a_.depth, a_.depth, tile);
            if (a_.bias.data) add_bias(a_, a_.bias.head(b, h), k, m, query, tile, room_.data());
            if (a_.causal) hide_later_keys(tile, m, k, query, -infinity);
            float* out = out_.data() + p * panel * width_;
            if (update_softmax(tile, m, maximum_.data() + p * panel, sum + p * panel, factors))
                for (std::size_t j = 0; j < here; ++j)
                    for (std::size_t d = 0; d < width_; ++d) out[j * width_ + d] *= factors[j];
            if (a_.dropout > 0) {
                DropoutMask(seed_, b * a_.heads + h, a_.dropout).fill(k, m, query, room_.data());
                for (std::size_t t = 0; t < m * panel; ++t) tile[t] *= room_[t];
            }
            product<1>(here, width_, tile, values_.data(), Terms{m, panel, width_}, out, width_, true);
        }
    }

    const Attention& a_;
    std::uint64_t seed_;
    std::size_t n_, panels_, width_;
    Scratch<float> queries_, out_, keys_, values_, tile_, maximum_, room_;
};

} // namespace

void attention(const RunContext& ctx, const Attention& a, HeadsView<float> out, float* log_sums) {
    if (a.n_queries == 0) return;
    const std::size_t n_chunks = (n_panels(a.n_queries) + task_panels - 1) / task_panels;
    const std::size_t chunk = task_panels * panel;
    const double work = 4.0 / 50 * static_cast<double>(std::min(chunk, a.n_queries) * a.n_keys) *
                        static_cast<double>(a.depth + a.value_depth) / 2;
    parallel_tasks(ctx, a.batch * a.heads * n_chunks, work, [&](std::size_t task, int) {
        const std::size_t head = task / n_chunks;
        const std::size_t first = (n_chunks - 1 - task % n_chunks) * chunk; // with `causal` the longest first
        ForwardTask(a, ctx.seed, std::min(chunk, a.n_queries - first))
            .run(head / a.heads, head % a.heads, first, out, log_sums);
    });
}

void attention_weights(const RunContext& ctx, const Attention& a, const float* log_sums, float* weights) {
    const std::size_t panels = n_panels(a.n_queries);
    const double work = 2.0 / 25 * static_cast<double>(panel * a.n_keys) * static_cast<double>(a.depth);
    parallel_tasks(ctx, a.batch * a.heads * panels, work, [&](std::size_t task, int) {
        const std::size_t head = task / panels, b = head / a.heads, h = head % a.heads;
        const std::size_t first = task % panels * panel, n = std::min(panel, a.n_queries - first);
        Scratch<float> queries(panel * a.depth), keys(key_block * a.depth), tile(key_block * panel),
            room(key_block * panel);
        pack_queries(a.q.head(b, h) + static_cast<std::ptrdiff_t>(first) * a.q.row_stride, a.q.row_stride, n, a.depth,
                     a.scale, queries.data());
        float* rows = weights + (head * a.n_queries + first) * a.n_keys;
        std::fill_n(rows, n * a.n_keys, 0.0f);
        const std::size_t seen = visible(a.causal, n_seen(a, b), 0, first + n - 1);
        for (std::size_t k = 0; k < seen; k += key_block) {
            const std::size_t m = std::min(key_block, seen - k);
            pack_left(a.k.head(b, h) + static_cast<std::ptrdiff_t>(k) * a.k.row_stride, a.k.row_stride, m, a.depth,
                      keys.data());
            left_product(m, m, keys.data(), queries.data(), a.depth, tile.data());
            if (a.bias.data) add_bias(a, a.bias.head(b, h), k, m, first, tile.data(), room.data());
            if (a.causal) hide_later_keys(tile.data(), m, k, first, -infinity);
            for (std::size_t j = 0; j < n; ++j) {
                const float top = log_sums[head * a.n_queries + first + j];
                const float log_sum = log_sums[(a.batch * a.heads + head) * a.n_queries + first + j];
                for (std::size_t i = 0; i < m; ++i)
                    rows[j * a.n_keys + k + i] = vm::exp_((tile[i * panel + j] - top) - log_sum);
            }
        }
    });
}

} // namespace mlcore::nn
