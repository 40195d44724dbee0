#include "nn/attention/attention.hpp"

#include "nn/attention/head.hpp"
#include "nn/attention/tile.hpp"

namespace mlcore::nn {
namespace {

using namespace tiles;
using simd::Floats, simd::lanes;

constexpr std::size_t query_panels = 2;   // panels of queries that are summed before gradients of keys are touched
constexpr std::size_t least_chunk = 1024; // keys of a task where a head is cut

/// Keys are cut into chunks where there are few heads, and those of packed sequences by their own length alone. It
/// decides how dQ is summed: it depends neither on threads nor, for packed rows, on the other sequences.
std::size_t key_chunks(const Attention& a, const Head& head) {
    if (!a.query_offsets && a.batch * a.heads >= 16) return 1;
    return std::clamp<std::size_t>(head.n_keys / least_chunk, 1, 4);
}

/// What the tasks of one head make, and where to.
struct Gradients {
    const AttentionGradients& to;
    HeadsView<const float> out, dout;
    const float* log_sums;
};

/// dQ of a head (panels * panel, width) to where it belongs.
void write_dq(const Attention& a, HeadsView<float> to, const Head& head, const float* dq) {
    if (!to.data) return;
    for (std::size_t j = 0; j < head.n_queries; ++j)
        unpack_row(dq + j * padded(a.depth), a.depth, 1, head.query_row(to, j));
}

/// Gradients of some keys of one head at a time, with memory for up to `most` queries.
class Backward {
  public:
    Backward(const Attention& a, const Gradients& g, std::uint64_t seed, std::size_t most)
        : a_(a), g_(g), seed_(seed), most_(n_panels(most) * panel), width_(padded(a.depth)),
          value_width_(padded(a.value_depth)), queries_(most_ * a.depth), query_rows_(most_ * width_),
          douts_(most_ * a.value_depth), dout_rows_(most_ * value_width_), tops_(most_), log_sums_(most_),
          deltas_(most_), dq_(most_ * width_), keys_(key_block * width_), values_(key_block * value_width_),
          dkeys_(key_block * width_), dvalues_(key_block * value_width_), weights_(query_panels * key_block * panel),
          dscores_(query_panels * key_block * panel), room_(a.bias.data || a.dropout > 0 ? key_block * panel : 0) {}

    /// The keys [first_key, last_key) and all queries. dq (panels * panel, width): the part of these keys, overwritten.
    void run(const Head& head, std::size_t first_key, std::size_t last_key, float* dq) {
        pack(head);
        // What the first block of keys does not write: queries that see none of these keys.
        const std::size_t before = first_key >= head.n_seen ? head.n_queries : a_.causal ? first_key : 0;
        std::fill_n(dq, std::min(before, head.n_queries) * width_, 0.0f);
        for (std::size_t k = first_key; k < last_key; k += key_block) {
            const std::size_t n = std::min(key_block, last_key - k);
            keys(head, k, n, k < head.n_seen ? std::min(n, head.n_seen - k) : 0, dq, k > first_key);
        }
    }

    /// The same for all keys, where nobody adds to dQ.
    void run(const Head& head) {
        run(head, 0, head.n_keys, dq_.data());
        write_dq(a_, g_.to.dq, head, dq_.data());
    }

  private:
    /// What belongs to the queries, once for all keys.
    void pack(const Head& head) {
        const std::size_t n = head.n_queries;
        const float *q = head.query_row(a_.q, 0), *dout = head.query_row(g_.dout, 0);
        pack_queries(q, a_.q.row_stride, n, a_.depth, queries_.data());
        pack_rows(q, a_.q.row_stride, n, a_.depth, 1, query_rows_.data());
        pack_queries(dout, g_.dout.row_stride, n, a_.value_depth, douts_.data());
        pack_rows(dout, g_.dout.row_stride, n, a_.value_depth, 1, dout_rows_.data());
        std::copy_n(g_.log_sums + head.statistics, n, tops_.data());
        std::copy_n(g_.log_sums + n_statistics(a_) + head.statistics, n, log_sums_.data());
        for (float* x : {tops_.data(), log_sums_.data(), deltas_.data()})
            std::fill(x + n, x + n_panels(n) * panel, 0.0f);
        for (std::size_t j = 0; j < n; ++j) {
            const float *o = head.query_row(g_.out, j), *d = dout_rows_.data() + j * value_width_;
            Floats sums{};
            std::size_t t = 0;
            for (; t + lanes <= a_.value_depth; t += lanes)
                sums = simd::fma(simd::load(o + t), simd::load(d + t), sums);
            float delta = 0;
            for (; t < a_.value_depth; ++t) delta += o[t] * d[t];
            const simd::Floats4 four = simd::sums(sums, sums, sums, sums);
            deltas_[j] = delta + four[0];
        }
    }

