#include "check.hpp"

#include "core/random.hpp"
#include "nn/attention/attention.hpp"
#include "nn/attention/tile.hpp"
#include "nn/twin.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

using twin::Values, twin::normal;

template <class T>
HeadsView<T> heads(T* data, std::size_t n_heads, std::size_t rows, std::size_t depth) {
    const auto r = static_cast<std::ptrdiff_t>(rows), d = static_cast<std::ptrdiff_t>(depth);
    return {data, static_cast<std::ptrdiff_t>(n_heads) * r * d, r * d, d};
}

/// A problem with its naive solution: one query after the other, in double.
struct Case {
    std::size_t batch = 2, n_heads = 2, n_queries, n_keys, depth, value_depth;
    bool causal = false;
    float dropout = 0;
    std::uint64_t seed = 7;
    std::vector<std::int64_t> lengths;
    Values q, k, v, bias, dout;

    Case(std::size_t queries, std::size_t keys, std::size_t d, std::size_t dv)
        : n_queries(queries), n_keys(keys), depth(d), value_depth(dv), q(normal(4 * queries * d, 0)),
          k(normal(4 * keys * d, 1)), v(normal(4 * keys * dv, 2)), dout(normal(4 * queries * dv, 3)) {}

    Attention attention() const {
        Attention a;
        a.batch = batch, a.heads = n_heads, a.n_queries = n_queries, a.n_keys = n_keys;
        a.depth = depth, a.value_depth = value_depth;
        a.q = heads(q.data(), n_heads, n_queries, depth);
        a.k = heads(k.data(), n_heads, n_keys, depth);
        a.v = heads(v.data(), n_heads, n_keys, value_depth);
        if (!bias.empty()) a.bias = {bias.data(), {0, 0, static_cast<std::ptrdiff_t>(n_keys), 1}};
        if (!lengths.empty()) a.lengths = lengths.data();
        a.scale = 0.4F, a.causal = causal, a.dropout = dropout;
        return a;
    }

    /// What dropout multiplies a weight by.
    double kept(std::size_t head, std::size_t query, std::size_t key) const {
        if (dropout == 0) return 1;
        const auto limit = static_cast<std::uint32_t>(65536 - std::lround(dropout * 65536));
        const auto block = Philox(seed, head).block(key / 8 | static_cast<std::uint64_t>(query) << 32);
        const std::uint32_t draw = block[key % 8 / 2] >> (key % 2 ? 16 : 0) & 0xffff;
        return draw < limit ? 65536.0 / limit : 0;
    }

    std::vector<double> weights(std::size_t head, std::size_t query) const {
        std::vector<double> p(n_keys);
        double total = 0;
        for (std::size_t key = 0; key < n_keys; ++key) {
            if ((causal && key > query) ||
                (!lengths.empty() && static_cast<std::int64_t>(key) >= lengths[head / n_heads]))
                continue;
            double score = bias.empty() ? 0 : bias[query * n_keys + key];
            for (std::size_t d = 0; d < depth; ++d)
                score += 0.4 * q[(head * n_queries + query) * depth + d] * k[(head * n_keys + key) * depth + d];
            total += p[key] = std::exp(score);
        }
        for (double& x : p) x = total == 0 ? 0 : x / total;
        return p;
    }

    struct Solution {
        std::vector<double> out, dq, dk, dv, dscores;
    };

    Solution solve() const {
        const std::size_t n = batch * n_heads;
        Solution s{std::vector<double>(n * n_queries * value_depth), std::vector<double>(q.size()),
                   std::vector<double>(k.size()), std::vector<double>(v.size()),
                   std::vector<double>(n * n_queries * n_keys)};
        for (std::size_t head = 0; head < n; ++head)
            for (std::size_t query = 0; query < n_queries; ++query) {
                const std::vector<double> p = weights(head, query);
                const std::size_t row = head * n_queries + query;
                std::vector<double> dp(n_keys);
                double mean = 0;
                for (std::size_t key = 0; key < n_keys; ++key) {
                    const double factor = kept(head, query, key);
                    for (std::size_t d = 0; d < value_depth; ++d) {
                        const std::size_t at = (head * n_keys + key) * value_depth + d;
                        s.out[row * value_depth + d] += p[key] * factor * v[at];
                        s.dv[at] += p[key] * factor * dout[row * value_depth + d];
                        dp[key] += factor * dout[row * value_depth + d] * v[at];
                    }
                    mean += p[key] * dp[key];
                }
                for (std::size_t key = 0; key < n_keys; ++key) {
                    const double ds = p[key] * (dp[key] - mean);
                    s.dscores[row * n_keys + key] = ds;
                    for (std::size_t d = 0; d < depth; ++d) {
                        s.dq[row * depth + d] += 0.4 * ds * k[(head * n_keys + key) * depth + d];
                        s.dk[(head * n_keys + key) * depth + d] += 0.4 * ds * q[row * depth + d];
                    }
                }
            }
        return s;
    }
};

