#include "boosting/forest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/error.hpp"
#include "core/parallel.hpp"

namespace mlcore::boosting {
namespace {

constexpr std::size_t block_rows = BitScorer<float>::block_rows;

// Copies the rows [begin, end) of the table to block[slot * block_rows + r]; the rows of the block beyond them are
// zero.
template <class View, class T>
void load_block(const View& view, const FeatureSlots& slots, std::size_t begin, std::size_t end, T* block) {
    const std::size_t n_slots = slots.size();
    if constexpr (is_dense<View>) {
        for (std::size_t s = 0; s < n_slots; ++s) {
            const std::size_t f = slots.feature(s);
            T* column = block + s * block_rows;
            for (std::size_t i = begin; i < end; ++i) column[i - begin] = view(i, f);
            std::fill(column + (end - begin), column + block_rows, T{0});
        }
    } else {
        std::fill_n(block, n_slots * block_rows, T{0});
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t k = view.begin(i); k < view.end(i); ++k) {
                const std::size_t s = slots.slot(static_cast<std::size_t>(view.indices[k]));
                if (s < n_slots) block[s * block_rows + (i - begin)] = view.data[k];
            }
    }
}

// f(block, begin, end) for all blocks of rows, in parallel.
template <class F>
void for_row_blocks(const RunContext& ctx, const Table& X, const FeatureSlots& slots, std::size_t n_trees, F&& f) {
    std::visit(
        [&](const auto& view) {
            using T = typename ValueOf<std::decay_t<decltype(view)>>::type;
            constexpr std::size_t blocks_per_task = 16; // share one buffer
            const std::size_t n_blocks = (view.rows + block_rows - 1) / block_rows;
            const std::size_t n_tasks = (n_blocks + blocks_per_task - 1) / blocks_per_task;
            const double row_ns = 5.0 * static_cast<double>(n_trees) + static_cast<double>(slots.size());
            const double task_ns = row_ns * static_cast<double>(std::min(view.rows, blocks_per_task * block_rows));
            parallel_tasks(ctx, n_tasks, task_ns, [&](std::size_t task, int) {
                Buffer<T> block(slots.size() * block_rows);
                for (std::size_t b = task * blocks_per_task; b < std::min((task + 1) * blocks_per_task, n_blocks);
                     ++b) {
                    const std::size_t begin = b * block_rows, end = std::min(begin + block_rows, view.rows);
                    load_block(view, slots, begin, end, block.data());
                    f(static_cast<const T*>(block.data()), begin, end);
                }
            });
        },
        X);
}

void check_size(std::size_t got, std::size_t expected, const char* name) {
    if (got != expected)
        throw ValueError(std::string("damaged model: ") + name + " has " + std::to_string(got) + " entries, expected " +
                         std::to_string(expected));
}

} // namespace

void ForestArrays::append(const Tree& tree, const BinMapper& mapper) {
    for (const TreeNode& node : tree.nodes) {
        const bool leaf = node.feature < 0;
        double bound = 0.0;
        std::int64_t offset = -1;
        std::int32_t words = 0;
        if (!leaf && node.category_set >= 0) {
            // From bins to codes: codes beyond the bins share the last one.
            const BinSet& bins = tree.category_sets[static_cast<std::size_t>(node.category_set)];
            const int n_codes = mapper.n_categories(node.feature), last_bin = mapper.n_bins(node.feature) - 1;
            offset = static_cast<std::int64_t>(category_words.size());
            words = (n_codes + 31) / 32;
            category_words.resize(category_words.size() + static_cast<std::size_t>(words), 0);
            // Bits past the last code are codes never seen in training: they go where missing values go.
            for (int code = 0; code < words * 32; ++code) {
                const bool goes_left = code < n_codes ? contains(bins, std::min(code, last_bin)) : node.missing_left;
                if (goes_left)
                    category_words[static_cast<std::size_t>(offset + code / 32)] |= std::uint32_t{1} << (code % 32);
            }
        } else if (!leaf) {
            const auto& edges = mapper.edges(node.feature);
            // The splits "all that is not missing", left or right, have no edge. Infinity is not missing.
            constexpr double infinity = std::numeric_limits<double>::infinity();
            const int n_edges = static_cast<int>(edges.size());
            bound = node.bin < 0         ? -infinity
                    : node.bin < n_edges ? edges[static_cast<std::size_t>(node.bin)]
                                         : infinity;
        }
        feature.push_back(node.feature);
        threshold.push_back(bound);
        left.push_back(node.left);
        right.push_back(leaf ? -1 : node.left + 1);
        default_left.push_back(node.missing_left);
        category_offset.push_back(offset);
        category_size.push_back(words);
        value.push_back(node.value);
        gain.push_back(node.gain);
        cover.push_back(node.cover);
        count.push_back(node.count);
    }
    tree_offset.push_back(static_cast<std::int64_t>(feature.size()));
}

