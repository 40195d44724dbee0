#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/trainer.hpp"

using namespace twin;

namespace {

std::unique_ptr<Trainer> make(const Data& data, std::vector<double> y, const char* loss, int n_outputs = 1,
                              Params params = {}, std::vector<double> weight = {}) {
    return std::make_unique<Trainer>(data.mapper, data.binned, std::move(y), std::move(weight),
                                     Objective::parse(loss, n_outputs, 1.5), std::move(params),
                                     std::vector<double>(static_cast<std::size_t>(n_outputs), 0.0));
}

Data some_data(std::size_t rows) {
    Random random(1);
    return integer_data(random, rows, {5, 9}, 0.1);
}

} // namespace

TEST(sizes_weights_and_classes_are_checked) {
    const Data data = some_data(20);
    const auto y = [](double v) { return std::vector<double>(20, v); };
    CHECK_THROWS(ValueError, make(data, std::vector<double>(19), "squared_error"));
    CHECK_THROWS(ValueError, make(data, {}, "squared_error"));
    for (const double w : {0.0, -1.0, NaN, inf})
        CHECK_THROWS(ValueError, make(data, y(0), "squared_error", 1, {}, std::vector<double>(20, w)));
    CHECK_THROWS(ValueError, make(data, y(0), "squared_error", 1, {}, {1, 2}));
    for (const double c : {-1.0, 2.0, 0.5, NaN, inf}) CHECK_THROWS(ValueError, make(data, y(c), "log_loss"));
    CHECK_THROWS(ValueError, make(data, y(3), "log_loss", 3));
    CHECK_THROWS(ValueError, Trainer(data.mapper, data.binned, y(0), {}, Objective{}, {}, {0, 0}));

    const auto trainer = make(data, y(1), "log_loss", 3);
    const Data other = some_data(7);
    CHECK_THROWS(ValueError, trainer->add_validation(other.binned, std::vector<double>(6), {}));
    CHECK_THROWS(ValueError, trainer->add_validation(other.binned, std::vector<double>(7, 3.0), {}));
    CHECK_THROWS(ValueError, trainer->add_validation(other.binned, std::vector<double>(7), {1, 2}));
    CHECK_THROWS(ValueError, trainer->set_scores(std::vector<double>(20)));
    CHECK(!trainer->has_validation());
}

TEST(data_of_another_mapper_is_refused) {
    const Data data = some_data(20);
    Random random(2);
    const Data wide = integer_data(random, 20, {5, 9, 3, 4}, 0.1);
    CHECK_THROWS(InternalError, Trainer(data.mapper, wide.binned, std::vector<double>(20), {}, Objective{}, {}, {0}));
    const auto trainer = make(wide, std::vector<double>(20), "squared_error");
    CHECK_THROWS(InternalError, trainer->add_validation(data.binned, std::vector<double>(20), {}));
}

TEST(gradients_out_of_range_are_an_error_not_a_model) {
    const Data data = some_data(50);
    StandaloneRun run;
    for (const double far : {1e300, -1e300}) {
        const auto trainer = make(data, std::vector<double>(50, far), "squared_error");
        CHECK_THROWS(ValueError, trainer->step(run.context));
        CHECK_EQUAL(trainer->n_iterations(), 0u);
    }
    const auto counts = make(data, std::vector<double>(50, 1), "poisson");
    counts->set_scores(std::vector<double>(50, 1000));
    CHECK_THROWS(ValueError, counts->step(run.context));

    const auto custom = make(data, std::vector<double>(50), "custom");
    for (const double bad : {NaN, inf, -inf, 1e39}) {
        std::vector<double> g(50, 1), h(50, 1);
        g[49] = bad;
        CHECK_THROWS(ValueError, custom->step_custom(run.context, g, h));
        g[49] = 1, h[0] = bad;
        CHECK_THROWS(ValueError, custom->step_custom(run.context, g, h));
        h[0] = -1e-3;
        CHECK_THROWS(ValueError, custom->step_custom(run.context, g, h));
    }
}

TEST(large_and_small_targets_scale_the_model) {
    const Data data = some_data(300);
    Random random(3);
    std::vector<double> y(300);
    for (std::size_t i = 0; i < 300; ++i) y[i] = std::ldexp(random.integer(-100, 100), -4);
    StandaloneRun run;
    std::vector<double> expected;
    for (const int exponent : {0, 100, -100}) { // powers of two change nothing but the exponents
        std::vector<double> scaled = y;
        for (double& v : scaled) v = std::ldexp(v, exponent);
        Params params;
        params.learning_rate = 0.5;
        const auto trainer = make(data, scaled, "squared_error", 1, params);
        for (int i = 0; i < 3; ++i) trainer->step(run.context);
        auto scores = trainer->scores();
        for (double& v : scores) v = std::ldexp(v, -exponent);
        if (exponent == 0) expected = scores;
        CHECK(scores == expected);
    }
}

TEST(data_that_cannot_be_split_gives_leaves) {
    StandaloneRun run;
    Data constant;
    constant.rows = 30;
    constant.cols = 2;
    constant.n_categories = {0, 3};
    constant.x.assign(60, 1.0);
    constant.bin();
    for (const Growth growth : {Growth::leaf, Growth::depth}) {
        Params params;
        params.growth = growth;
        params.learning_rate = 1;
        const auto trainer = make(constant, std::vector<double>(30, 2.5), "squared_error", 1, params);
        trainer->step(run.context);
        CHECK_EQUAL(trainer->forest().n_nodes(), 1u);
        for (const double s : trainer->scores()) CHECK_EQUAL(s, 2.5);
        trainer->step(run.context); // nothing left to do
        CHECK_EQUAL(trainer->forest().value.back(), 0.0);
    }
    const auto one_row = make(some_data(1), {4}, "squared_error");
    one_row->step(run.context);
    CHECK_CLOSE(one_row->scores()[0], 0.4, 1e-12);
}

TEST(truncation_drops_trees_but_leaves_the_scores) {
    const Data data = some_data(200);
    Random random(4);
    std::vector<double> y(200);
    for (double& v : y) v = random.integer(0, 2);
    StandaloneRun run;
    const auto trainer = make(data, y, "log_loss", 3);
    for (int i = 0; i < 5; ++i) trainer->step(run.context);
    const auto scores = trainer->scores();
    trainer->truncate(2);
    CHECK_EQUAL(trainer->n_iterations(), 2u);
    CHECK_EQUAL(trainer->forest().n_trees(), 6u);
    CHECK(trainer->scores() == scores);
    trainer->forest().validate();
}

TEST(a_stop_ends_the_step) {
    const Data data = some_data(5000);
    const auto trainer = make(data, std::vector<double>(5000, 1), "squared_error");
    StandaloneRun run(2);
    run.stop.request();
    CHECK_THROWS(Interrupted, trainer->step(run.context));
}
