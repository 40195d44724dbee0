// First-order optimizers: what a gradient does to the parameters. Letters: g gradient, p parameters, r learning rate,
// t number of the step from 1, e epsilon, w weight decay. All start from zero state.
// clang-format off
//   sgd       p -= r g                                            Robbins, Monro 1951; gd with g of all rows
//   momentum  v = m v + g;            p -= r v                    Polyak 1964
//   nesterov  v = m v + g;            p -= r (g + m v)            Nesterov 1983, as in Sutskever et al. 2013
//   adagrad   s += g^2;               p -= r g / (sqrt(s) + e)    Duchi, Hazan, Singer 2011
//   rmsprop   s = h s + (1 - h) g^2;  p -= r g / (sqrt(s) + e)    Tieleman, Hinton 2012
//             centred: x = h x + (1 - h) g and s - x^2 in the root  Graves 2013
//             with m > 0: v = m v + g / (sqrt(s) + e); p -= r v
//   adam      v = b1 v + (1 - b1) g;  s = b2 s + (1 - b2) g^2;
//             p -= r v / (1 - b1^t) / (sqrt(s / (1 - b2^t)) + e)  Kingma, Ba 2015
//             amsgrad: x = max(x, s) in the root in place of s    Reddi, Kale, Kumar 2018
//   adamw     p -= r w p, then as adam                            Loshchilov, Hutter 2019
//   nadam     as adam with c1 g + c2 v in place of v / (1 - b1^t): Nesterov's momentum, whose
//             c1 and c2 the caller computes from the step         Dozat 2016
// clang-format on
// The g above is made from the gradient that is given: multiplied by a scale (clipping by the norm of all parameters is
// one; a negative one climbs), clipped to [-c, c], and then, where the decay is not decoupled, w p is added. All this
// is one pass over the arrays. Where papers and libraries differ (is v scaled by r, is e inside the root) this follows
// PyTorch. Left out on purpose: schedules (the caller changes r between steps) and L1 penalties (the caller takes the
// proximal step with metric() after the update).
#pragma once

#include "core/memory.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace mlcore::optim {

enum class Rule { sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, nadam };

/// "sgd", "momentum", ... Throws ValueError.
Rule parse_rule(const std::string& name);

struct OptimizerParams {
    Rule rule = Rule::sgd;
    double learning_rate = 0.01;                                 // >= 0
    double momentum = 0.9;                                       // m of momentum and nesterov, in [0, 1)
    double damping = 0;                                          // m of rmsprop, in [0, 1)
    double rho = 0.9;                                            // h of rmsprop, in [0, 1)
    double beta1 = 0.9;                                          // of adam, adamw and nadam, in [0, 1)
    double beta2 = 0.999;                                        // of adam, adamw and nadam, in [0, 1)
    double epsilon = 1e-8;                                       // of the adaptive rules, >= 0
    double weight_decay = 0;                                     // w, >= 0
    double gradient_scale = 1;                                   // finite
    double clip_value = std::numeric_limits<double>::infinity(); // c, > 0
    bool amsgrad = false;                                        // of adam and adamw
    bool centred = false;                                        // of rmsprop
    bool is_decoupled = false;                                   // decay of nadam as that of adamw
    double share_of_gradient = 0;                                // c1 of nadam
    double share_of_velocity = 1;                                // c2 of nadam
    bool keep_metric = false; // store what metric() returns: one more array to write in each step
};

/// Whether the rule keeps a v, an s, an x.
bool has_velocity(const OptimizerParams& params) noexcept;
bool has_squares(const OptimizerParams& params) noexcept;
bool has_extra(const OptimizerParams& params) noexcept;

/// Throws ValueError for a parameter out of its range.
void check_params(const OptimizerParams& params);

/// n parameters and what belongs to them; v, s and x are nullptr where the rule has none, metric where it is not kept.
template <class T>
struct Piece {
    std::size_t n;
    const T* gradient;
    T* parameters;
    T* velocity;
    T* squares;
    T* extra = nullptr;
    T* metric = nullptr;
};

/// Step t of a piece, on the calling thread. Arrays do not overlap.
template <class T>
void update(const OptimizerParams& params, std::uint64_t t, const Piece<T>& piece);

extern template void update<float>(const OptimizerParams&, std::uint64_t, const Piece<float>&);
extern template void update<double>(const OptimizerParams&, std::uint64_t, const Piece<double>&);

/// The rule with its state, for parameters in one array. Copies of g and p are not kept. T: float or double.
template <class T>
class Optimizer {
  public:
    /// Throws ValueError for a parameter out of its range, or a learning rate of zero.
    Optimizer(const OptimizerParams& params, std::size_t n_parameters);

    /// One step over all parameters: gradient (n) in, parameters (n) in and out.
    void step(const T* gradient, T* parameters) {
        begin_step();
        update(0, size_, gradient, parameters);
    }

    /// The same in pieces: begin_step() once, then update() over ranges that cover [0, n) once, in any order and from
    /// any threads. The pointers are to the piece itself: gradient[0] belongs to the parameter `begin`.
    void begin_step() { ++n_steps_; }
    void update(std::size_t begin, std::size_t end, const T* gradient, T* parameters);

    std::size_t size() const noexcept { return size_; }
    std::uint64_t n_steps() const noexcept { return n_steps_; }
    double learning_rate() const noexcept { return params_.learning_rate; }
    void set_learning_rate(double learning_rate);

    /// Length of the last update for each unit of (averaged) gradient, (n): the diagonal of the metric in which that
    /// update was a gradient step, so that the proximal step of l1 |p|_1 shrinks p[j] by l1 * metric()[j]. nullptr: it
    /// is learning_rate() for all. The adaptive rules keep it only with keep_metric.
    const T* metric() const;

  private:
    OptimizerParams params_;
    std::size_t size_;
    std::uint64_t n_steps_ = 0;
    Buffer<T> velocity_, squares_, extra_, metric_; // v, s, x; empty where the rule has none
};

extern template class Optimizer<float>;
extern template class Optimizer<double>;

} // namespace mlcore::optim
