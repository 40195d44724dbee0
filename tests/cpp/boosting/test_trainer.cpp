#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/trainer.hpp"

#include <algorithm>
#include <functional>

using namespace twin;

namespace {

struct Case {
    const char* loss;
    int n_outputs;
    double parameter;
};

const std::vector<Case> all_losses{{"log_loss", 1, 0},       {"log_loss", 3, 0}, {"squared_error", 1, 0},
                                   {"absolute_error", 1, 0}, {"huber", 1, 0.7},  {"quantile", 1, 0.8},
                                   {"poisson", 1, 0},        {"gamma", 1, 0},    {"tweedie", 1, 1.5}};

/// Two numeric features with decimals and missing values, one with few categories, one with many, one whole number.
Data make_data(Random& random, std::size_t rows) {
    Data data;
    data.rows = rows;
    data.cols = 5;
    data.n_categories = {0, 0, 3, 40, 0};
    for (std::size_t i = 0; i < rows; ++i)
        for (const double v : {static_cast<double>(static_cast<float>(random.normal())), random.uniform(),
                               static_cast<double>(random.integer(0, 2)), static_cast<double>(random.integer(0, 39)),
                               static_cast<double>(random.integer(0, 9))})
            data.x.push_back(random.chance(0.1) ? NaN : v);
    data.bin(64);
    return data;
}

std::vector<double> make_y(Random& random, const Data& data, const Case& c) {
    std::vector<double> y(data.rows);
    for (std::size_t i = 0; i < data.rows; ++i) {
        const auto or_zero = [&](std::size_t j) { return std::isnan(data.at(i, j)) ? 0 : data.at(i, j); };
        const double signal = or_zero(0) + (or_zero(2) == 1 ? 1 : 0) + 0.1 * or_zero(4) + std::cos(or_zero(3));
        const double noisy = signal + 0.5 * random.normal();
        const Loss loss = Objective::parse(c.loss, c.n_outputs, c.parameter).loss;
        if (loss == Loss::log_loss)
            y[i] = std::clamp(std::floor(noisy), 0.0, std::max(2, c.n_outputs) - 1.0);
        else if (loss == Loss::poisson || loss == Loss::tweedie)
            y[i] = std::floor(std::exp(0.5 * noisy));
        else
            y[i] = loss == Loss::gamma ? std::exp(noisy) : noisy;
    }
    return y;
}

std::unique_ptr<Trainer> make_trainer(const Data& data, const std::vector<double>& y, const std::vector<double>& weight,
                                      const Case& c, const Params& params) {
    const Objective objective = Objective::parse(c.loss, c.n_outputs, c.parameter);
    std::vector<double> baseline;
    for (int k = 0; k < c.n_outputs; ++k) baseline.push_back(0.1 * (k + 1));
    return std::make_unique<Trainer>(data.mapper, data.binned, y, weight, objective, params, baseline);
}

void steps(Trainer& trainer, int n, int n_threads = 1) {
    StandaloneRun run(n_threads);
    for (int i = 0; i < n; ++i) trainer.step(run.context);
}

std::vector<double> predict(const ForestArrays& arrays, const Table& table) {
    const Forest forest(arrays);
    StandaloneRun run;
    std::vector<double> out;
    for (std::size_t i = 0; i < n_rows(table); ++i)
        out.insert(out.end(), arrays.baseline.begin(), arrays.baseline.end());
    forest.add_scores(run.context, table, 0, arrays.n_iterations(), out.data());
    return out;
}

Params small_trees() {
    Params p;
    p.max_leaf_nodes = 8;
    p.min_samples_leaf = 5;
    p.min_data_per_group = 20;
    return p;
}

} // namespace

TEST(training_scores_are_the_predictions_of_the_forest) {
    Random random(1);
    const Data data = make_data(random, 1500), other = make_data(random, 400);
    StandaloneRun run;
    const auto other_binned = std::make_shared<BinnedMatrix>(run.context, other.table(), *data.mapper, false);
    for (const Case& c : all_losses)
        for (const bool newton : {true, false})
            for (const double subsample : {1.0, 0.6}) {
                Params params = small_trees();
                params.newton = newton;
                params.subsample = subsample;
                params.growth = subsample < 1 ? Growth::depth : Growth::leaf;
                const auto trainer = make_trainer(data, make_y(random, data, c), {}, c, params);
                trainer->add_validation(other_binned, make_y(random, other, c), {});
                const double loss_before = trainer->train_loss(run.context);
                steps(*trainer, 8);
                CHECK(trainer->scores() == predict(trainer->forest(), data.table()));
                CHECK(trainer->validation_scores() == predict(trainer->forest(), other.table()));
                CHECK_EQUAL(trainer->n_iterations(), 8u);
                CHECK(trainer->train_loss(run.context) < loss_before);
            }
}

