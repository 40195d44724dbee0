"""Values within nested lists, tuples and dicts."""

from collections.abc import Callable, Iterator
from typing import Any


def mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """Return the same lists, tuples and dicts with what `function` makes of everything else in them."""
    if isinstance(value, dict):
        return {key: mapped(item, function) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [mapped(item, function) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return function(value)


def flat(value: Any) -> Iterator[Any]:
    """Yield everything in nested lists, tuples and dicts that is none of these."""
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from flat(item)
    else:
        yield value
