"""The operations that layers are made of."""

from mlcore.nn.functional._linear import linear

__all__ = ["linear"]
