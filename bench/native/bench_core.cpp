// The foundation: vector math against the standard library, random numbers, what a parallel loop costs.
#include "bench.hpp"

#include "core/random.hpp"
#include "core/vecmath.hpp"

using namespace mlcore;

namespace {

constexpr std::size_t n_values = 1 << 14; // stays in the L2 cache: compute is measured, not memory
constexpr int n_rounds = 64;

template <class T, class Ours, class Standard>
void compare(const char* name, T low, T high, Ours ours, Standard standard) {
    Buffer<T> x(n_values), y(n_values);
    const Philox random(0, 0);
    for (std::size_t i = 0; i < n_values; ++i) x[i] = low + (high - low) * static_cast<T>(random.uniform(i));

    ours(x.data(), y.data(), n_values);
    for (std::size_t i = 0; i < n_values; ++i) {
        const T expected = standard(x[i]);
        MLCORE_CHECK(std::abs(y[i] - expected) <= 8 * std::numeric_limits<T>::epsilon() * std::abs(expected), name);
    }
    const auto timed = [&](const char* who, auto&& function) {
        const double seconds = bench::median_seconds([&] {
            for (int round = 0; round < n_rounds; ++round) function();
            bench::keep(y[0]);
        });
        const std::string title = std::string(name) + (sizeof(T) == 4 ? " float, " : " double, ") + who;
        bench::print_result(title.c_str(), seconds, static_cast<double>(n_values) * n_rounds, "values");
    };
    timed("mlcore", [&] { ours(x.data(), y.data(), n_values); });
    timed("std", [&] {
        for (std::size_t i = 0; i < n_values; ++i) y[i] = standard(x[i]);
    });
}

template <class T>
void compare_all() {
    using Array = void (*)(const T*, T*, std::size_t);
    compare<T>("exp", -10, 10, Array(vm::exp), [](T x) { return std::exp(x); });
    compare<T>("log", T(1e-3), 100, Array(vm::log), [](T x) { return std::log(x); });
    compare<T>("tanh", -4, 4, Array(vm::tanh), [](T x) { return std::tanh(x); });
    compare<T>("sigmoid", -10, 10, Array(vm::sigmoid), [](T x) { return 1 / (1 + std::exp(-x)); });
}

void random_numbers() {
    Buffer<double> y(n_values);
    const Philox random(1, 2);
    const double amount = static_cast<double>(n_values);
    const auto fill = [&](auto draw) {
        return bench::median_seconds([&] {
            for (std::size_t i = 0; i < n_values; ++i) y[i] = draw(i);
            bench::keep(y[0]);
        });
    };
    bench::print_result("philox uniform", fill([&](auto i) { return random.uniform(i); }), amount, "values");
    bench::print_result("philox normal", fill([&](auto i) { return random.normal(i); }), amount, "values");
}

void cost_of_a_loop(int n_threads) {
    StandaloneRun run(n_threads);
    constexpr int n_loops = 1000;
    const auto loops = [&](double ns_per_task) {
        return bench::median_seconds([&] {
            for (int i = 0; i < n_loops; ++i)
                parallel_tasks(run.context, static_cast<std::size_t>(n_threads), ns_per_task,
                               [](std::size_t task, int) { bench::keep(task); });
        });
    };
    bench::print_result("1000 empty loops below the cost threshold", loops(1), n_loops, "loops");
    bench::print_result("1000 empty loops on all threads", loops(1e6), n_loops, "loops");
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    bench::print_machine(n_threads);
    compare_all<double>();
    compare_all<float>();
    random_numbers();
    cost_of_a_loop(n_threads);
}
