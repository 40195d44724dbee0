// The highest psABI level of x86-64 that this CPU and operating system support. Shared by the _cpu module, which must
// run on any CPU, and by CMake, which runs it to find the level of the build machine.
// __builtin_cpu_supports also checks that the system saves the wide registers, which CPU flags alone do not tell. Of
// each level the features are asked for that no CPU has without the rest of it; compilers know them longer than level
// names.
#pragma once

namespace mlcore {

inline const char* cpu_level() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool v2 =
        __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    if (v4) return "v4";
    if (v3) return "v3";
    if (v2) return "v2";
#endif
    return "generic";
}

} // namespace mlcore
