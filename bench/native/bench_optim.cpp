// Steps of the optimizers over 10 million parameters in many arrays, beside the machine's copy bandwidth.
#include "bench.hpp"

#include "optim/arrays.hpp"

using namespace mlcore;

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    StandaloneRun run(n_threads);
    constexpr std::size_t sizes[] = {7'000'000, 2'000'000, 900'000, 90'000, 9'000, 900, 90, 10};
    std::size_t n = 0;
    for (const std::size_t size : sizes) n += size;
    Buffer<float> g(n, 0.1f), p(n, 0.2f), v(n, 0.0f), s(n, 0.0f);

    const auto arrays = [&](std::uint64_t t) {
        std::vector<optim::ParameterArray> made;
        std::size_t at = 0;
        for (const std::size_t size : sizes) {
            made.push_back({.size = size,
                            .gradient = &g[at],
                            .parameters = &p[at],
                            .velocity = &v[at],
                            .squares = &s[at],
                            .t = t});
            at += size;
        }
        return made;
    };

    struct Case {
        optim::Rule rule;
        const char* name;
        double arrays_moved; // read and written
    };
    for (const auto& [rule, name, moved] :
         {Case{optim::Rule::sgd, "sgd", 3}, Case{optim::Rule::momentum, "momentum", 5},
          Case{optim::Rule::adagrad, "adagrad", 5}, Case{optim::Rule::adamw, "adamw", 7}}) {
        const optim::OptimizerParams params{.rule = rule, .learning_rate = 1e-3, .weight_decay = 0.01};
        std::uint64_t t = 0;
        const double seconds =
            bench::median_seconds([&] { optim::update_arrays(run.context, params, arrays(++t)); }, 15);
        bench::keep(p[0]);
        bench::print_result(name, seconds, moved * sizeof(float) * static_cast<double>(n), "B", 1e9 * peaks.copy_gb);
    }
    const std::span<const float> span(g.data(), n);
    const double seconds =
        bench::median_seconds([&] { bench::keep(optim::square_sums(run.context, {&span, 1})[0]); }, 15);
    bench::print_result("norm of the gradient", seconds, sizeof(float) * static_cast<double>(n), "B",
                        1e9 * peaks.read_gb);
}
