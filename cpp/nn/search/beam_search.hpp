// Beam search: of all continuations of the k live hypotheses of a source, those of the highest log-probability go on.
//
// At each step the 2 k best continuations are the candidates (equal ones: of the better hypothesis, then of the lower
// id, first). Those among the best k that end are finished; the best k of those that do not end go on: 2 k are enough,
// for each hypothesis has one continuation that ends. A finished hypothesis has the score
//
//   log-probability / length ** length_penalty,   its end token counted in both
//
// 0 leaves the log-probability, which prefers short hypotheses; the larger, the longer the best are. The k best
// finished ones are kept. A source is done when it has k of them and, by its rule of early stopping,
//   always            nothing more is asked;
//   by_live_score     the best live hypothesis, scored as if it ended now, is no better than the worst of them;
//   by_possible_score no better even if it ended, without loss, at the length that gives it the best score.
// These are True, False and "never" of `early_stopping` of the library transformers, release 5. (Wu et al., "Google's
// neural machine translation system", 2016, divide by ((5 + length) / 6) ** length_penalty instead.)
//
// The first step has one row a source, because its hypotheses are still the same; rows of sources that are done leave
// the batch.
#pragma once

#include "nn/search/search.hpp"

#include <cstddef>

namespace mlcore::nn {

enum class EarlyStopping { always, by_live_score, by_possible_score };

struct BeamOptions {
    std::size_t beam_size = 5; // k
    std::size_t n_best = 1;    // of the finished hypotheses that are returned, at most k
    EarlyStopping early_stopping = EarlyStopping::by_live_score;
};

Hypotheses beam_search(const RunContext& ctx, StepModel& model, const SearchTask& task, const BeamOptions& options);

} // namespace mlcore::nn
