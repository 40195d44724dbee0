"""Documents as numbers: counts of terms, tf-idf, hashed terms."""

from mlcore.text._count import CountVectorizer
from mlcore.text._hashing import HashingVectorizer
from mlcore.text._tfidf import TfidfVectorizer
from mlcore.text._tfidf_transformer import TfidfTransformer

__all__ = [
    "CountVectorizer",
    "HashingVectorizer",
    "TfidfTransformer",
    "TfidfVectorizer",
]
