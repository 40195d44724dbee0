"""Documents as numbers: counts of terms, tf-idf, hashed terms; texts as numbers of subwords."""

from mlcore.text._count import CountVectorizer
from mlcore.text._hashing import HashingVectorizer
from mlcore.text._subword_tokenizer import SubwordTokenizer
from mlcore.text._subwords import EncodedText, PaddedTexts
from mlcore.text._tfidf import TfidfVectorizer
from mlcore.text._tfidf_transformer import TfidfTransformer

__all__ = [
    "CountVectorizer",
    "EncodedText",
    "HashingVectorizer",
    "PaddedTexts",
    "SubwordTokenizer",
    "TfidfTransformer",
    "TfidfVectorizer",
]
