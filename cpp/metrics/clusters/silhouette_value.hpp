// The silhouette of one row from the sums of its distances to the rows of each cluster.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

namespace mlcore::metrics {

class SilhouetteValue {
  public:
    explicit SilhouetteValue(std::size_t own = 0) : own_(own) {}

    std::size_t own() const { return own_; }

    /// The distances of the row to the m rows of cluster c sum to `sum`; itself, which is one of its own cluster, is 0.
    void add(std::size_t c, double sum, std::size_t m) {
        if (c != own_)
            b_ = std::min(b_, sum / static_cast<double>(m));
        else if (m > 1)
            a_ = sum / static_cast<double>(m - 1);
        else
            alone_ = true;
    }

    double value() const {
        const double most = std::max(a_, b_);
        return alone_ || !(most > 0) ? 0.0 : (b_ - a_) / most;
    }

  private:
    std::size_t own_;
    double a_ = 0, b_ = std::numeric_limits<double>::infinity();
    bool alone_ = false;
};

} // namespace mlcore::metrics
