#include "linalg/gemm.hpp"
#include "nn/recurrent/cell.hpp"
#include "nn/recurrent/product.hpp"
#include "nn/recurrent/recurrent.hpp"
#include "nn/recurrent/steps.hpp"

#include <utility>
#include <vector>

namespace mlcore::nn {
namespace {

/// One direction of a pass: steps s from the last to the first, then one more product for the gradient with respect to
/// h0.
template <class Cell>
class Direction {
  public:
    Direction(const RunContext& ctx, const RecurrentBackward& pass, std::size_t d)
        : pass_(pass), d_(d), steps_(pass.layout, d == 1), H_(pass.H), B_(pass.layout.n_batch()),
          N_(pass.layout.n_rows()), row_(Cell::columns * H_), y_stride_(pass.weights.size() * H_),
          to_start_(pass.dh0 != nullptr),
          W_hh_(ctx, linalg::transposed(row_major(pass.weights[d].W_hh, Cell::products * H_, H_)), 1),
          dgates_(N_ * row_), dh_(B_ * H_), bias_sums_(row_) {
        const std::size_t states = d * B_ * H_;
        sort_states(pass.layout, pass.dh_n ? pass.dh_n + states : nullptr, H_, dh_.data());
        if constexpr (Cell::has_cell) {
            dc_ = Scratch<float>(B_ * H_);
            sort_states(pass.layout, pass.dc_n ? pass.dc_n + states : nullptr, H_, dc_.data());
            c0_ = Scratch<float>(B_ * H_);
            sort_states(pass.layout, pass.c0 ? pass.c0 + states : nullptr, H_, c0_.data());
        }
        h0_ = Scratch<float>(B_ * H_);
        sort_states(pass.layout, pass.h0 ? pass.h0 + states : nullptr, H_, h0_.data());
        for (PackedRows& rows : packed_) rows = PackedRows(B_, Cell::products * H_);
        std::fill_n(bias_sums_.data(), row_, 0.0);
    }

    std::size_t n_rounds() const { return steps_.count() + (to_start_ ? 1 : 0); }
    double ns_per_unit(std::size_t round) const {
        const std::size_t n = round < steps_.count() ? steps_.rows(steps_.count() - 1 - round) : B_;
        return static_cast<double>(n * Cell::products) * (0.04 * static_cast<double>(H_) + 1);
    }

    /// Round r takes step count - 1 - r: units [unit, unit + unit_block) of the gradient with respect to h after it,
    /// then of those with respect to its gates.
    void block(std::size_t round, std::size_t unit) {
        constexpr std::size_t tiles_at_once = 4, room = tiles_at_once * linalg::tile_rows;
        alignas(cache_line) float product[room * unit_block];
        alignas(cache_line) float sums[Cell::columns * unit_block] = {};
        const bool is_step = round < steps_.count();
        const std::size_t s = steps_.count() - 1 - round, n = is_step ? steps_.rows(s) : 0;
        const std::size_t n_units = std::min(unit_block, H_ - unit);
        const RowTiles tiles(round == 0 ? 0 : handed_down(s + 1));
        std::size_t row = 0;
        for (std::size_t i = 0; i < tiles.count(); i += tiles_at_once) {
            const std::size_t last = std::min(i + tiles_at_once, tiles.count()), top = row, end = tiles.begin(last);
            Prefetch prefetch;
            if (row < n) add_rows(prefetch, steps_.first_row(s) + row, std::min(end, n) - row, unit, n_units);
            W_hh_.multiply(packed_[round % 2], tiles, i, last, unit, product, room, prefetch);
            for (; row < end; ++row) {
                float* dh = dh_.data() + row * H_ + unit;
                const float* from = product + (row - top) * unit_block;
                for (std::size_t j = 0; j < n_units; ++j) dh[j] += from[j];
                if (row < n) cell(s, row, unit, n_units, sums);
            }
        }
        for (; row < n; ++row) cell(s, row, unit, n_units, sums);
        if (!is_step) return;
        for (std::size_t column = 0; column < Cell::columns; ++column)
            for (std::size_t j = 0; j < n_units; ++j)
                bias_sums_[column * H_ + unit + j] += static_cast<double>(sums[column * unit_block + j]);
        if (round + 1 == n_rounds()) return;
        for (std::size_t p = 0; p < Cell::products; ++p)
            packed_[(round + 1) % 2].pack(
                handed_down(s), p * H_ + unit, n_units,
                dgates_.data() + steps_.first_row(s) * row_ + Cell::column_of_product(p) * H_ + unit, row_);
    }

