// Which features a forest looks at, and where they stand in a block of rows to predict.
//
// A forest on a wide table (words, categories as indicator columns) splits on few of its features. Only these are
// loaded into a block, side by side: slot s holds feature feature(s). For narrow tables every feature is its own slot,
// so that a row can be read as it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::boosting {

class FeatureSlots {
  public:
    // A block of so many features (of 64 rows, in double) stays in the L2 cache whether they are needed or not.
    static constexpr std::size_t max_narrow = 256;

    // split_feature: of each node of the forest, -1 for leaves.
    FeatureSlots(std::size_t n_features, const std::vector<std::int32_t>& split_feature)
        : n_features_(n_features), narrow_(n_features <= max_narrow) {
        if (narrow_) return;
        for (const std::int32_t f : split_feature)
            if (f >= 0) used_.push_back(static_cast<std::uint32_t>(f));
        std::sort(used_.begin(), used_.end());
        used_.erase(std::unique(used_.begin(), used_.end()), used_.end());
        if (used_.empty()) used_.push_back(0); // a walk that has ended in a leaf still reads slot 0
    }

    bool narrow() const { return narrow_; }
    std::size_t size() const { return narrow_ ? n_features_ : used_.size(); }
    std::size_t feature(std::size_t slot) const { return narrow_ ? slot : used_[slot]; }

    // Slot of a feature; size() if the forest does not look at it.
    std::size_t slot(std::size_t feature) const {
        if (narrow_) return feature;
        const auto found = std::lower_bound(used_.begin(), used_.end(), feature);
        return found != used_.end() && *found == feature ? static_cast<std::size_t>(found - used_.begin()) : size();
    }

  private:
    std::size_t n_features_;
    bool narrow_;
    std::vector<std::uint32_t> used_; // ascending
};

} // namespace mlcore::boosting
