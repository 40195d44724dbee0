// Searches over a table of logits against searches that try everything, top tokens against a sort, the cache of tokens.
#include "check.hpp"

#include "core/context.hpp"
#include "core/error.hpp"
#include "nn/inference/token_cache.hpp"
#include "nn/search/beam_search.hpp"
#include "nn/search/sampling.hpp"
#include "nn/search/search.hpp"
#include "nn/search/top_tokens.hpp"
#include "nn/twin.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Logits that are a function of the source and of the last two tokens.
class TableModel final : public StepModel {
  public:
    TableModel(std::size_t n_sources, std::size_t V)
        : n_sources_(n_sources), V_(V), table_(twin::normal(n_sources * V * V * V, 3)) {
        for (float& x : table_) x *= 2;
        start();
    }

    void start() {
        rows_.clear();
        for (std::size_t s = 0; s < n_sources_; ++s) rows_.push_back({s, 0, 0});
    }
    std::size_t n_tokens() const noexcept override { return V_; }
    std::size_t n_sources() const noexcept override { return n_sources_; }
    void step(const RunContext& /*ctx*/, std::span<const std::int32_t> parents, std::span<const std::int32_t> tokens,
              float* logits) override {
        std::vector<Row> next;
        for (std::size_t i = 0; i < parents.size(); ++i) {
            const Row& before = rows_.at(static_cast<std::size_t>(parents[i]));
            next.push_back({before.source, before.last, static_cast<std::size_t>(tokens[i])});
            most_rows = std::max(most_rows, parents.size());
            std::copy_n(at(next.back()), V_, logits + i * V_);
        }
        rows_ = std::move(next);
        ++n_steps;
    }

    /// Of the token after `before` and `last`.
    double log_probability(std::size_t source, std::size_t before, std::size_t last, std::size_t token) const {
        const float* x = at({source, before, last});
        double sum = 0;
        for (std::size_t j = 0; j < V_; ++j) sum += std::exp(static_cast<double>(x[j]));
        return static_cast<double>(x[token]) - std::log(sum);
    }

    std::size_t n_steps = 0, most_rows = 0;

  private:
    struct Row {
        std::size_t source, before, last;
    };
    const float* at(const Row& row) const {
        return table_.data() + ((row.source * V_ + row.before) * V_ + row.last) * V_;
    }

    std::size_t n_sources_, V_;
    std::vector<float> table_;
    std::vector<Row> rows_;
};

struct Best {
    double score = -1e300;
    std::vector<std::int32_t> tokens;
};

/// The best finished hypothesis of all, by trying each.
Best best_of_all(const TableModel& model, std::size_t source, std::int32_t begin, std::int32_t end,
                 std::int64_t max_length, double penalty) {
    Best best;
    std::vector<std::int32_t> written;
    const std::function<void(std::size_t, std::size_t, double)> extend = [&](std::size_t before, std::size_t last,
                                                                             double total) {
        const auto length = static_cast<std::int64_t>(written.size()) + 1;
        for (std::size_t token = 0; token < model.n_tokens(); ++token) {
            const double log_p = total + model.log_probability(source, before, last, token);
            const bool ends = static_cast<std::int32_t>(token) == end;
            if (!ends) written.push_back(static_cast<std::int32_t>(token));
            if (const double score = score_of(log_p, length, penalty);
                (ends || length == max_length) && score > best.score)
                best = {score, written};
            if (!ends && length < max_length) extend(last, token, log_p);
            if (!ends) written.pop_back();
        }
    };
    extend(0, static_cast<std::size_t>(begin), 0);
    return best;
}

struct Inputs {
    std::vector<std::int32_t> begin;
    std::vector<std::int64_t> lengths, keys;
    SearchTask task;
    Inputs(std::size_t n_sources, std::int64_t max_length, double penalty)
        : begin(n_sources, 0), lengths(n_sources, max_length), keys(n_sources) {
        std::iota(keys.begin(), keys.end(), 0);
        task.begin = begin;
        task.end = 1;
        task.max_length = lengths;
        task.length_penalty = penalty;
    }
};

