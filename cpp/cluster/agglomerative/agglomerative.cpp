#include "cluster/agglomerative/agglomerative.hpp"

#include "cluster/agglomerative/pairwise.hpp"
#include "cluster/agglomerative/ward.hpp"
#include "core/error.hpp"

namespace mlcore::cluster {
namespace {

Pairwise pairwise_of(Linkage linkage) {
    if (linkage != Linkage::average && linkage != Linkage::complete)
        throw ValueError("distances of pairs serve linkage \"average\" and \"complete\" only");
    return linkage == Linkage::average ? Pairwise::average : Pairwise::complete;
}

} // namespace

Hierarchy agglomerate(const RunContext& ctx, MatrixView<const double> points, Linkage linkage,
                      neighbors::Metric metric) {
    const Points prepared = prepared_points(points, metric == neighbors::Metric::cosine);
    if (linkage == Linkage::ward) return sorted_hierarchy(points.rows, ward_merges(ctx, prepared));
    return sorted_hierarchy(points.rows, pairwise_merges(ctx, prepared, pairwise_of(linkage), metric));
}

Hierarchy agglomerate_distances(const RunContext& ctx, MatrixView<const double> distances, Linkage linkage) {
    return sorted_hierarchy(distances.rows, merges_of_distances(ctx, distances, pairwise_of(linkage)));
}

} // namespace mlcore::cluster
