#include "check.hpp"

#include "nn/attention/pair_attention.hpp"
#include "nn/twin.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

using twin::Values, twin::normal;

/// A batch of two, with the naive solution in double.
struct Case {
    PairScore score;
    std::size_t n_queries, n_keys, features, value_depth;
    Values a, c, w, v, dout;
    std::vector<std::int64_t> lengths;

    Case(PairScore s, std::size_t queries, std::size_t keys, std::size_t f, std::size_t dv)
        : score(s), n_queries(queries), n_keys(keys), features(f), value_depth(dv), a(normal(2 * queries * f, 0)),
          c(normal(2 * keys * f, 1)), w(normal(f, 2)), v(normal(2 * keys * dv, 3)), dout(normal(2 * queries * dv, 4)) {
        if (s == PairScore::distance) w.assign(f, -0.3F);
        if (s == PairScore::dot) w.assign(f, 1.0F);
    }

    PairAttention problem() const {
        PairAttention p;
        p.score = score, p.batch = 2, p.n_queries = n_queries, p.n_keys = n_keys;
        p.features = features, p.value_depth = value_depth;
        p.a = a.data(), p.c = c.data(), p.values = v.data();
        if (score != PairScore::dot) p.w = w.data();
        if (!lengths.empty()) p.lengths = lengths.data();
        return p;
    }

    double value(double x, double y) const {
        if (score == PairScore::dot) return x * y;
        return score == PairScore::additive ? std::tanh(x + y) : (x - y) * (x - y);
    }
    double by_a(double x, double y) const {
        if (score == PairScore::dot) return y;
        return score == PairScore::additive ? 1 - std::pow(std::tanh(x + y), 2) : 2 * (x - y);
    }
    double by_c(double x, double y) const {
        if (score == PairScore::dot) return x;
        return score == PairScore::additive ? by_a(x, y) : -by_a(x, y);
    }
};

void compare(const Values& got, const std::vector<double>& expected) {
    double scale = 1;
    for (const double x : expected) scale = std::max(scale, std::abs(x));
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK_CLOSE(got[i], expected[i], 1e-5 * scale);
}

void check_case(const Case& t) {
    const PairAttention p = t.problem();
    Values weights(2 * t.n_queries * t.n_keys, NAN), out(t.dout.size(), NAN), dscores(weights.size(), NAN);
    Values da(t.a.size(), NAN), dc(t.c.size(), NAN), dw(t.features, NAN), dv(t.v.size(), NAN);
    const bool has_w = t.score != PairScore::dot;
    const StandaloneRun run(2);
    pair_attention(run.context, p, weights.data(), out.data());
    pair_attention_backward(run.context, p, weights.data(), t.dout.data(), dscores.data(),
                            {da.data(), dc.data(), has_w ? dw.data() : nullptr, dv.data()});

    std::vector<double> P(weights.size()), O(out.size()), dA(da.size()), dC(dc.size()), dW(dw.size()), dV(dv.size());
    for (std::size_t row = 0; row < 2 * t.n_queries; ++row) {
        const std::size_t b = row / t.n_queries;
        const std::size_t seen = t.lengths.empty() ? t.n_keys : static_cast<std::size_t>(t.lengths[b]);
        double total = 0, mean = 0;
        std::vector<double> dP(t.n_keys);
        for (std::size_t k = 0; k < seen; ++k) {
            double score = 0;
            for (std::size_t f = 0; f < t.features; ++f)
                score += t.w[f] * t.value(t.a[row * t.features + f], t.c[(b * t.n_keys + k) * t.features + f]);
            total += P[row * t.n_keys + k] = std::exp(score);
        }
        for (std::size_t k = 0; k < seen; ++k) {
            double& weight = P[row * t.n_keys + k];
            weight /= total;
            for (std::size_t d = 0; d < t.value_depth; ++d) {
                const std::size_t at = (b * t.n_keys + k) * t.value_depth + d;
                O[row * t.value_depth + d] += weight * t.v[at];
                dV[at] += weight * t.dout[row * t.value_depth + d];
                dP[k] += t.v[at] * t.dout[row * t.value_depth + d];
            }
            mean += weight * dP[k];
        }
        for (std::size_t k = 0; k < seen; ++k) {
            const double ds = P[row * t.n_keys + k] * (dP[k] - mean);
            for (std::size_t f = 0; f < t.features; ++f) {
                const std::size_t at = row * t.features + f, key = (b * t.n_keys + k) * t.features + f;
                dA[at] += ds * t.w[f] * t.by_a(t.a[at], t.c[key]);
                dC[key] += ds * t.w[f] * t.by_c(t.a[at], t.c[key]);
                dW[f] += ds * t.value(t.a[at], t.c[key]);
            }
        }
    }
    compare(weights, P);
    compare(out, O);
    compare(da, dA);
    compare(dc, dC);
    if (has_w) compare(dw, dW);
    compare(dv, dV);
}

