#include "check.hpp"

#include "core/memory.hpp"

#include <cstdint>
#include <thread>

using namespace mlcore;

namespace {
std::uintptr_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }
} // namespace

TEST(buffer_is_aligned) {
    for (std::size_t size : {1, 3, 63, 64, 65, 1000, 100'000}) CHECK_EQUAL(address(Buffer<char>(size).data()) % 64, 0u);
    const Buffer<double> large(1 << 20);
    CHECK_EQUAL(address(large.data()) % (2 << 20), 0u);
}

TEST(buffer_moves_and_keeps_its_memory) {
    Buffer<int> a(10, 7);
    const int* data = a.data();
    Buffer<int> b(std::move(a));
    CHECK(b.data() == data && b.size() == 10 && b[9] == 7);
    CHECK(a.data() == nullptr && a.empty());
    Buffer<int> c(3);
    c = std::move(b);
    CHECK(c.data() == data && c.size() == 10);
    int sum = 0;
    for (int value : c) sum += value;
    CHECK_EQUAL(sum, 70);
    CHECK_EQUAL(c.span().size(), 10u);
}

TEST(buffer_of_nothing_and_of_too_much) {
    const Buffer<double> none(0);
    CHECK(none.data() == nullptr && none.empty());
    CHECK_THROWS(std::bad_alloc, Buffer<double>(std::size_t{1} << 61));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // whose operator new aborts instead
    CHECK_THROWS(std::bad_alloc, Buffer<double>(std::size_t{1} << 58));
#endif
}

TEST(pool_hands_out_what_came_back) {
    Pool pool(1 << 20);
    const void* first;
    {
        const Pool::Block block = pool.take(1000);
        first = block.as<char>();
        CHECK_EQUAL(address(first) % 64, 0u);
        CHECK_EQUAL(block.bytes(), 1000u);
        CHECK_EQUAL(pool.idle_bytes(), 0u);
    }
    CHECK_EQUAL(pool.idle_bytes(), 1000u);
    {
        const Pool::Block smaller = pool.take(600);
        CHECK(smaller.as<char>() == first);
        CHECK_EQUAL(pool.idle_bytes(), 0u);
    }
    const Pool::Block much_smaller = pool.take(100); // would waste more than half
    CHECK(much_smaller.as<char>() != first);
    pool.release();
    CHECK_EQUAL(pool.idle_bytes(), 0u);
}

TEST(pool_keeps_to_its_bound) {
    Pool pool(2500);
    { const Pool::Block a = pool.take(1000), b = pool.take(1000), c = pool.take(1000); }
    CHECK_EQUAL(pool.idle_bytes(), 2000u);
    { const Pool::Block too_large = pool.take(5000); }
    CHECK_EQUAL(pool.idle_bytes(), 2000u);
    CHECK(!pool.take(0));
}

TEST(pool_blocks_move) {
    Pool pool(1 << 20);
    Pool::Block a = pool.take(100), b = pool.take(200);
    const char* data = a.as<char>();
    b = std::move(a);
    CHECK(b.as<char>() == data && b.bytes() == 100);
    a = {};
    CHECK_EQUAL(pool.idle_bytes(), 200u);
}

TEST(pool_serves_many_threads) {
    Pool pool(1 << 16);
    const auto work = [&](int seed) {
        for (int i = 0; i < 2000; ++i) {
            Pool::Block block = pool.take(64 + static_cast<std::size_t>((seed * 31 + i * 17) % 500));
            block.as<int>()[0] = seed;
            std::this_thread::yield();
            CHECK_EQUAL(block.as<int>()[0], seed);
        }
    };
    std::thread a(work, 1), b(work, 2), c(work, 3);
    a.join(), b.join(), c.join();
    CHECK(pool.idle_bytes() <= 1 << 16);
}
