"""Errors of shapes and axes."""


class ShapeError(ValueError):
    """Shapes that do not go together; names the layers from the outermost to the one that found it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.layers: list[str] = []

    def __str__(self) -> str:
        return f"{'.'.join(self.layers)}: {self.message}" if self.layers else self.message


class AxisError(ShapeError, IndexError):
    """An axis that a tensor does not have."""