/// Sequences of unlike lengths, packed: each has the bits that it has alone.
void check_packed(PairScore score, std::size_t features, std::size_t value_depth, std::size_t copies) {
    std::vector<std::int64_t> queries{0}, keys{0}, weights_of{0};
    for (std::size_t i = 0; i < copies; ++i)
        for (const auto& [n_queries, n_keys] :
             std::vector<std::pair<int, int>>{{3, 70}, {0, 4}, {20, 5}, {2, 0}, {1, 1}}) {
            queries.push_back(queries.back() + n_queries);
            keys.push_back(keys.back() + n_keys);
            weights_of.push_back(weights_of.back() + n_queries * n_keys);
        }
    const auto size = [](const std::vector<std::int64_t>& offsets) { return static_cast<std::size_t>(offsets.back()); };
    const std::size_t n_queries = size(queries), n_keys = size(keys), n_weights = size(weights_of);
    const Values a = normal(n_queries * features, 0), c = normal(n_keys * features, 1), w = normal(features, 2),
                 v = normal(n_keys * value_depth, 3), dout = normal(n_queries * value_depth, 4);
    const bool has_w = score != PairScore::dot;
    PairAttention p;
    p.score = score, p.batch = queries.size() - 1, p.features = features, p.value_depth = value_depth;
    p.a = a.data(), p.c = c.data(), p.w = has_w ? w.data() : nullptr, p.values = v.data();
    p.query_offsets = queries.data(), p.key_offsets = keys.data(), p.weight_offsets = weights_of.data();
    Values weights(n_weights, NAN), out(dout.size(), NAN), dscores(n_weights, NAN), da(a.size(), NAN),
        dc(c.size(), NAN), dw(features, NAN), dv(v.size(), NAN);
    const StandaloneRun three(3), one(1);
    pair_attention(three.context, p, weights.data(), out.data());
    pair_attention_backward(three.context, p, weights.data(), dout.data(), dscores.data(),
                            {da.data(), dc.data(), has_w ? dw.data() : nullptr, dv.data()});

    std::vector<double> sum_dw(features);
    for (std::size_t b = 0; b < p.batch; ++b) {
        const auto q = static_cast<std::size_t>(queries[b]), k = static_cast<std::size_t>(keys[b]),
                   first = static_cast<std::size_t>(weights_of[b]);
        PairAttention alone = p;
        alone.query_offsets = alone.key_offsets = alone.weight_offsets = nullptr;
        alone.batch = 1;
        alone.n_queries = static_cast<std::size_t>(queries[b + 1]) - q;
        alone.n_keys = static_cast<std::size_t>(keys[b + 1]) - k;
        alone.a += q * features, alone.c += k * features, alone.values += k * value_depth;
        const std::size_t Tq = alone.n_queries, Tk = alone.n_keys;
        Values P(Tq * Tk, NAN), O(Tq * value_depth, NAN), dS(P.size(), NAN), dA(Tq * features, NAN),
            dC(Tk * features, NAN), dW(features, NAN), dV(Tk * value_depth, NAN);
        pair_attention(one.context, alone, P.data(), O.data());
        pair_attention_backward(one.context, alone, P.data(), dout.data() + q * value_depth, dS.data(),
                                {dA.data(), dC.data(), has_w ? dW.data() : nullptr, dV.data()});
        const auto same = [](const Values& expected, const Values& all, std::size_t at) {
            CHECK(std::equal(expected.begin(), expected.end(), all.begin() + static_cast<std::ptrdiff_t>(at)));
        };
        same(P, weights, first);
        same(O, out, q * value_depth);
        same(dS, dscores, first);
        same(dA, da, q * features);
        same(dC, dc, k * features);
        same(dV, dv, k * value_depth);
        for (std::size_t f = 0; f < features && has_w; ++f) sum_dw[f] += dW[f];
    }
    if (has_w) compare(dw, sum_dw);
}

} // namespace

TEST(all_scores_against_the_formula) {
    for (const PairScore score : {PairScore::additive, PairScore::distance, PairScore::dot})
        for (const std::size_t n_queries : {1, 9})
            for (const std::size_t n_keys : {1, 63, 64, 65})
                for (const std::size_t features : {1, 5}) check_case(Case(score, n_queries, n_keys, features, 3));
}

TEST(lengths) {
    for (const PairScore score : {PairScore::additive, PairScore::distance, PairScore::dot}) {
        Case t(score, 4, 70, 3, 2);
        t.lengths = {0, 66};
        check_case(t);
    }
}

TEST(packed_sequences_have_the_bits_that_they_have_alone) {
    for (const PairScore score : {PairScore::additive, PairScore::distance, PairScore::dot})
        for (const std::size_t features : {1, 5, 40})
            for (const std::size_t copies : {1, 4}) check_packed(score, features, features + 2, copies);
}
