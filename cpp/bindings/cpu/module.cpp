// mlcore._cpu: tells the CPU's level. Compiled without any -march, so that it is safe to load before a level is chosen.
#include <pybind11/pybind11.h>

#include "level.hpp"

PYBIND11_MODULE(_cpu, m) {
    m.doc() = "The highest ISA level that this CPU supports.";
    m.attr("level") = mlcore::cpu_level();
}
