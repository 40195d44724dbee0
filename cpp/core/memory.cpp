#include "core/memory.hpp"

#include <iterator>

#ifdef __linux__
#include <sys/mman.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace mlcore {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t huge_from = 2 * huge_page; // below, the alignment would waste too much

std::size_t round_up(std::size_t bytes) { return (bytes + cache_line - 1) / cache_line * cache_line; }

std::align_val_t alignment_of(std::size_t bytes) {
    return static_cast<std::align_val_t>(bytes >= huge_from ? huge_page : cache_line);
}

} // namespace

void* detail::allocate_aligned(std::size_t bytes) {
    if (bytes == 0) return nullptr;
    void* block = ::operator new(round_up(bytes), alignment_of(bytes));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= huge_from) madvise(block, bytes / huge_page * huge_page, MADV_HUGEPAGE); // a hint: may be refused
#endif
    return block;
}

void detail::free_aligned(void* block, std::size_t bytes) noexcept { ::operator delete(block, alignment_of(bytes)); }

Pool::Block Pool::take(std::size_t bytes) {
    if (bytes == 0) return {};
    {
        const std::lock_guard lock(mutex_);
        const auto found = idle_.lower_bound(bytes);
        if (found != idle_.end() && found->first / 2 <= bytes) {
            Block taken(this, found->second, found->first);
            idle_bytes_ -= found->first;
            idle_.erase(found);
            return taken;
        }
    }
    return {this, detail::allocate_aligned(bytes), bytes};
}

void Pool::give_back(void* data, std::size_t bytes) noexcept {
    std::unique_lock lock(mutex_);
    while (bytes <= max_idle_bytes_ && bytes > max_idle_bytes_ - idle_bytes_) {
        const auto [old_bytes, old] = *std::prev(idle_.end());
        idle_.erase(std::prev(idle_.end()));
        idle_bytes_ -= old_bytes;
        lock.unlock();
        detail::free_aligned(old, old_bytes);
        lock.lock();
    }
    if (bytes <= max_idle_bytes_) {
        try {
            idle_.emplace(bytes, data);
            idle_bytes_ += bytes;
            return;
        } catch (const std::bad_alloc&) {
            // No memory for the book-keeping: let the block go.
        }
    }
    lock.unlock();
    detail::free_aligned(data, bytes);
}

void Pool::release() noexcept {
    const std::lock_guard lock(mutex_);
    for (const auto& [bytes, data] : idle_) detail::free_aligned(data, bytes);
    idle_.clear();
    idle_bytes_ = 0;
}

std::size_t Pool::idle_bytes() const noexcept {
    const std::lock_guard lock(mutex_);
    return idle_bytes_;
}

Pool& shared_pool() {
    static Pool* const pool = [] {
        auto* made = new Pool(std::size_t{1} << 30);
#if defined(__unix__) || defined(__APPLE__)
        pthread_atfork([] { shared_pool().lock(); }, [] { shared_pool().unlock(); }, [] { shared_pool().unlock(); });
#endif
        return made;
    }();
    return *pool;
}

} // namespace mlcore
