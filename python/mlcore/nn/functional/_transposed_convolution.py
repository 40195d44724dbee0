"""Transposed convolution: what a convolution does to gradients, as an operation. It makes images larger."""

from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.functional._convolution import Sizes, as_images, kernel_options, sizes
from mlcore.nn.functional._fixed_axes import fixed_axes
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, operands, record, sum_over


def _transposed(
    n_axes: int,
    input: Tensor | Array,
    weight: Tensor | Array,
    bias: Tensor | Array | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """Compute the gradient of :func:`conv2d` with respect to its input: each entry of x adds a scaled kernel to y.

    Parameters
    ----------
    input : Tensor (n, channels, rows, columns) or (channels, rows, columns)
        x.
    weight : Tensor (channels, filters / groups, kernel rows, kernel columns)
        w.
    bias : Tensor (filters,), optional
        Added to y.
    stride, padding, dilation : int or (int, int)
        Of the convolution whose gradient this is: the stride is by what y is larger, the padding is cut from y.
    output_padding : int or (int, int), default=0
        Rows and columns added after y: a convolution with a stride forgets how many there were. Smaller than stride or
        dilation.
    groups : int, default=1
        Channels and filters are cut into so many groups, which do not mix.

    Returns
    -------
    Tensor (n, filters, rows out, columns out), or without n
        y, of ``(rows - 1) stride - 2 padding + dilation (kernel rows - 1) + output_padding + 1`` rows. dx is the
        convolution of dy, dw the gradient of that convolution with respect to its weights, with x in the place of dz.

    Raises
    ------
    ShapeError
        If shapes do not go together, or nothing is left of y.
    ValueError
        For a stride, padding, dilation or number of groups out of range.
    """
    x, w, b = operands(input, weight, bias)
    if x.ndim not in (n_axes + 1, n_axes + 2) or w.ndim != n_axes + 2 or 0 in (*x.shape[-n_axes:], *w.shape):
        raise ShapeError(
            f"input of shape {x.shape} must have {n_axes + 2} axes, or one less, and weight of shape {w.shape} "
            f"{n_axes + 2}: (channels, filters / groups, kernel); none of length 0 but the batch"
        )
    channels, filters = w.shape[0], w.shape[1] * groups
    if groups < 1 or channels % groups:
        raise ValueError(f"groups must divide the {channels} channels, got {groups}")
    if x.shape[-n_axes - 1] != channels:
        raise ShapeError(f"input of shape {x.shape} does not fit weight of shape {w.shape}: {channels} channels")
    if b is not None and b.shape != (filters,):
        raise ShapeError(f"bias of shape {b.shape} does not fit the {filters} filters")
    strides, dilations = sizes("stride", stride, n_axes, 1), sizes("dilation", dilation, n_axes, 1)
    cut, extra = sizes("padding", padding, n_axes, 0), sizes("output_padding", output_padding, n_axes, 0)
    length, sides = [], []
    for n, k, s, d, p, e in zip(x.shape[-n_axes:], w.shape[2:], strides, dilations, cut, extra, strict=True):
        if e >= max(s, d) or e - p >= s:
            raise ValueError(f"output_padding must be smaller than stride or dilation, got {output_padding!r}")
        length.append((n - 1) * s - 2 * p + d * (k - 1) + e + 1)
        sides += [p, max(p - e, 0)]
    if min(length) < 1:
        raise ShapeError(f"padding {padding!r} leaves nothing of the result for input of shape {x.shape}")

    options = kernel_options(strides, sides, dilations, groups)
    xs, ws = as_images(x.data, n_axes), as_images(w.data, n_axes)
    lead = len(xs)
    shape = (*x.shape[: -n_axes - 1], filters, *length)
    whole = (lead, filters, *(1,) * (2 - n_axes), *length)
    parents = [t for t in (x, w, b) if t is not None]
    if lead == 0:
        zeros = [np.zeros(t.shape, np.float32) for t in parents]
        return record(f"conv_transpose{n_axes}d", np.zeros(shape, np.float32), parents, lambda _: zeros)
    # The input of the convolution whose gradient this is; its values are not read.
    unused, wanted = core.nn.empty(whole), (True, False, False)
    y: Any = core.nn.convolution_backward(unused, ws, xs, **options, wanted=wanted, n_threads=n_threads())[0]
    if b is not None:
        y += b.data.reshape(-1, *(1,) * (y.ndim - 2))

    def backward(dy: Array) -> Gradients:
        d = np.ascontiguousarray(dy).reshape(whole)
        dx = dw = None
        if x.requires_grad:
            none: Any = None
            dx = core.nn.convolution(
                d, ws, none, **options, activation="identity", keep_input=False, n_threads=n_threads()
            )[0].reshape(x.shape)
        if w.requires_grad:
            found = core.nn.convolution_backward(
                d, ws, xs, **options, wanted=(False, True, False), n_threads=n_threads()
            )
            dw = found[1].reshape(w.shape)  # type: ignore[union-attr]
        if b is None:
            return [dx, dw]
        return [dx, dw, sum_over(d, (0, 2, 3)).reshape(b.shape) if b.requires_grad else None]

    return record(f"conv_transpose{n_axes}d", y.reshape(shape), parents, backward, saved=(x, w))


conv_transpose2d = fixed_axes(_transposed, 2, "conv_transpose2d")
conv_transpose1d = fixed_axes(
    _transposed,
    1,
    "conv_transpose1d",
    "Compute :func:`conv_transpose2d` along one axis: weight (channels, filters / groups, length).",
)
