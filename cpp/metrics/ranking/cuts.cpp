#include "metrics/ranking/cuts.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

namespace mlcore::metrics {
namespace {

constexpr double ns_per_row = 2;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

} // namespace

template <class T, class Row>
Cuts<T> count_cuts(const RunContext& ctx, const SortedScores<Row>& sorted) {
    using Sum = typename Row::Sum;
    const Row* rows = sorted.memory.data();
    const std::size_t n_parts = sorted.parts.size() - 1;
    const double ns_per_part = ns_per_row * static_cast<double>(sorted.n) / static_cast<double>(n_parts);

    std::vector<std::size_t> first_cut(n_parts + 1, 0);
    parallel_tasks(ctx, n_parts, ns_per_part, [&](std::size_t part, int) {
        const std::size_t begin = sorted.parts[part], end = sorted.parts[part + 1];
        std::size_t n_cuts = begin < end;
        for (std::size_t i = begin + 1; i < end; ++i) n_cuts += rows[i].key() != rows[i - 1].key();
        first_cut[part + 1] = n_cuts;
    });
    for (std::size_t part = 0; part < n_parts; ++part) first_cut[part + 1] += first_cut[part];

    Cuts<T> cuts;
    cuts.n = first_cut.back();
    cuts.tp = Buffer<double>(cuts.n);
    cuts.fp = Buffer<double>(cuts.n);
    cuts.threshold = Buffer<T>(cuts.n);
    const auto fill = [&](std::size_t begin, std::size_t end, std::size_t cut, Sum tp, Sum fp) {
        for_each_cut(rows, begin, end, tp, fp, [&](Sum t, Sum f, std::int64_t key) {
            cuts.tp[cut] = static_cast<double>(t);
            cuts.fp[cut] = static_cast<double>(f);
            cuts.threshold[cut++] = sorted.form.template score<T>(key);
        });
    };
    if constexpr (std::is_same_v<Sum, double>)
        fill(0, sorted.n, 0, 0, 0);
    else
        parallel_tasks(ctx, n_parts, ns_per_part, [&](std::size_t part, int) {
            const std::size_t begin = sorted.parts[part], tp = sorted.n_above[part];
            fill(begin, sorted.parts[part + 1], first_cut[part], tp, begin - tp);
        });
    return cuts;
}

template <class T>
template <class Keep>
void Cuts<T>::keep(Keep&& keep_cut) {
    if (n <= 2) return;
    // An entry is read before its place may be written, but for the one before the entry looked at.
    double tp_before = tp[0], fp_before = fp[0];
    std::size_t kept = 1;
    for (std::size_t i = 1; i < n; ++i) {
        const double t = tp[i], f = fp[i];
        const bool take = i + 1 == n || keep_cut(tp_before, t, tp[i + 1], fp_before, f, fp[i + 1]);
        tp[kept] = t;
        fp[kept] = f;
        threshold[kept] = threshold[i];
        kept += take;
        tp_before = t;
        fp_before = f;
    }
    n = kept;
}

template <class T>
void Cuts<T>::keep_corners() {
    keep([](double tp0, double tp1, double tp2, double fp0, double fp1, double fp2) {
        return ((fp2 - fp1) - (fp1 - fp0) != 0) | ((tp2 - tp1) - (tp1 - tp0) != 0);
    });
}

template <class T>
void Cuts<T>::keep_steps() {
    keep([](double tp0, double tp1, double tp2, double, double, double) { return (tp1 != tp0) | (tp2 != tp1); });
}

template <class T>
void Cuts<T>::prepend_infinity() {
    const auto with_first = [&](const auto& values, auto first) {
        std::remove_cvref_t<decltype(values)> out(n + 1);
        out[0] = first;
        std::copy_n(values.data(), n, out.data() + 1);
        return out;
    };
    tp = with_first(tp, 0.0);
    fp = with_first(fp, 0.0);
    threshold = with_first(threshold, std::numeric_limits<T>::infinity());
    ++n;
}

template <class T>
ConfusionAtCuts<T> confusion_at_cuts(Cuts<T> cuts) {
    const ClassTotals totals = cuts.totals();
    Buffer<double> tn(cuts.n), fn(cuts.n);
    for (std::size_t i = 0; i < cuts.n; ++i) {
        tn[i] = totals.negative - cuts.fp[i];
        fn[i] = totals.positive - cuts.tp[i];
    }
    return {std::move(tn), std::move(cuts.fp), std::move(fn), std::move(cuts.tp), std::move(cuts.threshold)};
}

template <class T>
RocCurve roc_curve(Cuts<T> cuts, bool drop_intermediate) {
    if (drop_intermediate) cuts.keep_corners();
    const std::size_t n = cuts.n;
    RocCurve curve{Buffer<double>(n + 1), Buffer<double>(n + 1), Buffer<double>(n + 1), cuts.totals()};
    const auto rates = [&](const Buffer<double>& sums, double total, Buffer<double>& out) {
        if (!(total > 0)) return out.fill(undefined);
        out[0] = 0 / total;
        for (std::size_t i = 0; i < n; ++i) out[i + 1] = sums[i] / total;
    };
    rates(cuts.fp, curve.totals.negative, curve.fpr);
    rates(cuts.tp, curve.totals.positive, curve.tpr);
    curve.threshold[0] = infinity;
    for (std::size_t i = 0; i < n; ++i) curve.threshold[i + 1] = static_cast<double>(cuts.threshold[i]);
    return curve;
}

template <class T>
PrecisionRecallCurve<T> precision_recall_curve(Cuts<T> cuts, bool drop_intermediate) {
    if (drop_intermediate) cuts.keep_steps();
    const std::size_t n = cuts.n;
    PrecisionRecallCurve<T> curve{Buffer<double>(n + 1), Buffer<double>(n + 1), Buffer<T>(n), cuts.totals()};
    const double total = curve.totals.positive;
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t from = n - 1 - i;
        const double tp = cuts.tp[from], taken = tp + cuts.fp[from];
        curve.precision[i] = taken != 0 ? tp / taken : 0.0;
        curve.recall[i] = total == 0 ? 1.0 : tp / total;
        curve.threshold[i] = cuts.threshold[from];
    }
    curve.precision[n] = 1;
    curve.recall[n] = 0;
    return curve;
}

