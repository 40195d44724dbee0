// The extension module _core_<level>: one register function per family.
#include "bindings/module.hpp"

PYBIND11_MODULE(MLCORE_MODULE_NAME, m) {
    m.doc() = "The C++ core of mlcore.";
    mlcore::register_core(m);
    mlcore::register_boosting(m);
    mlcore::register_cluster(m);
    mlcore::register_embedding(m);
    mlcore::register_linear_model(m);
    mlcore::register_metrics(m);
    mlcore::register_neighbors(m);
    mlcore::register_nn(m);
    mlcore::register_svm(m);
    mlcore::register_text(m);
}
