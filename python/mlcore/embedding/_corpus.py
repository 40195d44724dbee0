"""From what users pass as a corpus (paths, texts, token lists) to what the core reads.

Plain files are mapped into memory and stay where they are: the core finds their words again in every epoch, with all
threads. Everything else (compressed files, pipes, Python objects) is read once and spooled as word numbers into
temporary files, four bytes a word, that vanish with the corpus. Either way memory holds the distinct words only.
"""

import errno
import os
import resource
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.embedding._files import PACKED, blocks, map_file, map_open_file

if TYPE_CHECKING:
    from mlcore._core.embedding import IdCorpus, TextCorpus, WordTable

_Number = TypeVar("_Number", bound=np.generic)

_BATCH = 1 << 20  # characters and words gathered between two calls of the core
_MOST_TEXTS = 1000  # of a batch
_MOST_MAPPED = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4  # files: each mapping keeps one open


@dataclass(frozen=True)
class OpenCorpus:
    """A corpus that was read once: its words are known, and the core can read it any number of times."""

    core: "TextCorpus | IdCorpus"
    table: "WordTable"
    """All words and their counts, in the order of their first appearance."""


def open_corpus(X: Any, *, n_jobs: int, who: str) -> OpenCorpus:
    """Read a corpus once: count its words and make ready to read it again.

    Parameters
    ----------
    X : str, path-like, sequence of path-like, or re-iterable of texts
        A str or path-like is one file, a list or tuple of path-likes several: a text a line, words between whitespace,
        plain or compressed (.gz, .xz, .bz2). Anything else is iterated over: its items are texts, a str (split at
        whitespace) or a list, tuple or array of str (the words as they are).
    n_jobs : int
        Threads to count plain files with.
    who : str
        The class on whose behalf, for messages.

    Returns
    -------
    OpenCorpus
        Has no words if the corpus has none: it is for the caller to object.

    Raises
    ------
    TypeError
        If `X` is no corpus, is an iterator (which gives its texts once), or holds an item that is no text.
    ValueError
        If a file or a text is not UTF-8 or holds NUL, or a compressed file is damaged. The message names the file and
        the byte.
    OSError
        If a file is missing or cannot be read, or there is no room for the temporary files.
    """
    paths = as_paths(X, who)
    if paths is None:
        return _spool_texts(check_texts(X, who))
    if len(paths) <= _MOST_MAPPED and all(_can_be_mapped(path) for path in paths):
        corpus = core.embedding.TextCorpus([map_file(path) for path in paths], [_name(path) for path in paths])
        return OpenCorpus(corpus, corpus.count(n_jobs))
    return _spool_files(paths)


def as_paths(X: Any, who: str) -> list[Path] | None:
    """Return the files that `X` names, None if it is no path and no list of paths. Raises TypeError for bytes."""
    if isinstance(X, str):
        _check_exists(X, who)
        return [Path(X)]
    if isinstance(X, bytes | bytearray | memoryview):
        raise TypeError(f"X of {who} must be a path or texts of str, got {type(X).__name__}: decode it first")
    if isinstance(X, os.PathLike):
        return [Path(X)]
    if isinstance(X, list | tuple) and X and all(isinstance(item, os.PathLike) for item in X):
        return [Path(item) for item in X]
    if isinstance(X, list | tuple) and X and all(isinstance(item, str) and _is_file(item) for item in X):
        raise ValueError(
            f"X of {who} is a list of str, which are texts, but each is the path of a file, such as {X[0]!r}; for the "
            "files pass pathlib.Path objects: [Path(name) for name in X]"
        )
    return None


