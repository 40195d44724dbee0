"""Clustering: groups of rows that nobody has labelled, and how many of them there are."""

__all__: list[str] = []
