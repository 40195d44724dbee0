#include "core/team.hpp"

#include <atomic>

#ifndef MLCORE_PLAIN_THREADS
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <limits>
#include <memory>
#include <new>

#include <omp.h>
#include <pthread.h>
#include <sys/mman.h>
#ifdef __linux__
#include <link.h>
#endif
#endif

namespace mlcore {
namespace {

// All below is the state of the process and of its threads, not of a run: it decides who works, never a result.

enum class Warning { none, due, given };
std::atomic<Warning> missing_thread{Warning::none};

#ifndef MLCORE_PLAIN_THREADS

using Clock = std::chrono::steady_clock;

/// What the calling thread knows about room for a team.
struct Room {
    int running = 1;                               // threads of its last team, which libgomp keeps; it ends all others
    int refused = std::numeric_limits<int>::max(); // there was none for one of so many ...
    Clock::time_point retry{};                     // ... which is believed until then
};
thread_local Room room;

// ---- forks ----

std::atomic<bool> team_is_dead{false}; // the threads of the main thread's team may have stayed in the parent
thread_local bool forks_inside_region = false;

#ifdef __linux__
/// This process was forked and runs on without exec: see flags in proc(5) and PF_FORKNOEXEC of the kernel.
bool is_forked_child() {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/stat", "r"), std::fclose);
    char line[512];
    if (!file || !std::fgets(line, sizeof line, file.get())) return false;
    const char* after_name = std::strrchr(line, ')');
    unsigned flags = 0;
    return after_name && std::sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && (flags & 0x40) != 0;
}

bool contains(const dl_phdr_info& library, const void* address) {
    for (int i = 0; i < library.dlpi_phnum; ++i) {
        const auto& part = library.dlpi_phdr[i];
        const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(address) - library.dlpi_addr - part.p_vaddr;
        if (part.p_type == PT_LOAD && offset < part.p_memsz) return true;
    }
    return false;
}

/// The libgomp that is called from here was in the process before this library, so that somebody may have used it.
/// Libraries are listed in the order of loading: one that was loaded for the sake of another comes after that.
bool libgomp_came_first() {
    bool found = false;
    dl_iterate_phdr(
        [](dl_phdr_info* library, std::size_t, void* result) {
            bool& libgomp = *static_cast<bool*>(result);
            libgomp = contains(*library, reinterpret_cast<const void*>(&omp_get_num_threads));
            return static_cast<int>(libgomp || contains(*library, &team_is_dead));
        },
        &found);
    return found;
}
#endif

void before_fork() {
    if (team_is_dead.load(std::memory_order_relaxed)) return; // dead threads would be waited for
    forks_inside_region = omp_pause_resource_all(omp_pause_soft) != 0;
    room = Room(); // the next team needs new threads, in both processes
}

void after_fork_in_child() {
    if (forks_inside_region) team_is_dead.store(true, std::memory_order_relaxed);
}

/// When the library is loaded, not at its first loop: others may use libgomp long before.
[[maybe_unused]] const int watch_forks = [] {
#ifdef __linux__
    if (is_forked_child() && libgomp_came_first()) team_is_dead.store(true, std::memory_order_relaxed);
#endif
#ifdef __clang__
    return 0; // LLVM's runtime looks after its own children
#else
    return pthread_atfork(before_fork, nullptr, after_fork_in_child);
#endif
}();

// ---- room ----

constexpr std::size_t spare_bytes = std::size_t{1}
                                    << 20; // a thread also allocates: libgomp and TLS end the process too
constexpr std::chrono::seconds refusal_lasts{1};

/// Bytes of stack that libgomp gives its threads, 0 for the system's default: "<number>[B|K|M|G]", in K without a
/// letter.
std::size_t stack_bytes_from(const char* variable) {
    const char* text = std::getenv(variable);
    if (!text) return 0;
    char* unit = nullptr;
    const unsigned long long number = std::strtoull(text, &unit, 10);
    while (std::isspace(static_cast<unsigned char>(*unit))) ++unit;
    const char* units = "BKMG";
    const char* found = *unit ? std::strchr(units, std::toupper(static_cast<unsigned char>(*unit))) : units + 1;
    return found ? static_cast<std::size_t>(number) << (10 * (found - units)) : 0;
}

/// What libgomp read when it was loaded: the environment may change later.
const std::size_t stack_bytes = [] {
    const std::size_t bytes = stack_bytes_from("OMP_STACKSIZE");
    return bytes != 0 ? bytes : stack_bytes_from("GOMP_STACKSIZE");
}();

bool memory_is_left(std::size_t bytes) {
    void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block != MAP_FAILED && munmap(block, bytes) == 0;
}

/// Starts `n` threads that are alive at the same time, and ends them.
bool threads_can_start(std::size_t n) {
    const std::unique_ptr<pthread_t[]> threads(new (std::nothrow) pthread_t[n]);
    pthread_attr_t attributes;
    if (!threads || pthread_attr_init(&attributes) != 0) return false;
    if (stack_bytes != 0) pthread_attr_setstacksize(&attributes, stack_bytes); // a bad size is ignored, as by libgomp
    std::latch all_started(1);
    const auto wait = [](void* latch) -> void* {
        static_cast<std::latch*>(latch)->wait();
        return nullptr;
    };
    std::size_t started = 0;
    while (started < n && pthread_create(&threads[started], &attributes, wait, &all_started) == 0) ++started;
    const bool enough = started == n && memory_is_left(n * spare_bytes);
    all_started.count_down();
    for (std::size_t i = 0; i < started; ++i) pthread_join(threads[i], nullptr);
    pthread_attr_destroy(&attributes);
    return enough;
}

// ---- a busy machine ----

/// What the joins of the calling thread tell.
struct Joins {
    static constexpr int late_counts = 4, too_many = 12; // three in a row, or one in four for long
    static constexpr std::chrono::milliseconds first_pause{250}, longest_pause{2000};
    int late = 0;
    std::chrono::milliseconds pause = first_pause;
    Clock::time_point until{}; // no teams before
};
thread_local Joins joins;

bool machine_is_busy() {
    if (joins.until == Clock::time_point{}) return false;
    if (Clock::now() < joins.until) return true;
    joins.until = {}; // the next join tells: one that is late is enough
    return false;
}

#endif

} // namespace

#ifdef MLCORE_PLAIN_THREADS

bool team_can_start(int) noexcept { return false; }
void note_join(bool, std::chrono::nanoseconds, std::chrono::nanoseconds) noexcept {}

#else

bool team_can_start(int n_threads) noexcept {
    if (team_is_dead.load(std::memory_order_relaxed) || machine_is_busy()) return false;
    if (n_threads > room.running) {
        if (n_threads >= room.refused && Clock::now() < room.retry) return false;
        if (!threads_can_start(static_cast<std::size_t>(n_threads - room.running))) {
            room.refused = std::min(room.refused, n_threads);
            room.retry = Clock::now() + refusal_lasts;
            return false;
        }
        if (n_threads >= room.refused) room.refused = Room().refused;
    }
    room.running = n_threads;
    return true;
}

void note_join(bool all_had_begun, std::chrono::nanoseconds share, std::chrono::nanoseconds join) noexcept {
    // Waking up and a share as large as the caller's are no delay.
    const bool is_late = !all_had_begun && join > 2 * share + std::chrono::microseconds(300);
    joins.late = is_late ? joins.late + Joins::late_counts : std::max(0, joins.late - 1);
    if (joins.late == 0) joins.pause = Joins::first_pause;
    if (joins.late < Joins::too_many) return;
    joins.until = Clock::now() + joins.pause;
    joins.pause = std::min(2 * joins.pause, Joins::longest_pause);
    joins.late = Joins::too_many - Joins::late_counts;
}

#endif

void note_missing_thread() noexcept {
    auto expected = Warning::none;
    missing_thread.compare_exchange_strong(expected, Warning::due, std::memory_order_relaxed);
}

bool take_missing_thread_warning() noexcept {
    auto expected = Warning::due;
    return missing_thread.compare_exchange_strong(expected, Warning::given, std::memory_order_relaxed);
}

} // namespace mlcore
