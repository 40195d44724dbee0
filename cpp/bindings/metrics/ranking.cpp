// Metrics of scores: from one sorted pass. What the functions return, and when it is None, says score_args.hpp.
#include "bindings/metrics/metrics.hpp"
#include "bindings/metrics/score_args.hpp"
#include "metrics/ranking/areas.hpp"
#include "metrics/ranking/cuts.hpp"

#include <utility>

namespace mlcore {
namespace {

using namespace bindings;
using namespace metrics;

/// (value, weight of the positive rows, weight of the negative rows, false positives decrease)
py::object give_area(const Area& area) {
    return py::make_tuple(area.value, area.totals.positive, area.totals.negative, area.descends);
}

py::object roc_auc(py::handle y_true, py::handle y_score, py::handle sample_weight, py::handle positive, double max_fpr,
                   int n_threads) {
    return with_sorted(
        y_true, y_score, sample_weight, positive, n_threads,
        [&](const RunContext& ctx, const auto& sorted, auto) {
            return max_fpr < 1 ? partial_roc_area(sorted, max_fpr) : roc_area(ctx, sorted);
        },
        give_area);
}

py::object average_precision_of(py::handle y_true, py::handle y_score, py::handle sample_weight, py::handle positive,
                                int n_threads) {
    return with_sorted(
        y_true, y_score, sample_weight, positive, n_threads,
        [](const RunContext& ctx, const auto& sorted, auto) { return average_precision(ctx, sorted); }, give_area);
}

py::object ks_statistic_of(py::handle y_true, py::handle y_score, py::handle sample_weight, py::handle positive,
                           int n_threads) {
    return with_sorted(
        y_true, y_score, sample_weight, positive, n_threads,
        [](const RunContext&, const auto& sorted, auto) { return ks_statistic(sorted); }, give_area);
}

py::object roc_curve_of(py::handle y_true, py::handle y_score, py::handle sample_weight, py::handle positive,
                        bool drop_intermediate, int n_threads) {
    return with_sorted(
        y_true, y_score, sample_weight, positive, n_threads,
        [&]<class T>(const RunContext& ctx, const auto& sorted, T) {
            return roc_curve(count_cuts<T>(ctx, sorted), drop_intermediate);
        },
        [](RocCurve curve) {
            return py::make_tuple(to_numpy(std::move(curve.fpr)), to_numpy(std::move(curve.tpr)),
                                  to_numpy(std::move(curve.threshold)), curve.totals.positive, curve.totals.negative);
        });
}

py::object precision_recall_curve_of(py::handle y_true, py::handle y_score, py::handle sample_weight,
                                     py::handle positive, bool drop_intermediate, int n_threads) {
    return with_sorted(
        y_true, y_score, sample_weight, positive, n_threads,
        [&]<class T>(const RunContext& ctx, const auto& sorted, T) {
            return precision_recall_curve(count_cuts<T>(ctx, sorted), drop_intermediate);
        },
        [](auto curve) {
            return py::make_tuple(to_numpy(std::move(curve.precision)), to_numpy(std::move(curve.recall)),
                                  to_numpy(std::move(curve.threshold)), curve.totals.positive, curve.totals.negative);
        });
}

py::object det_curve_of(py::handle y_true, py::handle y_score, py::handle sample_weight, py::handle positive,
                        bool drop_intermediate, int n_threads) {
    return with_sorted(
        y_true, y_score, sample_weight, positive, n_threads,
        [&]<class T>(const RunContext& ctx, const auto& sorted, T) {
            return det_curve(count_cuts<T>(ctx, sorted), drop_intermediate);
        },
        [](DetCurve curve) {
            return py::make_tuple(to_numpy(std::move(curve.fpr)), to_numpy(std::move(curve.fnr)),
                                  to_numpy(std::move(curve.threshold)), curve.totals.positive, curve.totals.negative);
        });
}

/// tn, fp, fn, tp, thresholds
py::object counts_at_thresholds(py::handle y_true, py::handle y_score, py::handle sample_weight, py::handle positive,
                                int n_threads) {
    return with_sorted(
        y_true, y_score, sample_weight, positive, n_threads,
        [&]<class T>(const RunContext& ctx, const auto& sorted, T) {
            return confusion_at_cuts(count_cuts<T>(ctx, sorted));
        },
        [](auto confusion) {
            return py::make_tuple(to_numpy(std::move(confusion.tn)), to_numpy(std::move(confusion.fp)),
                                  to_numpy(std::move(confusion.fn)), to_numpy(std::move(confusion.tp)),
                                  to_numpy(std::move(confusion.threshold)));
        });
}

} // namespace

void register_metrics_ranking(pybind11::module_& m) {
    using py::arg;
    m.def("roc_auc", roc_auc, arg("y_true"), arg("y_score"), arg("sample_weight"), arg("positive"), arg("max_fpr"),
          arg("n_threads"));
    m.def("average_precision", average_precision_of, arg("y_true"), arg("y_score"), arg("sample_weight"),
          arg("positive"), arg("n_threads"));
    m.def("ks_statistic", ks_statistic_of, arg("y_true"), arg("y_score"), arg("sample_weight"), arg("positive"),
          arg("n_threads"));
    m.def("roc_curve", roc_curve_of, arg("y_true"), arg("y_score"), arg("sample_weight"), arg("positive"),
          arg("drop_intermediate"), arg("n_threads"));
    m.def("precision_recall_curve", precision_recall_curve_of, arg("y_true"), arg("y_score"), arg("sample_weight"),
          arg("positive"), arg("drop_intermediate"), arg("n_threads"));
    m.def("det_curve", det_curve_of, arg("y_true"), arg("y_score"), arg("sample_weight"), arg("positive"),
          arg("drop_intermediate"), arg("n_threads"));
    m.def("counts_at_thresholds", counts_at_thresholds, arg("y_true"), arg("y_score"), arg("sample_weight"),
          arg("positive"), arg("n_threads"));
    register_metrics_tables(m);
    register_metrics_bootstrap(m);
}

} // namespace mlcore
