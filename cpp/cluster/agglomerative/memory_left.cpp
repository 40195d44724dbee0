#include "cluster/agglomerative/memory_left.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <new>
#include <optional>
#include <string>

namespace mlcore::cluster {
namespace {

struct MemoryShortage : std::bad_alloc {
    explicit MemoryShortage(std::string message) : text(std::move(message)) {}
    const char* what() const noexcept override { return text.c_str(); }
    std::string text;
};

/// The number in a file that holds nothing else; none where it says "max".
std::optional<std::size_t> number_in(const char* path) {
    std::ifstream file(path);
    std::size_t number = 0;
    return file >> number ? std::optional(number) : std::nullopt;
}

std::string gigabytes(std::size_t bytes) {
    const std::string tenths = std::to_string(bytes / 100'000'000);
    return (tenths.size() > 1 ? tenths.substr(0, tenths.size() - 1) : "0") + "." + tenths.back() + " GB";
}

} // namespace

std::size_t available_memory() {
    std::size_t left = std::numeric_limits<std::size_t>::max();
    std::ifstream machine("/proc/meminfo");
    for (std::string line; std::getline(machine, line);)
        if (line.starts_with("MemAvailable:")) left = std::stoull(line.substr(13)) * 1024;
    const auto most = number_in("/sys/fs/cgroup/memory.max"), used = number_in("/sys/fs/cgroup/memory.current");
    if (most && used) left = std::min(left, *most - std::min(*most, *used));
    return left;
}

void require_memory(std::size_t bytes) {
    if (bytes < 100'000'000) return;
    if (const std::size_t left = available_memory(); bytes > left)
        throw MemoryShortage("the distances between clusters take " + gigabytes(bytes) + ", and " + gigabytes(left) +
                             " are available; linkage \"ward\" and \"single\" need no such matrix");
}

} // namespace mlcore::cluster
