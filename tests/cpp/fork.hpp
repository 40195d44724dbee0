// Forks within a test. HAS_FORK is not set where there is no fork, or where children may have no threads (the thread
// sanitizer).
#pragma once

#include "check.hpp"

#include <functional>

#if (defined(__unix__) || defined(__APPLE__)) && !defined(MLCORE_PLAIN_THREADS)
#include <sys/wait.h>
#include <unistd.h>
#define HAS_FORK 1

/// Forks and runs `body` in the child, whose failed checks fail the test; a child that hangs is ended.
inline void in_child(const std::function<void()>& body) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        const int before = check::n_failures;
        body();
        std::fflush(stdout);
        _exit(check::n_failures != before);
    }
    int status = -1;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
}
#endif
