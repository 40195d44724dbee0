#include "linear_model/logistic/loss.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "core/sums.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace mlcore::linear_model {

LogisticLoss::LogisticLoss(const linalg::Design& design, std::span<const std::int32_t> y,
                           std::span<const double> weight, std::size_t n_classes, bool fit_intercept, double l2)
    : design_(design), y_(y), weight_(weight), K_(n_classes == 2 ? 1 : n_classes), fit_intercept_(fit_intercept),
      l2_(l2), total_weight_(static_cast<double>(design.n_rows())) {
    if (n_classes < 2) throw ValueError("n_classes must be at least 2, got " + std::to_string(n_classes));
    if (y.size() != design.n_rows())
        throw ValueError("y must have " + std::to_string(design.n_rows()) + " entries, got " +
                         std::to_string(y.size()));
    if (!weight.empty() && weight.size() != y.size())
        throw ValueError("sample_weight must have " + std::to_string(y.size()) + " entries, got " +
                         std::to_string(weight.size()));
    for (const std::int32_t label : y)
        if (label < 0 || static_cast<std::size_t>(label) >= n_classes)
            throw ValueError("y must hold classes 0.." + std::to_string(n_classes - 1) + ", got " +
                             std::to_string(label));
    if (!weight.empty()) {
        total_weight_ = 0;
        for (const double s : weight) {
            if (!(s >= 0) || std::isinf(s)) throw ValueError("sample_weight must be finite and not negative");
            total_weight_ += s;
        }
    }
    if (!(total_weight_ > 0)) throw ValueError("the sum of sample_weight must be positive");
    probability_ = Buffer<double>(n_blocks() * K_ * design.block_rows());
}

// ---- sweeps over the rows -------------------------------------------------------------------------------------------

std::size_t LogisticLoss::n_blocks() const {
    return (design_.n_rows() + design_.block_rows() - 1) / design_.block_rows();
}

LogisticLoss::Pieces LogisticLoss::pieces(std::size_t most) const {
    const std::size_t each = std::max<std::size_t>((n_blocks() + most - 1) / most, 1);
    return {(n_blocks() + each - 1) / each, each};
}

double LogisticLoss::sweep_ns(std::size_t n_rows) const {
    const double stored = static_cast<double>(design_.n_stored()) / static_cast<double>(design_.n_rows());
    return static_cast<double>(n_rows) * static_cast<double>(K_) * (0.3 * stored + 5);
}

template <class F>
void LogisticLoss::sum_blocks(const RunContext& ctx, std::size_t most, std::size_t size, double* out, F&& f) const {
    const std::size_t B = design_.block_rows();
    const Pieces cut = pieces(most);
    parallel_sums(
        ctx, cut.n, sweep_ns(cut.blocks_each * B), size, out, [&](std::size_t piece, double* sum, int thread) {
            const std::size_t last = std::min((piece + 1) * cut.blocks_each, n_blocks());
            for (std::size_t block = piece * cut.blocks_each; block < last; ++block)
                f(block, block * B, std::min((block + 1) * B, design_.n_rows()), sum, static_cast<std::size_t>(thread));
        });
}

namespace {

/// Sums that fit a task's own copy each: the fewer, the larger they are.
std::size_t most_tasks(std::size_t size) {
    const std::size_t least = size > std::size_t{1} << 20 ? 4 : 8;
    return std::clamp((std::size_t{1} << 18) / size, least, std::size_t{64});
}

/// What a thread works with in a sweep.
struct Local {
    linalg::Design::Scratch design;
    Buffer<double> z, scratch;

    void reserve(std::size_t z_size, std::size_t scratch_size = 0) {
        if (!z.empty()) return;
        z = Buffer<double>(z_size);
        scratch = Buffer<double>(scratch_size);
    }
};

} // namespace

void LogisticLoss::add_gradient(std::size_t begin, std::size_t end, const double* r, std::size_t n_outputs, double* sum,
                                linalg::Design::Scratch& scratch) const {
    design_.add_gradient(begin, end, r, n_outputs, sum, scratch);
    double* of_ones = sum + design_.gradient_size(n_outputs);
    for (std::size_t k = 0; k < n_outputs; ++k) of_ones[k] += ordered_sum(r + k * design_.block_rows(), end - begin);
}

void LogisticLoss::read_gradient(const double* sum, std::size_t n_outputs, double* gradient) const {
    const std::size_t d = design_.n_cols(), size = design_.gradient_size(n_outputs);
    design_.read_gradient(sum, n_outputs, gradient);
    for (std::size_t k = 0; k < n_outputs; ++k) gradient[k * (d + 1) + d] = fit_intercept_ ? sum[size + k] : 0.0;
    gradient_from_table(gradient, n_outputs);
}

