#include "linalg/int8/kernel.hpp"

#include "core/cpu.hpp"
#include "core/error.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

namespace mlcore::linalg::int8 {
namespace {

constexpr std::string_view level = MLCORE_ISA_LEVEL;

const Kernel& choose() {
    const char* setting = std::getenv("MLCORE_INT8");
    const std::string wish = setting ? setting : "";
    if (!wish.empty() && wish != "plain") throw ValueError("MLCORE_INT8 must be 'plain' or unset, got '" + wish + "'");
    if constexpr (level == "v3" || level == "v4")
        if (wish.empty() && cpu_has_vnni()) return vnni;
    return plain;
}

} // namespace

const Kernel& kernel() {
    static const Kernel& chosen = choose();
    return chosen;
}

} // namespace mlcore::linalg::int8
