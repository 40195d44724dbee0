#include "svm/row_cache.hpp"

#include "core/parallel.hpp"
#include "svm/points.hpp"

#include <iterator>
#include <vector>

namespace mlcore::svm {

RowCache::Row RowCache::find(Key key) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    order_.splice(order_.end(), order_, found->second);
    return found->second->row;
}

RowCache::Row RowCache::make(std::size_t n) {
    const std::size_t bytes = n * sizeof(float);
    auto values = std::make_unique<Buffer<float>>(n);
    const std::size_t now = bytes_ += bytes;
    for (std::size_t peak = peak_; peak < now && !peak_.compare_exchange_weak(peak, now);) {}
    return Row(values.release(), [this, bytes](Buffer<float>* dropped) {
        delete dropped;
        bytes_ -= bytes;
    });
}

RowCache::Row RowCache::allocate(std::size_t n) {
    const std::lock_guard lock(mutex_);
    make_room(n * sizeof(float));
    return make(n);
}

void RowCache::insert(Key key, const Row& row) {
    const std::lock_guard lock(mutex_);
    if (entries_.contains(key)) return;
    order_.push_back({key, row});
    entries_.emplace(key, std::prev(order_.end()));
}

void RowCache::make_room(std::size_t bytes) {
    for (auto entry = order_.begin(); entry != order_.end() && bytes_ + bytes > capacity_;) {
        if (entry->row.use_count() > 1) {
            ++entry;
            continue;
        }
        entries_.erase(entry->key);
        entry = order_.erase(entry);
    }
}

void RowCache::compact(const RunContext& ctx, std::span<const std::int32_t> kept) {
    std::vector<Row*> rows;
    for (Entry& entry : order_) rows.push_back(&entry.row);
    parallel_tasks(ctx, rows.size(), static_cast<double>(kept.size()), [&](std::size_t r, int) {
        const Buffer<float>& from = **rows[r];
        Row to = make(padded(kept.size()));
        for (std::size_t j = 0; j < kept.size(); ++j) (*to)[j] = from[static_cast<std::size_t>(kept[j])];
        *rows[r] = std::move(to);
    });
}

void RowCache::clear() {
    entries_.clear();
    order_.clear();
}

} // namespace mlcore::svm
