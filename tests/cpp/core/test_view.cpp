#include "check.hpp"

#include "core/view.hpp"

#include <cstdint>
#include <vector>

using namespace mlcore;

TEST(matrix_view_reads_any_strides) {
    const double values[] = {1, 2, 3, 4, 5, 6};
    const auto m = row_major(values, 2, 3);
    CHECK_EQUAL(m(1, 0), 4);
    CHECK(m.rows_contiguous() && !m.cols_contiguous());
    const MatrixView<const double> transposed{values, 3, 2, 1, 3};
    CHECK_EQUAL(transposed(2, 1), 6);
    CHECK(transposed.cols_contiguous() && !transposed.rows_contiguous());
    const MatrixView<const double> reversed{values + 5, 2, 3, -3, -1};
    CHECK_EQUAL(reversed(0, 0), 6);
    CHECK_EQUAL(reversed(1, 2), 1);
    CHECK_EQUAL(reversed.row(1)[0], 3);
    CHECK_EQUAL(reversed.col(1)[1], 2);
    const MatrixView<const double> repeated{values + 2, 4, 2, 0, 0};
    CHECK_EQUAL(repeated(3, 1), 3);
}

TEST(views_lose_write_access_by_conversion) {
    std::vector<float> values(4, 1);
    const MatrixView<float> m = row_major(values.data(), 2, 2);
    m(0, 1) = 5;
    const MatrixView<const float> read_only = m;
    CHECK_EQUAL(read_only(0, 1), 5);
    const VectorView<const float> row = m.row(0);
    CHECK_EQUAL(row[1], 5);
    CHECK(row.contiguous() && !m.col(0).contiguous());
}

TEST(csr_is_checked) {
    const std::vector<double> data{1, 2, 3};
    std::vector<std::int32_t> indices{0, 2, 1}, indptr{0, 2, 2, 3};
    const CsrView<double, std::int32_t> x{data.data(), indices.data(), indptr.data(), 3, 3};
    check_csr(x, 3);
    CHECK_EQUAL(x.n_stored(), 3u);
    CHECK(x.begin(1) == x.end(1));

    CHECK_THROWS(ValueError, check_csr(x, 2)); // ends beyond the data
    const auto with = [&](auto& array, std::size_t at, std::int32_t value) {
        const std::int32_t kept = array[at];
        array[at] = value;
        CHECK_THROWS(ValueError, check_csr(x, 3));
        array[at] = kept;
    };
    with(indptr, 0, 1);
    with(indptr, 0, -1);
    with(indptr, 1, 3);
    with(indptr, 2, -5);
    with(indices, 1, 3);
    with(indices, 1, -1);
    check_csr(x, 3);
}

TEST(internal_check_names_its_place) {
    MLCORE_CHECK(true, "fine");
    try {
        MLCORE_CHECK(2 < 1, "order holds");
        CHECK(false);
    } catch (const InternalError& e) {
        CHECK(std::string(e.what()).find("test_view.cpp:") == 0);
        CHECK(std::string(e.what()).find("order holds") != std::string::npos);
    }
}
