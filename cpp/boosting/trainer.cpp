#include "boosting/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"

namespace mlcore::boosting {
namespace {

constexpr std::uint64_t stream_row_sample = 0x726f7773; // upper bits: iteration

// Up to so many rows, repeats counted, a single copy keeps enough digits to be multiplied by its repeats.
constexpr std::uint64_t max_multiplied_rows = std::uint64_t{1} << 22;

const BinnedMatrix& checked(const BinnedMatrix& data, const BinMapper& mapper) {
    MLCORE_CHECK(static_cast<int>(data.n_features()) == mapper.n_features(), "data binned by the trainer's mapper");
    return data;
}

double largest(const std::vector<double>& weight) {
    return weight.empty() ? 1.0 : *std::max_element(weight.begin(), weight.end());
}

// Values found from the rows of a node alone know nothing of the constraints that its tree was grown under.
void keep_monotone(Tree& tree, std::span<const int> direction) {
    std::vector<Bounds> bounds(tree.nodes.size());
    for (std::size_t i = 0; i < tree.nodes.size(); ++i) { // parents come before their children
        TreeNode& node = tree.nodes[i];
        node.value = bounds[i].clamp(node.value);
        if (node.feature < 0) continue;
        const auto left = static_cast<std::size_t>(node.left), right = left + 1;
        std::tie(bounds[left], bounds[right]) =
            child_bounds(bounds[i], direction[static_cast<std::size_t>(node.feature)], tree.nodes[left].value,
                         tree.nodes[right].value);
    }
}

} // namespace

void Trainer::Rows::init(std::span<const double> baseline) {
    const std::size_t n = y.size();
    score.resize(n * baseline.size());
    for (std::size_t k = 0; k < baseline.size(); ++k)
        std::fill_n(score.begin() + static_cast<std::ptrdiff_t>(k * n), n, baseline[k]);
}

void Trainer::Rows::set_scores(std::span<const double> by_row, std::size_t K) {
    const std::size_t n = y.size();
    if (by_row.size() != n * K) throw ValueError("raw scores must be (n_rows, n_outputs)");
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < K; ++k) score[k * n + i] = by_row[i * K + k];
}

std::vector<double> Trainer::Rows::scores_by_row(std::size_t K) const {
    const std::size_t n = y.size();
    std::vector<double> by_row(n * K);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < K; ++k) by_row[i * K + k] = score[k * n + i];
    return by_row;
}

double Trainer::Rows::loss(const RunContext& ctx, const Objective& objective) const {
    return mean_loss(ctx, objective, targets(), score.data());
}

Trainer::Trainer(std::shared_ptr<const BinMapper> mapper, std::shared_ptr<const BinnedMatrix> data,
                 std::vector<double> y, std::vector<double> weight, const Objective& objective, Params params,
                 std::vector<double> baseline)
    : mapper_(std::move(mapper)), objective_(objective), params_(std::move(params)),
      grower_(*mapper_, checked(*data, *mapper_), params_,
              objective.bounds_steps() && params_.newton ? objective.step_share() : 0.0, largest(weight)),
      partition_(y.size()),
      probability_(objective.softmax() ? y.size() * static_cast<std::size_t>(objective.n_outputs) : 0),
      pairs_(y.size()) {
    const std::size_t n = y.size();
    if (n == 0) throw ValueError("training needs at least one row");
    if (n >= (std::size_t{1} << 31)) throw ValueError("training takes fewer than 2^31 rows");
    if (data->n_rows() != n) throw ValueError("y must have one value a row of X");
    if (!weight.empty() && weight.size() != n) throw ValueError("sample_weight must have one value a row of X");
    if (baseline.size() != n_outputs()) throw ValueError("baseline must have one value an output");
    for (const double w : weight)
        if (!(w > 0.0) || std::isinf(w)) throw ValueError("sample_weight must be positive and finite here");
    if (objective_.loss == Loss::log_loss)
        for (const double c : y)
            if (!(c >= 0 && c < std::max(2, objective_.n_outputs) && c == std::floor(c)))
                throw ValueError("y of log_loss must hold class indices");

    const bool whole =
        std::all_of(weight.begin(), weight.end(), [](double w) { return w == std::floor(w) && w < 1e6; });
    total_count_ = n;
    if (!weight.empty() && whole) {
        double total = 0.0;
        for (const double w : weight) total += w;
        if (total < 2147483648.0) {
            count_.assign(weight.begin(), weight.end());
            total_count_ = static_cast<std::uint64_t>(total);
            repeats_multiply_ = total_count_ <= max_multiplied_rows;
        }
    }
    train_.data = std::move(data);
    train_.y = std::move(y);
    train_.weight = std::move(weight);
    train_.init(baseline);
    objective_.gradient_scale = objective_.unit_free_scale(train_.targets());
    forest_.n_features = mapper_->n_features();
    forest_.baseline = std::move(baseline);
}

