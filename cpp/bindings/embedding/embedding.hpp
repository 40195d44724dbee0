// Submodule `embedding` is bound in three files: training, corpora and words, vectors.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_embedding_corpus(pybind11::module_& m);
void register_embedding_vectors(pybind11::module_& m);

} // namespace mlcore
