"""Plain NumPy twins of the kernels of neural networks, in the dtype given, and what their tests share."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def finite_difference_check(
    forward: Callable[..., Any],
    backward: Callable[..., Sequence[Any]],
    inputs: Sequence[Any],
    *,
    step: float = 1e-6,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> None:
    """Assert that `backward(dy, *inputs)` is the gradient of `sum(dy * forward(*inputs))` in float64.

    Gradients are compared along random directions, one an input that is an array of float64; a None among the gradients
    skips that input.
    """
    rng = np.random.default_rng(seed)
    y = np.asarray(forward(*inputs))
    assert y.dtype == np.float64
    dy = rng.normal(size=y.shape)
    for i, gradient in enumerate(backward(dy, *inputs)):
        if gradient is None:
            continue
        x = inputs[i]
        assert gradient.shape == x.shape, f"gradient of input {i}: {gradient.shape} for {x.shape}"
        for _ in range(3):
            direction = rng.normal(size=x.shape)
            moved = [
                forward(*[x + sign * step * direction if j == i else other for j, other in enumerate(inputs)])
                for sign in (1, -1)
            ]
            expected = np.sum(dy * (moved[0] - moved[1])) / (2 * step)
            got = np.sum(gradient * direction)
            scale = 1 + np.sum(np.abs(gradient * direction))
            assert abs(got - expected) <= tolerance * scale, f"gradient of input {i}: {got}, differences {expected}"


def assert_close(got: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Assert that float32 values agree with those of a twin, relative to the largest of them."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert got.shape == expected.shape, f"{got.shape} instead of {expected.shape}"
    assert np.isfinite(got).all() == np.isfinite(expected).all()
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    worst = float(np.max(np.abs(got - expected), initial=0))
    assert worst <= tolerance * scale, f"differs by {worst} where the largest value is {scale}"