template <class T>
DetCurve det_curve(Cuts<T> cuts, bool drop_intermediate) {
    cuts.prepend_infinity();
    if (drop_intermediate) cuts.keep_steps();
    const ClassTotals totals = cuts.totals();
    // From the last cut without a false positive to the first without a false negative.
    const double *fp = cuts.fp.data(), *tp = cuts.tp.data();
    const auto first = static_cast<std::size_t>(std::upper_bound(fp, fp + cuts.n, fp[0]) - fp) - 1;
    const auto last =
        std::min(static_cast<std::size_t>(std::lower_bound(tp, tp + cuts.n, totals.positive) - tp) + 1, cuts.n);
    const std::size_t n = last > first ? last - first : 0;
    DetCurve curve{Buffer<double>(n), Buffer<double>(n), Buffer<double>(n), totals};
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t from = last - 1 - i;
        curve.fpr[i] = fp[from] / totals.negative;
        curve.fnr[i] = (totals.positive - tp[from]) / totals.positive;
        curve.threshold[i] = static_cast<double>(cuts.threshold[from]);
    }
    return curve;
}

#define MLCORE_CUTS(T)                                                                                                 \
    template Cuts<T> count_cuts(const RunContext&, const SortedScores<LabelledKey>&);                                  \
    template Cuts<T> count_cuts(const RunContext&, const SortedScores<WeightedKey>&);                                  \
    template struct Cuts<T>;                                                                                           \
    template ConfusionAtCuts<T> confusion_at_cuts(Cuts<T>);                                                            \
    template RocCurve roc_curve(Cuts<T>, bool);                                                                        \
    template PrecisionRecallCurve<T> precision_recall_curve(Cuts<T>, bool);                                            \
    template DetCurve det_curve(Cuts<T>, bool);
MLCORE_CUTS(double)
MLCORE_CUTS(float)
#undef MLCORE_CUTS

} // namespace mlcore::metrics