double LogisticLoss::value_and_gradient(const RunContext& ctx, const double* theta, double* gradient) {
    const std::size_t B = design_.block_rows(), d = design_.n_cols(), size = design_.gradient_size(K_);
    const linalg::Coefficients w = coefficients(theta, K_);
    Buffer<double> total(size + K_ + 1, 0.0); // gradient, its intercepts, loss
    std::vector<Local> local(static_cast<std::size_t>(ctx.n_threads));
    sum_blocks(ctx, most_tasks(size), total.size(), total.data(),
               [&](std::size_t block, std::size_t begin, std::size_t end, double* sum, std::size_t thread) {
                   Local& mine = local[thread];
                   mine.reserve(K_ * B, 3 * B);
                   double* p = probability_.data() + block * K_ * B;
                   const double* s = weight_.empty() ? nullptr : weight_.data() + begin;
                   design_.scores(begin, end, w, mine.z.data(), mine.design);
                   sum[size + K_] +=
                       logistic_block(end - begin, K_, B, mine.z.data(), p, mine.scratch.data(), &y_[begin], s);
                   add_gradient(begin, end, mine.z.data(), K_, sum, mine.design);
               });
    read_gradient(total.data(), K_, gradient);
    double penalty = 0;
    for (std::size_t k = 0; k < K_; ++k) {
        double* row = gradient + k * (d + 1);
        const double* coef = theta + k * (d + 1);
        for (std::size_t j = 0; j < d; ++j) {
            const double shrinkage = l2(j) * coef[j];
            row[j] = row[j] / total_weight_ + shrinkage;
            penalty += shrinkage * coef[j];
        }
        row[d] /= total_weight_;
    }
    return total[size + K_] / total_weight_ + penalty / 2;
}

void LogisticLoss::hessian_product(const RunContext& ctx, const double* v, double* out) const {
    const std::size_t B = design_.block_rows(), d = design_.n_cols(), size = design_.gradient_size(K_);
    const linalg::Coefficients w = coefficients(v, K_);
    Buffer<double> total(size + K_, 0.0);
    std::vector<Local> local(static_cast<std::size_t>(ctx.n_threads));
    sum_blocks(ctx, most_tasks(size), total.size(), total.data(),
               [&](std::size_t block, std::size_t begin, std::size_t end, double* sum, std::size_t thread) {
                   Local& mine = local[thread];
                   mine.reserve(K_ * B, B);
                   double *z = mine.z.data(), *mean = mine.scratch.data();
                   const double* p = probability_.data() + block * K_ * B;
                   const std::size_t n = end - begin;
                   design_.scores(begin, end, w, z, mine.design);
                   if (K_ == 1) {
                       for (std::size_t i = 0; i < n; ++i) z[i] *= p[i] * (1.0 - p[i]);
                   } else {
                       std::fill_n(mean, n, 0.0);
                       for (std::size_t k = 0; k < K_; ++k)
                           for (std::size_t i = 0; i < n; ++i) mean[i] += p[k * B + i] * z[k * B + i];
                       for (std::size_t k = 0; k < K_; ++k)
                           for (std::size_t i = 0; i < n; ++i) z[k * B + i] = p[k * B + i] * (z[k * B + i] - mean[i]);
                   }
                   if (!weight_.empty())
                       for (std::size_t k = 0; k < K_; ++k)
                           for (std::size_t i = 0; i < n; ++i) z[k * B + i] *= weight_[begin + i];
                   add_gradient(begin, end, z, K_, sum, mine.design);
               });
    read_gradient(total.data(), K_, out);
    for (std::size_t k = 0; k < K_; ++k) {
        double* row = out + k * (d + 1);
        const double* from = v + k * (d + 1);
        for (std::size_t j = 0; j < d; ++j) row[j] = row[j] / total_weight_ + l2(j) * from[j];
        row[d] = fit_intercept_ ? row[d] / total_weight_ : from[d];
    }
}

double LogisticLoss::gram_norm(const RunContext& ctx) const {
    const std::size_t B = design_.block_rows(), d = design_.n_cols(), size = design_.gradient_size(1);
    std::vector<Local> local(static_cast<std::size_t>(ctx.n_threads));
    std::vector<double> v(d + 1), next(d + 1);
    const Philox random(ctx.seed, 0);
    for (std::size_t j = 0; j <= d; ++j) v[j] = random.uniform(j) - 0.5; // power iteration from anywhere
    v[d] = fit_intercept_ ? 1.0 : 0.0;
    double norm = 0;
    constexpr int most_rounds = 30;
    for (int round = 0; round < most_rounds; ++round) {
        ctx.checkpoint();
        double length = 0;
        for (const double x : v) length += x * x;
        if (length == 0) return 0;
        for (double& x : v) x /= std::sqrt(length);
        const linalg::Coefficients w = coefficients(v.data(), 1);
        Buffer<double> total(size + 1, 0.0);
        sum_blocks(ctx, most_tasks(size), total.size(), total.data(),
                   [&](std::size_t, std::size_t begin, std::size_t end, double* sum, std::size_t thread) {
                       Local& mine = local[thread];
                       mine.reserve(B);
                       double* z = mine.z.data();
                       design_.scores(begin, end, w, z, mine.design);
                       for (std::size_t i = 0; i < end - begin; ++i) z[i] *= weight(begin + i);
                       add_gradient(begin, end, z, 1, sum, mine.design);
                   });
        read_gradient(total.data(), 1, next.data());
        double product = 0;
        for (std::size_t j = 0; j <= d; ++j) product += v[j] * next[j];
        const double before = norm;
        norm = product / total_weight_;
        v.swap(next);
        if (norm - before <= 1e-3 * norm) break;
    }
    return norm;
}

