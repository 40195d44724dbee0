// What training does with all parameters of a network at once. They lie in many arrays of very different sizes: all are
// cut into chunks of fixed length, and the threads share the chunks, so that one call is one pass over memory however
// the entries are spread. Sums are those of the chunks in their order: the same bits for any number of threads.
#pragma once

#include "core/context.hpp"
#include "optim/optimizer.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::optim {

/// One parameter array with its gradient and state. With `rows` (ascending, each once) the gradient (n_rows, width) is
/// by those rows of the parameters (..., width) only, and neither parameters nor state of the others are touched: the
/// "lazy" form of a sparse gradient, in which weight decay, momentum and averages wait until a row is seen again.
struct ParameterArray {
    std::size_t size; // of the gradient
    const float* gradient;
    float* parameters;
    float* velocity;        // nullptr where the rule has none
    float* squares;         // likewise
    std::uint64_t t;        // number of this step, from 1
    float* extra = nullptr; // as squares
    const std::int64_t* rows = nullptr;
    std::size_t width = 0; // of a row
};

/// One step of the rule for all arrays.
void update_arrays(const RunContext& ctx, const OptimizerParams& params, std::span<const ParameterArray> arrays);

/// Sum of squares of each array, in double.
std::vector<double> square_sums(const RunContext& ctx, std::span<const std::span<const float>> arrays);

/// target += weight (source - target), entry by entry.
struct Blend {
    std::size_t size;
    float* target;
    const float* source;
};
void blend(const RunContext& ctx, std::span<const Blend> arrays, float weight);

} // namespace mlcore::optim
