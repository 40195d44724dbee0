"""Plots of word vectors."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted

from mlcore.plotting._axes import new_axes, plain_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_embedding(
    embedding: Any,
    words: Iterable[str] | None = None,
    ax: "Axes | None" = None,
    *,
    groups: Mapping[str, Iterable[str]] | None = None,
    annotate: bool = True,
) -> "Axes":
    """Draw words as points of the plane that shows most of how their vectors differ.

    Vectors are scaled to length 1, so that distances follow the cosine similarity, and projected on the first two
    principal components of the words shown (not of the whole vocabulary).

    Parameters
    ----------
    embedding : Word2Vec, KeyedVectors or tuple of (words, vectors)
        Where the vectors are; in a tuple, vectors have shape (n_words, vector_size).
    words : iterable of str or None, default=None
        Words to show. None: those of `groups`, or without groups the 50 most frequent.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    groups : mapping of str to iterable of str, or None, default=None
        Names of groups and their words, each word in one of them: each group has a colour and a line in the legend.
        Shown words of no group are grey.
    annotate : bool, default=True
        Write the words beside their points.

    Returns
    -------
    matplotlib Axes with the points of a group in a collection each

    Raises
    ------
    KeyError
        If a word has no vector.
    ValueError
        If there are fewer than two words to show, a word is in two groups, words and vectors of a tuple do not match,
        one of its words occurs twice, or its vectors are not finite.
    TypeError
        If `embedding` or `groups` is none of the above.
    """
    known, vectors, counts = _words_and_vectors(embedding)
    rows = {word: row for row, word in enumerate(known)}
    group_of = _group_of(groups)
    if words is None:
        words = group_of or [known[row] for row in np.argsort(-counts, kind="stable")[:50]]
    elif isinstance(words, str):
        raise TypeError(f"words of plot_embedding must be an iterable of words, got the string {words!r}")
    shown = list(dict.fromkeys(words))
    if missing := [word for word in shown if word not in rows]:
        raise KeyError(f"no vector for {', '.join(map(repr, missing))}")
    if len(shown) < 2:
        raise ValueError(f"plot_embedding needs at least two words to show, got {len(shown)}")
    points, shares = _plane(vectors[[rows[word] for word in shown]])

    ax = new_axes(ax)
    names = [group_of.get(word) for word in shown]
    for name in dict.fromkeys(names):
        members = [i for i, other in enumerate(names) if other == name]
        colour = "grey" if groups and name is None else None
        ax.scatter(points[members, 0], points[members, 1], s=18, color=colour, label=name)
    ax.margins(0.1)
    if annotate:
        _label(ax, shown, points)
    if any(name is not None for name in names):
        plain_legend(ax)
    ax.set_xlabel(f"first component ({shares[0]:.0%} of the variance)")
    ax.set_ylabel(f"second component ({shares[1]:.0%})")
    ax.set_title(f"{len(shown)} words of {len(known):,}")
    return ax


def _label(ax: "Axes", words: list[str], points: NDArray[np.float64]) -> None:
    """Write each word on that side of its point where it covers least of the points and of the words before it."""
    ax.autoscale_view()
    places = ax.transData.transform(points) * 72 / ax.figure.dpi
    gap, height, width = 3, 10, 5  # of a mark, a line and a letter; all in typographic points, 72 an inch
    taken = np.vstack([places.T - gap, places.T + gap])  # left, bottom, right, top of all that is there already
    sides = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1)])
    for word, point, place in zip(words, points, places, strict=True):
        extent = np.array([width * len(word), height])
        lower = (place + gap * sides + extent * (sides - 1) / 2)[:, :, None]
        common = np.minimum(lower + extent[:, None], taken[2:]) - np.maximum(lower, taken[:2])
        covered = common.clip(min=0).prod(axis=1).sum(axis=1)
        best = int(np.argmin(covered))
        taken = np.column_stack([taken, [*lower[best, :, 0], *(lower[best, :, 0] + extent)]])
        right, up = sides[best]
        ax.annotate(
            word,
            point,
            xytext=(gap * right, gap * up),
            textcoords="offset points",
            horizontalalignment=("center", "left", "right")[right],
            verticalalignment=("center", "bottom", "top")[up],
            fontsize="small",
            parse_math=False,  # a dollar is a letter
        )


def _group_of(groups: Mapping[str, Iterable[str]] | None) -> dict[str, str]:
    """Return the group of each word that is in one."""
    if not isinstance(groups, Mapping | None):
        raise TypeError(
            f"groups of plot_embedding must be a mapping of names to iterables of words, got {type(groups).__name__}"
        )
    group_of: dict[str, str] = {}
    for name, members in (groups or {}).items():
        if isinstance(members, str) or not isinstance(members, Iterable):
            raise TypeError(
                "groups of plot_embedding must be a mapping of names to iterables of words, got "
                f"{members!r} as group {name!r}"
            )
        for word in members:
            if group_of.setdefault(word, name) != name:
                raise ValueError(f"groups of plot_embedding have {word!r} twice, in {group_of[word]!r} and {name!r}")
    return group_of


def _words_and_vectors(embedding: Any) -> tuple[list[str], NDArray[Any], NDArray[Any]]:
    """Return words, vectors (n_words, vector_size), and counts to rank the words by."""
    if isinstance(embedding, tuple) and len(embedding) == 2:
        words, vectors = list(embedding[0]), np.asarray(embedding[1], dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != len(words):
            raise ValueError(f"{len(words)} words need vectors of shape ({len(words)}, d), got {vectors.shape}")
        word, n_times = max(Counter(words).items(), key=lambda item: item[1], default=("", 0))
        if n_times > 1:
            raise ValueError(f"words of plot_embedding must be unique, but {word!r} occurs {n_times} times")
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if bad.size:
            raise ValueError(
                f"vectors of plot_embedding must be finite, but that of {words[bad[0]]!r} has NaN or infinity"
            )
        return words, vectors, np.zeros(len(words))
    if hasattr(embedding, "partial_fit"):
        check_is_fitted(embedding)
        embedding = getattr(embedding, "keyed_vectors_", embedding)
    if not (hasattr(embedding, "index_to_key") and hasattr(embedding, "vectors")):
        raise TypeError(
            f"plot_embedding takes a Word2Vec, KeyedVectors or a tuple (words, vectors), got {type(embedding).__name__}"
        )
    counts = getattr(embedding, "counts", None)
    return embedding.index_to_key, embedding.vectors, np.zeros(len(embedding.vectors)) if counts is None else counts


def _plane(vectors: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two principal coordinates (n, 2) of unit vectors, and the shares of the variance along them."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0).astype(np.float64)
    unit = np.divide(vectors, largest, out=np.zeros(vectors.shape), where=largest > 0)  # squares are in range now
    unit = np.divide(unit, np.linalg.norm(unit, axis=1, keepdims=True), out=unit, where=largest > 0)
    if unit.shape[1] == 1:
        unit = np.column_stack([unit, np.zeros(len(unit))])
    if (unit == unit[0]).all():
        return np.zeros((len(unit), 2)), np.zeros(2)
    pca = PCA(n_components=2, svd_solver="full").fit(unit)
    return pca.transform(unit), pca.explained_variance_ratio_
