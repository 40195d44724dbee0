// Counts at every cut-off, from sorted rows. A cut is a distinct score: rows with that score or a higher one are taken
// for positive. tp and fp are sums of the weights of the positive and negative rows above a cut, the cut included.
//
// Weighted sums are added up row by row from the highest score down, so that they have the bits of a plain cumulative
// sum; counts are whole numbers and are made by many threads.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "metrics/ranking/score_sort.hpp"

#include <cstddef>
#include <utility>

namespace mlcore::metrics {

/// Sums over all rows.
struct ClassTotals {
    double positive = 0, negative = 0;
};

/// f(tp, fp, key) at the last row of each cut in rows[begin, end), with tp and fp as they are before the range.
template <class Row, class F>
void for_each_cut(const Row* rows, std::size_t begin, std::size_t end, typename Row::Sum& tp, typename Row::Sum& fp,
                  F&& f) {
    for (std::size_t i = begin; i < end; ++i) {
        tp += rows[i].positive();
        fp += rows[i].negative();
        const auto key = rows[i].key();
        if (i + 1 == end || rows[i + 1].key() != key) f(tp, fp, key);
    }
}

/// The counts as arrays, highest score first.
template <class T>
struct Cuts {
    Buffer<double> tp, fp;
    Buffer<T> threshold;
    std::size_t n = 0; // entries in use

    ClassTotals totals() const { return n == 0 ? ClassTotals{} : ClassTotals{tp[n - 1], fp[n - 1]}; }

    /// Leaves out what lies between and in line with neighbours on the receiver operating characteristic.
    void keep_corners();
    /// Leaves out cuts whose tp is that of both neighbours.
    void keep_steps();
    /// Puts the cut above all scores first.
    void prepend_infinity();

  private:
    template <class Keep>
    void keep(Keep&& keep_cut);
};

template <class T, class Row>
Cuts<T> count_cuts(const RunContext& ctx, const SortedScores<Row>& sorted);

/// All four counts, highest score first.
template <class T>
struct ConfusionAtCuts {
    Buffer<double> tn, fp, fn, tp;
    Buffer<T> threshold;
};
template <class T>
ConfusionAtCuts<T> confusion_at_cuts(Cuts<T> cuts);

/// The curves' arrays are in the order in which they are given to users.
struct RocCurve {
    Buffer<double> fpr, tpr, threshold;
    ClassTotals totals;
};
/// A class without weight makes its rate NaN.
template <class T>
RocCurve roc_curve(Cuts<T> cuts, bool drop_intermediate);

template <class T>
struct PrecisionRecallCurve {
    Buffer<double> precision, recall;
    Buffer<T> threshold;
    ClassTotals totals;
};
/// Without positive rows recall is 1.
template <class T>
PrecisionRecallCurve<T> precision_recall_curve(Cuts<T> cuts, bool drop_intermediate);

struct DetCurve {
    Buffer<double> fpr, fnr, threshold;
    ClassTotals totals;
};
template <class T>
DetCurve det_curve(Cuts<T> cuts, bool drop_intermediate);

} // namespace mlcore::metrics
