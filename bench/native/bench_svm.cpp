// The parts of a kernel machine: rows of the kernel matrix, steps within a working set, the sweep that brings the
// gradient up to date, prediction. Rates of the rows count the multiply-adds of the inner products alone.
#include "bench.hpp"

#include "core/random.hpp"
#include "svm/decision.hpp"
#include "svm/points.hpp"
#include "svm/subproblem.hpp"
#include "svm/trainer.hpp"

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::svm;

namespace {

std::vector<std::int32_t> counting(std::size_t n) {
    std::vector<std::int32_t> ids(n);
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
}

struct Data {
    std::size_t n, d;
    std::vector<float> x;
    std::vector<float> values;
    std::vector<std::int32_t> indices, indptr{0};

    Data(std::size_t rows, std::size_t cols, double density = 1) : n(rows), d(cols), x(rows * cols) {
        const Philox random(1, 0), holes(1, 1);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t k = 0; k < d; ++k) {
                const std::size_t at = i * d + k;
                if (density < 1 && holes.uniform(at) >= density) continue;
                x[at] = static_cast<float>(random.normal(at));
                values.push_back(x[at]);
                indices.push_back(static_cast<std::int32_t>(k));
            }
            indptr.push_back(static_cast<std::int32_t>(values.size()));
        }
    }
    Table dense() const { return row_major<const float>(x.data(), n, d); }
    Table sparse() const { return CsrView<float, std::int32_t>{values.data(), indices.data(), indptr.data(), n, d}; }
};

void rows(int n_threads, const bench::Peaks& peaks, std::size_t n, std::size_t d, double density, Kernel kernel,
          const char* name) {
    const StandaloneRun run(n_threads);
    const Data data(n, d, density);
    constexpr std::size_t m = 256;
    kernel.gamma /= static_cast<double>(d) * density;
    const Points points(run.context, density < 1 ? data.sparse() : data.dense(), kernel);
    const Columns columns(run.context, points, counting(n));
    const std::vector<std::int32_t> ids = counting(m);
    std::vector<Buffer<float>> values;
    std::vector<float*> out;
    for (std::size_t i = 0; i < m; ++i) out.push_back(values.emplace_back(padded(n)).data());
    const auto compute = [&] { kernel_rows(run.context, RowBatch(run.context, points, ids), columns, out.data()); };
    compute();
    if (kernel.type == Kernel::Type::rbf && std::abs(values[7][7] - 1) > 1e-4F) std::abort();
    const double per_value =
        2 * (density < 1 ? static_cast<double>(data.values.size()) / static_cast<double>(n) : static_cast<double>(d));
    const std::string text =
        std::string(name) + ", " + std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(d);
    bench::print_result(text.c_str(), bench::median_seconds(compute), per_value * static_cast<double>(m * n), "FLOP",
                        peaks.fma_gflop * 1e9);
}

void steps(std::size_t q) {
    const StandaloneRun run;
    const Data data(q, 10);
    const Points points(run.context, data.dense(), {Kernel::Type::rbf, 0.1, 0, 3});
    Subproblem sub(q);
    const std::vector<std::int32_t> ids = counting(q);
    const RowBatch batch(run.context, points, ids);
    const Columns columns(run.context, points, ids);
    std::int64_t done = 0;
    const double seconds = bench::median_seconds([&] {
        sub.resize(q);
        std::vector<float*> out;
        for (std::size_t v = 0; v < q; ++v) {
            out.push_back(sub.kernel(v));
            sub.y(v) = (data.x[v * 10] > 0) != (v % 7 == 0) ? 1 : -1;
            sub.f(v) = -sub.y(v);
            sub.alpha(v) = 0;
            sub.C(v) = 10;
            sub.diagonal(v) = 1;
        }
        kernel_rows(run.context, batch, columns, out.data());
        done = sub.solve(false, 1e-3, 0, 1'000'000);
    });
    const std::string text = "steps in a working set of " + std::to_string(q);
    bench::print_result(text.c_str(), seconds, static_cast<double>(done), "steps");
}

void fit_and_predict(int n_threads, std::size_t n, std::size_t d, std::size_t k) {
    const StandaloneRun run(n_threads);
    const Data data(n, d);
    std::vector<double> y(n), C(n, 1.0);
    for (std::size_t i = 0; i < n; ++i) {
        const float* x = &data.x[i * d];
        const double angle = std::atan2(static_cast<double>(x[0] + 0.3F * x[2]), static_cast<double>(x[1]));
        y[i] = std::floor((angle / 6.2832 + 0.5) * static_cast<double>(k) * 0.9999);
    }
    const TrainParams params{.kernel = {Kernel::Type::rbf, 1 / static_cast<double>(d), 0, 3}};
    const Table X = data.dense();
    Model model;
    const std::string text = std::to_string(n) + " x " + std::to_string(d) + ", " + std::to_string(k) + " classes";
    bench::print_result(("fit, " + text).c_str(),
                        bench::median_seconds([&] { model = train(run.context, X, y, C, params); }, 3),
                        static_cast<double>(n), "rows");
    std::vector<float> vectors;
    for (const std::int32_t id : model.support)
        vectors.insert(vectors.end(), data.x.begin() + id * static_cast<std::ptrdiff_t>(d),
                       data.x.begin() + (id + 1) * static_cast<std::ptrdiff_t>(d));
    const Table SV = row_major<const float>(vectors.data(), model.support.size(), d);
    std::vector<double> out(n * model.intercept.size());
    const double seconds = bench::median_seconds(
        [&] {
            decision_function(run.context, X,
                              {SV, params.kernel, model.n_support, model.dual_coef.data(), model.intercept},
                              out.data());
        },
        3);
    bench::print_result(("predict, " + std::to_string(model.support.size()) + " support vectors").c_str(), seconds,
                        static_cast<double>(n), "rows");
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    rows(n_threads, peaks, 20000, 256, 1, {Kernel::Type::linear, 1, 0, 3}, "linear rows");
    for (const std::size_t d : {16, 64, 256, 784})
        rows(n_threads, peaks, 20000, d, 1, {Kernel::Type::rbf, 1, 0, 3}, "rbf rows");
    rows(n_threads, peaks, 20000, 64, 1, {Kernel::Type::poly, 1, 1, 3}, "poly rows");
    rows(n_threads, peaks, 20000, 64, 1, {Kernel::Type::rbf, 100, 0, 3}, "rbf rows in float64");
    rows(n_threads, peaks, 20000, 300, 0.04, {Kernel::Type::rbf, 1, 0, 3}, "sparse rbf rows");
    for (const std::size_t q : {128, 512}) steps(q);
    fit_and_predict(n_threads, 8000, 20, 2);
    fit_and_predict(n_threads, 8000, 20, 8);
}
