"""The words that Word2Vec learns, chosen by the core from those of a corpus; here is what to say if there are none."""

from mlcore._native import core


def build_vocabulary(
    table: "core.embedding.WordTable", min_count: int, max_size: int, *, who: str
) -> "core.embedding.Vocabulary":
    """Return the words of a corpus that occur `min_count` times, the `max_size` most frequent ones (0: all).

    Raises
    ------
    ValueError
        If there are fewer than two: nothing could be told from anything.
    """
    _check_not_empty(table, who)
    made = core.embedding.Vocabulary.build(table, min_count, max_size)
    if len(made) < 2:
        raise ValueError(
            f"{'no' if len(made) == 0 else 'only one'} word of the corpus for {who} reaches min_count={min_count}, and "
            f"two must; it has {len(table)} distinct words, the most frequent occurs {table.counts().max()} times: "
            "lower min_count, or check that texts and words are split as you mean it"
        )
    return made


def grow_vocabulary(
    before: "core.embedding.Vocabulary", table: "core.embedding.WordTable", min_count: int, max_size: int, *, who: str
) -> "core.embedding.Vocabulary":
    """Return `before` with the counts of another corpus added, followed by the new words that it has often enough.

    Raises
    ------
    ValueError
        If the corpus has neither known words nor new ones.
    """
    _check_not_empty(table, who)
    grown = before.grow(table, min_count, max_size)
    if grown.counts().sum() == before.counts().sum():
        raise ValueError(
            f"the corpus for {who} holds no known word, and none of its {len(table)} distinct words reaches min_count="
            f"{min_count}; the most frequent occurs {table.counts().max()} times"
        )
    return grown


def _check_not_empty(table: "core.embedding.WordTable", who: str) -> None:
    if len(table) == 0:
        raise ValueError(f"the corpus for {who} is empty: it holds no words")
