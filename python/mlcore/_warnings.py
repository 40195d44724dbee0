"""Warnings that name the line of the user."""

import sys
import warnings

_PASSED = ("mlcore.", "sklearn.utils._set_output")
"""Begins of the names of modules that no user has written; scikit-learn wraps every `transform`."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that has called into this package, however deep in it the reason was found."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_PASSED):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
