#include "check.hpp"

#include "core/cpu.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#ifdef __linux__
#include <sched.h>
#endif

using namespace mlcore;
namespace fs = std::filesystem;

namespace {

/// A made-up /sys/fs/cgroup and /proc/self/cgroup.
struct FakeSystem {
    fs::path root;
    FakeSystem() {
        std::string pattern = (fs::temp_directory_path() / "mlcore_cgroup_XXXXXX").string();
        root = ::mkdtemp(pattern.data());
    }
    ~FakeSystem() { fs::remove_all(root); }
    void write(const std::string& file, const std::string& text) const {
        fs::create_directories((root / file).parent_path());
        std::ofstream(root / file) << text << '\n';
    }
    double quota() const { return cgroup_cpu_quota((root / "membership").string(), (root / "cgroup").string()); }
};

constexpr double unlimited = std::numeric_limits<double>::infinity();

} // namespace

TEST(some_cpus_are_available) { CHECK(available_cpus() >= 1); }

TEST(no_cgroup_is_no_limit) {
    FakeSystem system;
    CHECK_EQUAL(system.quota(), unlimited);
    system.write("membership", "0::/some/group");
    CHECK_EQUAL(system.quota(), unlimited);
    system.write("membership", "nonsense\n7\n::\n");
    CHECK_EQUAL(system.quota(), unlimited);
}

TEST(quota_of_cgroup_v2) {
    FakeSystem system;
    system.write("membership", "0::/a/b");
    system.write("cgroup/a/b/cpu.max", "max 100000");
    CHECK_EQUAL(system.quota(), unlimited);
    system.write("cgroup/a/b/cpu.max", "150000 100000");
    CHECK_EQUAL(system.quota(), 1.5);
    system.write("cgroup/a/cpu.max", "50000 100000"); // an ancestor may be tighter
    CHECK_EQUAL(system.quota(), 0.5);
}

TEST(quota_of_the_mount_point_inside_a_container) {
    FakeSystem system;
    system.write("membership", "0::/");
    system.write("cgroup/cpu.max", "200000 100000");
    CHECK_EQUAL(system.quota(), 2.0);
    system.write("membership", "0::/docker/0123"); // the host's name of the group
    CHECK_EQUAL(system.quota(), 2.0);
}

TEST(quota_of_cgroup_v1) {
    FakeSystem system;
    system.write("membership", "5:memory:/x\n4:cpu,cpuacct:/x\n1:name=systemd:/y");
    system.write("cgroup/cpu/x/cpu.cfs_period_us", "100000");
    system.write("cgroup/cpu/x/cpu.cfs_quota_us", "-1");
    CHECK_EQUAL(system.quota(), unlimited);
    system.write("cgroup/cpu/x/cpu.cfs_quota_us", "300000");
    CHECK_EQUAL(system.quota(), 3.0);
}

#ifdef __linux__
TEST(affinity_is_respected) {
    cpu_set_t before, one;
    CHECK_EQUAL(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
        if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
    CHECK_EQUAL(sched_setaffinity(0, sizeof one, &one), 0);
    CHECK_EQUAL(available_cpus(), 1);
    sched_setaffinity(0, sizeof before, &before);
}
#endif