void ForestArrays::append(const ForestArrays& other) {
    if (other.n_outputs() != n_outputs() || other.n_features != n_features)
        throw ValueError("models with different outputs or features cannot be joined");
    const auto nodes = static_cast<std::int64_t>(n_nodes());
    const auto words = static_cast<std::int64_t>(category_words.size());
    const auto join = [](auto& a, const auto& b) { a.insert(a.end(), b.begin(), b.end()); };
    for (std::size_t t = 1; t < other.tree_offset.size(); ++t) tree_offset.push_back(other.tree_offset[t] + nodes);
    for (const std::int64_t offset : other.category_offset) category_offset.push_back(offset < 0 ? -1 : offset + words);
    join(feature, other.feature);
    join(threshold, other.threshold);
    join(left, other.left);
    join(right, other.right);
    join(default_left, other.default_left);
    join(category_size, other.category_size);
    join(value, other.value);
    join(gain, other.gain);
    join(cover, other.cover);
    join(count, other.count);
    join(category_words, other.category_words);
}

void ForestArrays::truncate(std::size_t iterations) {
    const std::size_t trees = iterations * n_outputs();
    if (trees >= n_trees()) return;
    tree_offset.resize(trees + 1);
    const auto nodes = static_cast<std::size_t>(tree_offset.back());
    std::int64_t words = 0;
    for (std::size_t i = 0; i < nodes; ++i)
        if (category_offset[i] >= 0) words = std::max(words, category_offset[i] + category_size[i]);
    feature.resize(nodes);
    threshold.resize(nodes);
    left.resize(nodes);
    right.resize(nodes);
    default_left.resize(nodes);
    category_offset.resize(nodes);
    category_size.resize(nodes);
    value.resize(nodes);
    gain.resize(nodes);
    cover.resize(nodes);
    count.resize(nodes);
    category_words.resize(static_cast<std::size_t>(words));
}

