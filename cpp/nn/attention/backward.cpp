#include "nn/attention/attention.hpp"

#include "core/parallel.hpp"
#include "nn/attention/tile.hpp"

namespace mlcore::nn {
namespace {

using namespace tiles;
using simd::Floats, simd::lanes;

constexpr std::size_t query_panels = 2;   // panels of queries that are summed before gradients of keys are touched
constexpr std::size_t least_chunk = 1024; // keys of a task where a head is cut

/// Keys are cut into chunks where there are few heads. Depends on the shapes alone: it decides how dQ is summed.
std::size_t key_chunks(const Attention& a) {
    if (a.batch * a.heads >= 16) return 1;
    return std::clamp<std::size_t>(a.n_keys / least_chunk, 1, 4);
}

/// What the tasks of one head make, and where to.
struct Gradients {
    const AttentionGradients& to;
    HeadsView<const float> out, dout;
    const float* log_sums;
};

/// The keys [first_key, last_key) of one head, and all queries.
class BackwardTask {
  public:
    BackwardTask(const Attention& a, const Gradients& g, std::uint64_t seed, std::size_t b, std::size_t h)
        : a_(a), g_(g), b_(b), h_(h), head_(b * a.heads + h), mask_(seed, head_, a.dropout),
          panels_(n_panels(a.n_queries)), width_(padded(a.depth)), value_width_(padded(a.value_depth)),
          queries_(panels_ * panel * a.depth), query_rows_(panels_ * panel * width_),
          douts_(panels_ * panel * a.value_depth), dout_rows_(panels_ * panel * value_width_),
          statistics_(3 * panels_ * panel), keys_(key_block * a.depth), key_rows_(key_block * width_),
          values_(key_block * a.value_depth), dkeys_(key_block * width_), dvalues_(key_block * value_width_),
          weights_(query_panels * key_block * panel), dscores_(query_panels * key_block * panel),
          room_(a.bias.data || a.dropout > 0 ? key_block * panel : 0) {}

    /// dq (panels * panel, width): the part of these keys, overwritten.
    void run(std::size_t first_key, std::size_t last_key, float* dq) {
        pack();
        std::fill_n(dq, panels_ * panel * width_, 0.0f);
        const std::size_t seen = a_.lengths ? static_cast<std::size_t>(a_.lengths[b_]) : a_.n_keys;
        for (std::size_t k = first_key; k < last_key; k += key_block) {
            const std::size_t n = std::min(key_block, last_key - k);
            keys(k, n, k < seen ? std::min(n, seen - k) : 0, dq);
        }
    }

  private:
    static const float* at(HeadsView<const float> x, std::size_t b, std::size_t h, std::size_t row) {
        return x.head(b, h) + static_cast<std::ptrdiff_t>(row) * x.row_stride;
    }

    /// What belongs to the queries, once for all keys.
    void pack() {
        const std::size_t n = a_.n_queries;
        pack_queries(at(a_.q, b_, h_, 0), a_.q.row_stride, n, a_.depth, a_.scale, queries_.data());
        pack_rows(at(a_.q, b_, h_, 0), a_.q.row_stride, n, panels_ * panel, a_.depth, a_.scale, query_rows_.data());
        pack_queries(at(g_.dout, b_, h_, 0), g_.dout.row_stride, n, a_.value_depth, 1, douts_.data());
        pack_rows(at(g_.dout, b_, h_, 0), g_.dout.row_stride, n, panels_ * panel, a_.value_depth, 1, dout_rows_.data());
        float *tops = statistics_.data(), *log_sums = tops + panels_ * panel, *deltas = log_sums + panels_ * panel;
        std::fill_n(tops, 3 * panels_ * panel, 0.0f);
        std::copy_n(g_.log_sums + head_ * n, n, tops);
        std::copy_n(g_.log_sums + (a_.batch * a_.heads + head_) * n, n, log_sums);
        for (std::size_t j = 0; j < n; ++j) {
            const float *o = at(g_.out, b_, h_, j), *d = dout_rows_.data() + j * value_width_;
            Floats sums{};
            std::size_t t = 0;
            for (; t + lanes <= a_.value_depth; t += lanes)
                sums = simd::fma(simd::load(o + t), simd::load(d + t), sums);
            float delta = 0;
            for (; t < a_.value_depth; ++t) delta += o[t] * d[t];
            const simd::Floats4 four = simd::sums(sums, sums, sums, sums);
            deltas[j] = delta + four[0];
        }
    }

    /// Keys [k, k + n), of which the first n_seen may be seen at all.
    void keys(std::size_t k, std::size_t n, std::size_t n_seen, float* dq) {
        std::fill_n(dkeys_.data(), n * width_, 0.0f);
        std::fill_n(dvalues_.data(), n * value_width_, 0.0f);
        if (n_seen > 0) {
            pack_left(at(a_.k, b_, h_, k), a_.k.row_stride, n_seen, a_.depth, keys_.data());
            pack_rows(at(a_.k, b_, h_, k), a_.k.row_stride, n_seen, n_seen, a_.depth, 1, key_rows_.data());
            pack_left(at(a_.v, b_, h_, k), a_.v.row_stride, n_seen, a_.value_depth, values_.data());
            const std::size_t first = a_.causal ? k / panel : 0; // earlier queries see none of these keys
            for (std::size_t p = first; p < panels_; p += query_panels)
                queries(k, n_seen, p, std::min(query_panels, panels_ - p), dq);
        }
        for (std::size_t i = 0; i < n; ++i) {
            const auto row = static_cast<std::ptrdiff_t>(k + i);
            if (g_.to.dk.data)
                unpack_row(dkeys_.data() + i * width_, a_.depth, 1, g_.to.dk.head(b_, h_) + row * g_.to.dk.row_stride);
            if (g_.to.dv.data)
                unpack_row(dvalues_.data() + i * value_width_, a_.value_depth, 1,
                           g_.to.dv.head(b_, h_) + row * g_.to.dv.row_stride);
        }
    }

