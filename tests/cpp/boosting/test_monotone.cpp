#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/trainer.hpp"

#include <algorithm>

using namespace twin;

namespace {

struct Case {
    const char* loss;
    double parameter;
};

constexpr Case losses[] = {{"log_loss", 0},   {"squared_error", 0}, {"absolute_error", 0}, {"huber", 0.5},
                           {"quantile", 0.9}, {"poisson", 0},       {"gamma", 0},          {"tweedie", 1.5}};

} // namespace

// Whatever sets the leaf values (Newton, exact minimisers, line search), the whole model must rise with feature 0 and
// fall with feature 1, though the targets do neither.
TEST(models_of_every_loss_follow_their_monotone_features) {
    Random random(1);
    const Data data = integer_data(random, 1500, {12, 12, 5}, 0.05);
    Data grid;
    grid.cols = 3;
    for (int a = 0; a < 12; ++a)
        for (int b = 0; b < 12; ++b)
            for (int c = 0; c < 6; ++c) grid.x.insert(grid.x.end(), {1.0 * a, 1.0 * b, c == 5 ? NaN : c});
    grid.rows = grid.x.size() / 3;
    std::vector<double> y(data.rows);
    for (std::size_t i = 0; i < data.rows; ++i) {
        const auto or_zero = [&](std::size_t j) { return std::isnan(data.at(i, j)) ? 0 : data.at(i, j); };
        y[i] = std::exp(std::sin(or_zero(0)) + 0.1 * or_zero(0) - 0.1 * or_zero(1) + std::cos(2 * or_zero(1)) +
                        0.2 * or_zero(2) + 0.5 * random.normal());
    }
    for (const Case& c : losses)
        for (const bool newton : {true, false})
            for (const Growth growth : {Growth::leaf, Growth::depth}) {
                Params params;
                params.growth = growth;
                params.newton = newton;
                params.max_leaf_nodes = 20;
                params.monotonic_cst = {1, -1, 0};
                std::vector<double> target = y;
                if (std::string(c.loss) == "log_loss")
                    for (double& v : target) v = v > 2;
                Trainer trainer(data.mapper, data.binned, target, {}, Objective::parse(c.loss, 1, c.parameter), params,
                                {0.5});
                StandaloneRun run;
                const double before = trainer.train_loss(run.context);
                for (int i = 0; i < 20; ++i) trainer.step(run.context);
                CHECK(trainer.train_loss(run.context) < before);
                const auto value = scores(trainer.forest(), grid.rows, [&](std::size_t i) {
                    return [&, i](std::size_t f) { return grid.at(i, f); };
                });
                bool rises = true, falls = true;
                for (std::size_t i = 0; i < grid.rows; ++i) {
                    if (i + 12 * 6 < grid.rows) rises &= value[i + 12 * 6] >= value[i];
                    if (i / 6 % 12 < 11) falls &= value[i + 6] <= value[i];
                }
                if (!rises || !falls) check::fail(c.loss, newton, "the model breaks its monotone constraints");
            }
}
