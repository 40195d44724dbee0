"""Convolution of images and of sequences, fused with bias and activation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.functional._fixed_axes import fixed_axes
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, grad_enabled, operands, record

Sizes = int | Sequence[int]  # one for all axes, or one for each axis
_INTEGERS = (int, np.integer)


def sizes(name: str, value: Sizes, n: int, least: int) -> tuple[int, ...]:
    """Return `value` as n integers of at least `least`."""
    if type(value) is int and value >= least:
        return (value,) * n
    all_sizes = (value,) * n if isinstance(value, _INTEGERS) else tuple(value)
    if len(all_sizes) != n or not all(isinstance(v, _INTEGERS) for v in all_sizes):
        raise ValueError(f"{name} must be an int or {n} of them, got {value!r}")
    if min(all_sizes) < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return tuple(int(v) for v in all_sizes)


def both_sides(
    padding: Sizes | str, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """Return the zeros before and after each axis, one axis after the other."""
    if not isinstance(padding, str):
        return [p for p in sizes("padding", padding, len(kernel), 0) for _ in range(2)]
    if padding == "valid":
        return [0, 0] * len(kernel)
    if padding != "same":
        raise ValueError(f'padding must be "same", "valid" or numbers, got {padding!r}')
    if any(s != 1 for s in stride):
        raise ValueError('padding="same" needs a stride of 1')
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [side for total in totals for side in (total // 2, total - total // 2)]


def kernel_options(
    stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int
) -> dict[str, Any]:
    """Return the options as the core takes them, for two axes: a sequence is an image of one row."""
    missing = 2 - len(stride)
    return {
        "stride": (*(1,) * missing, *stride),
        "padding": (*(0, 0) * missing, *padding),
        "dilation": (*(1,) * missing, *dilation),
        "groups": groups,
    }


def as_images(a: Array, n_axes: int) -> Array:
    """Return (n, channels, rows, columns): one example becomes a batch, a sequence an image of one row."""
    batched = a if a.ndim == n_axes + 2 else a[np.newaxis]
    return np.ascontiguousarray(batched if n_axes == 2 else batched[:, :, np.newaxis])


def _check(x: Tensor, w: Tensor, b: Tensor | None, groups: int, n_axes: int) -> None:
    if x.ndim not in (n_axes + 1, n_axes + 2) or w.ndim != n_axes + 2:
        places = ", ".join(("rows", "columns") if n_axes == 2 else ("length",))
        raise ShapeError(
            f"input of shape {x.shape} must be (n, channels, {places}) or without n, weight of shape {w.shape} "
            f"(filters, channels / groups, {places})"
        )
    if groups < 1 or w.shape[0] % groups:
        raise ValueError(f"groups must divide the {w.shape[0]} filters, got {groups}")
    if x.shape[-n_axes - 1] != w.shape[1] * groups:
        raise ShapeError(
            f"input of shape {x.shape} has {x.shape[-n_axes - 1]} channels, weight of shape {w.shape} with "
            f"groups={groups} needs {w.shape[1] * groups}"
        )
    if b is not None and b.shape != w.shape[:1]:
        raise ShapeError(f"bias of shape {b.shape} does not fit weight of shape {w.shape}")
    if 0 in x.shape[-n_axes:] or 0 in w.shape[1:]:
        raise ShapeError(f"input of shape {x.shape} or weight of shape {w.shape} has an empty axis")


def _convolution(
    n_axes: int,
    input: Tensor | Array,
    weight: Tensor | Array,
    bias: Tensor | Array | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    *,
    activation: str = "identity",
) -> Tensor:
    """Compute ``y[n, f] = activation(b[f] + sum over c of w[f, c] * x[n, c])``, * the cross-correlation of two images.

    Entry (i, j) of ``w * x`` is the sum over u, v of ``w[u, v] x[i s - p + u d, j s - p + v d]`` with stride s, padding
    p, dilation d of each axis; x is zero outside.

    Parameters
    ----------
    input : Tensor (n, channels, rows, columns) or (channels, rows, columns)
        x.
    weight : Tensor (filters, channels / groups, kernel rows, kernel columns)
        w.
    bias : Tensor (filters,), optional
        b.
    stride : int or (int, int), default=1
        Steps from one place of the kernel to the next, along rows and columns.
    padding : int, (int, int), "valid" or "same", default=0
        Zeros around x. "valid" is 0. "same", for a stride of 1: as many as give y the size of x; of an odd
        number the larger half is after x.
    dilation : int or (int, int), default=1
        Steps from one entry of the kernel to the next.
    groups : int, default=1
        Channels and filters are cut into so many groups, which do not mix.
    activation : str, default="identity"
        As of :func:`linear`.

    Returns
    -------
    Tensor (n, filters, rows out, columns out), or without n
        y, of ``(rows + 2 p - d (kernel rows - 1) - 1) // s + 1`` rows. With dz the gradient before the activation: dx
        is the convolution of dz with the kernels flipped and channels and filters exchanged, dw[f, c] the
        correlation of x[:, c] and dz[:, f], db[f] the sum of dz[:, f].

    Raises
    ------
    ShapeError
        If shapes do not go together or the kernel is larger than the padded input.
    ValueError
        For a stride, padding, dilation or number of groups out of range.
    """
    x, w, b = operands(input, weight, bias)
    _check(x, w, b, groups, n_axes)
    kernel = w.shape[2:]
    strides, dilations = sizes("stride", stride, n_axes, 1), sizes("dilation", dilation, n_axes, 1)
    sides = both_sides(padding, kernel, strides, dilations)
    for axis, (k, d) in enumerate(zip(kernel, dilations, strict=True)):
        whole = x.shape[axis - n_axes] + sides[2 * axis] + sides[2 * axis + 1]
        if d * (k - 1) + 1 > whole:
            raise ShapeError(
                f"kernel of shape {kernel} with dilation {dilations} is larger than the input of shape {x.shape} "
                f"with padding {padding!r}"
            )
    options = kernel_options(strides, sides, dilations, groups)
    parents = [t for t in (x, w, b) if t is not None]
    if x.size == 0 or w.size == 0:  # no images or no filters
        places = (
            (x.shape[i - n_axes] + sum(sides[2 * i : 2 * i + 2]) - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
            for i in range(n_axes)
        )
        zeros = [np.zeros(t.shape, np.float32) for t in parents]
        nothing = np.zeros((*x.shape[: -n_axes - 1], w.shape[0], *places), np.float32)
        return record(f"conv{n_axes}d", nothing, parents, lambda _: zeros)
    xs, ws = as_images(x.data, n_axes), as_images(w.data, n_axes)
    y, z = core.nn.convolution(
        xs,
        ws,
        None if b is None else np.ascontiguousarray(b.data),
        **options,
        activation=activation,
        keep_input=grad_enabled() and any(t.requires_grad for t in parents),
        n_threads=n_threads(),
    )
    shape = (*x.shape[: -n_axes - 1], w.shape[0], *y.shape[4 - n_axes :])

    def backward(dy: Array) -> Gradients:
        dz = np.ascontiguousarray(dy).reshape(y.shape)
        if activation != "identity":
            saved = y if z is None else z
            dz = core.nn.activation_backward(saved, dz, activation=activation, n_threads=n_threads())
        wanted = (x.requires_grad, w.requires_grad, b is not None and b.requires_grad)
        found = core.nn.convolution_backward(xs, ws, dz, **options, wanted=wanted, n_threads=n_threads())
        pairs = zip(parents, found, strict=False)  # no bias, no third
        return [None if gradient is None else gradient.reshape(parent.shape) for parent, gradient in pairs]

    saves_output = activation != "identity" and z is None
    return record(f"conv{n_axes}d", y.reshape(shape), parents, backward, saved=(x, w), output_saved=saves_output)


conv2d = fixed_axes(_convolution, 2, "conv2d")
conv1d = fixed_axes(
    _convolution,
    1,
    "conv1d",
    "Compute :func:`conv2d` along one axis: input (n, channels, length) or (channels, length), weight (filters, "
    "channels / groups, length).",
)
