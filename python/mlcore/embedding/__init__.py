"""Word vectors: word2vec, what to do with its vectors, and phrases of words that belong together."""

from mlcore.embedding.fasttext_vectors import FastTextVectors
from mlcore.embedding.keyed_vectors import KeyedVectors
from mlcore.embedding.phrases import ENGLISH_CONNECTOR_WORDS, Phrases
from mlcore.embedding.word2vec import Word2Vec

__all__ = ["ENGLISH_CONNECTOR_WORDS", "FastTextVectors", "KeyedVectors", "Phrases", "Word2Vec"]