TEST(threads_do_not_matter) {
    Random random(2);
    const Data data = make_data(random, 30'000);
    for (const Case& c : {all_losses[0], all_losses[1], all_losses[3]}) {
        const auto y = make_y(random, data, c);
        std::vector<double> weight(data.rows);
        for (double& w : weight) w = random.uniform(0.5, 2);
        Params params = small_trees();
        params.subsample = 0.7;
        params.colsample_bynode = 0.6;
        params.newton = c.n_outputs == 1;
        std::vector<double> expected;
        for (const int n_threads : {1, 2, 3, 8}) {
            const auto trainer = make_trainer(data, y, weight, c, params);
            steps(*trainer, 4, n_threads);
            if (n_threads == 1) expected = trainer->scores();
            CHECK(trainer->scores() == expected);
        }
    }
}

TEST(a_weight_of_two_is_a_second_copy) {
    Random random(3);
    Data data = make_data(random, 600);
    const Data original = data;
    for (double& v : data.x) v = std::floor(v * 4); // fewer values than bins
    data.n_categories = {0, 0, 0, 0, 0};
    std::vector<double> weight(data.rows), ones;
    Data copies;
    copies.cols = data.cols;
    copies.n_categories = data.n_categories;
    std::vector<std::size_t> origin;
    for (std::size_t i = 0; i < data.rows; ++i) {
        weight[i] = random.integer(1, 4);
        for (int k = 0; k < weight[i]; ++k) {
            origin.push_back(i);
            for (std::size_t j = 0; j < data.cols; ++j) copies.x.push_back(data.at(i, j));
        }
    }
    copies.rows = origin.size();
    data.bin();
    copies.bin();
    for (const Case& c : all_losses)
        for (const bool newton : {true, false}) {
            const auto y = make_y(random, original, c);
            std::vector<double> y_copies;
            for (const std::size_t i : origin) y_copies.push_back(y[i]);
            Params params = small_trees();
            params.newton = newton;
            params.min_samples_leaf = 13;
            const auto a = make_trainer(data, y, weight, c, params), b = make_trainer(copies, y_copies, {}, c, params);
            steps(*a, 5);
            steps(*b, 5);
            const ForestArrays &fa = a->forest(), &fb = b->forest();
            CHECK(fa.feature == fb.feature && fa.threshold == fb.threshold && fa.left == fb.left);
            CHECK(fa.default_left == fb.default_left && fa.count == fb.count);
            // To the last bit but where a leaf is found by iteration on sums of doubles.
            const double tolerance = newton && std::string(c.loss) != "huber" ? 0 : 1e-6;
            bool close = fa.value.size() == fb.value.size();
            for (std::size_t i = 0; close && i < fa.value.size(); ++i)
                close = std::abs(fa.value[i] - fb.value[i]) <= tolerance;
            if (!close) check::fail(c.loss, newton, "weights and copies give different leaves");
        }
}

TEST(fractional_weights_do_not_count_as_rows) {
    Random random(4);
    const Data data = make_data(random, 500);
    const auto y = make_y(random, data, all_losses[2]);
    const auto root_count = [&](double w) {
        const auto trainer = make_trainer(data, y, std::vector<double>(data.rows, w), all_losses[2], small_trees());
        steps(*trainer, 1);
        CHECK_CLOSE(trainer->forest().cover[0], w * 500, 1e-3);
        return trainer->forest().count[0];
    };
    CHECK_EQUAL(root_count(3.0), 1500.0);
    CHECK_EQUAL(root_count(0.5), 500.0);
    CHECK_EQUAL(root_count(2.5), 500.0);
    CHECK_EQUAL(root_count(1e7), 500.0); // whole, but more repeats than can be counted
    CHECK_EQUAL(root_count(1e-30), 500.0);
}

TEST(weights_of_any_size_leave_the_precision_alone) {
    Random random(8);
    const Data data = make_data(random, 2000);
    const auto y = make_y(random, data, all_losses[0]);
    const auto scores_with = [&](double w) {
        Params params = small_trees();
        params.min_samples_leaf = 0;
        params.min_child_weight = 50 * w;
        params.min_data_per_group = 0;
        const bool repeats = w >= 1 && w < 1e6; // whole numbers are copies of a row, and so count as rows
        params.cat_smooth = params.cat_l2 = repeats ? 10 * w : 10;
        const auto trainer = make_trainer(data, y, std::vector<double>(data.rows, w), all_losses[0], params);
        steps(*trainer, 10);
        return trainer->scores();
    };
    const auto expected = scores_with(1);
    for (const double w : {0x1p-10, 2.0, 100.0, 1e4, 9e5, 1e12}) {
        const auto got = scores_with(w);
        double apart = 0;
        for (std::size_t i = 0; i < got.size(); ++i) apart = std::max(apart, std::abs(got[i] - expected[i]));
        CHECK_CLOSE(apart, 0, 1e-5);
    }
}

TEST(samples_have_the_asked_size_and_differ) {
    Random random(5);
    const Data data = make_data(random, 4000);
    Params params = small_trees();
    params.subsample = 0.3;
    params.seed = 5;
    const auto trainer = make_trainer(data, make_y(random, data, all_losses[2]), {}, all_losses[2], params);
    steps(*trainer, 20);
    const ForestArrays& forest = trainer->forest();
    std::vector<double> sizes;
    for (std::size_t t = 0; t < 20; ++t) {
        sizes.push_back(forest.count[static_cast<std::size_t>(forest.tree_offset[t])]);
        CHECK_CLOSE(sizes.back(), 1200, 5 * std::sqrt(4000 * 0.3 * 0.7));
    }
    std::sort(sizes.begin(), sizes.end());
    CHECK(std::unique(sizes.begin(), sizes.end()) - sizes.begin() > 10);

    params.subsample = 1e-9; // one row at least
    const auto tiny = make_trainer(data, make_y(random, data, all_losses[2]), {}, all_losses[2], params);
    steps(*tiny, 2);
    CHECK_EQUAL(tiny->forest().count[0], 1.0);
}

TEST(continued_training_is_training_in_one_go) {
    Random random(6);
    const Data data = make_data(random, 800);
    for (const Case& c : {all_losses[1], all_losses[2]}) {
        Params params = small_trees();
        params.subsample = 0.5;
        params.colsample_bynode = 0.5;
        const auto y = make_y(random, data, c);
        const auto whole = make_trainer(data, y, {}, c, params), first = make_trainer(data, y, {}, c, params);
        steps(*whole, 7);
        steps(*first, 3);
        params.first_iteration = 3;
        const auto second = make_trainer(data, y, {}, c, params);
        second->set_scores(first->scores());
        steps(*second, 4);
        CHECK(second->scores() == whole->scores());
        ForestArrays joined = first->forest();
        joined.append(second->forest());
        CHECK(joined.value == whole->forest().value && joined.threshold == whole->forest().threshold);
    }
}

TEST(a_custom_loss_may_be_a_built_in_one) {
    Random random(7);
    const Data data = make_data(random, 700);
    for (const auto& [c, custom] :
         {std::pair{all_losses[2], Case{"custom", 1, 0}}, {all_losses[1], {"custom", 3, 0}}}) {
        const auto y = make_y(random, data, c);
        const auto K = static_cast<std::size_t>(c.n_outputs);
        const auto expected = make_trainer(data, y, {}, c, small_trees());
        const auto trainer = make_trainer(data, y, {}, custom, small_trees());
        StandaloneRun run;
        for (int iteration = 0; iteration < 4; ++iteration) {
            const auto scores = trainer->scores();
            std::vector<double> g(scores.size()), h(scores.size(), 1.0);
            for (std::size_t i = 0; i < data.rows; ++i)
                for (std::size_t k = 0; k < K; ++k) {
                    double sum = 0;
                    for (std::size_t j = 0; j < K; ++j) sum += std::exp(scores[i * K + j] - scores[i * K + k]);
                    g[i * K + k] = K == 1 ? scores[i] - y[i] : 1 / sum - (y[i] == static_cast<double>(k));
                    if (K > 1) h[i * K + k] = 1 / sum * (1 - 1 / sum);
                }
            trainer->step_custom(run.context, g, h);
        }
        steps(*expected, 4);
        const auto a = trainer->scores(), b = expected->scores();
        for (std::size_t i = 0; i < a.size(); ++i) CHECK_CLOSE(a[i], b[i], 1e-5);
        CHECK_THROWS(ValueError, trainer->step(run.context));
        CHECK_THROWS(ValueError, trainer->step_custom(run.context, b, std::span(b).first(3)));
    }
}
