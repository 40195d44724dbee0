// Submodule `boosting`: the engine of mlcore.boosting. Python validates, this file only converts.
#include "bindings/module.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "boosting/bin_mapper.hpp"
#include "boosting/binned_matrix.hpp"
#include "boosting/forest.hpp"
#include "boosting/trainer.hpp"
#include "core/choice.hpp"

#include <pybind11/stl.h>

namespace mlcore {
namespace {

using namespace boosting;
using namespace bindings;

/// A trainer and the number of threads that it was given.
struct PyTrainer {
    template <class... Args>
    explicit PyTrainer(int threads, Args&&... args) : trainer(std::forward<Args>(args)...), n_threads(threads) {}

    Trainer trainer;
    int n_threads;
};

template <class T>
std::vector<T> copy(std::span<const T> values) {
    return {values.begin(), values.end()};
}

/// Raw scores or their gradients: (rows, outputs).
std::span<const double> scores_arg(const char* name, py::handle object, const Trainer& trainer) {
    return rows_arg<double>(name, object, trainer.n_outputs(), trainer.n_rows());
}

void check_columns(const Table& X, std::int64_t expected) {
    if (n_cols(X) != static_cast<std::size_t>(expected))
        throw ValueError("X has " + std::to_string(n_cols(X)) + " features, but the model was fitted with " +
                         std::to_string(expected));
}

/// (n, K) filled with the baseline of each output.
std::vector<double> baseline_scores(const ForestArrays& forest, std::size_t n) {
    std::vector<double> scores;
    scores.reserve(n * forest.n_outputs());
    for (std::size_t i = 0; i < n; ++i) scores.insert(scores.end(), forest.baseline.begin(), forest.baseline.end());
    return scores;
}

/// Raw scores after each iteration, computed one iteration at a time.
struct Staged {
    std::shared_ptr<Forest> forest;
    py::object X; // keeps the memory of `table` alive
    Table table;
    int n_threads;
    std::size_t iteration = 0;
    std::vector<double> scores;

