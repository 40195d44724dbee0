#include "check.hpp"

#include "text/vectorizer/term_table.hpp"

#include "core/context.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::text;

namespace {

using Codes = TermTable<CodeSlot, std::uint64_t>;

bool always(std::int32_t) { return true; }

} // namespace

TEST(each_code_has_one_number_whichever_thread_brings_it_first) {
    for (const int n_threads : {1, 2, 4, 8}) {
        StandaloneRun run(n_threads);
        const auto n_workers = static_cast<std::size_t>(n_threads);
        Codes table;
        std::vector<Codes::Stock> stocks(n_workers);
        constexpr std::size_t n_codes = 20'000;
        // All workers bring all codes, each in an order of its own, and remember the numbers that they were told.
        std::vector<std::vector<std::int32_t>> numbers(n_workers, std::vector<std::int32_t>(n_codes, -1));
        std::vector<std::size_t> next(n_workers);
        const auto all_done = [&] {
            return std::all_of(next.begin(), next.end(), [](std::size_t i) { return i == n_codes; });
        };
        int n_rounds = 0;
        for (; !all_done(); ++n_rounds) {
            if (n_rounds > 0) table.grow(run.context);
            parallel_tasks(run.context, n_workers, 1e6, [&](std::size_t w, int) {
                for (; next[w] < n_codes; ++next[w]) {
                    if (!table.claim(stocks[w], 1, n_workers)) return;
                    const std::size_t code =
                        (next[w] * (2 * w + 1) + 77 * w) % n_codes; // 2 w + 1 has no factor 2 or 5 ...
                    numbers[w][code] =
                        table.find_or_insert(code * 0x1234567, stocks[w], always, [&] { return code * 0x1234567; });
                }
            });
        }
        CHECK(n_rounds > 5); // it has grown
        std::vector<char> used(table.n_ids());
        for (std::size_t code = 0; code < n_codes; ++code) {
            const std::int32_t number = table.find(code * 0x1234567, always);
            if (number < 0) continue; // ... unless w is 2 or 7: those workers left some out
            CHECK(!used[static_cast<std::size_t>(number)]);
            used[static_cast<std::size_t>(number)] = 1;
            CHECK_EQUAL(table.content(number), code * 0x1234567);
            for (const auto& told : numbers) CHECK(told[code] == -1 || told[code] == number);
        }
        CHECK_EQUAL(table.find(1, always), -1);
        CHECK(table.n_ids() <= table.capacity());
    }
}

TEST(a_stock_gives_out_each_number_once) {
    Codes::Stock stock;
    stock.add(0, 3);
    stock.add(3, 5);
    stock.add(100, 102);
    CHECK_EQUAL(stock.size(), 7u);
    std::vector<std::int32_t> numbers;
    while (stock.size() > 0) numbers.push_back(stock.take());
    std::sort(numbers.begin(), numbers.end());
    CHECK(numbers == (std::vector<std::int32_t>{0, 1, 2, 3, 4, 100, 101}));
}

TEST(content_that_cannot_be_made_leaves_no_trace) {
    StandaloneRun run(1);
    Codes table;
    Codes::Stock stock;
    CHECK(table.claim(stock, 1, 1));
    CHECK_THROWS(std::bad_alloc,
                 table.find_or_insert(5, stock, always, []() -> std::uint64_t { throw std::bad_alloc(); }));
    CHECK_EQUAL(table.find(5, always), -1);
    const std::int32_t number = table.find_or_insert(5, stock, always, [] { return std::uint64_t{5}; });
    CHECK_EQUAL(table.find(5, always), number);
}
