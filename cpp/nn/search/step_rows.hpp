// The rows of a step: what a search hands to the network, and the logits it gets back. The memory of the largest step
// is kept.
#pragma once

#include "core/memory.hpp"
#include "nn/search/step_model.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::nn {

class StepRows {
  public:
    explicit StepRows(StepModel& model) : model_(model) {}

    std::size_t size() const { return tokens_.size(); }
    void clear() {
        parents_.clear();
        tokens_.clear();
    }
    /// parent: a row of the step before, or at the first step a source.
    void add(std::size_t parent, std::int32_t token) {
        parents_.push_back(static_cast<std::int32_t>(parent));
        tokens_.push_back(token);
    }

    void run(const RunContext& ctx) {
        const std::size_t room = size() * model_.n_tokens();
        if (logits_.size() < room) logits_ = Scratch<float>(room);
        model_.step(ctx, parents_, tokens_, logits_.data());
    }
    /// After run(): of the token that follows row i.
    std::span<const float> logits(std::size_t i) const {
        return {logits_.data() + i * model_.n_tokens(), model_.n_tokens()};
    }
    std::span<float> logits(std::size_t i) { return {logits_.data() + i * model_.n_tokens(), model_.n_tokens()}; }

  private:
    StepModel& model_;
    std::vector<std::int32_t> parents_, tokens_;
    Scratch<float> logits_;
};

/// Estimated time of looking for the best tokens of a row of logits.
inline double row_ns(std::size_t n_tokens) { return 200 + 0.3 * static_cast<double>(n_tokens); }

} // namespace mlcore::nn