std::vector<TokenLogit> sorted(const std::vector<float>& x) {
    std::vector<TokenLogit> all;
    for (std::size_t j = 0; j < x.size(); ++j)
        if (x[j] > -infinity) all.push_back({x[j], static_cast<std::int32_t>(j)});
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.logit > b.logit; });
    return all;
}

} // namespace

TEST(top_tokens_are_those_of_a_sort) {
    for (const std::size_t n : {1u, 2u, 15u, 16u, 17u, 63u, 64u, 65u, 200u, 1000u, 9001u})
        for (const std::size_t wanted : {0u, 1u, 2u, 10u, 64u, 65u, 300u})
            for (const int kind : {0, 1, 2, 3}) {
                std::vector<float> x = twin::normal(n, static_cast<unsigned>(n));
                for (std::size_t j = 0; j < n; ++j) {
                    if (kind == 1) x[j] = std::round(x[j]);                               // many ties
                    if (kind == 2 && j % 3 != 0) x[j] = -infinity;                        // few tokens
                    if (kind == 3) x[j] = static_cast<float>(j) * (j % 2 ? 1.0f : -1.0f); // rising
                }
                std::vector<TokenLogit> top(wanted);
                const TopTokens found = top_tokens(x, top);
                const std::vector<TokenLogit> expected = sorted(x);
                CHECK_EQUAL(found.count, std::min(wanted, expected.size()));
                for (std::size_t i = 0; i < found.count; ++i) CHECK_EQUAL(top[i].token, expected[i].token);
                double sum = 0;
                for (const float v : x)
                    sum += std::exp(static_cast<double>(v) - static_cast<double>(expected[0].logit));
                const double log_sum = static_cast<double>(expected[0].logit) + std::log(sum);
                CHECK(std::abs(found.log_sum - log_sum) < 1e-6 * (1 + std::abs(log_sum)));
            }
}

TEST(logits_without_a_distribution_are_refused) {
    for (const std::size_t n : {1u, 20u, 70u, 1000u})
        for (const float wrong : {infinity, std::numeric_limits<float>::quiet_NaN()})
            for (const std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
                std::vector<float> x(n, 0.5f);
                x[at] = wrong;
                TokenLogit top[3];
                CHECK_THROWS(ValueError, top_tokens(x, top));
            }
    TokenLogit top[2];
    CHECK_THROWS(ValueError, top_tokens(std::vector<float>(5, -infinity), top));
    CHECK_THROWS(ValueError, top_tokens({}, top));
}

TEST(a_wide_beam_finds_the_best_of_all) {
    const StandaloneRun run(2);
    TableModel model(3, 4);
    for (const double penalty : {0.0, 0.6, 1.0, 2.0})
        for (const std::int64_t length : {1, 2, 5}) {
            const Inputs in(3, length, penalty);
            model.start();
            const BeamOptions options{400, 5, EarlyStopping::by_possible_score};
            const Hypotheses found = beam_search(run.context, model, in.task, options);
            for (std::size_t s = 0; s < 3; ++s) {
                const Best best = best_of_all(model, s, 0, 1, length, penalty);
                CHECK(found[s][0].tokens == best.tokens);
                CHECK(std::abs(found[s][0].score - best.score) < 1e-5);
                for (std::size_t i = 1; i < found[s].size(); ++i) CHECK(found[s][i].score <= found[s][i - 1].score);
                std::set<std::vector<std::int32_t>> different;
                for (const Hypothesis& h : found[s]) different.insert(h.tokens);
                CHECK(different.size() + 1 >= found[s].size()); // one may be cut off where another has ended
            }
        }
}

