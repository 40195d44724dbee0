#include "core/choice.hpp"
#include "linalg/gemm.hpp"
#include "nn/recurrent/cell.hpp"
#include "nn/recurrent/product.hpp"
#include "nn/recurrent/recurrent.hpp"
#include "nn/recurrent/steps.hpp"

#include <utility>
#include <vector>

namespace mlcore::nn {
namespace {

/// One direction of a pass. A step is begun by nobody: its blocks may be computed in any order, by any thread.
template <class Cell>
class Direction {
  public:
    Direction(const RunContext& ctx, const RecurrentForward& pass, std::size_t d)
        : steps_(pass.layout, d == 1), H_(pass.H), y_(pass.y + d * pass.H), y_stride_(pass.weights.size() * pass.H),
          has_h0_(pass.h0 != nullptr),
          W_hh_(ctx, row_major(pass.weights[d].W_hh, Cell::products * H_, H_), Cell::products) {
        const std::size_t B = pass.layout.n_batch(), N = pass.layout.n_rows();
        if (pass.gates) {
            gates_ = pass.gates + d * N * Cell::columns * H_;
        } else {
            own_gates_ = Scratch<float>(N * Cell::columns * H_);
            gates_ = own_gates_.data();
        }
        cells_ = pass.cells ? pass.cells + d * N * H_ : nullptr;
        h_ = Scratch<float>(B * H_);
        sort_states(pass.layout, pass.h0 ? pass.h0 + d * B * H_ : nullptr, H_, h_.data());
        if constexpr (Cell::has_cell) {
            c_ = Scratch<float>(B * H_);
            sort_states(pass.layout, pass.c0 ? pass.c0 + d * B * H_ : nullptr, H_, c_.data());
        }
        for (PackedRows& rows : packed_) rows = PackedRows(B, H_);
        packed_[0].pack(with_product(0), 0, H_, h_.data(), H_);
        multiply_inputs(ctx, pass, pass.weights[d]);
    }

    /// An estimate for one hidden unit in step s.
    double ns_per_unit(std::size_t s) const {
        return static_cast<double>(steps_.rows(s) * Cell::products) * (0.04 * static_cast<double>(H_) + 1);
    }

    /// Units [unit, unit + unit_block) of step s.
    void block(std::size_t s, std::size_t unit) {
        constexpr std::size_t tiles_at_once = 4, room = tiles_at_once * linalg::tile_rows;
        alignas(cache_line) float z[Cell::products * room * unit_block];
        const std::size_t n = steps_.rows(s), n_units = std::min(unit_block, H_ - unit);
        const RowTiles tiles(with_product(s));
        std::size_t row = 0;
        for (std::size_t i = 0; i < tiles.count(); i += tiles_at_once) {
            const std::size_t last = std::min(i + tiles_at_once, tiles.count()), top = row, end = tiles.begin(last);
            Prefetch prefetch;
            add_rows(prefetch, steps_.first_row(s) + row, end - row, unit, n_units);
            W_hh_.multiply(packed_[s % 2], tiles, i, last, unit, z, room, prefetch);
            for (; row < end; ++row) cell(s, row, unit, n_units, z + (row - top) * unit_block, room * unit_block);
        }
        if (row < n) { // they start from zero
            std::fill_n(z, unit_block, 0.0f);
            for (; row < n; ++row) cell(s, row, unit, n_units, z, 0);
        }
        if (s + 1 < steps_.count()) packed_[(s + 1) % 2].pack(with_product(s + 1), unit, n_units, h_.data() + unit, H_);
    }

    void finish(float* h_n, float* c_n) const {
        unsort_states(steps_.layout(), h_.data(), H_, h_n);
        if constexpr (Cell::has_cell) unsort_states(steps_.layout(), c_.data(), H_, c_n);
    }

  private:
    std::size_t with_product(std::size_t s) const { return has_h0_ ? steps_.rows(s) : steps_.carried(s); }

