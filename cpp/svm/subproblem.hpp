// Sequential minimal optimization on a working set: all variables but a few hundred stand still, the kernel between
// those few is at hand, and pairs of them are moved until they are optimal among themselves. The pair is chosen by
// second-order information: R.-E. Fan, P.-H. Chen, C.-J. Lin, "Working set selection using second order information
// for training support vector machines", JMLR 6 (2005).
//
// In the letters of docs/svm.md: f_v = y_v times the derivative of the dual by alpha_v. A step moves alpha_i by y_i t
// and alpha_j by -y_j t, so that y.alpha stands, and every f_v by t (K_iv - K_jv). Variable v can take part as i (move
// up along y) if it is in I_up, as j if it is in I_low; the set is optimal when max over I_up of -f <= min over I_low
// of -f.
#pragma once

#include "core/memory.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::svm {

class Subproblem {
  public:
    /// Room for `capacity` variables.
    explicit Subproblem(std::size_t capacity);

    /// Starts a set of q <= capacity variables; the members below are to be filled then.
    void resize(std::size_t q);
    std::size_t size() const { return q_; }

    double& f(std::size_t v) { return f_[v]; }
    double& alpha(std::size_t v) { return alpha_[v]; }
    double& C(std::size_t v) { return C_[v]; }
    double& y(std::size_t v) { return y_[v]; }
    double& diagonal(std::size_t v) { return diagonal_[v]; }
    /// Row v of the kernel between the variables, with room for padded(capacity) values.
    float* kernel(std::size_t v) { return kernel_.data() + v * stride_; }

    /// Moves pairs until the gap is below max(tol, share * gap at the start), or `max_steps` are done. With `split`,
    /// both of a pair have the same y (the nu problems: the sum over each class stands). Returns the number of steps.
    std::int64_t solve(bool split, double tol, double share, std::int64_t max_steps);

  private:
    struct Best {
        double value;
        std::size_t at;
    };
    /// One of the constraints that a pair must keep: the variables that may be chosen by it.
    struct Side {
        Buffer<double> up, low; // 0 where the variable is in I_up, I_low; -inf elsewhere
        Best i;                 // largest -f in I_up
        double low_max;         // largest f in I_low
        double gap() const { return i.value + low_max; }
    };

    void set_bounds(std::size_t v, bool split);
    void move(double t, const float* k_i, const float* k_j);
    void scan(Side& side) const;
    Best partner(const Side& side) const;

    std::size_t q_ = 0, padded_ = 0, stride_;
    Buffer<double> f_, alpha_, C_, y_, diagonal_;
    Buffer<float> kernel_;
    Side sides_[2]; // the second of y = -1, if split
};

} // namespace mlcore::svm
