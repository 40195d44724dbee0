// libgomp hangs in a forked child once its thread pool was used in the parent: the child inherits the pool's
// book-keeping but none of its threads. A pthread_atfork handler marks such a child, and parallel loops then run on one
// thread. A child forked before the pool was used is not marked and has all its threads.
#pragma once

namespace mlcore {

/// Called by the parallel loops before the first team starts.
void note_thread_pool_use() noexcept;

/// True in a process (or its descendants) that was forked after the thread pool was used.
bool in_forked_child() noexcept;

/// True once in such a process: the binding then issues one Python warning.
bool take_fork_warning() noexcept;

} // namespace mlcore
