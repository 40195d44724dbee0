// Losses of probabilities and decision values against labels, from one reading of both.
#include "metrics/labels/probabilities.hpp"
#include "bindings/metrics/label_args.hpp"
#include "bindings/metrics/metrics.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"
#include "metrics/labels/counts.hpp"

#include <algorithm>

namespace mlcore {
namespace {

using namespace metrics;
using namespace bindings;

/// Values of float or double of shape (n) or (n, k) that lie in whole items; else nothing.
std::optional<RowValues> values_arg(py::handle object) {
    if (Py_TYPE(object.ptr()) != py::detail::npy_api::get().PyArray_Type_) return std::nullopt;
    const bool is_double = py::isinstance<py::array_t<double>>(object);
    if (!is_double && !py::isinstance<py::array_t<float>>(object)) return std::nullopt;
    const auto array = py::reinterpret_borrow<py::array>(object);
    const py::ssize_t item = array.itemsize();
    if (array.ndim() < 1 || array.ndim() > 2 || reinterpret_cast<std::uintptr_t>(array.data()) % item != 0)
        return std::nullopt;
    const bool table = array.ndim() == 2;
    const py::ssize_t row_stride = array.strides(0), col_stride = table ? array.strides(1) : item;
    if (row_stride % item != 0 || col_stride % item != 0) return std::nullopt;
    return RowValues{array.data(),
                     static_cast<std::size_t>(array.shape(0)),
                     table ? static_cast<std::size_t>(array.shape(1)) : 1,
                     row_stride / item,
                     col_stride / item,
                     is_double};
}

/// Which column each label stands for.
class Columns {
  public:
    /// known: the column of each label, or None for the labels that occur, in order; positive: the label of a single
    /// column, or None for the last that occurs (1 where only 0 or -1 does).
    Columns(RowLoss loss, std::size_t cols, py::handle known, py::handle positive, bool exact)
        : loss_(loss), cols_(cols), known_(known), positive_(positive), exact_(exact) {}

    /// For the sorted labels that occur; nothing if they do not suit the columns.
    template <class Label>
    std::optional<std::vector<std::uint32_t>> of(const std::vector<Label>& labels) const {
        std::vector<std::uint32_t> columns(labels.size());
        if (!known_.is_none()) {
            for (std::size_t k = 0; k < labels.size(); ++k) {
                const auto at = find(label_of(labels[k]));
                if (!at) return std::nullopt;
                columns[k] = *at;
            }
            return columns;
        }
        for (std::size_t k = 0; k < labels.size(); ++k) columns[k] = static_cast<std::uint32_t>(k);
        if (cols_ > 1) {
            if (labels.size() != cols_) return std::nullopt;
            return columns;
        }
        if (labels.size() > 2 || (exact_ && labels.size() != 2)) return std::nullopt;
        if (loss_ == RowLoss::brier) {
            if (std::is_same_v<Label, std::u32string> && positive_.is_none()) return std::nullopt;
            for (std::size_t k = 0; k < labels.size(); ++k) columns[k] = is_positive(labels, k) ? 1 : 0;
        }
        return columns;
    }

  private:
    static py::object label_of(std::int64_t label) { return py::int_(label); }
    static py::object label_of(const std::u32string& label) { return to_str(label); }

    std::optional<std::uint32_t> find(const py::object& label) const {
        PyObject* column = PyDict_GetItemWithError(known_.ptr(), label.ptr());
        if (column == nullptr) return std::nullopt;
        return py::handle(column).cast<std::uint32_t>();
    }

    template <class Label>
    bool is_positive(const std::vector<Label>& labels, std::size_t k) const {
        if (!positive_.is_none()) return label_of(labels[k]).equal(py::reinterpret_borrow<py::object>(positive_));
        if constexpr (std::is_same_v<Label, std::int64_t>)
            if (labels.size() == 1) return labels[0] != 0 && labels[0] != -1;
        return k + 1 == labels.size();
    }