template <class Weights>
std::vector<Buffer<double>> LogisticLoss::products(const RunContext& ctx, std::span<const linalg::ColumnSet> columns,
                                                   std::span<const Pair> pairs, Weights&& weights) const {
    const std::size_t B = design_.block_rows();
    std::size_t size = 0;
    double ns = 0;
    for (const auto& [k, l] : pairs) {
        size += columns[k].size() * columns[l].stride();
        ns = std::max(ns, design_.products_ns(columns[k], columns[l]));
    }
    constexpr std::size_t rows_together = 128; // the sums are loaded and stored once for so many
    const std::size_t together = std::max<std::size_t>(rows_together / B, 1);
    constexpr std::size_t most_bytes = std::size_t{1} << 26, tasks_wanted = 16;
    const std::size_t fit = std::max<std::size_t>(most_bytes / (8 * size), 1); // pieces, each with its own sums
    const Pieces cut = pieces(std::min(fit, std::max<std::size_t>(tasks_wanted / pairs.size(), 1)));

    std::vector<Buffer<double>> partial(cut.n * pairs.size());
    std::vector<Local> local(static_cast<std::size_t>(ctx.n_threads));
    ns *= static_cast<double>(cut.blocks_each * B);
    parallel_tasks(ctx, partial.size(), ns, [&](std::size_t task, int thread) {
        Local& mine = local[static_cast<std::size_t>(thread)];
        mine.reserve(together * B);
        const std::size_t piece = task / pairs.size(), pair = task % pairs.size();
        const auto [k, l] = pairs[pair];
        partial[task] = Buffer<double>(columns[k].size() * columns[l].stride(), 0.0);
        const std::size_t last = std::min((piece + 1) * cut.blocks_each, n_blocks());
        for (std::size_t first = piece * cut.blocks_each; first < last; first += together) {
            if (size > 1000) ctx.checkpoint(); // a task may take a second
            const std::size_t until = std::min(first + together, last);
            for (std::size_t block = first; block < until; ++block)
                weights(pair, block, block * B, std::min((block + 1) * B, design_.n_rows()),
                        mine.z.data() + (block - first) * B);
            const std::size_t begin = first * B, end = std::min(until * B, design_.n_rows());
            design_.add_products(begin, end, mine.z.data(), columns[k], columns[l], partial[task].data(), mine.design);
        }
    });
    parallel_tasks(ctx, pairs.size(), static_cast<double>(size * cut.n), [&](std::size_t pair, int) {
        Buffer<double>& total = partial[pair];
        for (std::size_t piece = 1; piece < cut.n; ++piece) {
            const Buffer<double>& other = partial[piece * pairs.size() + pair];
            for (std::size_t i = 0; i < total.size(); ++i) total[i] += other[i];
        }
        for (double& value : total) value /= total_weight_;
        standardise(columns[pairs[pair].first], columns[pairs[pair].second], total.data());
    });
    partial.resize(pairs.size());
    return partial;
}

void LogisticLoss::finish_block(const linalg::ColumnSet& columns, const Buffer<double>& sum, double* block,
                                std::size_t stride) const {
    const std::size_t m = columns.size();
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = i; j < m; ++j) {
            double value = sum[i * columns.stride() + j];
            if (j + 1 == m && !fit_intercept_) value = i == j ? 1.0 : 0.0;
            if (i == j && j + 1 < m) value += l2(columns.chosen()[j]);
            block[i * stride + j] = block[j * stride + i] = value;
        }
}

std::vector<Buffer<double>> LogisticLoss::hessian_blocks(const RunContext& ctx,
                                                         std::span<const linalg::ColumnSet> columns, bool bound) const {
    const std::size_t B = design_.block_rows();
    std::vector<Pair> pairs;
    for (std::size_t k = 0; k < columns.size(); ++k) pairs.emplace_back(k, k);
    std::vector<Buffer<double>> sums = products(
        ctx, columns, pairs, [&](std::size_t k, std::size_t block, std::size_t begin, std::size_t end, double* h) {
            const double* p = probability_.data() + (block * K_ + k) * B;
            for (std::size_t i = 0; i < end - begin; ++i) h[i] = weight(begin + i) * p[i] * (bound ? 1.0 : 1.0 - p[i]);
        });
    for (std::size_t k = 0; k < columns.size(); ++k) {
        const std::size_t m = columns[k].size();
        Buffer<double> block(m * m);
        finish_block(columns[k], sums[k], block.data(), m);
        sums[k] = std::move(block);
    }
    return sums;
}