    /// After the last round: the products over all steps.
    void finish(const RunContext& ctx) {
        const RecurrentWeights& w = pass_.weights[d_];
        const std::size_t states = d_ * B_ * H_;
        const auto inputs = static_cast<std::size_t>(Cell::input_columns * H_);
        if (pass_.dx)
            linalg::gemm(ctx, columns_of_dgates(0, inputs), row_major(w.W_ih, inputs, pass_.I),
                         row_major(pass_.dx, N_, pass_.I), d_ > 0);
        if (pass_.dh0) unsort_states(pass_.layout, dh_.data(), H_, pass_.dh0 + states);
        if (Cell::has_cell && pass_.dc0) unsort_states(pass_.layout, dc_.data(), H_, pass_.dc0 + states);
        if (pass_.dweights.empty()) return;
        const RecurrentWeightGradients& dw = pass_.dweights[d_];
        linalg::gemm(ctx, linalg::transposed(columns_of_dgates(0, inputs)), row_major(pass_.x, N_, pass_.I),
                     row_major(dw.W_ih, inputs, pass_.I));
        // Columns of dgates that belong to the rows of W_hh: one piece, or two where the inputs have one of their own.
        constexpr bool one_piece = Cell::column_of_product(Cell::products - 1) == Cell::products - 1;
        if (one_piece) {
            gradient_by_W_hh(ctx, 0, Cell::products * H_, dw.W_hh);
        } else {
            gradient_by_W_hh(ctx, 0, (Cell::products - 1) * H_, dw.W_hh);
            gradient_by_W_hh(ctx, Cell::column_of_product(Cell::products - 1) * H_, H_,
                             dw.W_hh + (Cell::products - 1) * H_ * H_);
        }
        if (!dw.b_ih) return;
        for (std::size_t j = 0; j < inputs; ++j) dw.b_ih[j] = static_cast<float>(bias_sums_[j]);
        for (std::size_t p = 0; p < Cell::products; ++p)
            for (std::size_t j = 0; j < H_; ++j)
                dw.b_hh[p * H_ + j] = static_cast<float>(bias_sums_[Cell::column_of_product(p) * H_ + j]);
    }

  private:
    /// Rows of step s for which the gradient with respect to the state before it is wanted.
    std::size_t handed_down(std::size_t s) const { return to_start_ ? steps_.rows(s) : steps_.carried(s); }

    MatrixView<const float> columns_of_dgates(std::size_t first, std::size_t n) const {
        return {dgates_.data() + first, N_, n, static_cast<std::ptrdiff_t>(row_), 1};
    }

    void add_rows(Prefetch& prefetch, std::size_t place, std::size_t n, std::size_t unit, std::size_t n_units) const {
        const std::size_t kept = d_ * N_ + place;
        if (Cell::keeps_gates) prefetch.add(pass_.gates + kept * row_ + unit, n, row_, Cell::columns, H_, n_units);
        if (Cell::has_cell) prefetch.add(pass_.cells + kept * H_ + unit, n, H_, 1, 0, n_units);
        if (pass_.dy) prefetch.add(pass_.dy + place * y_stride_ + d_ * H_ + unit, n, y_stride_, 1, 0, n_units);
        prefetch.add(dgates_.data() + place * row_ + unit, n, row_, Cell::columns, H_, n_units);
    }

