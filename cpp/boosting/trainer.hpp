// The boosting loop's body: gradients of the current scores, one tree an output, scores moved along.
//
// What belongs to all iterations (number of them, early stopping, metrics, progress) is decided by the caller, who
// calls step() once an iteration.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "boosting/binned_matrix.hpp"
#include "boosting/forest.hpp"
#include "boosting/grower.hpp"
#include "boosting/objective.hpp"
#include "boosting/params.hpp"
#include "boosting/partition.hpp"
#include "core/context.hpp"
#include "core/memory.hpp"

namespace mlcore::boosting {

class Trainer {
  public:
    // y: class index for log_loss. weight: empty or positive, one a row. Both are copied; mapper and data are shared.
    // Whole-numbered weights count as repeats of a row wherever rows are counted, others as one row.
    Trainer(std::shared_ptr<const BinMapper> mapper, std::shared_ptr<const BinnedMatrix> data, std::vector<double> y,
            std::vector<double> weight, const Objective& objective, Params params, std::vector<double> baseline);

    Trainer(const Trainer&) = delete; // the grower refers to the other members
    Trainer& operator=(const Trainer&) = delete;

    void add_validation(std::shared_ptr<const BinnedMatrix> data, std::vector<double> y, std::vector<double> weight);

    // Scores (n, K) row-major in and out.
    void set_scores(std::span<const double> scores) {
        train_.set_scores(scores, n_outputs());
        loss_.reset();
    }
    void set_validation_scores(std::span<const double> scores) { validation_.set_scores(scores, n_outputs()); }
    std::vector<double> scores() const { return train_.scores_by_row(n_outputs()); }
    std::vector<double> validation_scores() const { return validation_.scores_by_row(n_outputs()); }

    // Adds the trees of one iteration. Without sampling of rows the training loss does not increase: leaf values are
    // bounded for that (leaf_value.hpp), and where that is not enough (monotone constraints, rounding) the iteration is
    // halved until it does not.
    void step(const RunContext& ctx);
    // gradient, hessian (n, K) row-major, weights included.
    void step_custom(const RunContext& ctx, std::span<const double> gradient, std::span<const double> hessian);

    // Multiplies the leaf values of the last iteration, and takes the difference out of the scores of all rows.
    void scale_latest(const RunContext& ctx, double factor);

    double train_loss(const RunContext& ctx) const;
    double validation_loss(const RunContext& ctx) const { return validation_.loss(ctx, objective_); }

    std::size_t n_rows() const { return train_.y.size(); }
    std::size_t n_validation_rows() const { return validation_.y.size(); }
    std::size_t n_outputs() const { return static_cast<std::size_t>(objective_.n_outputs); }
    std::size_t n_iterations() const { return forest_.n_iterations(); }
    bool has_validation() const { return validation_.data != nullptr; }
    void truncate(std::size_t n_iterations) { forest_.truncate(n_iterations); }
    const ForestArrays& forest() const { return forest_; }

  private:
    struct Rows {
        std::shared_ptr<const BinnedMatrix> data;
        std::vector<double> y, weight, score; // score[k * n + i]
        Targets targets() const { return {y, weight}; }
        void init(std::span<const double> baseline);
        void set_scores(std::span<const double> by_row, std::size_t K);
        std::vector<double> scores_by_row(std::size_t K) const;
        double loss(const RunContext& ctx, const Objective& objective) const;
    };

    void draw_rows(const RunContext& ctx, std::uint64_t iteration);
    // (begin, end, gradient, hessian): those of rows [begin, end), at gradient[i - begin], hessian[i - begin].
    using Gradients = std::function<void(std::size_t, std::size_t, float*, float*)>;

    FixedPoint pack(const RunContext& ctx, const Gradients& gradients);
    void grow_output(const RunContext& ctx, const FixedPoint& scale, int k, std::uint64_t iteration);
    void refine_leaves(const RunContext& ctx, Tree& tree, int k);
    double leaf_rate() const;
    template <class IsDone>
    void walk(const RunContext& ctx, const Tree& tree, int k, double factor, Rows& table, IsDone&& is_done) const;
    void add_tree(const RunContext& ctx, const Tree& tree, int k);
    void keep_loss_from_rising(const RunContext& ctx, double before);

    std::shared_ptr<const BinMapper> mapper_;
    Objective objective_;
    Params params_;
    Rows train_, validation_;
    std::vector<std::uint32_t> count_; // repeats of each row; empty: all one
    std::uint64_t total_count_ = 0;
    bool repeats_multiply_ = false; // count_ multiplies the integers of one copy; else weights act on the gradient
    ForestArrays forest_;
    std::vector<Tree> latest_;           // the trees of the last iteration
    mutable std::optional<double> loss_; // of the training rows as they are; empty: not known
    std::optional<double> initial_loss_; // before the first step

    Grower grower_;
    Partition partition_;
    std::vector<std::uint32_t> drawn_; // rows of the current iteration's sample, ascending
    Buffer<float> probability_;
    Buffer<PackedPair> pairs_;
};

} // namespace mlcore::boosting