TEST(finished_sources_leave_the_batch) {
    const StandaloneRun run;
    TableModel model(4, 5);
    Inputs in(4, 1, 0);
    in.lengths = {0, 2, 7, 0};
    in.task.max_length = in.lengths;
    in.task.end = -1;
    for (const std::size_t k : {1u, 3u}) {
        model.start();
        model.n_steps = model.most_rows = 0;
        const Hypotheses found = beam_search(run.context, model, in.task, {k, k, EarlyStopping::by_live_score});
        CHECK_EQUAL(model.n_steps, std::size_t{7});
        CHECK(model.most_rows <= 2 * k);
        CHECK_EQUAL(found[0].size(), std::size_t{1});
        CHECK_EQUAL(found[2].size(), k);
        CHECK_EQUAL(found[2][0].tokens.size(), std::size_t{7});
    }
    model.start();
    const Hypotheses greedy = greedy_search(run.context, model, in.task);
    CHECK_EQUAL(greedy[1][0].tokens.size(), std::size_t{2});
    CHECK(greedy[3][0].tokens.empty());
}

TEST(samples_are_a_function_of_seed_key_and_number) {
    TableModel model(2, 6);
    Inputs in(2, 9, 0);
    in.keys = {7, 7};
    const StandaloneRun run(1, 11), again(3, 11), other(1, 12);
    const auto draw = [&](const StandaloneRun& r, std::size_t n) {
        model.start();
        SamplingOptions options;
        options.n_samples = n;
        options.keys = in.keys;
        return sample(r.context, model, in.task, options);
    };
    const Hypotheses found = draw(run, 20), same = draw(again, 20), fewer = draw(run, 3), others = draw(other, 20);
    bool differs = false;
    for (std::size_t i = 0; i < 20; ++i) {
        CHECK(found[0][i].tokens == same[0][i].tokens);
        differs = differs || found[0][i].tokens != others[0][i].tokens;
        if (i < 3) CHECK(found[1][i].tokens == fewer[1][i].tokens);
    }
    CHECK(differs);
}

TEST(sampling_uses_the_whole_unit_interval) {
    const std::vector<float> x{0, -infinity, 0, 0, -200};
    SamplingOptions options;
    TokenSampler sampler(options);
    CHECK_EQUAL(sampler.draw(x, 0.0), 0);
    CHECK_EQUAL(sampler.draw(x, 0.4), 2);
    CHECK_EQUAL(sampler.draw(x, std::nextafter(1.0, 0.0)), 3);
    SamplingOptions narrow;
    narrow.top_p = 0.5;
    TokenSampler filtered(narrow);
    CHECK_EQUAL(filtered.draw(x, std::nextafter(1.0, 0.0)), 2);
    const std::vector<float> flat(3000, 1.0f);
    narrow.top_p = 0.9;
    CHECK_EQUAL(filtered.draw(flat, std::nextafter(1.0, 0.0)), 2699);
}

TEST(tokens_are_freed_when_nobody_needs_them) {
    TokenCache cache(2, 8);
    cache.start(2);
    std::set<std::int32_t> seen;
    // two hypotheses of source 0, which part and join, and one of source 1
    const std::int32_t root = cache.add(0, -1), left = cache.add(0, root), right = cache.add(0, root);
    const std::int32_t other = cache.add(1, -1);
    CHECK_EQUAL(cache.n_blocks_in_use(), std::size_t{2});
    cache.release(root); // still followed
    for (std::int32_t t : {root, left, right, other})
        for (std::size_t l = 0; l < 2; ++l) cache.at(l, t)[7] = static_cast<float>(10 * t) + static_cast<float>(l);
    cache.release(left);
    for (std::int32_t t : {root, right, other}) CHECK(cache.at(1, t)[7] == static_cast<float>(10 * t + 1));
    CHECK_EQUAL(cache.add(0, right), left); // its place is taken again
    cache.release(other);
    CHECK_EQUAL(cache.n_blocks_in_use(), std::size_t{1});
    cache.release(left); // and with it all of source 0
    CHECK_EQUAL(cache.n_blocks_in_use(), std::size_t{0});
    std::int32_t last = -1;
    for (int i = 0; i < 100; ++i) {
        last = cache.add(1, last);
        seen.insert(last);
    }
    CHECK_EQUAL(seen.size(), std::size_t{100});
    CHECK_EQUAL(cache.n_blocks_in_use(), std::size_t{7});
    cache.release(last);
    CHECK_EQUAL(cache.n_blocks_in_use(), std::size_t{0});
}
