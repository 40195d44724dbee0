// Memory for kernels: aligned to a cache line, so that a row starts where a vector load likes it, and left
// uninitialised, so that pages are first touched by the thread that fills them. From 4 MiB on, aligned to 2 MiB and
// offered to the kernel as huge pages: random access over a large table then misses the TLB far less.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace mlcore {

inline constexpr std::size_t cache_line = 64;
inline constexpr std::size_t address_space = std::size_t{1} << 56; // no process has more

namespace detail {
/// At least `bytes` bytes, rounded up to whole cache lines; nullptr for 0. Throws std::bad_alloc.
void* allocate_aligned(std::size_t bytes);
void free_aligned(void* block, std::size_t bytes) noexcept;
} // namespace detail

/// A fixed number of uninitialised T. Reading up to the end of the last cache line is allowed.
template <class T>
class Buffer {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

  public:
    using value_type = T;

    Buffer() = default;
    explicit Buffer(std::size_t size) : size_(size) {
        if (size > address_space / sizeof(T)) throw std::bad_alloc(); // the product could wrap around
        data_ = static_cast<T*>(detail::allocate_aligned(size * sizeof(T)));
    }
    Buffer(std::size_t size, T value) : Buffer(size) { fill(value); }
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Buffer() { detail::free_aligned(data_, size_ * sizeof(T)); }

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    T* begin() noexcept { return data_; }
    T* end() noexcept { return data_ + size_; }
    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + size_; }
    T& operator[](std::size_t i) noexcept { return data_[i]; }
    const T& operator[](std::size_t i) const noexcept { return data_[i]; }
    std::span<T> span() noexcept { return {data_, size_}; }
    std::span<const T> span() const noexcept { return {data_, size_}; }
    void fill(T value) noexcept { std::uninitialized_fill_n(data_, size_, value); }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Keeps blocks that were given back, up to a bound of idle bytes (the largest idle ones go first), and hands them out
/// again. For memory of recurring
/// sizes (histograms, scratch rows). All members may be called from any thread. A pool must outlive its blocks.
class Pool {
  public:
    /// Owns `bytes()` uninitialised bytes until it is destroyed; they then go back to the pool.
    class Block {
      public:
        Block() = default;
        Block(Block&& other) noexcept { swap(other); }
        Block& operator=(Block&& other) noexcept {
            swap(other);
            return *this;
        }
        ~Block() {
            if (data_) pool_->give_back(data_, bytes_);
        }

        std::size_t bytes() const noexcept { return bytes_; }
        template <class T>
        T* as() noexcept {
            return static_cast<T*>(data_);
        }
        template <class T>
        const T* as() const noexcept {
            return static_cast<const T*>(data_);
        }
        explicit operator bool() const noexcept { return data_ != nullptr; }

      private:
        friend class Pool;
        Block(Pool* pool, void* data, std::size_t bytes) : pool_(pool), data_(data), bytes_(bytes) {}
        void swap(Block& other) noexcept {
            std::swap(pool_, other.pool_);
            std::swap(data_, other.data_);
            std::swap(bytes_, other.bytes_);
        }

        Pool* pool_ = nullptr;
        void* data_ = nullptr;
        std::size_t bytes_ = 0;
    };

    explicit Pool(std::size_t max_idle_bytes) : max_idle_bytes_(max_idle_bytes) {}
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    ~Pool() { release(); }

    /// A block of `bytes` or more (about twice as many at most): an idle one if any fits. Throws std::bad_alloc.
    Block take(std::size_t bytes);

    /// Frees all idle blocks.
    void release() noexcept;

    /// Around a fork, so that the child finds no mutex that a thread it does not have holds.
    void lock() noexcept { mutex_.lock(); }
    void unlock() noexcept { mutex_.unlock(); }

    std::size_t idle_bytes() const noexcept;

  private:
    void give_back(void* data, std::size_t bytes) noexcept;

    const std::size_t max_idle_bytes_;
    mutable std::mutex mutex_;
    std::multimap<std::size_t, void*> idle_; // by size
    std::size_t idle_bytes_ = 0;
};

/// The pool of the process, for arrays handed to Python and for the scratch memory of kernels that are called again and
/// again: a training step whose sizes recur allocates nothing after the first. Keeps up to 1 GiB of idle memory and is
/// never destroyed, because arrays may outlive everything else.
Pool& shared_pool();

/// A fixed number of uninitialised T from the shared pool: scratch of one call.
template <class T>
class Scratch {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

  public:
    Scratch() = default;
    explicit Scratch(std::size_t size) : size_(size) {
        if (size > address_space / sizeof(T)) throw std::bad_alloc();
        block_ = shared_pool().take(size * sizeof(T));
    }

    std::size_t size() const noexcept { return size_; }
    T* data() noexcept { return block_.template as<T>(); }
    const T* data() const noexcept { return block_.template as<T>(); }
    T& operator[](std::size_t i) noexcept { return data()[i]; }
    const T& operator[](std::size_t i) const noexcept { return data()[i]; }
    std::span<T> span() noexcept { return {data(), size_}; }

  private:
    Pool::Block block_;
    std::size_t size_ = 0;
};

} // namespace mlcore
