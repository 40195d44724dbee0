#include "linalg/bf16/kernel.hpp"

#include "core/cpu.hpp"
#include "core/error.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

namespace mlcore::linalg::bf16 {
namespace {

constexpr std::string_view level = MLCORE_ISA_LEVEL;

const Kernel& choose() {
    const char* setting = std::getenv("MLCORE_BF16");
    const std::string wish = setting ? setting : "";
    if (!wish.empty() && wish != "plain") throw ValueError("MLCORE_BF16 must be 'plain' or unset, got '" + wish + "'");
    if constexpr (level == "v4")
        if (wish.empty() && cpu_has_bf16()) return native;
    return plain;
}

} // namespace

const Kernel& kernel() {
    static const Kernel& chosen = choose();
    return chosen;
}

} // namespace mlcore::linalg::bf16
