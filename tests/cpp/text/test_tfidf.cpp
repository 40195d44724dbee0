#include "check.hpp"

#include "text/vectorizer/tfidf.hpp"

#include "core/context.hpp"

#include <cmath>
#include <random>
#include <vector>

using namespace mlcore;
using namespace mlcore::text;

namespace {

template <class T, class Index>
void compare(bool sublinear, bool with_idf, Norm norm) {
    std::mt19937 random(4);
    constexpr std::size_t n_rows = 500, n_columns = 40;
    std::vector<T> counts, idf;
    std::vector<Index> indices, indptr{0};
    for (std::size_t row = 0; row < n_rows; ++row) {
        for (std::size_t column = 0; column < n_columns; ++column)
            if (row % 7 && random() % 3 == 0) {
                indices.push_back(static_cast<Index>(column));
                counts.push_back(static_cast<T>(1 + random() % 6));
            }
        indptr.push_back(static_cast<Index>(indices.size()));
    }
    for (std::size_t column = 0; column < n_columns; ++column)
        idf.push_back(column == 5 ? T{0} : static_cast<T>(1 + 0.37 * static_cast<double>(column)));

    std::vector<double> expected;
    for (std::size_t row = 0; row < n_rows; ++row) {
        std::vector<double> values;
        double sum = 0;
        for (auto i = static_cast<std::size_t>(indptr[row]); i < static_cast<std::size_t>(indptr[row + 1]); ++i) {
            double value = sublinear ? 1 + std::log(static_cast<double>(counts[i])) : static_cast<double>(counts[i]);
            if (with_idf) value *= static_cast<double>(idf[static_cast<std::size_t>(indices[i])]);
            sum += norm == Norm::l1 ? value : value * value;
            values.push_back(value);
        }
        const double length = norm == Norm::none || sum == 0 ? 1 : norm == Norm::l1 ? sum : std::sqrt(sum);
        for (const double value : values) expected.push_back(value / length);
    }
    for (const int n_threads : {1, 4}) {
        StandaloneRun run(n_threads);
        std::vector<T> got = counts;
        tfidf<T, Index>(run.context, got, indices, indptr, with_idf ? std::span<const T>(idf) : std::span<const T>(),
                        sublinear, norm);
        const double rounding = 4 * static_cast<double>(std::numeric_limits<T>::epsilon());
        for (std::size_t i = 0; i < got.size(); ++i)
            CHECK_CLOSE(static_cast<double>(got[i]), expected[i], rounding * std::abs(expected[i]));
    }
}

} // namespace

TEST(weights_are_those_of_the_formula) {
    for (const bool sublinear : {false, true})
        for (const bool with_idf : {false, true})
            for (const Norm norm : {Norm::none, Norm::l1, Norm::l2}) {
                compare<double, std::int32_t>(sublinear, with_idf, norm);
                compare<float, std::int32_t>(sublinear, with_idf, norm);
                compare<double, std::int64_t>(sublinear, with_idf, norm);
                compare<float, std::int64_t>(sublinear, with_idf, norm);
            }
}
