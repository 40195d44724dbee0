// Memory for what is large and lives for one fit: zeros, of which the system provides only what is touched, and gets
// back all at once. (Where the heap keeps what was freed, the peak of a fit is the sum of its phases.)
#pragma once

#include "core/memory.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace mlcore::text {

/// A fixed number of T, at first all of their bytes 0.
template <class T>
class Pages {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

  public:
    Pages() = default;
    explicit Pages(std::size_t size) : size_(size) {
        if (size > address_space / sizeof(T)) throw std::bad_alloc();
        if (size == 0) return;
#ifdef __linux__
        if (is_mapped()) {
            void* const block =
                mmap(nullptr, size * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (block == MAP_FAILED) throw std::bad_alloc();
            data_ = static_cast<T*>(block);
#ifdef MADV_HUGEPAGE
            constexpr std::size_t huge_from = std::size_t{4} << 20;
            if (size * sizeof(T) >= huge_from) madvise(block, size * sizeof(T), MADV_HUGEPAGE); // a hint
#endif
            return;
        }
#endif
        data_ = static_cast<T*>(std::calloc(size, sizeof(T)));
        if (!data_) throw std::bad_alloc();
    }
    Pages(Pages&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Pages& operator=(Pages&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Pages() {
#ifdef __linux__
        if (data_ && is_mapped()) {
            munmap(data_, size_ * sizeof(T));
            return;
        }
#endif
        std::free(data_);
    }

    std::size_t size() const noexcept { return size_; }
    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    T* begin() noexcept { return data_; }
    const T* begin() const noexcept { return data_; }
    T* end() noexcept { return data_ + size_; }
    const T* end() const noexcept { return data_ + size_; }
    T& operator[](std::size_t i) noexcept { return data_[i]; }
    const T& operator[](std::size_t i) const noexcept { return data_[i]; }

  private:
    bool is_mapped() const { return size_ * sizeof(T) >= std::size_t{1} << 16; }

    T* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace mlcore::text
