#include "nn/search/beam_search.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "nn/search/step_rows.hpp"
#include "nn/search/top_tokens.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace mlcore::nn {
namespace {

/// A token that was written, and what was written before it: live hypotheses share their past.
struct Node {
    std::int32_t token, parent; // parent: a node, -1 for none
};

struct Live {
    double log_probability;
    std::int32_t node;   // last token, -1 before the first
    std::int32_t parent; // which live hypothesis of the step before it continues
};

struct Finished {
    double score, log_probability;
    std::int32_t node; // the last token before the end
};

struct Candidate {
    double log_probability;
    std::int32_t parent, token;
};

/// The search of one source.
class Beam {
  public:
    Beam(const SearchTask& task, const BeamOptions& options, std::int64_t max_length)
        : task_(task), options_(options), max_length_(max_length), live_{{0.0, -1, 0}} {
        if (max_length == 0) {
            live_.clear();
            finished_.push_back({0.0, 0.0, -1});
        }
    }

    bool done() const { return live_.empty(); }
    const std::vector<Live>& live() const { return live_; }
    std::int32_t token(const Live& hypothesis) const { return nodes_[static_cast<std::size_t>(hypothesis.node)].token; }

    /// The next tokens of all live hypotheses, whose logits are the rows from first_row on. `length` of them are then
    /// written.
    void step(const StepRows& rows, std::size_t first_row, std::int64_t length) {
        find_candidates(rows, first_row, length);
        const std::size_t k = options_.beam_size;
        const bool is_last = length == max_length_;
        live_.clear();
        for (std::size_t rank = 0; rank < candidates_.size() && live_.size() < k; ++rank) {
            const Candidate& c = candidates_[rank];
            const bool ends = c.token == task_.end;
            if (rank < k && (ends || is_last)) finish(c, length);
            if (!ends && !is_last) live_.push_back({c.log_probability, add_node(c), c.parent});
        }
        if (is_done(length)) live_.clear();
        remember_nodes();
    }

    std::vector<Hypothesis> best() const {
        std::vector<Hypothesis> hypotheses(std::min(options_.n_best, finished_.size()));
        for (std::size_t i = 0; i < hypotheses.size(); ++i) {
            hypotheses[i].score = finished_[i].score;
            hypotheses[i].log_probability = finished_[i].log_probability;
            for (std::int32_t n = finished_[i].node; n >= 0; n = nodes_[static_cast<std::size_t>(n)].parent)
                hypotheses[i].tokens.push_back(nodes_[static_cast<std::size_t>(n)].token);
            std::reverse(hypotheses[i].tokens.begin(), hypotheses[i].tokens.end());
        }
        return hypotheses;
    }

  private:
    /// The 2 k best continuations, the best first.
    void find_candidates(const StepRows& rows, std::size_t first_row, std::int64_t length) {
        const std::size_t wanted = 2 * options_.beam_size;
        const bool may_end = length >= task_.min_length;
        candidates_.clear();
        for (std::size_t i = 0; i < live_.size(); ++i) {
            const std::span<const float> logits = rows.logits(first_row + i);
            top_.resize(std::min(wanted + !may_end, logits.size())); // one more, where the end does not count
            const TopTokens row = top_tokens(logits, top_);
            for (const TokenLogit& t : std::span(top_).first(row.count))
                if (may_end || t.token != task_.end)
                    candidates_.push_back({live_[i].log_probability + (static_cast<double>(t.logit) - row.log_sum),
                                           static_cast<std::int32_t>(i), t.token});
        }
        if (candidates_.empty()) throw ValueError(nothing_follows);
        const auto before = [](const Candidate& a, const Candidate& b) {
            return std::tuple(-a.log_probability, a.parent, a.token) <
                   std::tuple(-b.log_probability, b.parent, b.token);
        };
        const std::size_t n = std::min(wanted, candidates_.size());
        std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(n), candidates_.end(),
                          before);
        candidates_.resize(n);
    }