void Trainer::add_validation(std::shared_ptr<const BinnedMatrix> data, std::vector<double> y,
                             std::vector<double> weight) {
    checked(*data, *mapper_);
    if (data->n_rows() != y.size()) throw ValueError("y_val must have one value a row of X_val");
    if (!weight.empty() && weight.size() != y.size())
        throw ValueError("sample_weight_val must have one value a row of X_val");
    if (objective_.loss == Loss::log_loss)
        for (const double c : y)
            if (!(c >= 0 && c < std::max(2, objective_.n_outputs)))
                throw ValueError("y_val of log_loss must hold class indices");
    validation_.data = std::move(data);
    validation_.y = std::move(y);
    validation_.weight = std::move(weight);
    validation_.init(forest_.baseline);
}

void Trainer::draw_rows(const RunContext& ctx, std::uint64_t iteration) {
    if (params_.subsample >= 1.0) return;
    const std::size_t n = n_rows();
    const Philox random(params_.seed, (iteration << 32) | stream_row_sample);
    constexpr std::size_t block = 4096;
    const std::size_t n_blocks = (n + block - 1) / block;
    std::vector<std::vector<std::uint32_t>> parts(n_blocks);
    parallel_tasks(ctx, n_blocks, 10.0 * block, [&](std::size_t b, int) {
        for (std::size_t i = b * block; i < std::min((b + 1) * block, n); ++i)
            if (random.uniform(i) < params_.subsample) parts[b].push_back(static_cast<std::uint32_t>(i));
    });
    drawn_.clear();
    for (const auto& part : parts) drawn_.insert(drawn_.end(), part.begin(), part.end());
    if (drawn_.empty()) drawn_.push_back(static_cast<std::uint32_t>(random.below(n, n)));
}

// From float gradients to packed integers at the finest scale that cannot overflow. The gradients are computed twice,
// block by block, which is cheaper than to keep them.
FixedPoint Trainer::pack(const RunContext& ctx, const Gradients& gradients) {
    struct Range {
        float top = 0.0f;
        double hessian = 0.0;
        bool valid = true;
    };
    const std::size_t n = n_rows();
    const Range range = parallel_reduce(
        ctx, n, 3.0, Range{},
        [&](std::size_t begin, std::size_t end) {
            float g[reduce_block], h[reduce_block];
            gradients(begin, end, g, h);
            Range r;
            float top = 0.0f, lowest_hessian = 0.0f, not_finite = 0.0f;
            for (std::size_t j = 0; j < end - begin; ++j) {
                top = std::max(top, std::abs(g[j]));
                lowest_hessian = std::min(lowest_hessian, h[j]);
                not_finite += g[j] * 0.0f + h[j] * 0.0f; // NaN unless all are finite
            }
            for (std::size_t j = 0; j < end - begin; ++j)
                r.hessian += h[j] * (repeats_multiply_ ? count_[begin + j] : 1.0);
            r.top = top;
            r.valid = not_finite == 0.0f && lowest_hessian >= 0.0f;
            return r;
        },
        [](Range a, const Range& b) {
            return Range{std::max(a.top, b.top), a.hessian + b.hessian, a.valid && b.valid};
        });
    if (!range.valid)
        throw ValueError("the loss gave a gradient that is not finite or a hessian that is not finite or negative; "
                         "try a smaller learning_rate, or scale y");
    // Repeats of a row multiply its integers: a weight of two is then a second copy of the row to the last bit.
    const FixedPoint scale(repeats_multiply_ ? total_count_ : n, total_count_, range.top, range.hessian);
    parallel_tasks(ctx, (n + reduce_block - 1) / reduce_block, 3.0 * reduce_block, [&](std::size_t block, int) {
        float g[reduce_block], h[reduce_block];
        const std::size_t begin = block * reduce_block, end = std::min(begin + reduce_block, n);
        gradients(begin, end, g, h);
        for (std::size_t i = begin; i < end; ++i) pairs_[i] = scale.encode(g[i - begin], h[i - begin], 1);
        if (count_.empty()) return;
        for (std::size_t i = begin; i < end; ++i) {
            if (repeats_multiply_) {
                pairs_[i].gradient *= count_[i];
                pairs_[i].hessian_count *= count_[i];
            } else {
                pairs_[i].hessian_count += count_[i] - 1; // the count lies in the lower bits
            }
        }
    });
    return scale;
}

