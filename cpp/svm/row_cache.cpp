#include "svm/row_cache.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "svm/points.hpp"

#include <algorithm>
#include <cstring>

namespace mlcore::svm {

RowCache::RowCache(std::size_t n_points, std::size_t n_columns, std::size_t max_bytes, std::size_t min_slots)
    : min_slots_(std::min(min_slots, n_points)),
      values_(std::clamp(max_bytes / (padded(n_columns) * sizeof(float)), min_slots_, n_points) * padded(n_columns)),
      slot_of_(n_points, none) {
    resize(n_columns);
}

void RowCache::resize(std::size_t n_columns) {
    stride_ = padded(n_columns);
    n_slots_ = std::min(values_.size() / stride_, slot_of_.size());
    slots_.resize(n_slots_);
}

void RowCache::link_newest(std::int32_t slot) {
    Slot& s = slots_[static_cast<std::size_t>(slot)];
    s.older = newest_;
    s.newer = none;
    (newest_ == none ? oldest_ : slots_[static_cast<std::size_t>(newest_)].newer) = slot;
    newest_ = slot;
}

void RowCache::unlink(std::int32_t slot) {
    const Slot& s = slots_[static_cast<std::size_t>(slot)];
    (s.older == none ? oldest_ : slots_[static_cast<std::size_t>(s.older)].newer) = s.newer;
    (s.newer == none ? newest_ : slots_[static_cast<std::size_t>(s.newer)].older) = s.older;
}

RowCache::Row RowCache::find(std::int32_t point) {
    const std::lock_guard lock(mutex_);
    const std::int32_t slot = slot_of_[static_cast<std::size_t>(point)];
    if (slot == none) return {};
    unlink(slot);
    link_newest(slot);
    ++slots_[static_cast<std::size_t>(slot)].n_users;
    return {this, slot};
}

RowCache::Row RowCache::reserve() {
    const std::lock_guard lock(mutex_);
    std::int32_t slot = none;
    if (!free_.empty()) {
        slot = free_.back();
        free_.pop_back();
    } else if (n_taken_ < n_slots_) {
        slot = static_cast<std::int32_t>(n_taken_++);
        peak_ = std::max(peak_, n_taken_ * stride_ * sizeof(float));
    } else {
        slot = oldest_;
        while (slot != none && slots_[static_cast<std::size_t>(slot)].n_users > 0)
            slot = slots_[static_cast<std::size_t>(slot)].newer;
        if (slot == none) throw InternalError("all kernel rows of the cache are in use");
        unlink(slot);
        std::int32_t& point = slots_[static_cast<std::size_t>(slot)].point;
        slot_of_[static_cast<std::size_t>(point)] = none;
        point = none;
    }
    slots_[static_cast<std::size_t>(slot)].n_users = 1;
    return {this, slot};
}

void RowCache::publish(std::int32_t point, const Row& row) {
    const std::lock_guard lock(mutex_);
    std::int32_t& slot = slot_of_[static_cast<std::size_t>(point)];
    if (slot != none) return; // the row of this thread goes when its user is done
    slot = row.slot_;
    slots_[static_cast<std::size_t>(slot)].point = point;
    link_newest(slot);
}

void RowCache::release(std::int32_t slot) {
    const std::lock_guard lock(mutex_);
    Slot& s = slots_[static_cast<std::size_t>(slot)];
    if (--s.n_users == 0 && s.point == none) free_.push_back(slot);
}

void RowCache::compact(const RunContext& ctx, std::span<const std::int32_t> kept) {
    const std::size_t before = stride_;
    // Within their slots first, on all threads: the columns of a row move down, in order.
    parallel_tasks(ctx, n_taken_, static_cast<double>(kept.size()), [&](std::size_t slot, int) {
        float* row = values_.data() + slot * before;
        for (std::size_t j = 0; j < kept.size(); ++j) row[j] = row[static_cast<std::size_t>(kept[j])];
    });
    resize(kept.size());
    for (std::size_t slot = 1; slot < n_taken_; ++slot)
        std::memmove(values_.data() + slot * stride_, values_.data() + slot * before, kept.size() * sizeof(float));
}

void RowCache::reset(std::size_t n_columns) {
    slots_.clear();
    free_.clear();
    std::fill(slot_of_.begin(), slot_of_.end(), none);
    oldest_ = newest_ = none;
    n_taken_ = 0;
    resize(n_columns);
}

} // namespace mlcore::svm
