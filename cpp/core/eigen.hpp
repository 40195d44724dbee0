// Eigen's dense matrices, with the warnings off that its headers bring: everybody includes Eigen by this file, and
// others of its modules after it.
#pragma once

#ifndef MLCORE_ISA_LEVEL
#error "Eigen depends on the ISA level; the bindings, compiled once for all levels, may not include it"
#endif

#include <cstddef>

// GCC before 13 takes the deliberately undefined registers of its own AVX-512 header for mistakes of ours.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Core>

namespace mlcore {

inline Eigen::Index eigen_index(std::size_t n) { return static_cast<Eigen::Index>(n); }

} // namespace mlcore
