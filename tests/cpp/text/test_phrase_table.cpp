#include "check.hpp"

#include "text/phrase_table.hpp"
#include "text/twin.hpp"

#include <tuple>

using namespace mlcore::text;

TEST(connectors_have_numbers_and_numbers_have_connectors) {
    twin::Random random(1);
    GapTable table;
    std::map<std::vector<std::int32_t>, std::uint32_t> numbers{{{}, 0}};
    for (int round = 0; round < 3000; ++round) {
        std::vector<std::int32_t> ids(random.below(4));
        for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random.below(12));
        const auto known = numbers.find(ids);
        CHECK_EQUAL(table.find(ids), known == numbers.end() ? GapTable::none : known->second);
        const std::uint32_t number = table.find_or_add(ids);
        numbers.emplace(ids, number);
        CHECK_EQUAL(number, numbers.at(ids));
        CHECK_EQUAL(table.size(), numbers.size());
    }
    for (const auto& [ids, number] : numbers) CHECK(table.ids(number) == ids);
}

TEST(phrases_count_as_in_a_map) {
    twin::Random random(2);
    PhraseTable table;
    std::map<std::tuple<std::int32_t, std::int32_t, std::uint32_t>, std::uint32_t> counts;
    for (int round = 0; round < 20000; ++round) { // the table grows from 256 places several times
        const PhraseKey key{static_cast<std::int32_t>(random.below(80)), static_cast<std::int32_t>(random.below(80)),
                            static_cast<std::uint32_t>(random.below(3))};
        const auto known = counts.find({key.first, key.last, key.between});
        const std::uint32_t* found = table.find(key);
        CHECK_EQUAL(found == nullptr, known == counts.end());
        if (found) CHECK_EQUAL(*found, known->second);
        table.prefetch(key);
        ++table.at(key);
        ++counts[{key.first, key.last, key.between}];
        CHECK_EQUAL(table.size(), counts.size());
    }
    std::size_t n_seen = 0;
    table.for_each([&](const PhraseKey& key, std::uint32_t count) {
        ++n_seen;
        CHECK_EQUAL(count, counts.at({key.first, key.last, key.between}));
    });
    CHECK_EQUAL(n_seen, counts.size());
}