void ForestArrays::validate() const {
    const std::size_t nodes = n_nodes();
    check_size(threshold.size(), nodes, "threshold");
    check_size(left.size(), nodes, "left");
    check_size(right.size(), nodes, "right");
    check_size(default_left.size(), nodes, "default_left");
    check_size(category_offset.size(), nodes, "category_offset");
    check_size(category_size.size(), nodes, "category_size");
    check_size(value.size(), nodes, "value");
    check_size(gain.size(), nodes, "gain");
    check_size(cover.size(), nodes, "cover");
    check_size(count.size(), nodes, "count");
    if (baseline.empty()) throw ValueError("damaged model: no baseline");
    if (n_features < 1 || n_features >= (std::int64_t{1} << 30))
        throw ValueError("damaged model: n_features out of range");
    if (nodes > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("damaged model: more than 2^31 nodes");
    if (tree_offset.empty() || tree_offset.front() != 0 || tree_offset.back() != static_cast<std::int64_t>(nodes))
        throw ValueError("damaged model: tree_offset does not span the nodes");
    if (n_trees() % n_outputs() != 0) throw ValueError("damaged model: trees do not divide by outputs");
    for (std::size_t t = 0; t < n_trees(); ++t)
        if (tree_offset[t + 1] <= tree_offset[t]) throw ValueError("damaged model: a tree without nodes");
    std::vector<std::uint8_t> has_parent(nodes, 0);
    std::vector<std::pair<std::int64_t, std::int64_t>> sets; // where those of splits begin and end
    for (std::size_t t = 0; t < n_trees(); ++t) {
        const std::int64_t size = tree_offset[t + 1] - tree_offset[t];
        for (std::int64_t i = 0; i < size; ++i) {
            const auto at = static_cast<std::size_t>(tree_offset[t] + i);
            if (category_offset[at] >= 0 &&
                (category_size[at] < 0 ||
                 category_offset[at] > static_cast<std::int64_t>(category_words.size()) - category_size[at]))
                throw ValueError("damaged model: a category set out of range");
            if (feature[at] < 0) continue;
            if (category_offset[at] >= 0)
                sets.emplace_back(category_offset[at], category_offset[at] + category_size[at]);
            if (feature[at] >= n_features) throw ValueError("damaged model: a split on a feature that does not exist");
            // Children come after their parent, so every path ends.
            if (left[at] <= i || left[at] + std::int64_t{1} >= size || right[at] != left[at] + 1)
                throw ValueError("damaged model: a split with impossible children");
            // And each has one parent, so that there are no more paths than leaves.
            for (const std::int64_t child : {left[at], right[at]})
                if (std::exchange(has_parent[static_cast<std::size_t>(tree_offset[t] + child)], 1) != 0)
                    throw ValueError("damaged model: two splits with the same child");
            if (std::isnan(threshold[at])) throw ValueError("damaged model: a threshold that is not a number");
        }
    }
    // Each split has a set of its own: what is built from all of them is then no larger than they are, times a
    // constant.
    std::sort(sets.begin(), sets.end());
    for (std::size_t i = 1; i < sets.size(); ++i)
        if (sets[i].first < sets[i - 1].second)
            throw ValueError("damaged model: two splits with the same category set");
}

Forest::Forest(ForestArrays arrays)
    : arrays_((arrays.validate(), std::move(arrays))),
      slots_(static_cast<std::size_t>(arrays_.n_features), arrays_.feature), predictor_(arrays_, slots_),
      categories_(arrays_), bit_scorer_float_(arrays_, categories_, slots_),
      bit_scorer_double_(arrays_, categories_, slots_) {}

template <>
const BitScorer<float>& Forest::bit_scorer<float>() const {
    return bit_scorer_float_;
}
template <>
const BitScorer<double>& Forest::bit_scorer<double>() const {
    return bit_scorer_double_;
}

void Forest::add_scores(const RunContext& ctx, const Table& X, std::size_t first, std::size_t last, double* out) const {
    const std::size_t K = arrays_.n_outputs();
    for_row_blocks(ctx, X, slots_, (last - first) * K, [&]<class T>(const T* x, std::size_t begin, std::size_t end) {
        const BitScorer<T>& bits = bit_scorer<T>();
        std::int32_t leaf[block_rows];
        std::vector<std::uint32_t> classes;
        bits.classify(x, classes);
        for (std::size_t t = first * K; t < last * K; ++t) {
            double* target = out + begin * K + t % K;
            if (bits.has(t)) {
                bits.add(x, classes, end - begin, t, target, K);
                continue;
            }
            predictor_.walk(x, end - begin, t, leaf);
            for (std::size_t r = 0; r < end - begin; ++r)
                target[r * K] += arrays_.value[static_cast<std::size_t>(leaf[r])];
        }
    });
}

void Forest::score_row(const double* x, double* out) const {
    constexpr std::size_t at_once = 64;
    const std::size_t K = arrays_.n_outputs(), n_trees = arrays_.n_trees();
    std::copy(arrays_.baseline.begin(), arrays_.baseline.end(), out);
    std::vector<double> slots;
    if (!slots_.narrow()) {
        slots.resize(slots_.size());
        for (std::size_t s = 0; s < slots.size(); ++s) slots[s] = x[slots_.feature(s)];
        x = slots.data();
    }
    std::int32_t leaf[at_once];
    for (std::size_t t = 0; t < n_trees; t += at_once) {
        const std::size_t end = std::min(t + at_once, n_trees);
        predictor_.walk_trees(x, t, end, leaf);
        for (std::size_t j = t; j < end; ++j) out[j % K] += arrays_.value[static_cast<std::size_t>(leaf[j - t])];
    }
}

void Forest::apply(const RunContext& ctx, const Table& X, std::int32_t* out) const {
    const std::size_t n_trees = arrays_.n_trees();
    for_row_blocks(ctx, X, slots_, n_trees, [&](const auto* x, std::size_t begin, std::size_t end) {
        std::int32_t leaf[block_rows];
        for (std::size_t t = 0; t < n_trees; ++t) {
            predictor_.walk(x, end - begin, t, leaf);
            for (std::size_t r = 0; r < end - begin; ++r)
                out[(begin + r) * n_trees + t] = leaf[r] - static_cast<std::int32_t>(arrays_.tree_offset[t]);
        }
    });
}

std::vector<double> Forest::importance(Importance kind) const {
    std::vector<double> total(static_cast<std::size_t>(arrays_.n_features), 0.0);
    for (std::size_t i = 0; i < arrays_.n_nodes(); ++i) {
        if (arrays_.feature[i] < 0) continue;
        double& sum = total[static_cast<std::size_t>(arrays_.feature[i])];
        switch (kind) {
        case Importance::gain:
            sum += arrays_.gain[i];
            break;
        case Importance::split:
            sum += 1.0;
            break;
        case Importance::cover:
            sum += arrays_.cover[i];
            break;
        }
    }
    return total;
}

} // namespace mlcore::boosting
