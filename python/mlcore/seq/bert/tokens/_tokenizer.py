"""From texts, or pairs of texts, to what BERT reads: pieces of words (WordPiece), markers around them, their places.

The cutting of texts is that of the package `tokenizers` (extra `nlp`), by way of
:class:`mlcore.text.SubwordTokenizer`. Markers and the longest length are set here: ``[CLS] text [SEP]`` and
``[CLS] text [SEP] pair [SEP]``, whatever post-processing, truncation and padding stand in a file.

All work on tokens is done for whole batches, in NumPy.
"""

import json
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from mlcore._files import replacing
from mlcore.seq._inputs import read_sequences, read_texts
from mlcore.seq._tokens import tokenizer_of_json
from mlcore.seq._training import check_cut
from mlcore.seq.bert.tokens._cutting import cut
from mlcore.seq.bert.tokens._pieces import BertEncoding, Pieces, longest_first, with_markers
from mlcore.text._subword_models import BEGIN, END, MASK, PAD, UNKNOWN, package
from mlcore.text._subword_tokenizer import SubwordTokenizer
from mlcore.text._subwords import check_count

_HOLES = 1 << 10
"""Ids that may be left out, and one for each token."""


class BertTokenizer:
    """The tokenizer of a BERT. It needs the package `tokenizers`: ``pip install 'mlcore-cpp[nlp]'``.

    Parameters
    ----------
    subwords : SubwordTokenizer
        With ``[CLS]``, ``[SEP]`` and ``[UNK]`` in its vocabulary.

    Raises
    ------
    ValueError
        If one of the markers is missing, or it cannot cut a text.

    Examples
    --------
    >>> from mlcore.seq.bert import BertTokenizer
    >>> texts = ["the cat and the dog", "the dog and the bird", "a cat, a dog and a bird"]
    >>> tokenizer = BertTokenizer.train(texts, vocab_size=60, min_frequency=1)
    >>> encoding = tokenizer.encode(["the bird", "here[SEP]"], ["a cat", ""], keep=["spans"])
    >>> tokenizer.tokens(encoding.batch.ids[:7])
    ['[CLS]', 'the', 'bird', '[SEP]', 'a', 'cat', '[SEP]']
    >>> encoding.batch.types[:7]
    array([0, 0, 0, 0, 1, 1, 1])
    >>> encoding.spans[:4].tolist()
    [[0, 0], [0, 3], [4, 8], [0, 0]]
    """

    def __init__(self, subwords: SubwordTokenizer) -> None:
        found = {name: subwords.token_to_id(name) for name in (BEGIN, END, MASK, PAD, UNKNOWN)}
        missing = [name for name in (BEGIN, END, UNKNOWN) if found[name] is None]
        if missing:
            raise ValueError(f"a tokenizer of BERT must have {BEGIN}, {END} and {UNKNOWN}, got none of {missing}")
        self.subwords = subwords
        self.cls: int = found[BEGIN]  # type: ignore[assignment]
        self.sep: int = found[END]  # type: ignore[assignment]
        self.unknown: int = found[UNKNOWN]  # type: ignore[assignment]
        self.mask, self.pad = found[MASK], found[PAD]
        self._n_ids: int = 1 + max(subwords._tokenizer.get_vocab().values())
        if self._n_ids > 2 * subwords.vocab_size + _HOLES:  # which no table of vectors is for
            raise ValueError(
                f"ids of {subwords.vocab_size} tokens must be about as many numbers, got {self._n_ids - 1}"
            )
        self.pieces(["a ☃", "x" * 300], n_jobs=1)  # some files are only found to be wrong when a text is cut

    # ---- ways to make one --------------------------------------------------------------------------------------------

    @classmethod
    def from_pretrained(cls, folder: "str | os.PathLike[str]") -> Self:
        """Read ``tokenizer.json``, or else ``vocab.txt`` with the options of ``tokenizer_config.json``.

        Parameters
        ----------
        folder : str or path-like
            As Hugging Face has it.

        Returns
        -------
        BertTokenizer

        Raises
        ------
        ImportError
            If the package `tokenizers` is not installed.
        FileNotFoundError
            If neither file is there.
        ValueError
            If the file holds no tokenizer of BERT.
        """
        folder = Path(folder)
        whole, vocabulary = folder / "tokenizer.json", folder / "vocab.txt"
        if whole.exists():
            return cls._named(SubwordTokenizer.from_file(whole), whole)
        if not vocabulary.exists():
            raise FileNotFoundError(f"{folder} has neither tokenizer.json nor vocab.txt, one of which BERT needs")
        options = _read_options(folder / "tokenizer_config.json")
        lowercase, strip = options.get("do_lower_case", True), options.get("strip_accents")
        if not isinstance(lowercase, bool) or not (strip is None or isinstance(strip, bool)):
            raise ValueError(
                f"do_lower_case and strip_accents of {folder / 'tokenizer_config.json'} must be true or false"
            )
        return cls._named(SubwordTokenizer.from_vocab(vocabulary, lowercase=lowercase, strip_accents=strip), vocabulary)

    @classmethod
    def _named(cls, subwords: SubwordTokenizer, path: Path) -> Self:
        try:
            return cls(subwords)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int = 30522,
        lowercase: bool = True,
        *,
        min_frequency: int = 2,
        verbose: int = 0,
    ) -> Self:
        """Learn a vocabulary of WordPiece from texts.

        Parameters
        ----------
        texts : iterable of str
            Read once, and not kept.
        vocab_size : int, default=30522
            Tokens at most, the five markers included.
        lowercase : bool, default=True
            Whether texts are turned into lower case, and accents left out.
        min_frequency : int, default=2
            Pairs of pieces that are seen less often are not joined.
        verbose : int, default=0
            1: a progress bar, in texts; 2: a line for each text.

        Returns
        -------
        BertTokenizer

        Raises
        ------
        ImportError, TypeError, ValueError
            As for :meth:`mlcore.text.SubwordTokenizer.train`.
        """
        options: dict[str, Any] = {"vocab_size": vocab_size, "min_frequency": min_frequency, "verbose": verbose}
        return cls(SubwordTokenizer.train(texts, kind="wordpiece", lowercase=lowercase, **options))

    # ---- texts to tokens ---------------------------------------------------------------------------------------------

    def encode(
        self,
        texts: Iterable[str],
        pairs: Iterable[str] | None = None,
        *,
        max_length: int | None = None,
        special_tokens: bool = False,
        keep: Collection[str] = (),
        n_jobs: int | None = None,
    ) -> BertEncoding:
        """Cut texts, or pairs of texts, into tokens.

        Parameters
        ----------
        texts : iterable of str
            A list, generator, or column of NumPy, pandas, polars or Arrow.
        pairs : iterable of str or None, default=None
            The second text of each.
        max_length : int or None, default=None
            Tokens at most, markers included: what is longer is cut off on the right, of a pair from the longer text.
            None: no limit.
        special_tokens : bool, default=False
            Whether markers that are written in a text, such as ``[SEP]``, are markers. Leave it so for texts of others,
            who could pretend with them that their text ends.
        keep : collection of {"words", "spans"}, default=()
            What else is wanted of each token.
        n_jobs : int or None, default=None
            1: no threads. Else those of the package `tokenizers`, which reads ``TOKENIZERS_PARALLELISM``. Results do
            not depend on it.

        Returns
        -------
        BertEncoding

        Raises
        ------
        TypeError
            If a text is no str.
        ValueError
            If `texts` is one text, one is missing or holds half of a surrogate pair, there are other numbers of `texts`
            and `pairs`, or `max_length` has no room for the markers.

        Warns
        -----
        UserWarning
            Once, if texts are longer than `max_length`.
        """
        options: dict[str, Any] = {"special_tokens": special_tokens, "keep": keep, "n_jobs": n_jobs}
        first = self.pieces(texts, **options)
        if pairs is None:
            return self.join(first, max_length=max_length)
        return self.join(first, self.pieces(pairs, **options), max_length=max_length, what="pairs of texts")

    def encode_words(
        self,
        words: Iterable[Sequence[str]],
        *,
        max_length: int | None = None,
        special_tokens: bool = False,
        keep: Collection[str] = ("words",),
        n_jobs: int | None = None,
    ) -> BertEncoding:
        """Cut texts that are split into words already, as tagged texts are.

        Parameters
        ----------
        words : iterable of sequences of str
            The words of each text. What the tokenizer leaves nothing of, such as a zero-width space, has no token.
        max_length, special_tokens, n_jobs
            As for `encode`.
        keep : collection of {"words", "spans"}, default=("words",)
            "words": the number of the word in its text; "spans": characters of that word.

        Returns
        -------
        BertEncoding

        Raises
        ------
        TypeError, ValueError
            As for `encode`.

        Warns
        -----
        UserWarning
            Once, if texts are longer than `max_length`.
        """
        pieces = self.pieces_of_words(words, special_tokens=special_tokens, keep=keep, n_jobs=n_jobs)
        return self.join(pieces, max_length=max_length)

    def pieces(
        self,
        texts: Iterable[str],
        *,
        special_tokens: bool = False,
        keep: Collection[str] = (),
        n_jobs: int | None = None,
    ) -> Pieces:
        """Cut texts into pieces of words, without markers and however many they are.

        Parameters
        ----------
        texts, special_tokens, keep, n_jobs
            As for `encode`.

        Returns
        -------
        Pieces

        Raises
        ------
        TypeError, ValueError
            As for `encode`.
        """
        found = read_texts(texts, "texts of BertTokenizer")
        options: dict[str, Any] = {"special_tokens": special_tokens, "keep": keep, "n_jobs": n_jobs}
        return cut(self.subwords, found, list(map(len, found)), **options)

    def pieces_of_words(
        self,
        words: Iterable[Sequence[str]],
        *,
        special_tokens: bool = False,
        keep: Collection[str] = ("words",),
        n_jobs: int | None = None,
    ) -> Pieces:
        """Cut texts that are split into words already into pieces, without markers and however many they are.

        Parameters
        ----------
        words, special_tokens, keep, n_jobs
            As for `encode_words`.

        Returns
        -------
        Pieces

        Raises
        ------
        TypeError, ValueError
            As for `encode`.
        """
        entries = read_sequences(words, "words of BertTokenizer")
        if any(isinstance(entry[0], int) for entry in entries if entry):
            raise TypeError("words of BertTokenizer must be lists of str, got numbers")
        sizes = [sum(map(len, entry)) for entry in entries]  # type: ignore[arg-type]
        options: dict[str, Any] = {"special_tokens": special_tokens, "keep": keep, "n_jobs": n_jobs}
        return cut(self.subwords, entries, sizes, **options, is_pretokenized=True)

    def join(
        self, first: Pieces, second: Pieces | None = None, *, max_length: int | None = None, what: str = "texts"
    ) -> BertEncoding:
        """Put markers around texts, or pairs of texts, and cut those that are too long.

        Parameters
        ----------
        first : Pieces
        second : Pieces or None, default=None
            As many texts. What is kept of both is kept.
        max_length : int or None, default=None
            As for `encode`.
        what : str, default="texts"
            What they are, for the warning.

        Returns
        -------
        BertEncoding

        Raises
        ------
        ValueError
            If there are other numbers of texts, or `max_length` has no room for the markers.

        Warns
        -----
        UserWarning
            Once, if texts are longer than `max_length`.
        """
        if max_length is None or (second is not None and len(second.offsets) != len(first.offsets)):
            return with_markers(first, second, self.cls, self.sep)
        check_count("max_length", max_length)
        n_markers = 2 if second is None else 3
        if max_length <= n_markers:
            raise ValueError(f"max_length must be > {n_markers}, the markers that are added, got {max_length}")
        room = int(max_length) - n_markers
        is_cut = first.lengths + (0 if second is None else second.lengths) > room
        if is_cut.any():
            rows = np.arange(len(is_cut))
            if second is None:
                first = first.take(rows, 0, room)
            else:
                n_first, n_second = longest_first(first.lengths, second.lengths, room)
                first, second = first.take(rows, 0, n_first), second.take(rows, 0, n_second)
            check_cut(int(is_cut.sum()), len(is_cut), int(max_length), what)
        return with_markers(first, second, self.cls, self.sep)._replace(is_cut=is_cut)

    # ---- the vocabulary ----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Rows that a table of embeddings must have: one more than the largest id."""
        return self._n_ids

    def tokens(self, ids: Any) -> list[str]:
        """Return how tokens are written in the vocabulary.

        Parameters
        ----------
        ids : array of int, shape (n,)

        Returns
        -------
        list of str
            "" for a number that is none.
        """
        return [self.subwords.id_to_token(number) or "" for number in np.asarray(ids, np.int64).tolist()]

    def decode(self, ids: Any) -> str:
        """Return the text of tokens, without markers; see :meth:`mlcore.text.SubwordTokenizer.decode`.

        Parameters
        ----------
        ids : array of int, shape (n,)

        Returns
        -------
        str
        """
        return self.subwords.decode(ids)

    # ---- files -------------------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """Return the text of a file ``tokenizer.json``.

        Returns
        -------
        str
        """
        return str(self.subwords.__getstate__()["json"])

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Make a tokenizer of the text of a file ``tokenizer.json``.

        Parameters
        ----------
        text : str

        Returns
        -------
        BertTokenizer

        Raises
        ------
        ValueError
            If it is none of BERT.
        """
        return cls(tokenizer_of_json(text))

    def lowercased(self) -> Self:
        """Return a tokenizer that turns texts into lower case first.

        Returns
        -------
        BertTokenizer
        """
        found = type(self).from_json(self.to_json())
        tokenizer, steps = found.subwords._tokenizer, package().normalizers
        tokenizer.normalizer = steps.Sequence([steps.Lowercase(), *filter(None, [tokenizer.normalizer])])
        return found

    def save_pretrained(self, folder: "str | os.PathLike[str]", *, max_length: int = 512) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json``, which `from_pretrained` and `transformers` read.

        Parameters
        ----------
        folder : str or path-like
            An existing folder.
        max_length : int, default=512
            Positions of the model, which is said to others.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        folder = Path(folder)
        normalizer = json.loads(self.to_json()).get("normalizer") or {}
        parts = normalizer.get("normalizers", [normalizer])
        names = {"cls_token": BEGIN, "sep_token": END, "unk_token": UNKNOWN}
        names |= {name: token for name, token in (("mask_token", MASK), ("pad_token", PAD)) if self._has(token)}
        options = {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": any(part.get("lowercase") or part.get("type") == "Lowercase" for part in parts),
            "strip_accents": normalizer.get("strip_accents"),
            "tokenize_chinese_chars": all(part.get("handle_chinese_chars", True) for part in parts),
            "model_max_length": int(max_length),
            **names,
        }
        with replacing(folder / "tokenizer.json", folder / "tokenizer_config.json") as (tokenizer, config):
            tokenizer.write(self.to_json().encode())
            config.write(json.dumps(options, indent=2).encode())

    def _has(self, token: str) -> bool:
        return self.subwords.token_to_id(token) is not None

    def __repr__(self) -> str:
        return f"<BertTokenizer with {len(self)} tokens>"


def _read_options(path: Path) -> dict[str, Any]:
    """Return what ``tokenizer_config.json`` says; nothing where there is none."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold a dict, got a {type(found).__name__}")
    return found
