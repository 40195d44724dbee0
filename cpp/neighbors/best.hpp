// The k nearest of the points that are offered, in the order of (reduced distance, row).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace mlcore::neighbors {

struct Candidate {
    double distance; // reduced
    std::int32_t row;

    friend bool operator<(const Candidate& a, const Candidate& b) {
        return a.distance < b.distance || (a.distance == b.distance && a.row < b.row);
    }
};

/// What no candidate is behind.
inline constexpr Candidate last_candidate{std::numeric_limits<double>::infinity(),
                                          std::numeric_limits<std::int32_t>::max()};

/// Always in order: for few neighbours, whose bound is then as tight as can be.
class SortedBest {
  public:
    void start(std::size_t k) { items_.assign(k, last_candidate); }
    /// Whoever is further away is none of the k nearest.
    double bound() const { return items_.back().distance; }
    void add(Candidate candidate) {
        Candidate* items = items_.data();
        std::size_t i = items_.size() - 1;
        if (!(candidate < items[i])) return;
        for (; i > 0 && candidate < items[i - 1]; --i) items[i] = items[i - 1];
        items[i] = candidate;
    }
    /// The k nearest in order.
    const std::vector<Candidate>& sorted() { return items_; }

  private:
    std::vector<Candidate> items_;
};

/// In order now and then: for many neighbours, where moving them for each new one would take too long.
class BufferedBest {
  public:
    void start(std::size_t k) {
        k_ = k;
        bound_ = last_candidate;
        items_.clear();
    }
    double bound() const { return bound_.distance; }
    void add(Candidate candidate) {
        if (!(candidate < bound_)) return;
        items_.push_back(candidate);
        if (items_.size() < 2 * k_) return;
        shrink();
    }
    const std::vector<Candidate>& sorted() {
        if (items_.size() > k_) shrink();
        std::sort(items_.begin(), items_.end());
        return items_;
    }

  private:
    void shrink() {
        std::nth_element(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(k_ - 1), items_.end());
        items_.resize(k_);
        bound_ = items_.back();
    }

    std::size_t k_ = 0;
    Candidate bound_ = last_candidate;
    std::vector<Candidate> items_;
};

/// Up to here moving is faster.
inline constexpr std::size_t most_sorted = 128;

} // namespace mlcore::neighbors
