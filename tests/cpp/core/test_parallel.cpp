#include "check.hpp"

#include "core/parallel.hpp"

#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

using namespace mlcore;

namespace {

constexpr double costly = 1e6; // ns an item: enough to be worth all threads

/// Asks for a stop at the n-th poll, and remembers who polled.
struct StopAt final : Progress {
    StopAt(StopFlag& flag, int n_polls) : stop(flag), left(n_polls) {}
    void poll() override {
        pollers.insert(std::this_thread::get_id());
        if (left-- == 0) stop.request();
    }
    StopFlag& stop;
    int left;
    std::set<std::thread::id> pollers;
};

} // namespace

TEST(threads_are_worth_their_cost) {
    StandaloneRun run(8);
    CHECK_EQUAL(threads_for(run.context, 0), 1);
    CHECK_EQUAL(threads_for(run.context, 5e3), 1);
    CHECK_EQUAL(threads_for(run.context, 60e3), 3);
    CHECK_EQUAL(threads_for(run.context, 1e30), 8);
    StandaloneRun serial(1);
    CHECK_EQUAL(threads_for(serial.context, 1e30), 1);
}

TEST(tasks_each_run_once) {
    for (int n_threads : {1, 2, 3, 8})
        for (std::size_t n : {0, 1, 2, 7, 100, 10000})
            for (double ns : {1.0, costly}) {
                StandaloneRun run(n_threads);
                std::vector<std::atomic<int>> count(n);
                parallel_tasks(run.context, n, ns, [&](std::size_t i, int thread) {
                    CHECK(thread >= 0 && thread < n_threads);
                    ++count[i];
                });
                for (const auto& c : count) CHECK_EQUAL(c.load(), 1);
            }
}

TEST(ranges_cover_all_items_in_order) {
    for (int n_threads : {1, 2, 3, 8})
        for (std::size_t n : {0, 1, 63, 64, 65, 1000, 12345})
            for (double ns : {1.0, 1e4, costly}) {
                StandaloneRun run(n_threads);
                std::vector<std::atomic<int>> count(n);
                std::vector<std::size_t> last(8, 0);
                parallel_ranges(run.context, n, ns, [&](std::size_t begin, std::size_t end, int thread) {
                    CHECK(begin < end && end <= n);
                    CHECK(begin % 64 == 0);
                    CHECK(last[thread] == 0 || last[thread] == begin); // one contiguous range a thread
                    last[thread] = end;
                    for (std::size_t i = begin; i < end; ++i) ++count[i];
                });
                for (const auto& c : count) CHECK_EQUAL(c.load(), 1);
            }
}

TEST(small_work_stays_on_the_calling_thread) {
    StandaloneRun run(8);
    const auto caller = std::this_thread::get_id();
    parallel_tasks(run.context, 10, 100, [&](std::size_t, int) { CHECK(std::this_thread::get_id() == caller); });
    parallel_ranges(run.context, 100, 1, [&](auto, auto, int) { CHECK(std::this_thread::get_id() == caller); });
}

TEST(no_two_tasks_at_once_share_a_thread_index) {
    StandaloneRun run(8);
    std::vector<std::atomic<int>> busy(8);
    parallel_tasks(run.context, 200, costly, [&](std::size_t, int thread) {
        CHECK_EQUAL(busy[thread]++, 0);
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        --busy[thread];
    });
}

TEST(reduction_has_the_same_bits_for_any_number_of_threads) {
    std::vector<double> x(100003);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<double>(i)) * std::exp2(i % 60);
    const auto sum_with = [&](int n_threads) {
        StandaloneRun run(n_threads);
        const auto sum = [&](std::size_t b, std::size_t e) { return std::accumulate(&x[b], &x[e - 1] + 1, 0.0); };
        return parallel_reduce(run.context, x.size(), 1e3, 0.5, sum, std::plus<>());
    };
    const double expected = sum_with(1);
    CHECK_CLOSE(expected, std::accumulate(x.begin(), x.end(), 0.5), std::abs(expected) * 1e-9);
    for (int n_threads : {2, 3, 8}) CHECK_EQUAL(sum_with(n_threads), expected);
}

TEST(reduction_of_nothing_is_init) {
    StandaloneRun run(2);
    CHECK_EQUAL(parallel_reduce(run.context, 0, 1, 7, [](auto, auto) { return 1; }, std::plus<>()), 7);
}

