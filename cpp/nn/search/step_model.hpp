// What a search asks of a network that writes one token after the other: logits of the next token of many hypotheses,
// which share what the network has computed for their common past.
#pragma once

#include "core/context.hpp"
#include "core/error.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>

namespace mlcore::nn {

class StepModel {
  public:
    StepModel() = default;
    StepModel(const StepModel&) = delete;
    StepModel& operator=(const StepModel&) = delete;
    virtual ~StepModel() = default;

    /// V, of the vocabulary that is written in.
    virtual std::size_t n_tokens() const noexcept = 0;

    /// Sources that were given to the start of the model (each has its own), and are written for now.
    virtual std::size_t n_sources() const noexcept = 0;

    /// One step of all hypotheses that go on. Row i continues row parents[i] of the step before, at the first step
    /// source parents[i], with tokens[i]; rows of the step before that are nobody's parent are forgotten. Rows come
    /// in the order of their sources. Writes logits (rows, V). A row has the same bits whatever the other rows are.
    /// After a step that was not refused, but has failed on its way, the model must be started again.
    virtual void step(const RunContext& ctx, std::span<const std::int32_t> parents,
                      std::span<const std::int32_t> tokens, float* logits) = 0;

  private:
    friend class ModelUse;
    std::atomic<bool> in_use_{false};
    bool at_start_ = false; // nothing is written since the start
};

/// What is done with a model, which remembers what is written: for as long as it lives, nobody else does anything with
/// it. Throws ValueError where somebody already does.
class ModelUse {
  public:
    enum class Purpose { start, step, search };

    /// A search begins where nothing is written yet: it throws ValueError on a model that was not started since.
    explicit ModelUse(StepModel& model, Purpose purpose = Purpose::start)
        : model_(model), starts_(purpose == Purpose::start) {
        if (model_.in_use_.exchange(true, std::memory_order_acquire))
            throw ValueError("the decoder is used by another thread: each needs a decoder of its own");
        if (purpose == Purpose::search && !model_.at_start_) {
            model_.in_use_.store(false, std::memory_order_release);
            throw ValueError("the decoder has written something since its start, or has none: start it again");
        }
        model_.at_start_ = false;
    }
    ~ModelUse() {
        model_.at_start_ = starts_ && std::uncaught_exceptions() == n_exceptions_; // not where the start has failed
        model_.in_use_.store(false, std::memory_order_release);
    }
    ModelUse(const ModelUse&) = delete;
    ModelUse& operator=(const ModelUse&) = delete;

  private:
    StepModel& model_;
    const bool starts_;
    const int n_exceptions_ = std::uncaught_exceptions();
};

} // namespace mlcore::nn