    /// gates (N, columns H) = x W_ih^T + b_ih + b_hh for the columns that the inputs have
    void multiply_inputs(const RunContext& ctx, const RecurrentForward& pass, const RecurrentWeights& w) {
        const std::size_t n = Cell::input_columns * H_, N = pass.layout.n_rows();
        const bool gru = Cell::input_columns != Cell::columns; // b_hn belongs to the product with h
        bias_ = Scratch<float>(n + H_);
        std::fill_n(bias_.data(), n + H_, 0.0f);
        if (w.b_ih) {
            for (std::size_t j = 0; j < n; ++j) bias_[j] = w.b_ih[j] + (gru && j >= 2 * H_ ? 0.0f : w.b_hh[j]);
            if (gru) std::copy_n(w.b_hh + 2 * H_, H_, bias_.data() + n);
        }
        linalg::Epilogue epilogue;
        epilogue.bias = bias_.data();
        linalg::gemm(ctx, row_major(pass.x, N, pass.I), linalg::transposed(row_major(w.W_ih, n, pass.I)),
                     MatrixView<float>{gates_, N, n, static_cast<std::ptrdiff_t>(Cell::columns * H_), 1}, false,
                     epilogue);
    }

    void add_rows(Prefetch& prefetch, std::size_t place, std::size_t n, std::size_t unit, std::size_t n_units) const {
        const std::size_t width = Cell::columns * H_;
        prefetch.add(gates_ + place * width + unit, n, width, Cell::columns, H_, n_units);
        prefetch.add(y_ + place * y_stride_ + unit, n, y_stride_, 1, 0, n_units);
        if (cells_) prefetch.add(cells_ + place * H_ + unit, n, H_, 1, 0, n_units);
    }

    void cell(std::size_t s, std::size_t row, std::size_t unit, std::size_t n_units, const float* z,
              std::size_t z_step) {
        const std::size_t place = steps_.first_row(s) + row;
        Cell::forward({.n_units = n_units,
                       .H = H_,
                       .gates = gates_ + place * Cell::columns * H_ + unit,
                       .z = z,
                       .z_step = z_step,
                       .h = h_.data() + row * H_ + unit,
                       .c = Cell::has_cell ? c_.data() + row * H_ + unit : nullptr,
                       .y = y_ + place * y_stride_ + unit,
                       .kept_cell = cells_ ? cells_ + place * H_ + unit : nullptr,
                       .b_hn = bias_.data() + Cell::input_columns * H_ + unit});
    }

    RecurrentSteps steps_;
    std::size_t H_;
    float* y_;
    std::size_t y_stride_;
    bool has_h0_;
    PackedUnits W_hh_;
    Scratch<float> own_gates_, h_, c_, bias_;
    float *gates_, *cells_;
    PackedRows packed_[2]; // h before step s, in number s % 2
};

template <class Cell>
void forward(const RunContext& ctx, const RecurrentForward& pass) {
    std::vector<Direction<Cell>> directions;
    for (std::size_t d = 0; d < pass.weights.size(); ++d) directions.emplace_back(ctx, pass, d);
    for (std::size_t s = 0; s < pass.layout.n_steps(); ++s)
        for_unit_blocks(ctx, directions.size(), pass.H, directions[0].ns_per_unit(s),
                        [&](std::size_t d, std::size_t unit) { directions[d].block(s, unit); });
    const std::size_t states = pass.layout.n_batch() * pass.H;
    for (std::size_t d = 0; d < directions.size(); ++d)
        directions[d].finish(pass.h_n + d * states, pass.c_n ? pass.c_n + d * states : nullptr);
}

} // namespace

RecurrentCell parse_recurrent_cell(const std::string& name) {
    return choose<RecurrentCell>("kind of recurrent cell", name,
                                 {{"rnn_tanh", RecurrentCell::rnn_tanh},
                                  {"rnn_relu", RecurrentCell::rnn_relu},
                                  {"lstm", RecurrentCell::lstm},
                                  {"gru", RecurrentCell::gru}});
}

RecurrentSizes recurrent_sizes(RecurrentCell cell) {
    return with_cell(cell, []<class Cell>(Cell) {
        return RecurrentSizes{Cell::products, Cell::keeps_gates ? Cell::columns : 0, Cell::has_cell};
    });
}

void recurrent_forward(const RunContext& ctx, const RecurrentForward& pass) {
    with_cell(pass.cell, [&]<class Cell>(Cell) { forward<Cell>(ctx, pass); });
}

} // namespace mlcore::nn
