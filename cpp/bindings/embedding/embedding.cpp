// Submodule `embedding`: the engine of mlcore.embedding. Python validates, these files only convert. Training here,
// corpora and words in embedding/corpus.cpp, queries and files in embedding/vectors.cpp.
#include "bindings/embedding/embedding.hpp"

#include "bindings/module.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"
#include "embedding/trainer.hpp"
#include "text/corpus.hpp"

#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <utility>

namespace mlcore {
namespace {

using namespace embedding;
using namespace text;
using namespace bindings;

using TreeArrays = std::pair<py::object, py::object>; // links of leaves and of inner nodes

HuffmanTree tree_arg(const TreeArrays& arrays) {
    const auto leaves = span_arg<std::int32_t>("leaves", arrays.first);
    const auto inner = span_arg<std::int32_t>("inner", arrays.second);
    HuffmanTree tree{{leaves.begin(), leaves.end()}, {inner.begin(), inner.end()}};
    tree.check();
    return tree;
}

py::tuple tree_arrays(HuffmanTree tree) {
    return py::make_tuple(to_numpy(std::move(tree.leaves)), to_numpy(std::move(tree.inner)));
}

Algorithm parse_algorithm(const std::string& name) {
    return choose<Algorithm>("algorithm", name, {{"skipgram", Algorithm::skipgram}, {"cbow", Algorithm::cbow}});
}

Loss parse_loss(const std::string& name) {
    return choose<Loss>("loss", name, {{"ns", Loss::negative_sampling}, {"hs", Loss::hierarchical_softmax}});
}

py::array_t<float> rows_array(Buffer<float>&& rows, std::size_t n, std::size_t cols) {
    if (rows.empty() && n > 0) throw ValueError("the vectors have been taken out already");
    return to_numpy(std::move(rows), {static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(cols)});
}

} // namespace

void register_embedding(py::module_& parent) {
    py::module_ m = parent.def_submodule("embedding", "Word vectors.");
    register_embedding_corpus(m); // Corpus and Vocabulary, which the trainer takes
    register_embedding_vectors(m);

    m.def(
        "huffman_tree",
        [](py::object counts) { return tree_arrays(HuffmanTree::of(span_arg<std::int64_t>("counts", counts))); },
        py::arg("counts"));
    m.def(
        "check_tree", [](py::object leaves, py::object inner) { tree_arg({leaves, inner}); }, py::arg("leaves"),
        py::arg("inner"));
    m.def(
        "grow_tree",
        [](py::object leaves, py::object inner, py::object new_counts) {
            const auto counts = span_arg<std::int64_t>("new_counts", new_counts);
            if (counts.empty()) return tree_arrays(tree_arg({leaves, inner}));
            return tree_arrays(tree_arg({leaves, inner}).grown(counts));
        },
        py::arg("leaves"), py::arg("inner"), py::arg("new_counts"));

    py::class_<Trainer>(m, "Word2VecModel")
        .def(py::init([](py::object counts, std::size_t vector_size, const std::string& algorithm,
                         const std::string& loss, std::size_t window, std::size_t negative, double ns_exponent,
                         double sample, bool cbow_mean, bool shrink_windows, bool shared_negatives, std::uint64_t seed,
                         std::optional<TreeArrays> tree) {
                 const TrainerParams params{.vector_size = vector_size,
                                            .algorithm = parse_algorithm(algorithm),
                                            .loss = parse_loss(loss),
                                            .window = window,
                                            .negative = negative,
                                            .ns_exponent = ns_exponent,
                                            .sample = sample,
                                            .cbow_mean = cbow_mean,
                                            .shrink_windows = shrink_windows,
                                            .shared_negatives = shared_negatives,
                                            .seed = seed};
                 std::optional<HuffmanTree> given;
                 if (tree) given = tree_arg(*tree);
                 const auto n_occurrences = span_arg<std::int64_t>("counts", counts);
                 const py::gil_scoped_release no_gil; // tables and tree of many words take a while
                 return std::make_unique<Trainer>(n_occurrences, params, std::move(given));
             }),
             py::arg("counts"), py::kw_only(), py::arg("vector_size"), py::arg("algorithm"), py::arg("loss"),
             py::arg("window"), py::arg("negative"), py::arg("ns_exponent"), py::arg("sample"), py::arg("cbow_mean"),
             py::arg("shrink_windows"), py::arg("shared_negatives"), py::arg("seed"), py::arg("tree") = py::none())
        .def(
            "set_rows",
            [](Trainer& self, py::object vectors, py::object context_vectors, int n_threads) {
                const std::size_t d = self.params().vector_size;
                const auto v = optional_matrix_arg<float>("vectors", vectors, d),
                           c = optional_matrix_arg<float>("context_vectors", context_vectors, d);
                run(n_threads, self.params().seed, [&](const RunContext& ctx) { self.set_rows(ctx, v, c); });
            },
            py::arg("vectors"), py::arg("context_vectors"), py::kw_only(), py::arg("n_threads"))
        .def(
            "train",
            [](Trainer& self, const Corpus& corpus, std::size_t epoch, std::size_t epochs, std::size_t first_piece,
               std::size_t last_piece, double alpha, double min_alpha, int n_threads) {
                const EpochPart part{epoch, epochs, first_piece, last_piece, alpha, min_alpha};
                const TrainingProgress done = run(n_threads, self.params().seed,
                                                  [&](const RunContext& ctx) { return self.train(ctx, corpus, part); });
                return py::make_tuple(done.loss, done.n_terms, done.n_tokens);
            },
            py::arg("corpus"), py::kw_only(), py::arg("epoch"), py::arg("epochs"), py::arg("first_piece"),
            py::arg("last_piece"), py::arg("alpha"), py::arg("min_alpha"), py::arg("n_threads"))
        .def("take",
             [](Trainer& self) {
                 const std::size_t d = self.params().vector_size;
                 py::array vectors = rows_array(self.take_vectors(), self.n_words(), d);
                 py::array context_vectors = rows_array(self.take_context_vectors(), self.n_outputs(), d);
                 return py::make_tuple(vectors, context_vectors);
             })
        .def("tree", [](const Trainer& self) {
            if (self.params().loss != Loss::hierarchical_softmax) throw ValueError("only loss='hs' has a tree");
            return tree_arrays(self.tree());
        });
}

} // namespace mlcore
