// What this process runs on: the ISA level, and how many CPUs it may really use. A container is often given two CPUs of
// a 64-CPU host by a cgroup quota that std::thread::hardware_concurrency() does not see.
#pragma once

#include <string>

namespace mlcore {

/// CPUs by scheduler affinity, bounded by the cgroup quota (rounded up); at least 1. Asks the system each time.
int available_cpus();

/// CPUs' worth of time granted by the cgroup (v1 or v2) of this process and its ancestors; infinity without a limit.
/// The two paths are parameters for the sake of tests.
double cgroup_cpu_quota(const std::string& membership_file = "/proc/self/cgroup",
                        const std::string& mount_point = "/sys/fs/cgroup");

/// The ISA level that this copy of the core is compiled for.
const char* isa_level();

/// Whether this CPU multiplies vectors of bytes, as wide as those of the level, into 32-bit sums: AVX512-VNNI for v4,
/// AVX-VNNI for v3.
bool cpu_has_vnni();

/// Whether this CPU multiplies vectors of bfloat16, as wide as those of the level, into sums in float32: AVX512-BF16
/// for v4.
bool cpu_has_bf16();

} // namespace mlcore
