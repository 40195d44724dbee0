// Submodule `cluster`: groups of rows that nobody has labelled.
#include "bindings/cluster/cluster.hpp"

#include "bindings/module.hpp"

namespace mlcore {

void register_cluster(pybind11::module_& m) {
    auto sub = m.def_submodule("cluster", "Groups of rows that nobody has labelled.");
    register_agglomerative(sub);
    register_dbscan(sub);
    register_hdbscan(sub);
    register_kmeans(sub);
    register_mixture(sub);
    register_single_linkage(sub);
}

} // namespace mlcore