void compare(const Values& got, const std::vector<double>& expected) {
    double scale = 1;
    for (const double x : expected) scale = std::max(scale, std::abs(x));
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK_CLOSE(got[i], expected[i], 1e-5 * scale);
}

/// Output and all gradients, one after the other.
struct Results {
    Values out, log_sums, dq, dk, dv, dscores;

    explicit Results(const Case& c, int n_threads = 1)
        : out(c.dout.size(), NAN), log_sums(8 * c.n_queries, NAN), dq(c.q.size(), NAN), dk(c.k.size(), NAN),
          dv(c.v.size(), NAN), dscores(4 * c.n_queries * c.n_keys, NAN) {
        const StandaloneRun run(n_threads, c.seed);
        const Attention a = c.attention();
        const auto o = heads(out.data(), c.n_heads, c.n_queries, c.value_depth);
        nn::attention(run.context, a, o, log_sums.data());
        AttentionGradients gradients;
        gradients.dq = heads(dq.data(), c.n_heads, c.n_queries, c.depth);
        gradients.dk = heads(dk.data(), c.n_heads, c.n_keys, c.depth);
        gradients.dv = heads(dv.data(), c.n_heads, c.n_keys, c.value_depth);
        gradients.dscores = dscores.data();
        const HeadsView<const float> read{o.data, o.batch_stride, o.head_stride, o.row_stride};
        attention_backward(run.context, a, read, log_sums.data(),
                           heads(c.dout.data(), c.n_heads, c.n_queries, c.value_depth), gradients);
    }

    void check(const Case& c) const {
        const Case::Solution s = c.solve();
        compare(out, s.out);
        compare(dq, s.dq);
        compare(dk, s.dk);
        compare(dv, s.dv);
        compare(dscores, s.dscores);
    }
};

} // namespace

TEST(shapes_against_the_formula) {
    for (const std::size_t n_queries : {1, 31, 33, 70})
        for (const std::size_t n_keys : {1, 30, 130})
            for (const std::size_t depth : {1, 16, 33})
                for (const bool causal : {false, true}) {
                    Case c(n_queries, n_keys, depth, depth == 16 ? 5 : depth);
                    c.causal = causal;
                    Results(c).check(c);
                }
}

TEST(empty_shapes) {
    for (const Case& c : {Case(0, 5, 8, 6), Case(5, 0, 8, 6), Case(5, 40, 0, 6), Case(5, 40, 8, 0), Case(0, 0, 0, 0)}) {
        const Results results(c); // a query that sees no key gets 0; without features all keys count alike
        if (c.depth == 0 || c.n_keys == 0) results.check(c);
    }
}

TEST(bias_lengths_and_dropout) {
    Case c(50, 140, 8, 20);
    c.bias = normal(50 * 140, 5);
    for (std::size_t i = 0; i < c.bias.size(); i += 3) c.bias[i] = -INFINITY;
    Results(c).check(c);
    c.lengths = {140, 3};
    Results(c).check(c);
    c.lengths = {0, 129};
    c.dropout = 0.3F;
    Results(c).check(c);
    c.causal = true;
    Results(c).check(c);
}

TEST(bits_do_not_depend_on_the_threads) {
    Case c(200, 2100, 4, 4); // so many keys are cut into chunks
    c.dropout = 0.1F;
    const Results one(c), three(c, 3);
    CHECK(one.out == three.out);
    CHECK(one.dq == three.dq);
    CHECK(one.dk == three.dk);
    CHECK(one.dv == three.dv);
    one.check(c);
}