    const RowLoss loss_;
    const std::size_t cols_;
    const py::handle known_, positive_;
    const bool exact_;
};

/// (sum of losses, sum of weights, in range, rows sum to one), or None where something is not plain or does not suit:
/// Python then looks closer. known: a dict from labels to columns, or None; positive: see Columns; exact:
/// a single column needs two labels.
py::object py_row_loss(const std::string& loss_name, py::object y_true, py::object values, py::object sample_weight,
                       py::object known, py::object positive, bool exact) {
    const auto loss = choose<RowLoss>("loss", loss_name,
                                      {{"log", RowLoss::log}, {"brier", RowLoss::brier}, {"hinge", RowLoss::hinge}});
    if (!known.is_none() && !py::isinstance<py::dict>(known)) throw TypeError("known must be a dict or None");
    const auto table = values_arg(values);
    if (!table || table->rows == 0 || table->cols == 0) return py::none();
    if (!known.is_none() && py::len(known) != std::max<std::size_t>(table->cols, 2)) return py::none();
    auto labels = read_labels(y_true);
    const std::size_t n = table->rows;
    if (!labels || labels->size() != n) return py::none();
    const auto weight = read_weights(sample_weight, n);
    if (!weight) return py::none();

    const Columns assign(loss, table->cols, known, positive, exact);
    const int n_threads = metric_threads(n);
    const auto total = [&]() -> std::optional<RowLossSum> {
        const auto pass = [&](const LabelledRows& rows) {
            return run(n_threads, 0,
                       [&](const RunContext& ctx) { return row_loss_sum(ctx, loss, rows, *table, *weight); });
        };
        const auto of_codes = [&](const std::vector<std::uint32_t>& codes, const auto& occurring) {
            const auto columns = assign.of(occurring);
            if (!columns || columns->size() > 65536) return std::optional<RowLossSum>();
            return pass({{LabelType::u32, codes.data(), n, sizeof(std::uint32_t)}, 0, *columns});
        };
        if (const auto* column = std::get_if<LabelColumn>(&labels->column)) {
            const auto likely = run(1, 0, [&](const RunContext& ctx) { return sampled_labels(ctx, *column); });
            if (!likely.empty()) {
                if (const auto columns = assign.of(likely)) {
                    const auto width = static_cast<std::size_t>(likely.back() - likely.front() + 1);
                    LabelledRows rows{*column, likely.front(),
                                      std::vector<std::uint32_t>(width, LabelledRows::unknown)};
                    for (std::size_t k = 0; k < likely.size(); ++k)
                        rows.columns[static_cast<std::size_t>(likely[k] - likely[0])] = (*columns)[k];
                    if (const auto sum = pass(rows)) return sum;
                }
            }
            const auto encoded = run(n_threads, 0, [&](const RunContext& ctx) { return encode_numbers(ctx, *column); });
            if (!encoded) return std::nullopt;
            return of_codes(encoded->codes, encoded->labels);
        }
        if (const auto* strings = std::get_if<StringColumn>(&labels->column)) {
            const auto encoded =
                run(n_threads, 0, [&](const RunContext& ctx) { return encode_strings(ctx, *strings); });
            return of_codes(encoded.codes, encoded.labels);
        }
        const auto& encoded = std::get<ReadLabels::Strings>(labels->column);
        return of_codes(encoded.codes, encoded.labels);
    }();
    if (!total) return py::none();
    const double weights = weight->empty()
                               ? static_cast<double>(n)
                               : run(n_threads, 0, [&](const RunContext& ctx) { return weight_sum(ctx, *weight); });
    return py::make_tuple(total->sum, weights, total->in_range, total->sums_to_one);
}

} // namespace

void register_metrics_probabilities(py::module_& m) {
    using namespace py::literals;
    m.def("row_loss", py_row_loss, "loss"_a, "y_true"_a, "values"_a, "sample_weight"_a, "known"_a = py::none(),
          "positive"_a = py::none(), "exact"_a = true);
}

} // namespace mlcore
