#include "check.hpp"
#include "fork.hpp"

#include "core/parallel.hpp"
#include "core/team.hpp"

#include <chrono>
#include <functional>
#include <thread>

using namespace mlcore;
using namespace std::chrono_literals;

namespace {

constexpr double costly = 1e6; // ns an item: enough to be worth all threads

/// Runs f on a thread of its own, because what is known about teams is known by thread.
void on_fresh_thread(const std::function<void()>& f) {
    std::exception_ptr error;
    std::thread([&] {
        try {
            f();
        } catch (...) {
            error = std::current_exception();
        }
    }).join();
    if (error) std::rethrow_exception(error);
}

void note_late_joins(int n) {
    for (int i = 0; i < n; ++i) note_join(false, 0ns, 10ms);
}

/// A loop whose every item must be seen once, by threads with indices below n_threads.
void check_loops(int n_threads) {
    StandaloneRun run(n_threads);
    std::vector<std::atomic<int>> count(1000);
    parallel_tasks(run.context, 1000, costly, [&](std::size_t i, int thread) {
        CHECK(thread >= 0 && thread < n_threads);
        ++count[i];
    });
    parallel_ranges(run.context, 1000, costly, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) ++count[i];
    });
    for (const auto& c : count) CHECK_EQUAL(c.load(), 2);
}

} // namespace

#ifndef MLCORE_PLAIN_THREADS

TEST(late_joins_end_teams_for_a_while) {
    on_fresh_thread([] {
        CHECK(team_can_start(2));
        note_late_joins(2);
        CHECK(team_can_start(2));
        note_late_joins(1);
        CHECK(!team_can_start(2));
        std::this_thread::sleep_for(300ms);
        CHECK(team_can_start(2));
        note_late_joins(1); // one is now enough, and the pause is longer
        CHECK(!team_can_start(2));
        std::this_thread::sleep_for(300ms);
        CHECK(!team_can_start(2));
    });
}

TEST(single_late_joins_are_forgiven) {
    on_fresh_thread([] {
        for (int i = 0; i < 50; ++i) {
            note_late_joins(2);
            for (int k = 0; k < 8; ++k) note_join(true, 1ms, 0ns);
            CHECK(team_can_start(2));
        }
        for (int i = 0; i < 50; ++i) {
            note_join(true, 0ns, 1s);     // work that is shared unevenly
            note_join(false, 10ms, 15ms); // a member that slept before it did its share
            note_join(false, 10us, 200us);
        }
        CHECK(team_can_start(2));
    });
}

TEST(what_a_thread_learns_is_its_own) {
    on_fresh_thread([] {
        note_late_joins(3);
        CHECK(!team_can_start(2));
        on_fresh_thread([] { CHECK(team_can_start(2)); });
    });
}

#endif

TEST(loops_without_a_team_keep_their_promises) {
    on_fresh_thread([] {
        note_late_joins(3);
        for (int n_threads : {2, 3, 8}) {
            check_loops(n_threads);
            StandaloneRun run(n_threads);
            CHECK_THROWS(ValueError, parallel_tasks(run.context, 100, costly, [&](std::size_t i, int) {
                             if (i == 57) throw ValueError("");
                         }));
            std::vector<std::atomic<int>> busy(static_cast<std::size_t>(n_threads));
            parallel_tasks(run.context, 100, costly, [&](std::size_t, int thread) {
                CHECK_EQUAL(busy[static_cast<std::size_t>(thread)]++, 0);
                std::this_thread::sleep_for(50us);
                CHECK_EQUAL(threads_for(run.context, 1e30), 1); // inside the loop
                --busy[static_cast<std::size_t>(thread)];
            });
            run.stop.request();
            CHECK_THROWS(Interrupted, parallel_ranges(run.context, 100000, costly, [](auto, auto, int) {}));
        }
    });
}

TEST(any_thread_may_ask_whether_to_stop) {
    StandaloneRun run(4);
    std::atomic<int> n_stopped = 0;
    CHECK_THROWS(Interrupted, parallel_tasks(run.context, 8, costly, [&](std::size_t i, int) {
                     if (i == 0) run.stop.request();
                     try {
                         for (;;) run.context.checkpoint();
                     } catch (const Interrupted&) {
                         ++n_stopped;
                     }
                 }));
    CHECK(n_stopped >= 1);
}

#ifdef HAS_FORK

TEST(forked_child_has_its_threads) {
    check_loops(3);
    in_child([] {
        check_loops(3);
        in_child([] { check_loops(4); });
    });
    check_loops(3);
}

TEST(forked_child_after_a_region_of_somebody_else) {
    on_fresh_thread([] {
        int n_members = 0;
#pragma omp parallel num_threads(3) reduction(+ : n_members)
        ++n_members;
        CHECK_EQUAL(n_members, 3);
        in_child([] { check_loops(2); });
    });
}

TEST(child_forked_inside_a_region_starts_no_team) {
    StandaloneRun run(3);
    parallel_tasks(run.context, 3, costly, [](std::size_t i, int) {
        if (i != 1) return;
        in_child([] {
            on_fresh_thread([] {
                CHECK(!team_can_start(2));
                check_loops(3);
            });
        });
    });
    check_loops(3); // here all is as before
    CHECK(team_can_start(3));
}

#endif