    void finish(const Candidate& c, std::int64_t length) {
        const double score = score_of(c.log_probability, length, task_.length_penalty);
        const auto place = std::find_if(finished_.begin(), finished_.end(),
                                        [&](const Finished& other) { return score > other.score; });
        if (place == finished_.end() && finished_.size() == options_.beam_size) return;
        const std::int32_t node = c.token == task_.end ? parent_node(c) : add_node(c);
        finished_.insert(place, {score, c.log_probability, node});
        if (finished_.size() > options_.beam_size) finished_.pop_back();
    }

    bool is_done(std::int64_t length) const {
        if (live_.empty()) return true;
        if (finished_.size() < options_.beam_size) return false;
        if (options_.early_stopping == EarlyStopping::always) return true;
        const bool may_grow = options_.early_stopping == EarlyStopping::by_possible_score && task_.length_penalty > 0;
        const double bound = score_of(live_[0].log_probability, may_grow ? max_length_ : length, task_.length_penalty);
        return !(bound > finished_.back().score);
    }

    std::int32_t parent_node(const Candidate& c) const { return last_nodes_[static_cast<std::size_t>(c.parent)]; }
    std::int32_t add_node(const Candidate& c) {
        nodes_.push_back({c.token, parent_node(c)});
        return static_cast<std::int32_t>(nodes_.size()) - 1;
    }
    void remember_nodes() {
        last_nodes_.clear();
        for (const Live& hypothesis : live_) last_nodes_.push_back(hypothesis.node);
    }

    const SearchTask& task_;
    const BeamOptions& options_;
    std::int64_t max_length_;
    std::vector<Live> live_; // the best first
    std::vector<std::int32_t> last_nodes_{-1};
    std::vector<Node> nodes_;
    std::vector<Finished> finished_; // the best first, k at most
    std::vector<Candidate> candidates_;
    std::vector<TokenLogit> top_;
};

} // namespace

Hypotheses beam_search(const RunContext& ctx, StepModel& model, const SearchTask& task, const BeamOptions& options) {
    check_task(model, task);
    if (options.beam_size < 1) throw ValueError("beam_size must be at least 1, got 0");
    if (options.n_best < 1 || options.n_best > options.beam_size)
        throw ValueError("n_best must be between 1 and beam_size, " + std::to_string(options.beam_size) + ", got " +
                         std::to_string(options.n_best));
    const std::size_t n_sources = model.n_sources();
    std::vector<Beam> beams;
    beams.reserve(n_sources);
    StepRows rows(model);
    std::vector<std::size_t> open, first_rows; // sources that are not done, and their first rows
    for (std::size_t s = 0; s < n_sources; ++s) {
        beams.emplace_back(task, options, task.max_length[s]);
        if (beams[s].done()) continue;
        first_rows.push_back(rows.size());
        open.push_back(s);
        rows.add(s, task.begin[s]);
    }
    for (std::int64_t length = 1; !open.empty(); ++length) {
        ctx.checkpoint();
        rows.run(ctx);
        const double rows_a_source = static_cast<double>(rows.size()) / static_cast<double>(open.size());
        parallel_tasks(ctx, open.size(), rows_a_source * row_ns(model.n_tokens()),
                       [&](std::size_t i, int) { beams[open[i]].step(rows, first_rows[i], length); });
        rows.clear();
        std::size_t n_left = 0;
        for (std::size_t i = 0; i < open.size(); ++i) {
            const Beam& beam = beams[open[i]];
            if (beam.done()) continue;
            const std::size_t first = first_rows[i];
            first_rows[n_left] = rows.size();
            open[n_left++] = open[i];
            for (const Live& hypothesis : beam.live())
                rows.add(first + static_cast<std::size_t>(hypothesis.parent), beam.token(hypothesis));
        }
        open.resize(n_left);
        first_rows.resize(n_left);
    }
    Hypotheses found(n_sources);
    for (std::size_t s = 0; s < n_sources; ++s) found[s] = beams[s].best();
    return found;
}

} // namespace mlcore::nn
