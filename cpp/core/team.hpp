// May an OpenMP team start here? libgomp keeps its threads from one parallel region to the next, and does not survive:
//   - A fork. The child inherits the book-keeping but none of the threads and hangs in its first region, whoever used
//     libgomp in the parent. A handler therefore ends the forking thread's team before each fork; parent and child
//     start new ones when they need them. Two kinds of children cannot be helped that way: those forked from inside a
//     parallel region, and those that load this library only after the fork.
//   - No room for a thread (address space, a limit on processes): libgomp ends the whole process. Before a team
//     that is larger than the last one, the threads that it needs are started for a trial.
// Where the answer is no, the parallel loops start plain threads for each loop anew. That is dearer, but inherits
// nothing, and a thread that cannot be started is then no disaster.
#pragma once

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

/// True if team_can_start(n_threads) is known to be false, so that threads cost more than usual.
bool team_is_refused(int n_threads) noexcept;

/// Told by the parallel loops when a plain thread could not be started.
void note_missing_thread() noexcept;

/// True once in the life of the process, after a thread was missing: the binding then issues a Python warning.
bool take_missing_thread_warning() noexcept;

} // namespace mlcore
