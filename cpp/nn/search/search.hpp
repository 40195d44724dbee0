// What all searches are told, and what they find.
#pragma once

#include "core/context.hpp"
#include "nn/search/step_model.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::nn {

/// Lengths count all tokens that were written, the end token among them.
struct SearchTask {
    std::span<const std::int32_t> begin;      // (sources): the first token that the network reads
    std::int32_t end = -1;                    // ends a hypothesis; -1: nothing does but its length
    std::span<const std::int64_t> max_length; // (sources): a hypothesis of so many tokens is cut off
    std::int64_t min_length = 0;              // shorter hypotheses may not end
    double length_penalty = 0;                // score = log-probability / length ** length_penalty
};

struct Hypothesis {
    std::vector<std::int32_t> tokens; // without begin and end
    double log_probability = 0;       // of all tokens, the end token among them
    double score = 0;
};

/// For each source its hypotheses, the best first.
using Hypotheses = std::vector<std::vector<Hypothesis>>;

/// Score of a hypothesis of `length` tokens; 0 for none.
double score_of(double log_probability, std::int64_t length, double length_penalty);

/// Throws ValueError unless the task fits the model.
void check_task(const StepModel& model, const SearchTask& task);

inline constexpr const char* nothing_follows =
    "a hypothesis is shorter than min_length, and the network lets only the end token follow it";

/// The most probable token at each step; one hypothesis a source.
Hypotheses greedy_search(const RunContext& ctx, StepModel& model, const SearchTask& task);

} // namespace mlcore::nn
