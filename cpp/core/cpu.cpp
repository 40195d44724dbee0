#include "core/cpu.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif
#ifdef __AVX2__
#include <cpuid.h>
#endif

namespace mlcore {
namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

/// Quota of one v2 group: "max 100000" or "<quota> <period>" in cpu.max.
double quota_v2(const std::string& group) {
    std::ifstream file(group + "/cpu.max");
    double quota = 0, period = 0;
    return file >> quota >> period && quota > 0 && period > 0 ? quota / period : unlimited; // "max" is no number
}

/// Quota of one v1 group: two files, -1 for no limit.
double quota_v1(const std::string& group) {
    std::ifstream quota_file(group + "/cpu.cfs_quota_us"), period_file(group + "/cpu.cfs_period_us");
    double quota = 0, period = 0;
    return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : unlimited;
}

/// The tightest quota on the way from `group` up to the mount point. Inside a container the path may name groups that
/// only the host sees: those files do not open and limit nothing, the mount point then is the container's own group.
double tightest(double (*quota_of)(const std::string&), const std::string& mount, std::string group) {
    double quota = quota_of(mount);
    while (group.size() > 1) {
        quota = std::min(quota, quota_of(mount + group));
        group.resize(group.rfind('/'));
    }
    return quota;
}

int affinity_cpus() {
#ifdef __linux__
    for (int n_cpus = 1024; n_cpus <= 1 << 20; n_cpus *= 4) { // the kernel refuses a set smaller than its own
        cpu_set_t* set = CPU_ALLOC(n_cpus);
        if (!set) break;
        const std::size_t bytes = CPU_ALLOC_SIZE(n_cpus);
        const bool known = sched_getaffinity(0, bytes, set) == 0;
        const int count = known ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (known) return count;
    }
#endif
    return static_cast<int>(std::thread::hardware_concurrency());
}

} // namespace

double cgroup_cpu_quota(const std::string& membership_file, const std::string& mount_point) {
    double quota = unlimited;
    std::ifstream file(membership_file);
    for (std::string line; std::getline(file, line);) { // "<id>:<controllers>:<path>"; v2 has no controllers
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
        if (group.empty() || group[0] != '/') continue;
        if (controllers.empty()) quota = std::min(quota, tightest(quota_v2, mount_point, group));
        std::istringstream names(controllers);
        for (std::string name; std::getline(names, name, ',');)
            if (name == "cpu") quota = std::min(quota, tightest(quota_v1, mount_point + "/cpu", group));
    }
    return quota;
}

namespace {

/// The quota of this process. It may change while the process lives, but reading it costs some 50 us, more than many a
/// call that asks: it is read again after a second at the earliest.
double recent_quota() {
    using namespace std::chrono;
    constexpr std::int64_t second = 1'000'000'000, never = std::numeric_limits<std::int64_t>::min();
    static std::atomic<double> quota{unlimited};
    static std::atomic<std::int64_t> read_at{never};
    const std::int64_t now = duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
    if (const std::int64_t last = read_at.load(std::memory_order_acquire); last == never || now - last > second) {
        quota.store(cgroup_cpu_quota(), std::memory_order_relaxed);
        read_at.store(now, std::memory_order_release);
    }
    return quota.load(std::memory_order_relaxed);
}

} // namespace

const char* isa_level() { return MLCORE_ISA_LEVEL; }

bool cpu_has_vnni() {
    // Asked of the CPU itself: compilers learned the names late. That the system saves the registers is known: the
    // level needs them.
#if defined(__AVX512F__)
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c >> 11 & 1) != 0;
#elif defined(__AVX2__)
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
#else
    return false;
#endif
}

bool cpu_has_bf16() {
#if defined(__AVX512F__)
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 5 & 1) != 0;
#else
    return false;
#endif
}

int available_cpus() {
    const int cpus = std::max(1, affinity_cpus());
    const double quota = std::ceil(recent_quota());
    return quota < cpus ? std::max(1, static_cast<int>(quota)) : cpus;
}

} // namespace mlcore
