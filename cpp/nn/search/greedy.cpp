#include "core/error.hpp"
#include "core/parallel.hpp"
#include "nn/search/search.hpp"
#include "nn/search/step_rows.hpp"
#include "nn/search/top_tokens.hpp"

#include <cmath>
#include <string>

namespace mlcore::nn {

double score_of(double log_probability, std::int64_t length, double length_penalty) {
    return length == 0 ? 0.0 : log_probability / std::pow(static_cast<double>(length), length_penalty);
}

void check_task(const StepModel& model, const SearchTask& task) {
    const auto n_tokens = static_cast<std::int64_t>(model.n_tokens());
    MLCORE_CHECK(task.begin.size() == model.n_sources() && task.max_length.size() == model.n_sources(),
                 "a search needs a begin and a length for each source");
    for (const std::int32_t token : task.begin)
        if (token < 0 || token >= n_tokens)
            throw ValueError("begin must be a token of the vocabulary, in [0, " + std::to_string(n_tokens) + "), got " +
                             std::to_string(token));
    if (task.end < -1 || task.end >= n_tokens)
        throw ValueError("end must be a token of the vocabulary, in [0, " + std::to_string(n_tokens) + "), got " +
                         std::to_string(task.end));
    for (const std::int64_t length : task.max_length)
        if (length < 0) throw ValueError("max_length must be at least 0, got " + std::to_string(length));
    if (task.min_length < 0) throw ValueError("min_length must be at least 0, got " + std::to_string(task.min_length));
    if (!std::isfinite(task.length_penalty)) throw ValueError("length_penalty must be finite");
}

Hypotheses greedy_search(const RunContext& ctx, StepModel& model, const SearchTask& task) {
    check_task(model, task);
    struct Choice {
        TokenLogit token;
        double log_probability;
    };
    const std::size_t n_sources = model.n_sources();
    Hypotheses found(n_sources);
    StepRows rows(model);
    std::vector<std::size_t> sources; // of each row
    for (std::size_t s = 0; s < n_sources; ++s) {
        found[s].resize(1);
        if (task.max_length[s] == 0) continue;
        rows.add(s, task.begin[s]);
        sources.push_back(s);
    }
    std::vector<Choice> choices(sources.size());
    for (std::int64_t length = 1; rows.size() > 0; ++length) {
        ctx.checkpoint();
        rows.run(ctx);
        const bool may_end = length >= task.min_length;
        parallel_tasks(ctx, rows.size(), row_ns(model.n_tokens()), [&](std::size_t i, int) {
            TokenLogit top[2]; // the second takes the place of an end that comes too early
            const TopTokens row = top_tokens(rows.logits(i), std::span(top, may_end ? 1 : 2));
            const bool skips = !may_end && top[0].token == task.end;
            if (skips && row.count < 2) throw ValueError(nothing_follows);
            choices[i] = {top[skips], static_cast<double>(top[skips].logit) - row.log_sum};
        });
        const std::size_t n_rows = rows.size();
        std::size_t n_left = 0;
        rows.clear();
        for (std::size_t i = 0; i < n_rows; ++i) {
            const std::size_t s = sources[i];
            const std::int32_t token = choices[i].token.token;
            Hypothesis& written = found[s][0];
            written.log_probability += choices[i].log_probability;
            if (token != task.end) written.tokens.push_back(token);
            if (token == task.end || length == task.max_length[s]) {
                written.score = score_of(written.log_probability, length, task.length_penalty);
                continue;
            }
            sources[n_left++] = s;
            rows.add(i, token);
        }
    }
    return found;
}

} // namespace mlcore::nn
