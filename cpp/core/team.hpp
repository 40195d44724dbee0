// May an OpenMP team start here? libgomp keeps its threads from one parallel region to the next, and does not survive:
//   - A fork. The child inherits the book-keeping but none of the threads and hangs in its first region, whoever used
//     libgomp in the parent. A handler therefore ends the forking thread's team before each fork; parent and child
//     start new ones when they need them. Two kinds of children cannot be helped that way: those forked from inside a
//     parallel region, and those that load this library only after the fork.
//   - No room for a thread (address space, a limit on processes): libgomp ends the whole process. Before a team
//     that is larger than the last one, the threads that it needs are started for a trial.
//   - (It survives, but it is slow:) a machine that is busy with other things. A join waits for members that do not get
//     to run, ten milliseconds for work of a few microseconds. After some late joins there is no team for a while.
// Where the answer is no, the parallel loops start new plain threads for each loop, for large pieces of work only.
// That inherits nothing, and a thread that cannot be started or does not get to run is not waited for.
#pragma once

#include <chrono>

// The thread sanitizer does not see libgomp's barriers and would report every join as a race; plain threads it knows.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MLCORE_PLAIN_THREADS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || !defined(_OPENMP)
#define MLCORE_PLAIN_THREADS 1
#endif

namespace mlcore {

/// True if the calling thread may start a team of n_threads >= 2, itself included, which it then does. A call for more
/// threads than the last time costs some 50 us for each, any other next to nothing.
bool team_can_start(int n_threads) noexcept;

/// Told after the region of a team: whether all members had begun when the calling thread had done its share, how long
/// that took, and how long the join then.
void note_join(bool all_had_begun, std::chrono::nanoseconds share, std::chrono::nanoseconds join) noexcept;

/// Told by the parallel loops when a plain thread could not be started.
void note_missing_thread() noexcept;

/// True once in the life of the process, after a thread was missing: the binding then issues a Python warning.
bool take_missing_thread_warning() noexcept;

} // namespace mlcore
