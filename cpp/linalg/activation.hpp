// Elementwise nonlinearities. Letters: x input, y = f(x), dy and dx gradients of the loss by y and x.
//   relu       max(x, 0)
//   leaky_relu x if x > 0 else slope x                          (Maas, Hannun, Ng 2013)
//   sigmoid    1 / (1 + e^-x)
//   tanh       tanh x
//   gelu       x Phi(x), Phi the distribution function of the standard normal   (Hendrycks, Gimpel 2016)
//   gelu_tanh  x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, the same authors' approximation
//   silu       x / (1 + e^-x)                                   (Elfwing, Uchibe, Doya 2018)
//   softplus   log(1 + e^x)
//   elu        x if x > 0 else e^x - 1                          (Clevert, Unterthiner, Hochreiter 2016)
//   hardswish  x min(max(x + 3, 0), 6) / 6                      (Howard et al. 2019)
//   mish       x tanh(log(1 + e^x))                             (Misra 2019)
#pragma once

#include <cstddef>
#include <string>

namespace mlcore::linalg {

enum class Activation {
    identity,
    relu,
    leaky_relu,
    sigmoid,
    tanh,
    gelu,
    gelu_tanh,
    silu,
    softplus,
    elu,
    hardswish,
    mish
};

/// "identity", "relu", ... Throws ValueError.
Activation parse_activation(const std::string& name);

/// Whether the gradient is computed from x; from y otherwise.
bool gradient_needs_input(Activation activation);

/// y[i] = f(x[i]); y may be x. Serial: for a row or a tile inside a kernel.
void activate(Activation activation, const float* x, float* y, std::size_t n, float slope = 0.01f);

/// dx[i] = f'(x[i]) dy[i]; saved: x or y, as gradient_needs_input says. dx may be dy.
void activate_backward(Activation activation, const float* saved, const float* dy, float* dx, std::size_t n,
                       float slope = 0.01f);

} // namespace mlcore::linalg
