#include "boosting/category_classes.hpp"

#include "boosting/forest.hpp"

#include <algorithm>

namespace mlcore::boosting {

CategoryClasses::CategoryClasses(const ForestArrays& forest) {
    std::vector<std::size_t> splits; // nodes with a categorical split
    for (std::size_t i = 0; i < forest.n_nodes(); ++i)
        if (forest.feature[i] >= 0 && forest.category_offset[i] >= 0) splits.push_back(i);
    for (const std::size_t i : splits) features_.push_back(static_cast<std::uint32_t>(forest.feature[i]));
    std::sort(features_.begin(), features_.end());
    features_.erase(std::unique(features_.begin(), features_.end()), features_.end());

    std::vector<std::size_t> n_codes(features_.size(), 0);
    for (const std::size_t i : splits) {
        std::size_t& n = n_codes[index(static_cast<std::uint32_t>(forest.feature[i]))];
        n = std::max(n, static_cast<std::size_t>(forest.category_size[i]) * 32);
    }
    representative_.resize(features_.size());
    for (const std::size_t n : n_codes) class_of_code_.emplace_back(n + 1, 0);

    std::vector<std::uint32_t> n_classes(features_.size(), 1);
    constexpr std::uint32_t none = ~std::uint32_t{0};
    std::vector<std::uint32_t> renamed; // (old class, side) -> new class
    for (const std::size_t i : splits) {
        const std::size_t at = index(static_cast<std::uint32_t>(forest.feature[i]));
        auto& classes = class_of_code_[at];
        renamed.assign(std::size_t{2} * n_classes[at], none);
        std::uint32_t next = 0;
        for (std::size_t code = 0; code < classes.size(); ++code) {
            const bool unknown = code + 1 == classes.size();
            const bool left = forest.category_goes_left(i, unknown ? -1.0 : static_cast<double>(code));
            std::uint32_t& name = renamed[std::size_t{2} * classes[code] + (left ? 1 : 0)];
            if (name == none) name = next++;
            classes[code] = name;
        }
        n_classes[at] = next;
    }
    for (std::size_t at = 0; at < features_.size(); ++at) {
        representative_[at].assign(n_classes[at], -1.0);
        for (std::size_t code = class_of_code_[at].size() - 1; code-- > 0;)
            representative_[at][class_of_code_[at][code]] = static_cast<double>(code);
    }
}

std::size_t CategoryClasses::index(std::uint32_t feature) const {
    return static_cast<std::size_t>(std::lower_bound(features_.begin(), features_.end(), feature) - features_.begin());
}

} // namespace mlcore::boosting