    void cell(std::size_t s, std::size_t row, std::size_t unit, std::size_t n_units, float* sums) {
        const std::size_t place = steps_.first_row(s) + row;
        const bool carried = row < steps_.carried(s);
        const std::size_t before = carried ? steps_.first_row(s - 1) + row : 0;
        const float* y = pass_.y + d_ * H_ + unit;
        const float* cells = Cell::has_cell ? pass_.cells + d_ * N_ * H_ + unit : nullptr;
        float* dh = dh_.data() + row * H_ + unit;
        if (pass_.dy) {
            const float* dy = pass_.dy + place * y_stride_ + d_ * H_ + unit;
            for (std::size_t j = 0; j < n_units; ++j) dh[j] += dy[j];
        }
        Cell::backward({.n_units = n_units,
                        .H = H_,
                        .gates = Cell::keeps_gates ? pass_.gates + (d_ * N_ + place) * row_ + unit : nullptr,
                        .y = y + place * y_stride_,
                        .cell = Cell::has_cell ? cells + place * H_ : nullptr,
                        .previous_cell = !Cell::has_cell ? nullptr
                                         : carried       ? cells + before * H_
                                                         : c0_.data() + row * H_ + unit,
                        .previous = carried ? y + before * y_stride_ : h0_.data() + row * H_ + unit,
                        .dh = dh,
                        .dc = Cell::has_cell ? dc_.data() + row * H_ + unit : nullptr,
                        .dh_direct = dh,
                        .dgates = dgates_.data() + place * row_ + unit,
                        .bias_sums = sums,
                        .sums_step = unit_block});
    }

    /// dW (n, H) = the sum over all steps of dgates^T h, h the state before the step.
    void gradient_by_W_hh(const RunContext& ctx, std::size_t column, std::size_t n, float* dW) {
        const MatrixView<const float> dz = columns_of_dgates(column, n);
        const MatrixView<float> out = row_major(dW, n, H_);
        if (!pass_.layout.equal_lengths()) {
            gather_previous();
            return linalg::gemm(ctx, linalg::transposed(dz), row_major(std::as_const(previous_).data(), N_, H_), out);
        }
        // Steps of equal size: the states before all steps but the first are the results, one step further on.
        const auto part = [](MatrixView<const float> m, std::size_t first, std::size_t rows) {
            return MatrixView<const float>{&m(first, 0), rows, m.cols, m.row_stride, m.col_stride};
        };
        const MatrixView<const float> y{pass_.y + d_ * H_, N_, H_, static_cast<std::ptrdiff_t>(y_stride_), 1};
        const bool back = steps_.reverse();
        const std::size_t rest = N_ - B_, start = back ? rest : 0; // of the step that starts from h0
        if (rest > 0)
            linalg::gemm(ctx, linalg::transposed(part(dz, back ? 0 : B_, rest)), part(y, back ? B_ : 0, rest), out);
        else
            std::fill_n(dW, n * H_, 0.0f);
        if (pass_.h0)
            linalg::gemm(ctx, linalg::transposed(part(dz, start, B_)), row_major(std::as_const(h0_).data(), B_, H_),
                         out, true);
    }

    /// previous (N, H): the state before each step.
    void gather_previous() {
        if (previous_.size() > 0) return;
        previous_ = Scratch<float>(N_ * H_);
        for (std::size_t s = 0; s < steps_.count(); ++s)
            for (std::size_t j = 0; j < steps_.rows(s); ++j)
                std::copy_n(j < steps_.carried(s) ? pass_.y + (steps_.first_row(s - 1) + j) * y_stride_ + d_ * H_
                                                  : h0_.data() + j * H_,
                            H_, previous_.data() + (steps_.first_row(s) + j) * H_);
    }

    const RecurrentBackward& pass_;
    std::size_t d_;
    RecurrentSteps steps_;
    std::size_t H_, B_, N_, row_, y_stride_;
    bool to_start_;
    PackedUnits W_hh_;
    Scratch<float> dgates_; // (N, columns H)
    Scratch<float> dh_, dc_, h0_, c0_, previous_;
    Scratch<double> bias_sums_;
    PackedRows packed_[2]; // gradients of the gates of the step before, in number round % 2
};

template <class Cell>
void backward(const RunContext& ctx, const RecurrentBackward& pass) {
    std::vector<Direction<Cell>> directions;
    for (std::size_t d = 0; d < pass.weights.size(); ++d) directions.emplace_back(ctx, pass, d);
    for (std::size_t round = 0; round < directions[0].n_rounds(); ++round)
        for_unit_blocks(ctx, directions.size(), pass.H, directions[0].ns_per_unit(round),
                        [&](std::size_t d, std::size_t unit) { directions[d].block(round, unit); });
    for (Direction<Cell>& direction : directions) direction.finish(ctx);
}

} // namespace

void recurrent_backward(const RunContext& ctx, const RecurrentBackward& pass) {
    with_cell(pass.cell, [&]<class Cell>(Cell) { backward<Cell>(ctx, pass); });
}

} // namespace mlcore::nn
