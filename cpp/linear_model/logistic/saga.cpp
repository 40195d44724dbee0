#include "linear_model/logistic/saga.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "linear_model/logistic/proximal_newton.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mlcore::linear_model {
namespace {

/// Blocks of the table, in an order that each epoch draws.
class Blocks {
  public:
    explicit Blocks(const linalg::Design& design)
        : n_rows_(design.n_rows()), rows_(std::min<std::size_t>(design.block_rows(), 8)),
          order_((n_rows_ + rows_ - 1) / rows_) {}

    std::size_t count() const { return order_.size(); }
    std::size_t begin(std::size_t block) const { return block * rows_; }
    std::size_t end(std::size_t block) const { return std::min(begin(block) + rows_, n_rows_); }

    const std::vector<std::size_t>& shuffled(std::uint64_t seed, int epoch) {
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        const Philox random(seed, static_cast<std::uint64_t>(epoch) + 1);
        for (std::size_t i = count(); i > 1; --i) std::swap(order_[i - 1], order_[random.below(i, i)]);
        return order_;
    }

    std::size_t rows() const { return rows_; }

  private:
    std::size_t n_rows_, rows_;
    std::vector<std::size_t> order_;
};

class Saga {
  public:
    Saga(const LogisticLoss& loss, double l1)
        : loss_(loss), design_(loss.design()), l1_(l1), blocks_(design_), K_(loss.n_outputs()), m_(loss.n_cols() + 1),
          residual_(blocks_.count() * K_ * blocks_.rows(), 0.0), z_(K_ * design_.block_rows()),
          p_(K_ * design_.block_rows()), scratch_(3 * design_.block_rows()), sum_(design_.gradient_size(K_)),
          change_(K_ * m_), mean_(K_ * m_, 0.0) {}

    /// n_blocks / S times the largest curvature that the rows of a block have together: over all blocks.
    double curvature(const RunContext& ctx) {
        const std::size_t n_blocks = blocks_.count();
        std::vector<double> norms(n_blocks);
        const double ns = 20.0 * static_cast<double>(design_.n_stored()) / static_cast<double>(n_blocks);
        parallel_tasks(ctx, n_blocks, ns, [&](std::size_t block, int) { norms[block] = block_norm(block); });
        return loss_.curvature_bound() * static_cast<double>(n_blocks) * *std::max_element(norms.begin(), norms.end()) +
               loss_.largest_l2();
    }

    void epoch(const RunContext& ctx, int number, double rate, Vector& theta) {
        for (const std::size_t block : blocks_.shuffled(ctx.seed, number)) {
            ctx.checkpoint();
            step(block, rate, theta);
        }
    }

  private:
    /// Largest eigenvalue of sum_i s_i (x_i, 1) (x_i, 1)^T / S over the rows of one block.
    double block_norm(std::size_t block) const {
        const std::size_t begin = blocks_.begin(block), end = blocks_.end(block);
        linalg::Design::Scratch scratch;
        Buffer<double> z(design_.block_rows()), sum(design_.gradient_size(1));
        std::vector<double> v(m_, 1.0);
        if (!loss_.fit_intercept()) v[m_ - 1] = 0;
        double norm = 0;
        constexpr int rounds = 8;
        constexpr double margin = 1.25; // so few rounds end below the eigenvalue
        for (int round = 0; round < rounds; ++round) {
            double length = 0;
            for (const double x : v) length += x * x;
            if (length == 0) return 0;
            for (double& x : v) x /= std::sqrt(length);
            design_.scores(begin, end, loss_.coefficients(v.data(), 1), z.data(), scratch);
            norm = 0;
            for (std::size_t i = 0; i < end - begin; ++i) {
                norm += loss_.weight(begin + i) * z[i] * z[i];
                z[i] *= loss_.weight(begin + i);
            }
            sum.fill(0.0);
            design_.add_gradient(begin, end, z.data(), 1, sum.data(), scratch);
            design_.read_gradient(sum.data(), 1, v.data());
            v[m_ - 1] = loss_.fit_intercept() ? ordered_sum(z.data(), end - begin) : 0.0;
            loss_.gradient_from_table(v.data(), 1);
        }
        return margin * norm / loss_.total_weight();
    }

