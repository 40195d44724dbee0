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
        unpack_row(dq + j * padded(a.depth), a.depth, a.scale, head.query_row(to, j));
}

/// Gradients of some keys of one head at a time, with memory for up to `most` queries.
class Backward {
  public:
    Backward(const Attention& a, const Gradients& g, std::uint64_t seed, std::size_t most)
        : a_(a), g_(g), seed_(seed), most_(n_panels(most) * panel), width_(padded(a.depth)),
          value_width_(padded(a.value_depth)), queries_(most_ * a.depth), query_rows_(most_ * width_),
          douts_(most_ * a.value_depth), dout_rows_(most_ * value_width_), tops_(most_), log_sums_(most_),
          deltas_(most_), dq_(most_ * width_), keys_(key_block * a.depth), key_rows_(key_block * width_),
          values_(key_block * a.value_depth), dkeys_(key_block * width_), dvalues_(key_block * value_width_),
          weights_(query_panels * key_block * panel), dscores_(query_panels * key_block * panel),
          room_(a.bias.data || a.dropout > 0 ? key_block * panel : 0) {}

    /// The keys [first_key, last_key) and all queries. dq (panels * panel, width): the part of these keys, overwritten.
    void run(const Head& head, std::size_t first_key, std::size_t last_key, float* dq) {
        pack(head);
        std::fill_n(dq, n_panels(head.n_queries) * panel * width_, 0.0f);
        for (std::size_t k = first_key; k < last_key; k += key_block) {
            const std::size_t n = std::min(key_block, last_key - k);
            keys(head, k, n, k < head.n_seen ? std::min(n, head.n_seen - k) : 0, dq);
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
        const std::size_t n = head.n_queries, rows = n_panels(n) * panel;
        const float *q = head.query_row(a_.q, 0), *dout = head.query_row(g_.dout, 0);
        pack_queries(q, a_.q.row_stride, n, a_.depth, a_.scale, queries_.data());
        pack_rows(q, a_.q.row_stride, n, rows, a_.depth, a_.scale, query_rows_.data());
        pack_queries(dout, g_.dout.row_stride, n, a_.value_depth, 1, douts_.data());
        pack_rows(dout, g_.dout.row_stride, n, rows, a_.value_depth, 1, dout_rows_.data());
        std::copy_n(g_.log_sums + head.statistics, n, tops_.data());
        std::copy_n(g_.log_sums + n_statistics(a_) + head.statistics, n, log_sums_.data());
        for (float* x : {tops_.data(), log_sums_.data(), deltas_.data()}) std::fill(x + n, x + rows, 0.0f);
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

    /// Keys [k, k + n), of which the first n_seen may be seen at all.
    void keys(const Head& head, std::size_t k, std::size_t n, std::size_t n_seen, float* dq) {
        std::fill_n(dkeys_.data(), n * width_, 0.0f);
        std::fill_n(dvalues_.data(), n * value_width_, 0.0f);
        if (n_seen > 0) {
            pack_left(head.key_row(a_.k, k), a_.k.row_stride, n_seen, a_.depth, keys_.data());
            pack_rows(head.key_row(a_.k, k), a_.k.row_stride, n_seen, n_seen, a_.depth, 1, key_rows_.data());
            pack_left(head.key_row(a_.v, k), a_.v.row_stride, n_seen, a_.value_depth, values_.data());
            const std::size_t first = a_.causal ? k / panel : 0; // earlier queries see none of these keys
            const std::size_t panels = n_panels(head.n_queries);
            for (std::size_t p = first; p < panels; p += query_panels)
                queries(head, k, n_seen, p, std::min(query_panels, panels - p), dq);
        }
        for (std::size_t i = 0; i < n; ++i) {
            if (g_.to.dk.data) unpack_row(dkeys_.data() + i * width_, a_.depth, 1, head.key_row(g_.to.dk, k + i));
            if (g_.to.dv.data)
                unpack_row(dvalues_.data() + i * value_width_, a_.value_depth, 1, head.key_row(g_.to.dv, k + i));
        }
    }

    /// These keys and the panels [p, p + n_here) of queries.
    void queries(const Head& head, std::size_t k, std::size_t n, std::size_t p, std::size_t n_here, float* dq) {
        constexpr std::size_t tile_size = key_block * panel;
        const std::size_t most = rows_seen(head, k, n, p + n_here - 1);
        if (most == 0) return;
        for (std::size_t t = 0; t < n_here; ++t) {
            float *weights = &weights_[t * tile_size], *dscores = &dscores_[t * tile_size];
            const std::size_t m = rows_seen(head, k, n, p + t);
            scores(head, k, n, m, p + t, weights, dscores);
            std::fill(weights + m * panel, weights + most * panel, 0.0f);
            std::fill(dscores + m * panel, dscores + most * panel, 0.0f);
            const std::size_t here = std::min(panel, head.n_queries - (p + t) * panel);
            if (g_.to.dscores) keep_dscores(head, k, m, (p + t) * panel, here, dscores);
            if (g_.to.dq.data)
                product<1>(here, width_, dscores, key_rows_.data(), Terms{m, panel, width_},
                           dq + (p + t) * panel * width_, width_, true);
        }
        const Terms values{panel, 1, value_width_, n_here, tile_size}, keys{panel, 1, width_, n_here, tile_size};
        if (g_.to.dv.data)
            product<panel>(most, value_width_, weights_.data(), dout_rows_.data() + p * panel * value_width_, values,
                           dvalues_.data(), value_width_, true);
        if (g_.to.dk.data)
            product<panel>(most, width_, dscores_.data(), query_rows_.data() + p * panel * width_, keys, dkeys_.data(),
                           width_, true);
    }

    std::size_t rows_seen(const Head& head, std::size_t k, std::size_t n, std::size_t p) const {
        return visible(a_.causal, n, k, std::min((p + 1) * panel, head.n_queries) - 1);
    }

    /// Tiles of P (after dropout) and dS for one panel: m of n keys.
    void scores(const Head& head, std::size_t k, std::size_t n, std::size_t m, std::size_t p, float* weights,
                float* dscores) {
        const std::size_t first_query = p * panel;
        left_product(m, n, keys_.data(), queries_.data() + p * panel * a_.depth, a_.depth, weights);
        left_product(m, n, values_.data(), douts_.data() + p * panel * a_.value_depth, a_.value_depth, dscores);
        if (a_.bias.data) add_bias(a_, a_.bias.head(head.b, head.h), k, m, first_query, weights, room_.data());
        if (a_.causal) hide_later_keys(weights, m, k, first_query, -infinity);
        const float *tops = &tops_[first_query], *log_sums = &log_sums_[first_query], *deltas = &deltas_[first_query];
        if (a_.dropout > 0) DropoutMask(seed_, head.stream, a_.dropout).fill(k, m, first_query, room_.data());
        for (std::size_t j = 0; j < panel; j += lanes) {
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
    Scratch<float> keys_, key_rows_, values_, dkeys_, dvalues_;                               // of one block of keys
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
