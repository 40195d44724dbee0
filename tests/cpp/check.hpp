// A native test program in one header: TEST(name) { CHECK(...); } and a main. No framework, so that `make test`
// downloads nothing. Each tests/cpp/<family>/test_*.cpp is a program of its own.
//   ./test_core_random               runs all tests of the file
//   ./test_core_random philox        runs those whose name contains "philox"
// A failed check is reported and the test goes on; an exception ends the test. Exit status 1 if anything failed.
// Checks may be made from several threads.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

namespace check {

struct Test {
    const char* name;
    void (*body)();
};

inline std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

inline std::atomic<int> n_failures{0};

inline void fail(const char* file, int line, const std::string& what) {
    ++n_failures;
    std::printf("  %s:%d: %s\n", file, line, what.c_str());
}

template <class A, class B>
void equal(const A& got, const B& expected, const char* text, const char* file, int line) {
    if (got == expected) return;
    std::ostringstream message;
    message.precision(17);
    message << text << " is " << got << ", expected " << expected;
    fail(file, line, message.str());
}

/// NaN is close to NaN alone, an infinity to itself alone.
inline void close(double got, double expected, double tolerance, const char* text, const char* file, int line) {
    if (got == expected || std::abs(got - expected) <= tolerance || (std::isnan(got) && std::isnan(expected))) return;
    std::ostringstream message;
    message.precision(17);
    message << text << " is " << got << ", expected " << expected << " within " << tolerance;
    fail(file, line, message.str());
}

struct Registration {
    Registration(const char* name, void (*body)()) { tests().push_back({name, body}); }
};

inline int run(const std::string& filter) {
    int n_run = 0, n_bad = 0;
    for (const Test& test : tests()) {
        if (std::string(test.name).find(filter) == std::string::npos) continue;
        ++n_run;
        const int before = n_failures;
        try {
            test.body();
        } catch (const std::exception& e) {
            fail(test.name, 0, std::string("unexpected exception: ") + e.what());
        } catch (...) {
            fail(test.name, 0, "unexpected exception of an unknown type");
        }
        const bool good = n_failures == before;
        n_bad += !good;
        std::printf("%s %s\n", good ? "ok    " : "FAILED", test.name);
    }
    std::printf("%d tests, %d failed\n", n_run, n_bad);
    return n_run == 0 || n_bad != 0; // a filter that matches nothing is a mistake
}

} // namespace check

#define TEST(name)                                                                                                     \
    static void test_##name();                                                                                         \
    static const check::Registration register_##name(#name, test_##name);                                              \
    static void test_##name()

#define CHECK(cond)                                                                                                    \
    do {                                                                                                               \
        if (!(cond)) check::fail(__FILE_NAME__, __LINE__, "not true: " #cond);                                         \
    } while (false)

#define CHECK_EQUAL(got, expected) check::equal(got, expected, #got, __FILE_NAME__, __LINE__)

#define CHECK_CLOSE(got, expected, tolerance) check::close(got, expected, tolerance, #got, __FILE_NAME__, __LINE__)

#define CHECK_THROWS(Type, ...)                                                                                        \
    do {                                                                                                               \
        try {                                                                                                          \
            __VA_ARGS__;                                                                                               \
            check::fail(__FILE_NAME__, __LINE__, "no " #Type " from " #__VA_ARGS__);                                   \
        } catch (const Type&) {}                                                                                       \
    } while (false)

int main(int argc, char** argv) { return check::run(argc > 1 ? argv[1] : ""); }