    void step(std::size_t block, double rate, Vector& theta) {
        const std::size_t B = design_.block_rows(), begin = blocks_.begin(block), end = blocks_.end(block);
        const std::size_t n = end - begin, d = m_ - 1;
        double* old = residual_.data() + block * K_ * blocks_.rows();
        weight_.resize(n);
        for (std::size_t i = 0; i < n; ++i) weight_[i] = loss_.weight(begin + i);
        design_.scores(begin, end, loss_.coefficients(theta.data(), K_), z_.data(), design_scratch_);
        logistic_block(n, K_, B, z_.data(), p_.data(), scratch_.data(), loss_.y().data() + begin, weight_.data());
        for (std::size_t k = 0; k < K_; ++k)
            for (std::size_t i = 0; i < n; ++i) {
                const double now = z_[k * B + i] / loss_.total_weight();
                double& before = old[k * blocks_.rows() + i];
                z_[k * B + i] = now - before;
                before = now;
            }
        sum_.fill(0.0);
        design_.add_gradient(begin, end, z_.data(), K_, sum_.data(), design_scratch_);
        design_.read_gradient(sum_.data(), K_, change_.data());
        for (std::size_t k = 0; k < K_; ++k)
            change_[k * m_ + d] = loss_.fit_intercept() ? ordered_sum(&z_[k * B], n) : 0.0;
        loss_.gradient_from_table(change_.data(), K_);

        const auto n_blocks = static_cast<double>(blocks_.count());
        for (std::size_t k = 0; k < K_; ++k) {
            double *w = &theta[k * m_], *mean = &mean_[k * m_];
            const double* change = &change_[k * m_];
            for (std::size_t j = 0; j < d; ++j) {
                const double moved = w[j] - rate * (n_blocks * change[j] + mean[j] + loss_.l2(j) * w[j]);
                w[j] = std::copysign(std::max(std::abs(moved) - rate * l1_ * loss_.inverse(j), 0.0), moved);
                mean[j] += change[j];
            }
            w[d] -= rate * (n_blocks * change[d] + mean[d]);
            mean[d] += change[d];
        }
    }

    const LogisticLoss& loss_;
    const linalg::Design& design_;
    double l1_;
    Blocks blocks_;
    std::size_t K_, m_;
    Buffer<double> residual_; // of each block when it was last drawn, by S
    Buffer<double> z_, p_, scratch_, sum_;
    Vector change_, mean_, weight_; // gradient of a block, new minus old; the sum of the old ones
    linalg::Design::Scratch design_scratch_;
};

} // namespace

Outcome minimise_saga(const RunContext& ctx, LogisticLoss& loss, double l1, Vector& theta, const StopRule& stop) {
    Vector gradient(theta.size()), before = theta;
    const auto objective = [&] { // brings the gradient up to date
        return loss.value_and_gradient(ctx, theta.data(), gradient.data()) + l1_penalty(loss, l1, theta);
    };
    double value = objective();
    Record record(ctx, stop, value, largest_subgradient(loss, l1, theta, gradient));
    Saga saga(loss, l1);
    double rate = 1 / std::max(saga.curvature(ctx), 1e-300);
    while (record.goes_on()) {
        before = theta;
        const double highest = value + 1e-9 * std::abs(value);
        saga.epoch(ctx, record.n_iter(), rate, theta);
        value = objective();
        if (!(value <= highest)) {
            rate /= 2;
            theta = before;
            value = objective();
        }
        record.iteration(value, largest_subgradient(loss, l1, theta, gradient));
    }
    return record.take();
}

} // namespace mlcore::linear_model
