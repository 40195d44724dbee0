#include "check.hpp"

#include "core/choice.hpp"

using namespace mlcore;

namespace {

enum class Fruit { apple, pear, fig };

std::string message(const std::string& name, std::initializer_list<std::pair<const char*, Fruit>> choices) {
    try {
        choose<Fruit>("fruit", name, choices);
    } catch (const ValueError& e) {
        return e.what();
    }
    return "no error";
}

} // namespace

TEST(a_choice_has_its_value) {
    CHECK(choose<Fruit>("fruit", "pear", {{"apple", Fruit::apple}, {"pear", Fruit::pear}}) == Fruit::pear);
    CHECK(choose<Fruit>("fruit", "apple", {{"apple", Fruit::apple}}) == Fruit::apple);
}

TEST(another_name_is_an_error_that_lists_the_choices) {
    CHECK_EQUAL(message("plum", {{"apple", Fruit::apple}}), "fruit must be 'apple', got 'plum'");
    CHECK_EQUAL(message("", {{"apple", Fruit::apple}, {"pear", Fruit::pear}}),
                "fruit must be 'apple' or 'pear', got ''");
    CHECK_EQUAL(message("Fig", {{"apple", Fruit::apple}, {"pear", Fruit::pear}, {"fig", Fruit::fig}}),
                "fruit must be 'apple', 'pear' or 'fig', got 'Fig'");
}
