"""Warnings that name the line of the user."""

import sys
import warnings


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that has called into this package, however deep in it the reason was found."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("mlcore."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
