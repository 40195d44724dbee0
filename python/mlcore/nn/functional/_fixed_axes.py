"""Functions of images and of sequences that are one function with its number of axes fixed."""

import inspect
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def fixed_axes(
    function: Callable[Concatenate[int, P], R], n_axes: int, name: str, doc: str | None = None
) -> Callable[P, R]:
    """Return `function` with its first argument fixed, under a name and with a docstring of its own if it is given."""

    def fixed(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(n_axes, *args, **kwargs)

    signature = inspect.signature(function)
    fixed.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=list(signature.parameters.values())[1:]
    )
    fixed.__name__ = fixed.__qualname__ = name
    fixed.__module__ = function.__module__
    fixed.__doc__ = doc or function.__doc__
    return fixed