void Trainer::refine_leaves(const RunContext& ctx, Tree& tree, int k) {
    if (objective_.loss == Loss::custom) return;
    if (params_.newton && !objective_.renews_leaves()) return;
    const auto& directions = params_.monotonic_cst;
    const bool monotone = std::any_of(directions.begin(), directions.end(), [](int d) { return d != 0; });
    std::vector<std::size_t> leaves; // constraints are about inner nodes as well
    for (std::size_t i = 0; i < tree.nodes.size(); ++i)
        if (monotone || tree.nodes[i].feature < 0) leaves.push_back(i);
    const std::size_t n = n_rows(), column = static_cast<std::size_t>(k) * n;
    const double ns = 60.0 * static_cast<double>(partition_.size()) / static_cast<double>(leaves.size());
    parallel_tasks(ctx, leaves.size(), ns, [&](std::size_t j, int) {
        TreeNode& leaf = tree.nodes[leaves[j]];
        const std::span<const std::uint32_t> rows(partition_.rows() + leaf.begin, leaf.end - leaf.begin);
        leaf.value =
            best_leaf_value(objective_, train_.targets(), train_.score.data() + column,
                            objective_.softmax() ? probability_.data() + column : nullptr, k, rows, params_.reg_lambda);
    });
    if (monotone) keep_monotone(tree, directions);
}

double Trainer::train_loss(const RunContext& ctx) const {
    if (!loss_) loss_ = train_.loss(ctx, objective_);
    return *loss_;
}

// What leaf values are multiplied by. Newton steps are bounded with the learning rate; the value of a leaf that was
// searched, or of squared error, is the minimum for its rows, and a rate beyond 1 would only pass it.
double Trainer::leaf_rate() const {
    if (objective_.loss == Loss::custom || (objective_.bounds_steps() && params_.newton)) return params_.learning_rate;
    return std::min(params_.learning_rate, 1.0 / objective_.step_share());
}

// Adds factor times the tree's value to the raw scores of the rows that are not done, by walking the tree.
template <class IsDone>
void Trainer::walk(const RunContext& ctx, const Tree& tree, int k, double factor, Rows& table, IsDone&& is_done) const {
    const BinnedMatrix& data = *table.data;
    const std::size_t n = table.y.size();
    double* out = table.score.data() + static_cast<std::size_t>(k) * n;
    parallel_ranges(ctx, n, 40.0, [&](std::size_t begin, std::size_t end, int) {
        const TreeColumns columns(tree, data, begin, end);
        for (std::size_t i = begin; i < end; ++i)
            if (!is_done(i))
                out[i] += factor * tree.nodes[static_cast<std::size_t>(tree.leaf(columns, *mapper_, i))].value;
    });
}

void Trainer::add_tree(const RunContext& ctx, const Tree& tree, int k) {
    // Rows of the sample: leaf by leaf, in the order of the partition.
    std::vector<const TreeNode*> leaves;
    for (const TreeNode& node : tree.nodes)
        if (node.feature < 0) leaves.push_back(&node);
    std::sort(leaves.begin(), leaves.end(), [](const TreeNode* a, const TreeNode* b) { return a->begin < b->begin; });
    double* score = train_.score.data() + static_cast<std::size_t>(k) * n_rows();
    const std::uint32_t* rows = partition_.rows();
    parallel_ranges(ctx, partition_.size(), 1.0, [&](std::size_t begin, std::size_t end, int) {
        auto leaf = std::upper_bound(leaves.begin(), leaves.end(), begin,
                                     [](std::size_t at, const TreeNode* node) { return at < node->end; });
        for (std::size_t i = begin; i < end; ++leaf) {
            const std::size_t stop = std::min(end, (*leaf)->end);
            const double value = (*leaf)->value;
            for (; i < stop; ++i) score[rows[i]] += value;
        }
    });

    // Rows outside the sample, and the validation rows, walk the tree.
    if (partition_.size() < n_rows()) {
        std::vector<std::uint8_t> in_sample(n_rows(), 0);
        for (const std::uint32_t row : drawn_) in_sample[row] = 1;
        walk(ctx, tree, k, 1.0, train_, [&](std::size_t i) { return in_sample[i] != 0; });
    }
    if (has_validation()) walk(ctx, tree, k, 1.0, validation_, [](std::size_t) { return false; });
}