TEST(packed_sequences_have_the_bits_of_each_alone) {
    // Rows of all sequences one after the other; heads side by side in a row. One is so long that its keys are cut.
    constexpr std::size_t n_heads = 2, depth = 8, width = n_heads * depth;
    const std::vector<std::int64_t> queries{0, 5, 5, 6, 50, 2150}, keys{0, 7, 10, 10, 140, 2240};
    const std::size_t n_queries = 2150, n_keys = 2240;
    const Values q = normal(n_queries * width, 0), k = normal(n_keys * width, 1), v = normal(n_keys * width, 2),
                 dout = normal(n_queries * width, 3);
    const auto view = [](auto* data) {
        return HeadsView<std::remove_pointer_t<decltype(data)>>{data, 0, depth, width};
    };
    struct Found {
        Values out, log_sums, dq, dk, dv;
    };
    const auto solve = [&](std::size_t first, std::size_t last, int n_threads) {
        std::vector<std::int64_t> of_queries, of_keys;
        for (std::size_t b = first; b <= last; ++b) {
            of_queries.push_back(queries[b] - queries[first]);
            of_keys.push_back(keys[b] - keys[first]);
        }
        const auto q_begin = static_cast<std::size_t>(queries[first]) * width,
                   k_begin = static_cast<std::size_t>(keys[first]) * width;
        Attention a;
        a.batch = last - first, a.heads = n_heads, a.depth = a.value_depth = depth;
        a.n_queries = static_cast<std::size_t>(of_queries.back()), a.n_keys = static_cast<std::size_t>(of_keys.back());
        a.query_offsets = of_queries.data(), a.key_offsets = of_keys.data();
        a.q = view(q.data() + q_begin), a.k = view(k.data() + k_begin), a.v = view(v.data() + k_begin);
        a.scale = 0.4F, a.causal = true;
        Found f{Values(a.n_queries * width, NAN), Values(2 * n_heads * a.n_queries, NAN),
                Values(a.n_queries * width, NAN), Values(a.n_keys * width, NAN), Values(a.n_keys * width, NAN)};
        const StandaloneRun run(n_threads);
        attention(run.context, a, view(f.out.data()), f.log_sums.data());
        attention_backward(run.context, a, view(static_cast<const float*>(f.out.data())), f.log_sums.data(),
                           view(dout.data() + q_begin), {view(f.dq.data()), view(f.dk.data()), view(f.dv.data()), {}});
        return f;
    };
    const auto part = [](const Values& all, std::int64_t begin, std::int64_t end) {
        return Values(all.begin() + begin * static_cast<std::int64_t>(width),
                      all.begin() + end * static_cast<std::int64_t>(width));
    };
    const Found together = solve(0, 5, 3);
    for (std::size_t b = 0; b < 5; ++b) {
        const Found alone = solve(b, b + 1, 1);
        CHECK(part(together.out, queries[b], queries[b + 1]) == alone.out);
        CHECK(part(together.dq, queries[b], queries[b + 1]) == alone.dq);
        CHECK(part(together.dk, keys[b], keys[b + 1]) == alone.dk);
        CHECK(part(together.dv, keys[b], keys[b + 1]) == alone.dv);
        for (const float x : alone.dq) CHECK(std::isfinite(x));
    }
    CHECK_CLOSE(together.out[0], v[0], 1e-6); // the first query sees one key
    for (std::size_t d = 0; d < width; ++d) CHECK_EQUAL(together.out[5 * width + d], 0.0F); // one without any
}

TEST(weights_add_up) {
    Case c(40, 150, 8, 8);
    c.lengths = {150, 20};
    const Results results(c);
    Values weights(4 * 40 * 150, NAN);
    const StandaloneRun run(2);
    attention_weights(run.context, c.attention(), results.log_sums.data(), weights.data());
    for (std::size_t row = 0; row < 160; ++row) {
        const std::vector<double> expected = c.weights(row / 40, row % 40);
        for (std::size_t key = 0; key < 150; ++key) CHECK_CLOSE(weights[row * 150 + key], expected[key], 1e-5);
    }
}

TEST(largest_finite_scores) {
    // A bias that is the same for all keys changes nothing, the lowest float as little as 0: weights are uniform, for
    // it absorbs the scores, and so are those that the backward pass makes again.
    Case c(20, 140, 8, 6), flat(20, 140, 8, 6);
    c.bias.assign(20 * 140, std::numeric_limits<float>::lowest());
    std::fill(flat.q.begin(), flat.q.end(), 0.0F);
    const Results extreme(c), uniform(flat);
    for (std::size_t i = 0; i < extreme.out.size(); ++i) CHECK_CLOSE(extreme.out[i], uniform.out[i], 1e-6);
    for (std::size_t i = 0; i < extreme.dv.size(); ++i) CHECK_CLOSE(extreme.dv[i], uniform.dv[i], 1e-6);
    for (std::size_t i = 0; i < extreme.dscores.size(); ++i) CHECK_CLOSE(extreme.dscores[i], uniform.dscores[i], 1e-6);
}

TEST(exponentials_of_scores) {
    double per_unit = 1.6e-8; // x log2(e) knows 25 bits of log2(e)
#ifndef __FMA__
    per_unit += 0x1p-24; // and the product is rounded
#endif
    for (float x = 0; x > -87; x -= 0.009F) {
        const double got = tiles::exp_score(simd::broadcast(x))[0], expected = std::exp(static_cast<double>(x));
        CHECK_CLOSE(got / expected, 1, 3e-7 - per_unit * static_cast<double>(x));
    }
    CHECK_EQUAL(tiles::exp_score(simd::broadcast(0.0f))[0], 1.0f);
    CHECK_EQUAL(tiles::exp_score(simd::broadcast(-88.0f))[0], 0.0f);
    CHECK_EQUAL(tiles::exp_score(simd::broadcast(-INFINITY))[0], 0.0f);
    CHECK(std::isnan(tiles::exp_score(simd::broadcast(NAN))[0]));
}
