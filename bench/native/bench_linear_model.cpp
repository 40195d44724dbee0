// Logistic regression: one sweep over the rows (scores, loss, gradient), products with the Hessian and the Hessian
// itself, beside the machine's peak of multiply-adds or of reading, on tables as large as those it is used on; then
// whole fits.
#include "bench.hpp"
#include "core/random.hpp"
#include "linear_model/logistic/fit.hpp"
#include "linear_model/logistic/loss.hpp"

#include <cstdint>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::linear_model;
using namespace mlcore::linalg;

namespace {

struct Problem {
    std::size_t n, d, classes;
    std::vector<double> x;
    std::vector<float> x32;
    std::vector<std::int32_t> y;

    Problem(std::size_t rows, std::size_t cols, std::size_t n_classes)
        : n(rows), d(cols), classes(n_classes), x(rows * cols), y(rows) {
        const Philox random(1, 0), labels(1, 1);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = random.normal(i);
        x32.assign(x.begin(), x.end());
        for (std::size_t i = 0; i < n; ++i) { // a noisy linear rule, so that probabilities are not all 0 and 1
            double best = -1e300;
            for (std::size_t k = 0; k < classes; ++k) {
                const double score = x[i * d + k % d] + 2 * labels.normal(i * classes + k);
                if (score > best) best = score, y[i] = static_cast<std::int32_t>(k);
            }
        }
    }
    Table table() const { return row_major(x.data(), n, d); }
    Table table32() const { return row_major(x32.data(), n, d); }
};

std::string label(const char* what, const Problem& p, const char* type) {
    return std::string(what) + " " + std::to_string(p.n) + " x " + std::to_string(p.d) + ", " +
           std::to_string(p.classes) + " classes, " + type;
}

/// Double precision peaks are half of the float ones.
void sweeps(const RunContext& ctx, const Problem& p, const Table& X, const char* type, const bench::Peaks& peaks) {
    const auto design = make_design(X);
    LogisticLoss loss(*design, p.y, {}, p.classes, true, 1e-4);
    std::vector<double> theta(loss.n_parameters(), 0.01), gradient(theta.size());
    const double K = static_cast<double>(loss.n_outputs()), nd = static_cast<double>(p.n * p.d);
    const double peak = 1e9 * peaks.fma_gflop / 2;
    bench::print_result(label("sweep,", p, type).c_str(), bench::median_seconds([&] {
                            bench::keep(loss.value_and_gradient(ctx, theta.data(), gradient.data()));
                        }),
                        4 * nd * K, "FLOP", peak);
    bench::print_result(label("Hessian x v,", p, type).c_str(),
                        bench::median_seconds([&] { loss.hessian_product(ctx, theta.data(), gradient.data()); }),
                        4 * nd * K, "FLOP", peak);
    bench::print_result(label("Hessian blocks,", p, type).c_str(),
                        bench::median_seconds([&] { loss.hessian_blocks(ctx, loss.whole_table()); }),
                        nd * K * static_cast<double>(p.d + 1), "FLOP", peak);
}

void fits(const RunContext& ctx, const Problem& p) {
    const double l2 = 1 / static_cast<double>(p.n);
    for (const char* solver : {"lbfgs", "newton-cholesky", "coordinate_descent"}) {
        const bool l1 = std::string(solver) == "coordinate_descent";
        const LogisticParams params{.n_classes = p.classes, .l1 = l1 ? l2 : 0, .l2 = l1 ? 0 : l2, .solver = solver};
        const std::vector<double> start((p.classes == 2 ? 1 : p.classes) * (p.d + 1), 0.0);
        LogisticFit fit;
        const double seconds =
            bench::median_seconds([&] { fit = fit_logistic(ctx, p.table(), p.y, {}, start, params); }, 3);
        const std::string name = label(solver, p, "double") + ", " + std::to_string(fit.n_iter) + " iterations";
        bench::print_result(name.c_str(), seconds, static_cast<double>(p.n), "row");
        if (!fit.converged) std::printf("    NOT CONVERGED: %g left\n", fit.optimality);
    }
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    StandaloneRun run(n_threads);
    for (const Problem& p : {Problem(20000, 60, 2), Problem(500000, 50, 2), Problem(7500, 16, 10),
                             Problem(15000, 54, 7), Problem(7300, 256, 10)}) {
        sweeps(run.context, p, p.table(), "double", peaks);
        sweeps(run.context, p, p.table32(), "float", peaks);
        fits(run.context, p);
    }
}