TEST(exception_of_a_worker_arrives_with_its_type) {
    for (int n_threads : {1, 2, 8}) {
        StandaloneRun run(n_threads);
        const auto throwing = [&](auto error) {
            parallel_tasks(run.context, 100, costly, [&](std::size_t i, int) {
                if (i == 57) throw error;
            });
        };
        CHECK_THROWS(ValueError, throwing(ValueError("v")));
        CHECK_THROWS(TypeError, throwing(TypeError("t")));
        CHECK_THROWS(std::bad_alloc, throwing(std::bad_alloc()));
        CHECK_THROWS(int, throwing(42));
        CHECK_THROWS(InternalError, parallel_ranges(run.context, 100000, costly, [&](std::size_t begin, auto, int) {
                         MLCORE_CHECK(begin < 640, "stay small");
                     }));
        CHECK_THROWS(ValueError, parallel_reduce(
                                     run.context, 100000, costly, 0,
                                     [](std::size_t begin, std::size_t) -> int {
                                         if (begin != 0) throw ValueError("");
                                         return 0;
                                     },
                                     std::plus<>()));
        int n_done = 0; // the next loop of the same context works
        parallel_tasks(run.context, 3, 1, [&](std::size_t, int) { ++n_done; });
        CHECK_EQUAL(n_done, 3);
    }
}

TEST(exception_cancels_the_siblings) {
    StandaloneRun run(4);
    std::atomic<int> n_done = 0;
    CHECK_THROWS(ValueError, parallel_tasks(run.context, 10000, costly, [&](std::size_t i, int) {
                     if (i == 0) throw ValueError("");
                     ++n_done;
                     std::this_thread::sleep_for(std::chrono::microseconds(100));
                 }));
    CHECK(n_done < 5000);
}

TEST(stop_ends_a_loop_and_only_the_caller_polls) {
    for (int n_threads : {1, 2, 8}) {
        StopFlag stop;
        StopAt progress(stop, 20);
        const RunContext context{n_threads, 0, progress, stop};
        std::atomic<int> n_done = 0;
        CHECK_THROWS(Interrupted, parallel_tasks(context, 100000, costly, [&](std::size_t, int) {
                         ++n_done;
                         std::this_thread::sleep_for(std::chrono::microseconds(20));
                     }));
        CHECK(n_done >= 20 && n_done < 50000);
        CHECK_EQUAL(progress.pollers.size(), 1u);
        CHECK(progress.pollers.count(std::this_thread::get_id()) == 1);
        CHECK_THROWS(Interrupted, context.checkpoint());
    }
}

TEST(stop_ends_long_ranges) {
    for (int n_threads : {1, 3}) {
        StopFlag stop;
        StopAt progress(stop, 5);
        const RunContext context{n_threads, 0, progress, stop};
        std::atomic<std::size_t> n_done = 0;
        CHECK_THROWS(Interrupted, parallel_ranges(context, 10'000'000, 100, [&](std::size_t b, std::size_t e, int) {
                         n_done += e - b;
                         std::this_thread::sleep_for(std::chrono::microseconds(20));
                     }));
        CHECK(n_done < 5'000'000);
    }
}

TEST(inner_loops_of_a_region_stay_on_their_thread) {
    StopFlag stop;
    StopAt progress(stop, -1);
    const RunContext context{4, 0, progress, stop};
    parallel_tasks(context, 8, costly, [&](std::size_t, int) {
        const auto outer = std::this_thread::get_id();
        CHECK_EQUAL(threads_for(context, 1e30), 1);
        parallel_tasks(context, 8, costly, [&](std::size_t, int thread) {
            CHECK_EQUAL(thread, 0);
            CHECK(std::this_thread::get_id() == outer);
        });
    });
    CHECK_EQUAL(progress.pollers.size(), 1u);
}

TEST(inner_loops_of_a_serial_loop_go_parallel) {
    StandaloneRun run(4);
    parallel_tasks(run.context, 1, costly, [&](std::size_t, int) { CHECK_EQUAL(threads_for(run.context, 1e30), 4); });
    CHECK_EQUAL(threads_for(run.context, 1e30), 4);
}

TEST(two_runs_in_two_threads_do_not_meet) {
    const auto sums = [](long first, long* total) {
        for (int repeat = 0; repeat < 50; ++repeat) {
            StandaloneRun run(3);
            std::atomic<long> sum = 0;
            parallel_tasks(run.context, 100, costly, [&](std::size_t i, int) { sum += first + static_cast<long>(i); });
            *total += sum;
        }
    };
    long a = 0, b = 0;
    std::thread other(sums, 1000, &b);
    sums(0, &a);
    other.join();
    CHECK_EQUAL(a, 50 * 4950L);
    CHECK_EQUAL(b, 50 * (4950L + 100 * 1000));
}
