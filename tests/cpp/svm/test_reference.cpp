// A row in the midst of the others, and the units of the tolerance that follow from it, against plain loops.
#include "check.hpp"
#include "svm/reference.hpp"
#include "svm/tolerance.hpp"
#include "svm/twin.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace mlcore;
using namespace mlcore::svm;

namespace {

constexpr Kernel kernels[] = {{.type = Kernel::Type::linear},
                              {.type = Kernel::Type::rbf, .gamma = 0.1},
                              {.type = Kernel::Type::poly, .gamma = 0.2, .coef0 = 1, .degree = 2},
                              {.type = Kernel::Type::sigmoid, .gamma = 0.05, .coef0 = 0.1}};

TrainParams params_of(Kind kind) {
    TrainParams params;
    params.kind = kind;
    params.nu = 0.1;
    return params;
}

double upper_median(std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
}

} // namespace

TEST(a_point_knows_its_kernel_with_the_rows) {
    const twin::Data data(12, 6, 1, 0.6, 3);
    for (const Table& X : {data.dense(), data.sparse()}) {
        ReferencePoint point(X);
        for (const std::size_t row : {4, 0, 11}) { // one after another, to and from zero
            point.set(X, row);
            CHECK(point.values() ==
                  std::vector<double>(data.x.begin() + static_cast<std::ptrdiff_t>(row * data.d),
                                      data.x.begin() + static_cast<std::ptrdiff_t>((row + 1) * data.d)));
            for (const Kernel& kernel : kernels) {
                CHECK_CLOSE(point.self(kernel), twin::kernel(kernel, data, row, data, row), 1e-12);
                for (std::size_t i = 0; i < data.n; ++i)
                    CHECK_CLOSE(point.kernel_with(X, kernel, i), twin::kernel(kernel, data, row, data, i), 1e-12);
            }
            for (std::size_t i = 0; i < data.n; ++i) {
                double expected = 0;
                for (std::size_t k = 0; k < data.d; ++k)
                    expected += data.x[row * data.d + k] * (data.x[i * data.d + k] - data.x[row * data.d + k]);
                CHECK_CLOSE(point.product_with_difference(X, i), expected, 1e-11);
            }
            point.clear(X, row);
            CHECK(point.values() == std::vector<double>(data.d, 0.0));
        }
    }
}

TEST(the_reference_is_the_row_closest_to_the_others) {
    const twin::Data data(13, 4, 2, 0.8); // so few rows that all are looked at
    for (const Kernel& kernel : kernels)
        for (const Table& X : {data.dense(), data.sparse()}) {
            std::vector<double> self, pairs, typical;
            for (std::size_t a = 0; a < data.n; ++a) {
                self.push_back(twin::kernel(kernel, data, a, data, a));
                std::vector<double> to_others;
                for (std::size_t b = 0; b < data.n; ++b) {
                    if (a == b) continue;
                    const double distance =
                        std::max(twin::kernel(kernel, data, a, data, a) + twin::kernel(kernel, data, b, data, b) -
                                     2 * twin::kernel(kernel, data, a, data, b),
                                 0.0);
                    to_others.push_back(distance);
                    if (b < a) pairs.push_back(distance / 2);
                }
                typical.push_back(upper_median(to_others));
            }
            const Reference found = find_reference(X, kernel);
            CHECK_EQUAL(found.row,
                        static_cast<std::size_t>(std::min_element(typical.begin(), typical.end()) - typical.begin()));
            CHECK_CLOSE(found.nearby, *std::min_element(typical.begin(), typical.end()), 1e-12);
            CHECK_CLOSE(found.size, std::max(upper_median(self), 0.0), 1e-12);
            CHECK_CLOSE(found.spread, upper_median(pairs), 1e-12);
        }
    std::vector<double> K;
    for (std::size_t a = 0; a < data.n; ++a)
        for (std::size_t b = 0; b < data.n; ++b) K.push_back(twin::kernel(kernels[1], data, a, data, b));
    const Reference given =
        find_reference(row_major<const double>(K.data(), data.n, data.n), {.type = Kernel::Type::precomputed});
    CHECK_CLOSE(given.spread, find_reference(data.dense(), kernels[1]).spread, 1e-12);
}

TEST(units_of_the_tolerance) {
    const std::vector<double> target{10, 12, 11, 50, 10.5}, even(5, 2.0);
    const TargetScale scale = target_scale(target, even);
    CHECK_EQUAL(scale.middle, 11.0);
    CHECK_CLOSE(scale.unit, 1.4826 * 1.0, 1e-12); // distances 1, 1, 0, 39, 0.5
    const std::vector<double> mostly_one{3, 3, 3, 7, 3};
    CHECK_CLOSE(target_scale(mostly_one, even).unit, 4.0 / 5, 1e-12);
    const std::vector<double> weight{1, 1, 1, 9, 1};
    CHECK_EQUAL(target_scale(target, weight).middle, 50.0);

    const Reference reference{.row = 0, .size = 4, .spread = 0.25, .nearby = 0.5};
    const std::vector<double> C{1, 2, 3}, label{1, -1, -1};
    const auto unit = [&](Kind kind) { return tolerance_unit(params_of(kind), reference, C, label, 0.6); };
    CHECK_CLOSE(unit(Kind::c_svc), 0.25, 1e-15);      // one positive row, of C = 1
    CHECK_CLOSE(unit(Kind::epsilon_svr), 0.6, 1e-15); // below 0.25 * 6 / 2
    CHECK_CLOSE(unit(Kind::nu_svr), 0.25 * 0.1 * 3, 1e-15);
    CHECK_CLOSE(unit(Kind::nu_svc), 0.25 * 0.3, 1e-15);
    CHECK_CLOSE(unit(Kind::one_class), 1 * 0.6, 1e-15);
    CHECK_EQUAL(unresolved_gap(params_of(Kind::c_svc), reference, C, false), 0.0);
    const double far = unresolved_gap(params_of(Kind::nu_svc), reference, C, false);
    CHECK(far > 0 && far < 1e-4);
    CHECK_CLOSE(unresolved_gap(params_of(Kind::nu_svc), reference, C, true), far * 0.5 / 4, 1e-18);
}