    /// Keys [k, k + n), of which the first n_seen may be seen at all. `accumulate`: their part is added to dq.
    void keys(const Head& head, std::size_t k, std::size_t n, std::size_t n_seen, float* dq, bool accumulate) {
        std::size_t written = 0; // of the gradients of these keys
        if (n_seen > 0) {
            pack_rows(head.key_row(a_.k, k), a_.k.row_stride, n_seen, a_.depth, a_.scale, keys_.data());
            pack_rows(head.key_row(a_.v, k), a_.v.row_stride, n_seen, a_.value_depth, 1, values_.data());
            const std::size_t first = a_.causal ? k / panel : 0; // earlier queries see none of these keys
            const std::size_t panels = n_panels(head.n_queries);
            for (std::size_t p = first; p < panels; p += query_panels)
                written = queries(head, k, n_seen, p, std::min(query_panels, panels - p), dq, accumulate, written);
        }
        const auto write = [&](HeadsView<float> to, const float* rows, std::size_t depth, float factor) {
            if (!to.data) return;
            for (std::size_t i = 0; i < written; ++i)
                unpack_row(rows + i * padded(depth), depth, factor, head.key_row(to, k + i));
            for (std::size_t i = written; i < n; ++i) std::fill_n(head.key_row(to, k + i), depth, 0.0f);
        };
        write(g_.to.dk, dkeys_.data(), a_.depth, a_.scale);
        write(g_.to.dv, dvalues_.data(), a_.value_depth, 1);
    }

    /// These keys and the panels [p, p + n_here) of queries. Gradients of the first `written` keys are added to, those
    /// of others begin here. Returns for how many there are some now.
    std::size_t queries(const Head& head, std::size_t k, std::size_t n, std::size_t p, std::size_t n_here, float* dq,
                        bool accumulate, std::size_t written) {
        constexpr std::size_t tile_size = key_block * panel;
        const std::size_t most = rows_seen(head, k, n, p + n_here - 1);
        if (most > written) { // rows that begin here
            std::fill_n(dkeys_.data() + written * width_, (most - written) * width_, 0.0f);
            std::fill_n(dvalues_.data() + written * value_width_, (most - written) * value_width_, 0.0f);
        }
        for (std::size_t t = 0; t < n_here; ++t) {
            float *weights = weights_.data() + t * tile_size, *dscores = dscores_.data() + t * tile_size;
            const std::size_t m = rows_seen(head, k, n, p + t), first = (p + t) * panel;
            const std::size_t here = std::min(panel, head.n_queries - first);
            scores(head, k, m, first, tile_width(here), weights, dscores);
            if (t + 1 < n_here) { // the sums below run over all panels at once
                std::fill(weights + m * panel, weights + most * panel, 0.0f);
                std::fill(dscores + m * panel, dscores + most * panel, 0.0f);
            }
            if (g_.to.dscores) keep_dscores(head, k, m, first, here, dscores);
            if (g_.to.dq.data)
                product<1>(here, width_, dscores, keys_.data(), Terms{m, panel, width_}, dq + first * width_, width_,
                           accumulate);
        }
        const auto add = [&](const float* tiles, const float* rows, std::size_t width, float* sums) {
            // whole panels at once, what is left of the queries after them
            const std::size_t n_queries = std::min(n_here * panel, head.n_queries - p * panel);
            const std::size_t whole = n_queries / panel, rest = n_queries % panel;
            if (whole > 0)
                product<panel>(most, width, tiles, rows, Terms{panel, 1, width, panel, whole, tile_size}, sums, width,
                               true);
            if (rest > 0)
                product<panel>(most, width, tiles + whole * tile_size, rows + whole * panel * width,
                               Terms{rest, 1, width}, sums, width, true);
        };
        if (g_.to.dv.data)
            add(weights_.data(), dout_rows_.data() + p * panel * value_width_, value_width_, dvalues_.data());
        if (g_.to.dk.data) add(dscores_.data(), query_rows_.data() + p * panel * width_, width_, dkeys_.data());
        return std::max(most, written);
    }

    std::size_t rows_seen(const Head& head, std::size_t k, std::size_t n, std::size_t p) const {
        return visible(a_.causal, n, k, std::min((p + 1) * panel, head.n_queries) - 1);
    }

