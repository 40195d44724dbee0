"""Clustering: groups of rows that nobody has labelled, and how many of them there are."""

from mlcore.cluster._nearest_neighbors import NearestNeighbors

__all__ = ["NearestNeighbors"]
