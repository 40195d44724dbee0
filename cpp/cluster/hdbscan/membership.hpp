// How much a point belongs to each of the selected clusters: soft clustering, after the Python package hdbscan.
//
// For a point that leaves cluster c at lambda, and selected cluster k, with
//     d_k   distance to the nearest exemplar of k
//     h_k   lambda at which the point and k part: lambda itself where c is k, or one lies in the other, else the birth
//           of what their lowest common ancestor splits into
//     e_k   exp(exp(-death(c) / h_k))
//     p     max_k h_k / max(death of that k, lambda): the part of it that belongs to any cluster
// the row is  p * (e_k / d_k) / sum_j (e_j / d_j).
#pragma once

#include "cluster/hdbscan/labels.hpp"
#include "cluster/hdbscan/prediction.hpp"
#include "core/context.hpp"
#include "core/view.hpp"

#include <span>
#include <vector>

namespace mlcore::cluster {

/// Turns the distances (q, n_selected) to exemplars into memberships.
void memberships(const RunContext& ctx, const LabelledTree& labelled, std::span<const std::int32_t> cluster,
                 std::span<const double> lambda, MatrixView<double> values);

} // namespace mlcore::cluster
