#include "core/vecmath.hpp"

namespace mlcore::vm {
namespace {

template <class T, class F>
MLCORE_VM_INLINE void map(const T* x, T* y, std::size_t n, F f) {
    for (std::size_t i = 0; i < n; ++i) y[i] = f(x[i]);
}

} // namespace

void exp(const double* x, double* y, std::size_t n) { map(x, y, n, exp_<double>); }
void log(const double* x, double* y, std::size_t n) { map(x, y, n, log_<double>); }
void tanh(const double* x, double* y, std::size_t n) { map(x, y, n, tanh_<double>); }
void sigmoid(const double* x, double* y, std::size_t n) { map(x, y, n, sigmoid_<double>); }
void exp(const float* x, float* y, std::size_t n) { map(x, y, n, exp_<float>); }
void log(const float* x, float* y, std::size_t n) { map(x, y, n, log_<float>); }
void tanh(const float* x, float* y, std::size_t n) { map(x, y, n, tanh_<float>); }
void sigmoid(const float* x, float* y, std::size_t n) { map(x, y, n, sigmoid_<float>); }

} // namespace mlcore::vm