def check_texts(X: Any, who: str) -> Iterable[Any]:
    """Return `X` if it can be iterated over again and again, in an order of its own. Raises TypeError."""
    expected = f"X of {who} must be a path, a list of path objects, or texts (str or lists of words) to iterate over"
    if isinstance(X, Mapping) or hasattr(X, "columns"):
        raise TypeError(f"{expected}, got a {type(X).__name__}: pass its column of texts")
    if isinstance(X, Set):
        raise TypeError(f"{expected}, got a {type(X).__name__}, which has no order: pass a list")
    try:
        iterator = iter(X)
    except TypeError:
        raise TypeError(f"{expected}, got a value of type {type(X).__name__!r}") from None
    if iterator is X:
        raise TypeError(
            f"{expected}, got a {type(X).__name__}, which can be read only once: pass a list, or an object whose "
            "__iter__ starts from the beginning each time"
        )
    return X  # type: ignore[no-any-return]


def batches(texts: Iterable[Any]) -> Iterator[tuple[int, list[Any]]]:
    """Gather texts into lists; yields the number of the first one and the list."""
    first, size = 0, 0
    batch: list[Any] = []
    for text in texts:
        item = as_text(text)
        batch.append(item)
        size += len(item) if isinstance(item, str | list | tuple) else 1
        if size >= _BATCH or len(batch) == _MOST_TEXTS:
            yield first, batch
            first, size, batch = first + len(batch), 0, []
    if batch:
        yield first, batch


def as_text(item: Any) -> Any:
    """Turn arrays and series of words into lists; the core objects to what is no text."""
    if isinstance(item, str | list | tuple):
        return item
    to_list = getattr(item, "tolist", None) or getattr(item, "to_list", None)
    return item if to_list is None else to_list()


def _check_exists(path: str, who: str) -> None:
    problem: Exception | None = None
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        problem = error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        problem = error
    if problem is None and path:
        return
    shown = path if len(path) <= 80 else path[:77] + "..."
    raise FileNotFoundError(
        f"no such file: {shown!r}. A str as X of {who} is a path; to use it as a text, pass a list: [text]"
    ) from problem


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long, or with NUL: a text
        return False


def _name(path: Path) -> str:
    """Return a path for messages of the core, which takes UTF-8; not every path is."""
    return str(path).encode(errors="replace").decode()


def _can_be_mapped(path: Path) -> bool:
    return path.suffix.lower() not in PACKED and stat.S_ISREG(path.stat().st_mode)


def _mapped(file: IO[bytes], dtype: type[_Number]) -> NDArray[_Number]:
    """Map a temporary file as an array; the file may be closed then."""
    file.flush()
    if os.fstat(file.fileno()).st_size == 0:
        return np.empty(0, dtype=dtype)  # nothing cannot be mapped
    return map_open_file(file, dtype)


@contextmanager
def _says_where() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.add_note(f"The corpus is spooled to {tempfile.gettempdir()}; TMPDIR names another place.")
        raise


class _Spool:
    """A corpus on its way into temporary files: the numbers of its words, and where its texts end."""

    def __init__(self) -> None:
        self.table = core.embedding.WordTable()
        self._n_ids = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._ids = stack.enter_context(tempfile.TemporaryFile(prefix="mlcore-"))
            self._ends = stack.enter_context(tempfile.TemporaryFile(prefix="mlcore-"))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def append(self, ids: NDArray[np.int32], ends: NDArray[np.int64]) -> None:
        """Add words; `ends` are positions in `ids` after which a text ends."""
        with _says_where():
            self._ids.write(ids.data)
            self._ends.write((self._n_ids + ends).data)
        self._n_ids += len(ids)

    def finish(self) -> OpenCorpus:
        with _says_where():
            ids, ends = _mapped(self._ids, np.int32), _mapped(self._ends, np.int64)
        return OpenCorpus(core.embedding.IdCorpus(ids, ends, self.table), self.table)


def _spool_texts(texts: Iterable[Any]) -> OpenCorpus:
    with _Spool() as spool:
        for first, batch in batches(texts):
            ids, lengths = spool.table.add_texts(batch, first)
            spool.append(ids, np.cumsum(lengths))
        return spool.finish()


def _spool_files(paths: list[Path]) -> OpenCorpus:
    with _Spool() as spool:
        for path in paths:
            stream = core.embedding.TextStream(spool.table, _name(path))
            for block in blocks(path):
                spool.append(*stream.feed(block))
            spool.append(*stream.finish())
        return spool.finish()
