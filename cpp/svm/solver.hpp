// The dual problem of every support vector machine here:
//
//     minimise   1/2 sum_uv y_u alpha_u y_v alpha_v K_uv + sum_v y_v e_v alpha_v
//     such that  sum_v y_v alpha_v stands as it begins, 0 <= alpha_v <= C_v
//
// (the nu problems: the sum over each of y = 1 and y = -1 stands). Each round picks a working set of the variables that
// violate optimality most, solves it by sequential minimal optimization (subproblem.hpp), and brings the gradient of
// all others up to date with the kernel rows of those that moved; rows that are missing come from one matrix product.
// Sets of this kind: T. Joachims, "Making large-scale SVM learning practical" (1998); Z. Wen et al., "ThunderSVM" (JMLR
// 19, 2018). Shrinking leaves out variables that stay at a bound, together with their columns of all kernel rows;
// before the end their gradient is computed again and the optimum is checked with all.
#pragma once

#include "core/context.hpp"
#include "svm/points.hpp"
#include "svm/row_cache.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace mlcore::svm {

/// Points that a problem is about, and kernel rows over them.
struct ColumnSet {
    std::shared_ptr<const Columns> columns;
    std::shared_ptr<RowCache> cache;
};

struct Problem {
    /// Points, one column after the other; two sets for a pair of classes, so that pairs share rows.
    std::vector<ColumnSet> sets;
    /// Variable v belongs to column v; with `doubled` (regression) there are twice as many, v and n + v belong to
    /// column v.
    bool doubled = false;
    /// Pairs have the same y.
    bool split = false;
    std::vector<double> y, C, e, alpha; // by variable; y is 1 or -1, alpha feasible
};

struct SolverParams {
    double tol = 1e-3;
    std::int64_t max_iter = -1; // steps of pairs; -1: any number
    bool shrinking = true;      // only where the problem has the cache for itself
    std::size_t max_rows = 512; // most variables in a working set, and so kernel rows in use at a time
};

struct Solution {
    std::vector<double> alpha;
    double rho = 0;   // level of f at free variables: the decision is sum y alpha K - rho
    double scale = 1; // nu problems: margin, by which alpha and rho are to be divided
    double objective = 0;
    double gap = 0;
    std::int64_t n_iter = 0;
    bool converged = true;
};

/// Variables in the working set of a problem: a larger set takes fewer rounds and more steps; about a tenth of the
/// columns is best, some hundreds at most.
std::size_t working_set_size(std::size_t n_columns);

/// report: tells ctx.progress of each round and the gap then. A set that shrinks leaves its cache of no use to others.
Solution solve(const RunContext& ctx, const Points& points, Problem problem, const SolverParams& params, bool report);

} // namespace mlcore::svm
