#include "linear_model/logistic/first_order.hpp"

#include "core/error.hpp"
#include "core/random.hpp"
#include "linalg/batch.hpp"
#include "linear_model/logistic/proximal_newton.hpp"
#include "optim/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mlcore::linear_model {
namespace {

/// Gradients of batches, theirs of the mean loss: unbiased estimates of that of all rows.
class Batches {
  public:
    Batches(const LogisticLoss& loss, const Table& X, std::size_t size)
        : loss_(loss), size_(std::min(size, n_rows(X))), batch_(X, size_), order_(n_rows(X)) {}

    /// f(gradient) for each batch of one epoch; gradient (K, d + 1).
    template <class F>
    void for_each(const RunContext& ctx, int epoch, const Vector& theta, F&& step) {
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        const Philox random(ctx.seed, static_cast<std::uint64_t>(epoch) + 1);
        for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random.below(i, i)]);
        for (std::size_t begin = 0; begin < order_.size(); begin += size_) {
            ctx.checkpoint();
            estimate({order_.data() + begin, std::min(size_, order_.size() - begin)}, theta);
            step(gradient_);
        }
    }

  private:
    void estimate(std::span<const std::size_t> rows, const Vector& theta) {
        const linalg::Design& design = batch_.gather(rows);
        const std::size_t K = loss_.n_outputs(), d = loss_.n_cols(), B = design.block_rows();
        if (z_.empty()) {
            z_ = Buffer<double>(K * B);
            p_ = Buffer<double>(K * B);
            scratch_ = Buffer<double>(3 * B);
            sum_ = Buffer<double>(design.gradient_size(K));
            gradient_.resize(theta.size());
        }
        y_.clear();
        weight_.clear();
        for (const std::size_t i : rows) {
            y_.push_back(loss_.y()[i]);
            weight_.push_back(loss_.weight(i));
        }
        linalg::Design::Scratch scratch;
        const linalg::Coefficients w = loss_.coefficients(theta.data(), K);
        sum_.fill(0.0);
        Vector intercepts(K, 0.0);
        for (std::size_t begin = 0; begin < rows.size(); begin += B) {
            const std::size_t end = std::min(begin + B, rows.size());
            design.scores(begin, end, w, z_.data(), scratch);
            logistic_block(end - begin, K, B, z_.data(), p_.data(), scratch_.data(), &y_[begin], &weight_[begin]);
            design.add_gradient(begin, end, z_.data(), K, sum_.data(), scratch);
            for (std::size_t k = 0; k < K; ++k) intercepts[k] += ordered_sum(&z_[k * B], end - begin);
        }
        design.read_gradient(sum_.data(), K, gradient_.data());
        const double scale =
            static_cast<double>(order_.size()) / (static_cast<double>(rows.size()) * loss_.total_weight());
        for (std::size_t k = 0; k < K; ++k) gradient_[k * (d + 1) + d] = loss_.fit_intercept() ? intercepts[k] : 0.0;
        loss_.gradient_from_table(gradient_.data(), K);
        for (std::size_t k = 0; k < K; ++k) {
            double* row = &gradient_[k * (d + 1)];
            const double* from = &theta[k * (d + 1)];
            for (std::size_t j = 0; j < d; ++j) row[j] = scale * row[j] + loss_.l2(j) * from[j];
            row[d] *= scale;
        }
    }

    const LogisticLoss& loss_;
    std::size_t size_;
    linalg::Batch batch_;
    std::vector<std::size_t> order_;
    std::vector<std::int32_t> y_;
    Vector weight_, gradient_;
    Buffer<double> z_, p_, scratch_, sum_;
};

std::size_t rows_of_step(const FirstOrderParams& params, std::size_t n) {
    if (params.rule == "gd") return n;
    return std::min(params.rule == "sgd" ? std::size_t{1} : params.batch_size, n);
}