    /// These keys and the panels [p, p + n_here) of queries.
    void queries(std::size_t k, std::size_t n, std::size_t p, std::size_t n_here, float* dq) {
        constexpr std::size_t tile_size = key_block * panel;
        const std::size_t most = rows_seen(k, n, p + n_here - 1);
        if (most == 0) return;
        for (std::size_t t = 0; t < n_here; ++t) {
            float *weights = &weights_[t * tile_size], *dscores = &dscores_[t * tile_size];
            const std::size_t m = rows_seen(k, n, p + t);
            scores(k, n, m, p + t, weights, dscores);
            std::fill(weights + m * panel, weights + most * panel, 0.0f);
            std::fill(dscores + m * panel, dscores + most * panel, 0.0f);
            const std::size_t here = std::min(panel, a_.n_queries - (p + t) * panel);
            if (g_.to.dscores) keep_dscores(k, m, (p + t) * panel, here, dscores);
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

    std::size_t rows_seen(std::size_t k, std::size_t n, std::size_t p) const {
        return visible(a_.causal, n, k, std::min((p + 1) * panel, a_.n_queries) - 1);
    }

    /// Tiles of P (after dropout) and dS for one panel: m of n keys.
    void scores(std::size_t k, std::size_t n, std::size_t m, std::size_t p, float* weights, float* dscores) {
        const std::size_t first_query = p * panel;
        left_product(m, n, keys_.data(), queries_.data() + p * panel * a_.depth, a_.depth, weights);
        left_product(m, n, values_.data(), douts_.data() + p * panel * a_.value_depth, a_.value_depth, dscores);
        if (a_.bias.data) add_bias(a_, a_.bias.head(b_, h_), k, m, first_query, weights, room_.data());
        if (a_.causal) hide_later_keys(weights, m, k, first_query, -infinity);
        const float* tops = statistics_.data() + p * panel;
        const float *log_sums = tops + panels_ * panel, *deltas = log_sums + panels_ * panel;
        if (a_.dropout > 0) mask_.fill(k, m, first_query, room_.data());
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

    void keep_dscores(std::size_t k, std::size_t m, std::size_t query, std::size_t n, const float* dscores) {
        float* to = g_.to.dscores + (head_ * a_.n_queries + query) * a_.n_keys + k;
        for (std::size_t j = 0; j < n; ++j, to += a_.n_keys)
            for (std::size_t i = 0; i < m; ++i) to[i] = dscores[i * panel + j];
    }

    const Attention& a_;
    const Gradients& g_;
    std::size_t b_, h_, head_;
    DropoutMask mask_;
    std::size_t panels_, width_, value_width_;
    Scratch<float> queries_, query_rows_, douts_, dout_rows_,
        statistics_; // of all queries
    Scratch<float> keys_, key_rows_, values_, dkeys_,
        dvalues_;                             // of one block of keys
    Scratch<float> weights_, dscores_, room_; // of a few tiles
};

} // namespace

void attention_backward(const RunContext& ctx, const Attention& a, HeadsView<const float> out, const float* log_sums,
                        HeadsView<const float> dout, const AttentionGradients& gradients) {
    const Gradients g{gradients, out, dout, log_sums};
    const std::size_t n_heads = a.batch * a.heads, n_chunks = key_chunks(a);
    const std::size_t rows = n_panels(a.n_queries) * panel, width = padded(a.depth);
    if (gradients.dscores) std::fill_n(gradients.dscores, n_heads * a.n_queries * a.n_keys, 0.0f);
    const auto write = [&](std::size_t head, const float* from) {
        if (!gradients.dq.data) return;
        float* to = gradients.dq.head(head / a.heads, head % a.heads);
        for (std::size_t j = 0; j < a.n_queries; ++j, to += gradients.dq.row_stride)
            unpack_row(from + j * width, a.depth, a.scale, to);
    };
    // Chunks end where blocks do, so that where a head is cut changes nothing but the sums of dQ.
    const auto cut = [&](std::size_t chunk) {
        const std::size_t blocks = (a.n_keys + key_block - 1) / key_block;
        return std::min(a.n_keys, blocks * chunk / n_chunks * key_block);
    };
    const double work = 10.0 / 50 * static_cast<double>(a.n_queries * (a.n_keys / n_chunks)) *
                        static_cast<double>(a.depth + a.value_depth) / 2;
    Scratch<float> parts(n_chunks > 1 ? n_heads * n_chunks * rows * width : 0);
    parallel_tasks(ctx, n_heads * n_chunks, work, [&](std::size_t task, int) {
        const std::size_t head = task / n_chunks, chunk = task % n_chunks;
        Scratch<float> own(n_chunks > 1 ? 0 : rows * width);
        float* dq = n_chunks > 1 ? parts.data() + task * rows * width : own.data();
        BackwardTask(a, g, ctx.seed, head / a.heads, head % a.heads).run(cut(chunk), cut(chunk + 1), dq);
        if (n_chunks == 1) write(head, dq);
    });
    if (n_chunks == 1) return;
    parallel_tasks(ctx, n_heads, static_cast<double>(n_chunks * rows * width) / 4, [&](std::size_t head, int) {
        float* sum = parts.data() + head * n_chunks * rows * width;
        for (std::size_t chunk = 1; chunk < n_chunks; ++chunk)
            for (std::size_t t = 0; t < rows * width; ++t) sum[t] += sum[chunk * rows * width + t];
        write(head, sum);
    });
}

} // namespace mlcore::nn