void Trainer::grow_output(const RunContext& ctx, const FixedPoint& scale, int k, std::uint64_t iteration) {
    if (params_.subsample < 1.0)
        partition_.reset(drawn_);
    else
        partition_.reset(ctx);
    Tree tree =
        grower_.grow(ctx, partition_, pairs_.data(), scale, iteration * n_outputs() + static_cast<std::uint64_t>(k));
    refine_leaves(ctx, tree, k);
    const double rate = leaf_rate();
    for (TreeNode& node : tree.nodes) node.value *= rate;
    add_tree(ctx, tree, k);
    forest_.append(tree, *mapper_);
    latest_.push_back(std::move(tree));
    loss_.reset();
}

void Trainer::scale_latest(const RunContext& ctx, double factor) {
    const auto of_all = [](std::size_t) { return false; };
    for (std::size_t k = 0; k < latest_.size(); ++k) {
        walk(ctx, latest_[k], static_cast<int>(k), factor - 1.0, train_, of_all);
        if (has_validation()) walk(ctx, latest_[k], static_cast<int>(k), factor - 1.0, validation_, of_all);
        for (TreeNode& node : latest_[k].nodes) node.value *= factor;
    }
    const std::size_t first_tree = forest_.n_trees() - latest_.size();
    for (auto i = static_cast<std::size_t>(forest_.tree_offset[first_tree]); i < forest_.n_nodes(); ++i)
        forest_.value[i] *= factor;
    loss_.reset();
}

void Trainer::keep_loss_from_rising(const RunContext& ctx, double before) {
    constexpr int most_halvings = 20;
    // Rounding of the mean over rows, in units of the loss that there was to lose.
    const double noise = 1e-12 * std::max(std::abs(before), std::abs(*initial_loss_));
    for (int i = 0; !(train_loss(ctx) <= before + noise); ++i) {
        scale_latest(ctx, i < most_halvings ? 0.5 : 0.0);
        if (i == most_halvings) return;
    }
}

void Trainer::step(const RunContext& ctx) {
    const std::uint64_t iteration = params_.first_iteration + n_iterations();
    // Trees of a sample may be wrong for the other rows, and better in the mean for that.
    const bool whole = params_.subsample >= 1.0 && objective_.loss != Loss::custom;
    const double before = whole ? train_loss(ctx) : 0.0;
    if (whole && !initial_loss_) initial_loss_ = before;
    draw_rows(ctx, iteration);
    latest_.clear();
    const Targets targets = repeats_multiply_ ? Targets{train_.y, {}} : train_.targets(); // pack() repeats the rows
    if (objective_.softmax()) softmax(ctx, train_.score.data(), n_rows(), objective_.n_outputs, probability_.data());
    for (int k = 0; k < objective_.n_outputs; ++k) {
        const Gradients of_k = [&](std::size_t begin, std::size_t end, float* g, float* h) {
            gradients(objective_, params_.newton, targets, train_.score.data(), probability_.data(), k, begin, end, g,
                      h);
        };
        grow_output(ctx, pack(ctx, of_k), k, iteration);
    }
    if (whole && std::isfinite(before)) keep_loss_from_rising(ctx, before);
}

void Trainer::step_custom(const RunContext& ctx, std::span<const double> gradient, std::span<const double> hessian) {
    const std::size_t n = n_rows(), K = n_outputs();
    if (gradient.size() != n * K || hessian.size() != n * K)
        throw ValueError("gradient and hessian must be (n_rows, n_outputs)");
    const std::uint64_t iteration = params_.first_iteration + n_iterations();
    draw_rows(ctx, iteration);
    latest_.clear();
    for (std::size_t k = 0; k < K; ++k) {
        const Gradients of_k = [&](std::size_t begin, std::size_t end, float* g, float* h) {
            for (std::size_t i = begin; i < end; ++i) {
                const double repeats = repeats_multiply_ ? count_[i] : 1.0; // pack() multiplies by it
                g[i - begin] = static_cast<float>(gradient[i * K + k] / repeats);
                h[i - begin] = static_cast<float>(hessian[i * K + k] / repeats);
            }
        };
        grow_output(ctx, pack(ctx, of_k), static_cast<int>(k), iteration);
    }
}

} // namespace mlcore::boosting