/// Smoothness of the mean loss of b of n rows, in expectation.
double expected_smoothness(const RunContext& ctx, const LogisticLoss& loss, std::size_t b) {
    const linalg::Design& design = loss.design();
    const auto n = static_cast<double>(design.n_rows()), size = static_cast<double>(b);
    const double all = loss.gram_norm(ctx);
    double longest = all;
    if (b < design.n_rows()) {
        std::vector<double> squares(design.block_rows());
        for (std::size_t begin = 0; begin < design.n_rows(); begin += design.block_rows()) {
            const std::size_t end = std::min(begin + design.block_rows(), design.n_rows());
            design.row_squares(begin, end, loss.coordinates(), squares.data());
            for (std::size_t i = begin; i < end; ++i)
                longest = std::max(longest, n / loss.total_weight() * loss.weight(i) * (squares[i - begin] + 1));
        }
    }
    const double mixed =
        n > 1 ? (n * (size - 1) * all + (n - size) * longest) / (size * (n - 1)) : longest; // all for b = n
    return loss.curvature_bound() * mixed + loss.largest_l2();
}

double chosen_rate(const RunContext& ctx, const LogisticLoss& loss, const FirstOrderParams& params) {
    if (params.learning_rate > 0) return params.learning_rate;
    if (params.rule == "adagrad") return 0.1;
    if (params.rule == "rmsprop" || params.rule == "adam") return 0.01;
    const double L = std::max(expected_smoothness(ctx, loss, rows_of_step(params, loss.design().n_rows())), 1e-300);
    constexpr double margin = 0.95; // the eigenvalue is found from below
    if (params.rule == "gd") return margin / L;
    const bool adds_up = params.rule == "momentum" || params.rule == "nesterov";
    return margin / (2 * L) * (adds_up ? std::sqrt(1 - params.momentum) : 1.0);
}

optim::OptimizerParams optimizer_of(const FirstOrderParams& params, double rate) {
    optim::OptimizerParams made;
    const bool plain = params.rule == "gd" || params.rule == "minibatch";
    made.rule = plain ? optim::Rule::sgd : optim::parse_rule(params.rule);
    made.learning_rate = rate;
    made.momentum = params.momentum;
    made.keep_metric = params.l1 > 0;
    return made;
}

} // namespace

bool is_first_order(const std::string& rule) {
    constexpr const char* names[] = {"gd", "sgd", "minibatch", "momentum", "nesterov", "adagrad", "rmsprop", "adam"};
    return std::any_of(std::begin(names), std::end(names), [&](const char* name) { return rule == name; });
}

Outcome minimise_first_order(const RunContext& ctx, LogisticLoss& loss, const Table& X, Vector& theta,
                             const FirstOrderParams& params, const StopRule& stop) {
    if (params.batch_size == 0) throw ValueError("batch_size must be at least 1, got 0");
    const std::size_t m = loss.n_cols() + 1;
    const double rate = chosen_rate(ctx, loss, params);
    // With a velocity a constant gradient comes to 1 / (1 - momentum) steps, and so must a constant subgradient.
    const bool has_velocity = params.rule == "momentum" || params.rule == "nesterov";
    const double length = has_velocity ? rate / (1 - params.momentum) : rate;
    optim::Optimizer<double> optimizer(optimizer_of(params, rate), theta.size());
    Vector gradient(theta.size());
    const auto objective = [&] { // brings the gradient up to date
        return loss.value_and_gradient(ctx, theta.data(), gradient.data()) + l1_penalty(loss, params.l1, theta);
    };
    const auto optimality = [&] { return largest_subgradient(loss, params.l1, theta, gradient); };
    const auto step = [&](const Vector& estimate) {
        optimizer.step(estimate.data(), theta.data());
        if (params.l1 == 0) return;
        const double* metric = optimizer.metric();
        for (std::size_t i = 0; i < theta.size(); ++i) {
            if (i % m + 1 == m) continue;
            const double threshold = params.l1 * loss.inverse(i % m) * (metric ? metric[i] : length);
            theta[i] = std::copysign(std::max(std::abs(theta[i]) - threshold, 0.0), theta[i]);
        }
    };
    double value = objective();
    Record record(ctx, stop, value, optimality());
    const bool whole = params.rule == "gd";
    Batches batches(loss, X, whole ? 1 : rows_of_step(params, n_rows(X)));
    while (record.goes_on() && std::isfinite(value)) {
        ctx.checkpoint();
        if (whole)
            step(gradient);
        else
            batches.for_each(ctx, record.n_iter(), theta, step);
        loss.centre(theta.data(), params.l1 == 0); // rates of their own let coefficients drift together
        value = objective();
        record.iteration(value, optimality());
    }
    return record.take();
}

} // namespace mlcore::linear_model
