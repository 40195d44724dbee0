// What blocks of outputs of a convolution see, against the definition: output o meets, with tap t, the entry
// start + o step + shifts[t] of the source, or a zero outside of it.
#include "check.hpp"

#include "nn/convolution/window.hpp"
#include "nn/twin.hpp"

using namespace mlcore;
using namespace mlcore::nn;

namespace {

constexpr std::size_t slack = 3; // entries that fill may write after a window

float entry(const twin::Values& image, const Window& w, std::size_t c, std::size_t row, std::size_t col, std::size_t u,
            std::size_t v) {
    const auto at = [](const Axis& a, std::size_t out, std::size_t tap) {
        return a.start + static_cast<std::ptrdiff_t>(out * a.step + a.shifts[tap]);
    };
    const std::ptrdiff_t r = at(w.rows.axis, row, u), s = at(w.cols.axis, col, v);
    const auto height = static_cast<std::ptrdiff_t>(w.rows.axis.n_source),
               width = static_cast<std::ptrdiff_t>(w.cols.axis.n_source);
    if (r < 0 || r >= height || s < 0 || s >= width) return 0;
    return image[static_cast<std::size_t>((static_cast<std::ptrdiff_t>(c) * height + r) * width + s)];
}

void check_window(const ConvolutionAxis& rows, const ConvolutionAxis& cols, std::size_t block_rows,
                  std::size_t block_cols) {
    constexpr std::size_t channels = 2;
    const Window w{{output_axis(rows), block_rows}, {output_axis(cols), block_cols}, channels};
    const twin::Values image = twin::normal(channels * rows.n_in * cols.n_in, 1);
    const std::vector<std::size_t> offsets = w.offsets();
    CHECK_EQUAL(offsets.size(), channels * rows.n_kernel * cols.n_kernel);
    for (std::size_t row = 0; row < rows.n_out; row += block_rows)
        for (std::size_t col = 0; col < cols.n_out; col += block_cols) {
            const std::size_t n_rows = std::min(block_rows, rows.n_out - row);
            const std::size_t n_cols = std::min(block_cols, cols.n_out - col);
            twin::Values window(w.image_size() + slack + 1, 9);
            w.fill(image.data(), row, n_rows, col, n_cols, window.data());
            CHECK_EQUAL(window.back(), 9.0f);
            std::size_t bad = 0, k = 0;
            for (std::size_t c = 0; c < channels; ++c)
                for (std::size_t u = 0; u < rows.n_kernel; ++u)
                    for (std::size_t v = 0; v < cols.n_kernel; ++v, ++k)
                        for (std::size_t i = 0; i < n_rows; ++i)
                            for (std::size_t j = 0; j < n_cols; ++j)
                                bad += window[offsets[k] + i * w.row_length() + j] !=
                                       entry(image, w, c, row + i, col + j, u, v);
            CHECK_EQUAL(bad, std::size_t{0});
        }
}

} // namespace

TEST(windows_hold_what_every_tap_meets) {
    for (const std::size_t n : {1, 5, 16, 35})
        for (const std::size_t kernel : {1, 3, 4})
            for (const std::size_t stride : {1, 2, 3})
                for (const std::size_t padding : {0, 2})
                    for (const std::size_t dilation : {1, 2}) {
                        if (n + 2 * padding < dilation * (kernel - 1) + 1) continue;
                        const auto cols = twin::window_axis<ConvolutionAxis>(n, kernel, stride, padding, dilation);
                        const auto rows = twin::window_axis<ConvolutionAxis>(7, 2, stride, padding, 1);
                        check_window(rows, cols, 2, std::min<std::size_t>(cols.n_out, 17));
                        check_window(cols, rows, cols.n_out, 1);
                    }
}

TEST(short_copies_follow_their_twin) {
    const twin::Values from = twin::normal(200, 2);
    for (std::size_t n = 0; n <= 3 * simd::lanes; ++n) {
        twin::Values run(n + 1, 9), second(n + 1, 9), zeros(n + 4, 9);
        nn::detail::copy_run(from.data() + 1, run.data(), n);
        nn::detail::copy_every_second(from.data() + 1, second.data(), n);
        nn::detail::zero_run(zeros.data(), n);
        for (std::size_t j = 0; j < n; ++j) {
            CHECK_EQUAL(run[j], from[j + 1]);
            CHECK_EQUAL(second[j], from[2 * j + 1]);
            CHECK_EQUAL(zeros[j], 0.0f);
        }
        CHECK(run[n] == 9 && second[n] == 9 && zeros[n + 3] == 9);
    }
}

TEST(blocks_hold_every_output_once) {
    for (const std::size_t images : {1, 3, 70})
        for (const std::size_t rows : {1, 9, 40})
            for (const std::size_t cols : {1, 13, 300})
                for (const std::size_t target : {1, 16, 64, 5000}) {
                    const OutputBlocks blocks(images, rows, cols, target, 8);
                    CHECK(blocks.pixels() <= target);
                    std::vector<int> seen(images * rows * cols, 0);
                    for (std::size_t i = 0; i < blocks.size(); ++i) {
                        const OutputBlocks::Block b = blocks[i];
                        CHECK(b.pixels() > 0 && b.pixels() <= blocks.pixels());
                        for (std::size_t n = b.image; n < b.image + b.n_images; ++n)
                            for (std::size_t r = b.row; r < b.row + b.n_rows; ++r)
                                for (std::size_t c = b.col; c < b.col + b.n_cols; ++c)
                                    ++seen[(n * rows + r) * cols + c];
                    }
                    CHECK(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
                }
}

TEST(a_convolution_of_single_entries_is_one_row) {
    const ConvolutionShape plain{2, 3, 4, 1, {5, 1, 5}, {6, 1, 6}};
    const ConvolutionShape flat = flattened(plain);
    CHECK_EQUAL(flat.rows.n_out, std::size_t{1});
    CHECK_EQUAL(flat.cols.n_in, std::size_t{30});
    CHECK_EQUAL(flat.cols.n_out, std::size_t{30});
    ConvolutionShape strided = plain;
    strided.cols = twin::window_axis<ConvolutionAxis>(6, 1, 2, 0, 1);
    CHECK_EQUAL(flattened(strided).rows.n_out, std::size_t{5});
}
