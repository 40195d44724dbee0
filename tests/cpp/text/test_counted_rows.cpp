#include "check.hpp"

#include "text/vectorizer/counted_rows.hpp"
#include "text/vectorizer/document_counter.hpp"

#include "core/context.hpp"

#include <map>
#include <numeric>
#include <random>
#include <variant>
#include <vector>

using namespace mlcore;
using namespace mlcore::text;

namespace {

using Row = std::map<std::uint32_t, std::uint32_t>;

template <class T>
void check_rows(const CsrCounts& csr, const std::vector<Row>& rows, const std::vector<std::int32_t>& columns,
                bool binary) {
    const auto& data = std::get<Buffer<T>>(csr.data);
    const auto& indices = std::get<Buffer<std::int32_t>>(csr.indices);
    const auto& indptr = std::get<Buffer<std::int32_t>>(csr.indptr);
    std::size_t entry = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        std::map<std::int32_t, std::uint32_t> expected;
        for (const auto& [term, count] : rows[i])
            if (columns[term] >= 0) expected[columns[term]] = count;
        CHECK_EQUAL(static_cast<std::size_t>(indptr[i]), entry);
        for (const auto& [column, count] : expected) {
            CHECK_EQUAL(indices[entry], column);
            CHECK_EQUAL(data[entry], static_cast<T>(binary ? 1 : count));
            ++entry;
        }
    }
    CHECK_EQUAL(entry, data.size());
}

} // namespace

TEST(rows_are_those_of_maps) {
    std::mt19937 random(1);
    const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    for (const std::size_t n_terms : {1, 70, 3000, 200'000}) {
        // Rows of all lengths around those at which the way of sorting changes.
        std::vector<Row> rows(300);
        for (Row& row : rows)
            for (std::size_t n = below(4) ? below(120) : below(3000); n > 0; --n)
                row[static_cast<std::uint32_t>(below(n_terms))] =
                    static_cast<std::uint32_t>(below(20) ? 1 + below(5) : 250 + below(10) + below(2) * 4'000'000'000);
        std::vector<std::int32_t> columns(n_terms);
        std::iota(columns.begin(), columns.end(), 0);
        std::shuffle(columns.begin(), columns.end(), random);
        for (const bool all : {true, false}) {
            if (!all)
                for (std::size_t i = 0; i < n_terms; i += 3) columns[i] = -1;
            const Columns map{columns, n_terms, n_terms, all};
            for (const int n_threads : {1, 2, 5}) {
                StandaloneRun run(n_threads);
                const auto chunks = [&] {
                    RowWriter writer;
                    std::vector<RowChunk> made;
                    for (std::size_t i = 0; i < rows.size(); ++i) {
                        for (const auto& [term, count] : rows[i]) writer.add(term, count);
                        writer.end_document();
                        if (i % 37 == 36 || i + 1 == rows.size()) made.push_back(writer.take());
                    }
                    return made;
                };
                check_rows<std::int64_t>(to_csr(run.context, chunks(), map, false, Values::int64), rows, columns,
                                         false);
                check_rows<float>(to_csr(run.context, chunks(), map, false, Values::float32), rows, columns, false);
                check_rows<double>(to_csr(run.context, chunks(), map, true, Values::float64), rows, columns, true);
                check_rows<std::int32_t>(to_csr(run.context, chunks(), map, true, Values::int32), rows, columns, true);
            }
        }
    }
}

TEST(a_document_is_counted_as_by_a_map) {
    std::mt19937 random(2);
    DocumentCounter counter;
    for (const std::size_t n : {0, 1, 10, 600, 50'000, 3, 200'000, 1, 2}) { // it grows and shrinks
        std::map<std::uint32_t, std::uint32_t> expected, got;
        std::vector<std::uint32_t> order;
        for (std::size_t i = 0; i < n; ++i) {
            const auto id = static_cast<std::uint32_t>(random() % (n / 2 + 1)) * 0x10001;
            const auto times = static_cast<std::uint32_t>(1 + random() % 3);
            if (expected[id] == 0) order.push_back(id);
            expected[id] += times;
            counter.add(id, times);
        }
        CHECK_EQUAL(counter.size(), expected.size());
        std::size_t i = 0;
        counter.drain([](std::uint32_t) {},
                      [&](std::uint32_t id, std::uint32_t times) {
                          CHECK_EQUAL(id, order[i++]);
                          got[id] = times;
                      });
        CHECK(got == expected);
        CHECK_EQUAL(counter.size(), 0u);
    }
}
