// Category codes that every split of a forest treats alike, as one class each.
//
// A feature may have thousands of codes, but its splits were found on at most 256 bins: so there are at most as many
// classes, and a table over them is small. Class of a code: refine {all codes} by each split in turn.
#pragma once

#include <cstdint>
#include <vector>

namespace mlcore::boosting {

struct ForestArrays;

class CategoryClasses {
  public:
    explicit CategoryClasses(const ForestArrays& forest);

    bool empty() const { return features_.empty(); }
    // The features that have categorical splits, ascending.
    const std::vector<std::uint32_t>& features() const { return features_; }
    // Place of a feature in features().
    std::size_t index(std::uint32_t feature) const;

    std::size_t n_classes(std::size_t index) const { return representative_[index].size(); }
    // The least code of the class; -1 where there are only NaN and codes that no split knows in it.
    double representative(std::size_t index, std::size_t c) const { return representative_[index][c]; }
    std::uint32_t class_of(std::size_t index, double code) const {
        const auto& classes = class_of_code_[index];
        const auto n_codes = classes.size() - 1; // the last entry is that of unknown codes
        return classes[code >= 0.0 && code < static_cast<double>(n_codes) ? static_cast<std::size_t>(code) : n_codes];
    }

  private:
    std::vector<std::uint32_t> features_;
    std::vector<std::vector<std::uint32_t>> class_of_code_;
    std::vector<std::vector<double>> representative_;
};

} // namespace mlcore::boosting