    py::array_t<double> next() {
        const ForestArrays& arrays = forest->arrays();
        if (iteration >= arrays.n_iterations()) throw py::stop_iteration();
        run(n_threads, 0,
            [&](const RunContext& ctx) { forest->add_scores(ctx, table, iteration, iteration + 1, scores.data()); });
        ++iteration;
        return rows_to_numpy(std::vector<double>(scores), arrays.n_outputs());
    }
};

// Every array of a model under its Python name: f(name, vector).
template <class Arrays, class F>
void for_each_array(Arrays& a, F&& f) {
    f("baseline", a.baseline);
    f("tree_offset", a.tree_offset);
    f("feature", a.feature);
    f("threshold", a.threshold);
    f("left", a.left);
    f("right", a.right);
    f("default_left", a.default_left);
    f("category_offset", a.category_offset);
    f("category_size", a.category_size);
    f("value", a.value);
    f("gain", a.gain);
    f("cover", a.cover);
    f("count", a.count);
    f("category_words", a.category_words);
}

py::dict forest_state(const Forest& forest) {
    py::dict state;
    for_each_array(forest.arrays(), [&](const char* name, const auto& values) {
        state[name] = to_numpy(std::decay_t<decltype(values)>(values));
    });
    state["n_features"] = to_numpy(std::vector<std::int64_t>{forest.arrays().n_features});
    return state;
}

std::shared_ptr<Forest> forest_from_state(const py::dict& state) {
    const auto get = [&](const char* name) {
        if (!state.contains(name)) throw ValueError(std::string("damaged model: array '") + name + "' is missing");
        return py::object(state[name]);
    };
    ForestArrays arrays;
    for_each_array(arrays, [&](const char* name, auto& values) {
        using T = typename std::decay_t<decltype(values)>::value_type;
        values = copy<T>(span_arg<T>(name, get(name)));
    });
    arrays.n_features = span_arg<std::int64_t>("n_features", get("n_features"), 1)[0];
    const py::gil_scoped_release no_gil;
    return std::make_shared<Forest>(std::move(arrays));
}

Growth parse_growth(const std::string& name) {
    return choose<Growth>("growth", name, {{"leaf", Growth::leaf}, {"depth", Growth::depth}});
}

Importance parse_importance(const std::string& name) {
    return choose<Importance>("kind", name,
                              {{"gain", Importance::gain}, {"split", Importance::split}, {"cover", Importance::cover}});
}

void register_data(py::module_& m) {
    py::class_<BinMapper, std::shared_ptr<BinMapper>>(m, "BinMapper")
        .def_static(
            "fit",
            [](py::object X, py::object weight, py::object n_categories, int max_bins, std::uint64_t seed,
               int n_threads) {
                const Table table = table_arg("X", X);
                const auto w = optional_span_arg<double>("sample_weight", weight, n_rows(table));
                const auto categories = span_arg<std::int32_t>("n_categories", n_categories, n_cols(table));
                if (max_bins < 2 || max_bins > BinMapper::max_max_bins)
                    throw ValueError("max_bins must be 2..255, got " + std::to_string(max_bins));
                return run(n_threads, seed, [&](const RunContext& ctx) {
                    return std::make_shared<BinMapper>(BinMapper::fit(ctx, table, w, categories, max_bins));
                });
            },
            py::arg("X"), py::arg("sample_weight"), py::arg("n_categories"), py::arg("max_bins"), py::arg("seed"),
            py::arg("n_threads"))
        .def_property_readonly("n_features", &BinMapper::n_features)
        .def_property_readonly("max_bins", &BinMapper::max_bins)
        .def("edges",
             [](const BinMapper& mapper, int f) {
                 if (f < 0 || f >= mapper.n_features()) throw py::index_error("no such feature");
                 return to_numpy(std::vector<double>(mapper.edges(f)));
             })
        .def("n_bins",
             [](const BinMapper& mapper, int f) {
                 if (f < 0 || f >= mapper.n_features()) throw py::index_error("no such feature");
                 return mapper.n_bins(f);
             })
        .def(
            "transform",
            [](const BinMapper& mapper, py::object X, int n_threads, bool for_training) {
                const Table table = table_arg("X", X);
                check_columns(table, mapper.n_features());
                return run(n_threads, 0, [&](const RunContext& ctx) {
                    return std::make_shared<BinnedMatrix>(ctx, table, mapper, for_training);
                });
            },
            py::arg("X"), py::arg("n_threads"), py::arg("for_training") = true);

    py::class_<BinnedMatrix, std::shared_ptr<BinnedMatrix>>(m, "BinnedMatrix")
        .def_property_readonly("n_rows", &BinnedMatrix::n_rows)
        .def_property_readonly("n_features", &BinnedMatrix::n_features)
        .def_property_readonly("nbytes", &BinnedMatrix::n_bytes);
}

void register_training(py::module_& m) {
    py::class_<Params>(m, "Params")
        .def(py::init<>())
        .def_property(
            "growth", [](const Params& p) { return p.growth == Growth::leaf ? "leaf" : "depth"; },
            [](Params& p, const std::string& name) { p.growth = parse_growth(name); })
        .def_readwrite("newton", &Params::newton)
        .def_readwrite("max_leaf_nodes", &Params::max_leaf_nodes)
        .def_readwrite("max_depth", &Params::max_depth)
        .def_readwrite("min_samples_leaf", &Params::min_samples_leaf)
        .def_readwrite("min_child_weight", &Params::min_child_weight)
        .def_readwrite("min_split_gain", &Params::min_split_gain)
        .def_readwrite("reg_lambda", &Params::reg_lambda)
        .def_readwrite("reg_alpha", &Params::reg_alpha)
        .def_readwrite("max_delta_step", &Params::max_delta_step)
        .def_readwrite("learning_rate", &Params::learning_rate)
        .def_readwrite("subsample", &Params::subsample)
        .def_readwrite("colsample_bytree", &Params::colsample_bytree)
        .def_readwrite("colsample_bylevel", &Params::colsample_bylevel)
        .def_readwrite("colsample_bynode", &Params::colsample_bynode)
        .def_readwrite("monotonic_cst", &Params::monotonic_cst)
        .def_readwrite("interaction_cst", &Params::interaction_cst)
        .def_readwrite("max_cat_to_onehot", &Params::max_cat_to_onehot)
        .def_readwrite("max_cat_threshold", &Params::max_cat_threshold)
        .def_readwrite("cat_smooth", &Params::cat_smooth)
        .def_readwrite("cat_l2", &Params::cat_l2)
        .def_readwrite("min_data_per_group", &Params::min_data_per_group)
        .def_readwrite("seed", &Params::seed)
        .def_readwrite("first_iteration", &Params::first_iteration);

    py::class_<Objective>(m, "Objective")
        .def(py::init(&Objective::parse), py::arg("name"), py::arg("n_outputs"), py::arg("parameter"));

    py::class_<PyTrainer>(m, "Trainer")
        .def(py::init([](std::shared_ptr<BinMapper> mapper, std::shared_ptr<BinnedMatrix> binned, py::object y,
                         py::object weight, const Objective& objective, const Params& params, py::object baseline,
                         int n_threads) {
                 const auto F = static_cast<std::size_t>(mapper->n_features());
                 if (!params.monotonic_cst.empty() && params.monotonic_cst.size() != F)
                     throw ValueError("monotonic_cst must have one entry a feature");
                 for (const auto& group : params.interaction_cst)
                     for (const int f : group)
                         if (f < 0 || f >= static_cast<int>(F)) throw ValueError("interaction_cst names no feature");
                 return std::make_unique<PyTrainer>(
                     n_threads, std::move(mapper), std::move(binned), copy<double>(span_arg<double>("y", y)),
                     copy<double>(optional_span_arg<double>("sample_weight", weight)), objective, params,
                     copy<double>(span_arg<double>("baseline", baseline)));
             }),
             py::arg("mapper"), py::arg("binned"), py::arg("y"), py::arg("sample_weight"), py::arg("objective"),
             py::arg("params"), py::arg("baseline"), py::arg("n_threads"))
        .def_property_readonly("n_iterations", [](const PyTrainer& t) { return t.trainer.n_iterations(); })
        .def("set_raw_scores",
             [](PyTrainer& t, py::object raw) { t.trainer.set_scores(scores_arg("raw", raw, t.trainer)); })
        .def("set_validation_raw_scores",
             [](PyTrainer& t, py::object raw) {
                 t.trainer.set_validation_scores(
                     rows_arg<double>("raw", raw, t.trainer.n_outputs(), t.trainer.n_validation_rows()));
             })
        .def("raw_scores", [](const PyTrainer& t) { return rows_to_numpy(t.trainer.scores(), t.trainer.n_outputs()); })
        .def("validation_raw_scores",
             [](const PyTrainer& t) { return rows_to_numpy(t.trainer.validation_scores(), t.trainer.n_outputs()); })
        .def("step", [](PyTrainer& t) { run(t.n_threads, 0, [&](const RunContext& ctx) { t.trainer.step(ctx); }); })
        .def("step_custom",
             [](PyTrainer& t, py::object gradient, py::object hessian) {
                 const auto g = scores_arg("gradient", gradient, t.trainer);
                 const auto h = scores_arg("hessian", hessian, t.trainer);
                 run(t.n_threads, 0, [&](const RunContext& ctx) { t.trainer.step_custom(ctx, g, h); });
             })
        .def("train_loss",
             [](const PyTrainer& t) {
                 return run(t.n_threads, 0, [&](const RunContext& ctx) { return t.trainer.train_loss(ctx); });
             })
        .def("validation_loss",
             [](const PyTrainer& t) {
                 return run(t.n_threads, 0, [&](const RunContext& ctx) { return t.trainer.validation_loss(ctx); });
             })
        .def("add_validation",
             [](PyTrainer& t, std::shared_ptr<BinnedMatrix> binned, py::object y, py::object weight) {
                 t.trainer.add_validation(std::move(binned), copy<double>(span_arg<double>("y_val", y)),
                                          copy<double>(optional_span_arg<double>("sample_weight_val", weight)));
             })
        .def("truncate", [](PyTrainer& t, std::size_t n) { t.trainer.truncate(n); })
        .def("forest", [](const PyTrainer& t) { return std::make_shared<Forest>(t.trainer.forest()); });
}

void register_model(py::module_& m) {
    py::class_<Staged>(m, "Staged")
        .def("__iter__", [](py::object self) { return self; })
        .def("__next__", &Staged::next);

    py::class_<Forest, std::shared_ptr<Forest>>(m, "Forest")
        .def_static("from_state", &forest_from_state)
        .def_static("merge",
                    [](const Forest& a, const Forest& b) {
                        ForestArrays arrays = a.arrays();
                        arrays.append(b.arrays());
                        return std::make_shared<Forest>(std::move(arrays));
                    })
        .def("state", &forest_state)
        .def_property_readonly("n_iterations", [](const Forest& f) { return f.arrays().n_iterations(); })
        .def_property_readonly("n_outputs", [](const Forest& f) { return f.arrays().n_outputs(); })
        .def_property_readonly("n_trees", [](const Forest& f) { return f.arrays().n_trees(); })
        .def_property_readonly("n_features", [](const Forest& f) { return f.arrays().n_features; })
        .def(
            "predict",
            [](const Forest& forest, py::object X, std::size_t first, std::size_t last, int n_threads) {
                const Table table = table_arg("X", X);
                check_columns(table, forest.arrays().n_features);
                if (first > last || last > forest.arrays().n_iterations())
                    throw ValueError("the model has no iterations " + std::to_string(first) + " to " +
                                     std::to_string(last));
                return rows_to_numpy(run(n_threads, 0,
                                         [&](const RunContext& ctx) {
                                             auto scores = baseline_scores(forest.arrays(), n_rows(table));
                                             forest.add_scores(ctx, table, first, last, scores.data());
                                             return scores;
                                         }),
                                     forest.arrays().n_outputs());
            },
            py::arg("X"), py::arg("first_iteration"), py::arg("last_iteration"), py::arg("n_threads"))
        .def("predict_one",
             [](const Forest& forest, py::object x) {
                 const auto F = static_cast<std::size_t>(forest.arrays().n_features);
                 std::vector<double> scores(forest.arrays().n_outputs());
                 if (py::isinstance<py::array_t<float>>(x)) {
                     const auto view = vector_arg<float>("x", x, F);
                     std::vector<double> row(F);
                     for (std::size_t j = 0; j < F; ++j) row[j] = static_cast<double>(view[j]);
                     forest.score_row(row.data(), scores.data());
                 } else {
                     forest.score_row(span_arg<double>("x", x, F).data(), scores.data());
                 }
                 return to_numpy(std::move(scores));
             })
        .def(
            "staged",
            [](std::shared_ptr<Forest> forest, py::object X, int n_threads) {
                const Table table = table_arg("X", X);
                check_columns(table, forest->arrays().n_features);
                auto scores = baseline_scores(forest->arrays(), n_rows(table));
                return Staged{std::move(forest), std::move(X), table, n_threads, 0, std::move(scores)};
            },
            py::arg("X"), py::arg("n_threads"))
        .def(
            "apply",
            [](const Forest& forest, py::object X, int n_threads) {
                const Table table = table_arg("X", X);
                check_columns(table, forest.arrays().n_features);
                const std::size_t rows = n_rows(table), trees = forest.arrays().n_trees();
                return to_numpy(run(n_threads, 0,
                                    [&](const RunContext& ctx) {
                                        std::vector<std::int32_t> leaf(rows * trees);
                                        forest.apply(ctx, table, leaf.data());
                                        return leaf;
                                    }),
                                {static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(trees)});
            },
            py::arg("X"), py::arg("n_threads"))
        .def("importance", [](const Forest& forest, const std::string& kind) {
            return to_numpy(forest.importance(parse_importance(kind)));
        });
}

} // namespace

void register_boosting(py::module_& parent) {
    py::module_ m = parent.def_submodule("boosting", "Histogram gradient boosting.");
    register_data(m);
    register_training(m);
    register_model(m);
}

} // namespace mlcore