    /// Tiles (m, cols) of P (after dropout) and dS for one panel, that of first_query.
    void scores(const Head& head, std::size_t k, std::size_t m, std::size_t first_query, std::size_t cols,
                float* weights, float* dscores) {
        scores_tile(m, cols, keys_.data(), width_, queries_.data() + first_query * a_.depth, a_.depth, weights);
        scores_tile(m, cols, values_.data(), value_width_, douts_.data() + first_query * a_.value_depth, a_.value_depth,
                    dscores);
        if (a_.bias.data) add_bias(a_, a_.bias.head(head.b, head.h), k, m, first_query, cols, weights, room_.data());
        if (a_.causal) hide_later_keys(weights, m, cols, k, first_query);
        const float *tops = tops_.data() + first_query, *log_sums = log_sums_.data() + first_query,
                    *deltas = deltas_.data() + first_query;
        if (a_.dropout > 0) DropoutMask(seed_, head.stream, a_.dropout).fill(k, m, first_query, cols, room_.data());
        for (std::size_t j = 0; j < cols; j += lanes) {
            const Floats top = simd::load(tops + j), log_sum = simd::load(log_sums + j), delta = simd::load(deltas + j);
            if (a_.dropout > 0)
                for (std::size_t i = 0; i < m; ++i) {
                    float *w = weights + i * panel + j, *d = dscores + i * panel + j;
                    const Floats weight = exp_score((simd::load(w) - top) - log_sum);
                    const Floats factor = simd::load(&room_[i * panel + j]);
                    simd::store(w, weight * factor);
                    simd::store(d, weight * (simd::load(d) * factor - delta));
                }
            else
                for (std::size_t i = 0; i < m; ++i) {
                    float *w = weights + i * panel + j, *d = dscores + i * panel + j;
                    const Floats weight = exp_score((simd::load(w) - top) - log_sum);
                    simd::store(w, weight);
                    simd::store(d, weight * (simd::load(d) - delta));
                }
        }
    }

    void keep_dscores(const Head& head, std::size_t k, std::size_t m, std::size_t query, std::size_t n,
                      const float* dscores) {
        float* to = g_.to.dscores + (head.stream * a_.n_queries + query) * a_.n_keys + k;
        for (std::size_t j = 0; j < n; ++j, to += a_.n_keys)
            for (std::size_t i = 0; i < m; ++i) to[i] = dscores[i * panel + j];
    }

    const Attention& a_;
    const Gradients& g_;
    std::uint64_t seed_;
    std::size_t most_, width_, value_width_;
    Scratch<float> queries_, query_rows_, douts_, dout_rows_, tops_, log_sums_, deltas_, dq_; // of all queries
    Scratch<float> keys_, values_, dkeys_, dvalues_;                                          // of one block of keys
    Scratch<float> weights_, dscores_, room_;                                                 // of a few tiles
};

} // namespace

void attention_backward(const RunContext& ctx, const Attention& a, HeadsView<const float> out, const float* log_sums,
                        HeadsView<const float> dout, const AttentionGradients& gradients) {
    const Gradients g{gradients, out, dout, log_sums};
    if (gradients.dscores) std::fill_n(gradients.dscores, a.batch * a.heads * a.n_queries * a.n_keys, 0.0f);
    const std::size_t most = LongestSequence(a).queries, width = padded(a.depth);
    const auto chunks = [&](const Head& head) { return key_chunks(a, head); };
    // Heads that are cut keep the parts of dQ apart until all are there.
    const auto size = [&](const Head& head) { return n_panels(head.n_queries) * panel * width; };
    std::vector<std::size_t> begin(a.batch + 1); // of the parts of a sequence
    for (std::size_t b = 0; b < a.batch; ++b) {
        const Head head(a, b, 0);
        begin[b + 1] = begin[b] + (chunks(head) > 1 ? a.heads * chunks(head) * size(head) : 0);
    }
    Scratch<float> parts(begin[a.batch]);
    const auto part_of = [&](const Head& head, std::size_t part) {
        return parts.data() + begin[head.b] + (head.h * chunks(head) + part) * size(head);
    };
    // Chunks end where blocks do, so that where a head is cut changes nothing but the sums of dQ.
    const auto cut = [&](const Head& head, std::size_t part) {
        const std::size_t blocks = (head.n_keys + key_block - 1) / key_block;
        return std::min(head.n_keys, blocks * part / chunks(head) * key_block);
    };
    const auto worker = [&] { return Backward(a, g, ctx.seed, most); };
    const HeadTasks tasks(a, chunks, [&](const Head& head) {
        const double pairs = static_cast<double>(head.n_queries) * static_cast<double>(head.n_seen);
        return 600 + pairs / static_cast<double>(chunks(head)) * static_cast<double>(a.depth + a.value_depth) / 10;
    });
    tasks.run(ctx, worker, [&](Backward& backward, const HeadTask& task) {
        const Head head(a, task.b, task.h);
        if (chunks(head) == 1) return backward.run(head);
        backward.run(head, cut(head, task.part), cut(head, task.part + 1), part_of(head, task.part));
    });
    if (parts.size() == 0) return;
    const HeadTasks sums(
        a, [&](const Head& head) { return chunks(head) > 1 ? 1 : 0; },
        [&](const Head& head) { return static_cast<double>(chunks(head) * size(head)) / 4; });
    sums.run(ctx, [&](const HeadTask& task) {
        const Head head(a, task.b, task.h);
        float* sum = part_of(head, 0);
        for (std::size_t part = 1; part < chunks(head); ++part)
            for (std::size_t t = 0; t < size(head); ++t) sum[t] += part_of(head, part)[t];
        write_dq(a, gradients.dq, head, sum);
    });
}

} // namespace mlcore::nn
