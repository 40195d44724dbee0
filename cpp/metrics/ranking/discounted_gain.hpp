// Discounted cumulative gain of the order that scores give to the documents of a query: the sum of gain times discount
// over the first k places (Jarvelin and Kekalainen, "Cumulated gain-based evaluation of IR techniques", 2002).
// Documents of equal scores share the mean of their gains (McSherry and Najork, "Computing information retrieval
// performance measures efficiently in the presence of tied scores", 2008).
//
// With a small k, a row is not sorted: its k highest scores are selected, then the documents that have them.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"

#include <cstddef>
#include <span>

namespace mlcore::metrics {

struct GainOptions {
    std::span<const double> discount; // of the first k places; k is at least 1 and at most the number of columns
    bool ignore_ties = false;         // equal scores: the document with the higher number comes first
    bool normalized = false;          // divide by the gain of the best order, 0 where that is 0
};

struct GainState {
    bool finite = true, negative = false; // of the gains and the scores; whether a gain is below 0
};

/// out: one number a row.
GainState discounted_gains(const RunContext& ctx, MatrixView<const double> gains, MatrixView<const double> scores,
                           const GainOptions& options, double* out);

} // namespace mlcore::metrics
