// What both ways along an elastic-net path share: what one alpha comes to, and a guess at the next solution.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace mlcore::linear_model {

// Of the gap asked for over all features, inside a working set: with Newton steps, with residual updates.
inline constexpr double inner_share = 0.3, inexact_share = 0.8;
inline constexpr int most_rounds = 200; // working sets for one alpha

/// What one alpha came to, in units of the sums (not divided by S).
struct Solution {
    double gap, objective;
    int sweeps;
    bool converged;
};

/// Between changes of the support, solutions are a linear function of an L1 penalty: guesses the next one from the last
/// two.
class Extrapolation {
  public:
    void clear() { n_seen_ = 0; }

    /// Coefficients that would change their sign stay as they are. False if there is nothing to go by.
    bool guess(double l1, double* w) {
        if (n_seen_ < 2 || !(l1 < last_l1_) || !(last_l1_ < before_l1_)) return false;
        const double step = std::min((last_l1_ - l1) / (before_l1_ - last_l1_), 1.0);
        for (std::size_t j = 0; j < last_.size(); ++j) {
            const double next = w[j] + step * (last_[j] - before_[j]);
            if (before_[j] != 0 && w[j] * next > 0) w[j] = next;
        }
        return true;
    }

    void saw(double l1, const double* w, std::size_t d) {
        std::swap(last_, before_);
        last_.assign(w, w + d);
        before_l1_ = std::exchange(last_l1_, l1);
        ++n_seen_;
    }

  private:
    std::vector<double> last_, before_;
    double last_l1_ = 0, before_l1_ = 0;
    std::size_t n_seen_ = 0;
};

} // namespace mlcore::linear_model
