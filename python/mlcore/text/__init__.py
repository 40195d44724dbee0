"""Documents as numbers: counts of terms, tf-idf, hashed terms."""

__all__: list[str] = []