Buffer<double> LogisticLoss::hessian(const RunContext& ctx, std::span<const linalg::ColumnSet> columns) const {
    const std::size_t B = design_.block_rows();
    std::vector<Pair> pairs;
    std::vector<std::size_t> first(K_ + 1, 0);
    for (std::size_t k = 0; k < K_; ++k) {
        first[k + 1] = first[k] + columns[k].size();
        for (std::size_t l = 0; l <= k; ++l) pairs.emplace_back(k, l);
    }
    const std::size_t m = first[K_];
    Buffer<double> all(m * m);
    constexpr std::size_t at_once = 16; // pairs: bounds the memory beside the matrix itself
    for (std::size_t from = 0; from < pairs.size(); from += at_once) {
        const std::span<const Pair> some(pairs.data() + from, std::min(at_once, pairs.size() - from));
        const std::vector<Buffer<double>> sums =
            products(ctx, columns, some,
                     [&](std::size_t pair, std::size_t block, std::size_t begin, std::size_t end, double* h) {
                         const auto [k, l] = some[pair];
                         const double *pk = probability_.data() + (block * K_ + k) * B,
                                      *pl = probability_.data() + (block * K_ + l) * B;
                         for (std::size_t i = 0; i < end - begin; ++i)
                             h[i] = weight(begin + i) * pk[i] * ((k == l ? 1.0 : 0.0) - pl[i]);
                     });
        for (std::size_t pair = 0; pair < some.size(); ++pair) {
            const auto [k, l] = some[pair];
            double* corner = all.data() + first[k] * m + first[l];
            if (k == l) {
                finish_block(columns[k], sums[pair], corner, m);
                continue;
            }
            const std::size_t rows = columns[k].size(), cols = columns[l].size(), stride = columns[l].stride();
            const bool same = linalg::same_columns(columns[k], columns[l]);
            for (std::size_t i = 0; i < rows; ++i)
                for (std::size_t j = 0; j < cols; ++j) {
                    const bool unused = !fit_intercept_ && (i + 1 == rows || j + 1 == cols);
                    const double sum = same && j < i ? sums[pair][j * stride + i] : sums[pair][i * stride + j];
                    const double value = unused ? 0.0 : sum;
                    corner[i * m + j] = all[(first[l] + j) * m + first[k] + i] = value;
                }
        }
    }
    return all;
}

void LogisticLoss::hessian_diagonal(const RunContext& ctx, double* out) const {
    const std::size_t B = design_.block_rows(), d = design_.n_cols(), D = design_.padded_cols();
    const std::size_t size = design_.gradient_size(1), stride = simd::round_up(D + size + 1, 8); // squares, sums, ones
    Buffer<double> total(K_ * stride, 0.0);
    std::vector<Local> local(static_cast<std::size_t>(ctx.n_threads));
    sum_blocks(ctx, most_tasks(K_ * stride), total.size(), total.data(),
               [&](std::size_t block, std::size_t begin, std::size_t end, double* sums, std::size_t thread) {
                   Local& mine = local[thread];
                   mine.reserve(B);
                   for (std::size_t k = 0; k < K_; ++k) {
                       const double* p = probability_.data() + (block * K_ + k) * B;
                       double* sum = sums + k * stride;
                       for (std::size_t i = 0; i < end - begin; ++i)
                           mine.z[i] = weight(begin + i) * p[i] * (1.0 - p[i]);
                       design_.add_squares(begin, end, mine.z.data(), sum, mine.design);
                       add_gradient(begin, end, mine.z.data(), 1, sum + D, mine.design);
                   }
               });
    std::vector<double> sums(d + 1);
    for (std::size_t k = 0; k < K_; ++k) {
        const double* sum = total.data() + k * stride;
        const double ones = sum[D + size];
        design_.read_gradient(sum + D, 1, sums.data());
        for (std::size_t j = 0; j < d; ++j) {
            const double m = coordinates_.shift.empty() ? 0 : coordinates_.shift[j], u = inverse(j);
            const double square = std::max(sum[j] + m * (m * ones - 2 * sums[j]), 0.0);
            out[k * (d + 1) + j] = square * u * u / total_weight_ + l2(j);
        }
        out[k * (d + 1) + d] = fit_intercept_ ? ones / total_weight_ : 1.0;
    }
}

} // namespace mlcore::linear_model
