"""Texts as numbers of subwords: a thin front over the package `tokenizers`, which the extra `nlp` brings.

What it adds: types, NumPy arrays, errors that say what was expected, and nothing that happens unasked. Truncation and
padding that are written into a file are not obeyed, and markers such as ``[SEP]`` in the text of a user are text,
unless a call asks for them.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from mlcore._files import replacing
from mlcore._progress import Progress
from mlcore.text._documents import length_of
from mlcore.text._subword_models import PAD, PADS, of_vocabulary, package, trained
from mlcore.text._subwords import (
    EncodedText,
    PaddedTexts,
    as_encoded,
    check_count,
    check_text,
    check_texts,
    checked,
)

if TYPE_CHECKING:
    import os

    import tokenizers


class SubwordTokenizer:
    """Cut texts into subwords, as BERT (WordPiece) and GPT (BPE) need them.

    Make one with :meth:`from_file`, :meth:`from_vocab` or :meth:`train`. It needs the package `tokenizers`:
    ``pip install 'mlcore-cpp[nlp]'``. Threads are those of the package, which reads ``TOKENIZERS_PARALLELISM``.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        One of the package; a copy of it is kept. Truncation and padding that are set in it are not obeyed.

    Raises
    ------
    ImportError
        If the package is not installed.
    TypeError
        If `tokenizer` is none.

    Examples
    --------
    >>> from mlcore.text import SubwordTokenizer
    >>> texts = ["the cat and the dog", "the dog and the bird", "a cat, a dog and a bird"]
    >>> tokenizer = SubwordTokenizer.train(texts, kind="wordpiece", vocab_size=60, min_frequency=1)
    >>> encoded = tokenizer.encode("the bird", "a cat")
    >>> encoded.tokens
    ['[CLS]', 'the', 'bird', '[SEP]', 'a', 'cat', '[SEP]']
    >>> encoded.type_ids
    array([0, 0, 0, 0, 1, 1, 1])
    >>> tokenizer.decode(encoded.ids)
    'the bird a cat'
    >>> tokenizer.encode_batch(["the dog and the bird", "a cat"], pad=True).attention_mask.astype(int)
    array([[1, 1, 1, 1, 1, 1, 1],
           [1, 1, 1, 1, 0, 0, 0]])
    """

    _tokenizer: Any
    _pad_token: str | None
    _lock: threading.Lock

    def __init__(self, tokenizer: "tokenizers.Tokenizer") -> None:
        parts = package()
        if not isinstance(tokenizer, parts.Tokenizer):
            raise TypeError(
                f"tokenizer of SubwordTokenizer must be a tokenizers.Tokenizer, got a {type(tokenizer).__name__}; see "
                "from_file, from_vocab and train"
            )
        self._set_json(tokenizer.to_str())

    # ---- ways to make one --------------------------------------------------------------------------------------------

    @classmethod
    def from_file(cls, path: "str | os.PathLike[str]") -> Self:
        """Read a file ``tokenizer.json``, as the package and the models of Hugging Face have it.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        SubwordTokenizer

        Raises
        ------
        ImportError
            If the package `tokenizers` is not installed.
        OSError
            If the file cannot be read.
        ValueError
            If it holds no tokenizer.
        """
        parts = package()
        data = Path(path).read_bytes()
        try:
            tokenizer = parts.Tokenizer.from_str(data.decode())
        except Exception as error:  # the package raises Exception itself
            raise ValueError(f"{path} holds no tokenizer: {error}") from error
        return cls(tokenizer)

    @classmethod
    def from_vocab(
        cls, path: "str | os.PathLike[str]", *, lowercase: bool = True, strip_accents: bool | None = None
    ) -> Self:
        """Read a file ``vocab.txt`` of BERT: WordPiece, with the steps before it of its authors.

        Parameters
        ----------
        path : str or path-like
            The file, a token a line in the order of their numbers, in UTF-8.
        lowercase : bool, default=True
            Whether the model is for lower case ("uncased").
        strip_accents : bool or None, default=None
            Whether accents are left out; None: with `lowercase`.

        Returns
        -------
        SubwordTokenizer

        Raises
        ------
        ImportError
            If the package `tokenizers` is not installed.
        OSError
            If the file cannot be read.
        ValueError
            If it is not UTF-8, a token occurs twice, or ``[UNK]``, ``[CLS]`` or ``[SEP]`` is not there.
        """
        return cls(of_vocabulary(Path(path), lowercase=lowercase, strip_accents=strip_accents))

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        kind: str = "bpe",
        vocab_size: int = 30000,
        min_frequency: int = 2,
        lowercase: bool = False,
        special_tokens: Sequence[str] = (),
        verbose: int = 0,
    ) -> Self:
        """Learn a vocabulary of subwords from texts.

        Parameters
        ----------
        texts : iterable of str
            Read once, and not kept.
        kind : {"bpe", "wordpiece"}, default="bpe"
            "bpe": byte-pair encoding of bytes, as GPT-2 has it: every text can be written, and comes back from `decode`
            as it was. "wordpiece": as BERT has it, with the steps before it; characters that were never seen make their
            word ``[UNK]``.
        vocab_size : int, default=30000
            Tokens at most, markers included.
        min_frequency : int, default=2
            Pairs that are seen less often are not joined.
        lowercase : bool, default=False
            Whether texts are turned into lower case; "wordpiece" then also leaves out accents.
        special_tokens : sequence of str, default=()
            Further markers. ``[PAD]``, ``[UNK]``, ``[CLS]``, ``[SEP]`` and ``[MASK]`` are there, numbered 0 to 4.
        verbose : int, default=0
            1: a progress bar, in texts; 2: a line for each text through ``logging.getLogger("mlcore")``.

        Returns
        -------
        SubwordTokenizer

        Raises
        ------
        ImportError
            If the package `tokenizers` is not installed.
        TypeError
            If a text is no str.
        ValueError
            If there is none, or a parameter is out of range.
        """
        with Progress(length_of(texts), verbose, cls.__name__, unit=" texts") as progress:
            tokenizer = trained(
                checked(texts, progress),
                kind,
                vocab_size=vocab_size,
                min_frequency=min_frequency,
                lowercase=lowercase,
                special_tokens=special_tokens,
            )
        return cls(tokenizer)

    # ---- texts to numbers --------------------------------------------------------------------------------------------

    def encode(
        self,
        text: str,
        pair: str | None = None,
        *,
        add_special_tokens: bool = True,
        markers: bool = False,
        max_length: int | None = None,
    ) -> EncodedText:
        """Cut a text, or a pair of texts, into subwords.

        Parameters
        ----------
        text : str
        pair : str or None, default=None
            The second text.
        add_special_tokens : bool, default=True
            Whether the markers of the model are added, such as ``[CLS]`` and ``[SEP]``.
        markers : bool, default=False
            Whether markers that are written in the text are markers. Leave it so for texts of others, who could
            pretend with them that their text ends.
        max_length : int or None, default=None
            Subwords at most, markers included: what is longer is cut off on the right, of a pair from the longer text.

        Returns
        -------
        EncodedText

        Raises
        ------
        TypeError
            If a text is no str.
        ValueError
            If it holds half of a surrogate pair, or `max_length` has no room for the markers.
        """
        inputs = [check_text(text, "text of encode")]
        pairs = None if pair is None else [check_text(pair, "pair of encode")]
        (found,) = self._encode(inputs, pairs, add_special_tokens, markers, max_length)
        return as_encoded(found)

    def encode_batch(
        self,
        texts: Iterable[str],
        pairs: Iterable[str] | None = None,
        *,
        add_special_tokens: bool = True,
        markers: bool = False,
        max_length: int | None = None,
        pad: bool = False,
    ) -> "list[EncodedText] | PaddedTexts":
        """Cut texts, or pairs of texts, into subwords, with all threads.

        Parameters
        ----------
        texts : iterable of str
        pairs : iterable of str or None, default=None
            The second text of each.
        add_special_tokens, markers, max_length
            As in `encode`.
        pad : bool, default=False
            Whether the numbers come as arrays as wide as the longest text.

        Returns
        -------
        list of EncodedText, or with `pad` PaddedTexts

        Raises
        ------
        TypeError, ValueError
            As in `encode`; ValueError also where there are other numbers of `texts` and `pairs`, or no token to fill up
            rows with.
        """
        encodings = self._encode_all(texts, pairs, add_special_tokens, markers, max_length)
        if pad:
            return self._padded(encodings, np.arange(len(encodings)))
        return [as_encoded(encoding) for encoding in encodings]

    def encode_batches(
        self,
        texts: Iterable[str],
        pairs: Iterable[str] | None = None,
        *,
        batch_size: int = 32,
        add_special_tokens: bool = True,
        markers: bool = False,
        max_length: int | None = None,
    ) -> Iterator[PaddedTexts]:
        """Cut texts into subwords and hand them out in batches of like length, so that little is filled up.

        Parameters
        ----------
        texts, pairs
            As in `encode_batch`.
        batch_size : int, default=32
            Texts of a batch; the last may have fewer.
        add_special_tokens, markers, max_length
            As in `encode`.

        Returns
        -------
        iterator of PaddedTexts
            From short texts to long ones; `rows` says which they are.

        Raises
        ------
        TypeError, ValueError
            As in `encode_batch`.
        """
        check_count("batch_size of encode_batches", batch_size)
        encodings = self._encode_all(texts, pairs, add_special_tokens, markers, max_length)
        order = np.argsort([len(encoding.ids) for encoding in encodings], kind="stable")
        rows = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        return (self._padded([encodings[row] for row in batch], batch) for batch in rows)

    # ---- numbers to texts --------------------------------------------------------------------------------------------

    def decode(self, ids: Any, *, skip_special_tokens: bool = True) -> str:
        """Return the text of subwords.

        Parameters
        ----------
        ids : array of int, shape (n,)
            Their numbers.
        skip_special_tokens : bool, default=True
            Whether markers are left out.

        Returns
        -------
        str

        Raises
        ------
        ValueError
            If a number is not of the vocabulary.
        """
        numbers = np.asarray(ids)
        if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
            raise ValueError(f"ids of decode must be an array of int of one axis, got {numbers.dtype} {numbers.shape}")
        n = self.vocab_size
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < n:
            raise ValueError(f"ids of decode must be from 0 to {n - 1}, got {numbers.min()} to {numbers.max()}")
        return str(self._tokenizer.decode(numbers.tolist(), skip_special_tokens=skip_special_tokens))

    # ---- the vocabulary ----------------------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """Number of tokens, markers included."""
        return int(self._tokenizer.get_vocab_size())

    @property
    def pad_token(self) -> str | None:
        """The token that fills up rows; None: there is none."""
        return self._pad_token

    def token_to_id(self, token: str) -> int | None:
        """Return the number of a token.

        Parameters
        ----------
        token : str

        Returns
        -------
        int or None
            None: it is not in the vocabulary.
        """
        found = self._tokenizer.token_to_id(token)
        return None if found is None else int(found)

    def id_to_token(self, number: int) -> str | None:
        """Return the token of a number.

        Parameters
        ----------
        number : int

        Returns
        -------
        str or None
            None: there is no such number.
        """
        return self._tokenizer.id_to_token(int(number)) if 0 <= number < 2**32 else None

    def add_special_tokens(self, tokens: Sequence[str]) -> int:
        """Add markers, which are never cut into subwords where they are asked for.

        Parameters
        ----------
        tokens : sequence of str
            Those that are in the vocabulary keep their numbers; others get the next ones.

        Returns
        -------
        int
            How many were new.

        Raises
        ------
        TypeError
            If `tokens` is a str, or holds something else.
        """
        if isinstance(tokens, str) or not all(isinstance(token, str) for token in tokens):
            raise TypeError(f"tokens of add_special_tokens must be a list of str, got {tokens!r:.80}")
        before = self.vocab_size
        with self._lock:
            self._tokenizer.add_special_tokens(list(tokens))
        self._pad_token = self._pad_token or next((token for token in PADS if token in tokens), None)
        return self.vocab_size - before

    # ---- files and pickle --------------------------------------------------------------------------------------------

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Write a file ``tokenizer.json``, which `from_file` and the package read.

        Parameters
        ----------
        path : str or path-like
            Where to. The file is written beside its place and moved there when it is whole.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        with replacing(Path(path)) as (file,):
            file.write(self._json().encode())

    def __getstate__(self) -> dict[str, Any]:
        return {"json": self._json()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set_json(state["json"])

    def __repr__(self) -> str:
        model = type(self._tokenizer.model).__name__
        return f"<SubwordTokenizer of kind {model} with {self.vocab_size} tokens>"

    def _json(self) -> str:
        with self._lock:
            self._tokenizer.no_truncation()
            if self._pad_token is not None:  # said to others as they expect it
                self._tokenizer.enable_padding(pad_id=self.token_to_id(self._pad_token), pad_token=self._pad_token)
            text = str(self._tokenizer.to_str())
            self._tokenizer.no_padding()
        return text

    def _set_json(self, text: str) -> None:
        tokenizer = package().Tokenizer.from_str(text)
        said = (json.loads(text).get("padding") or {}).get("pad_token")
        names = [said, *PADS] if said else PADS
        self._pad_token = next((name for name in names if tokenizer.token_to_id(name) is not None), None)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._lock = threading.Lock()  # options of a call are set in the one tokenizer there is

    def _encode_all(
        self,
        texts: Iterable[str],
        pairs: Iterable[str] | None,
        add_special_tokens: bool,
        markers: bool,
        max_length: int | None,
    ) -> list[Any]:
        inputs = check_texts(texts, "texts of encode_batch")
        others = None if pairs is None else check_texts(pairs, "pairs of encode_batch")
        if others is not None and len(others) != len(inputs):
            raise ValueError(f"there must be as many pairs as texts, got {len(others)} and {len(inputs)}")
        return self._encode(inputs, others, add_special_tokens, markers, max_length)

    def _encode(
        self,
        texts: list[str],
        pairs: list[str] | None,
        add_special_tokens: bool,
        markers: bool,
        max_length: int | None,
    ) -> list[Any]:
        if max_length is not None:
            check_count("max_length", max_length)
            added = self._tokenizer.num_special_tokens_to_add(pairs is not None) if add_special_tokens else 0
            if max_length <= added:
                raise ValueError(f"max_length must be > {added}, the markers that are added, got {max_length}")
        inputs: list[Any] = texts if pairs is None else list(zip(texts, pairs, strict=True))
        with self._lock:
            self._tokenizer.encode_special_tokens = not markers
            if max_length is None:
                self._tokenizer.no_truncation()
            else:
                self._tokenizer.enable_truncation(int(max_length))
            return self._tokenizer.encode_batch(inputs, add_special_tokens=add_special_tokens)  # type: ignore[no-any-return]

    def _padded(self, encodings: list[Any], rows: NDArray[np.intp]) -> PaddedTexts:
        if self._pad_token is None:
            raise ValueError(
                f"there is no token to fill up rows with, such as {PAD}: add_special_tokens([{PAD!r}]) adds it"
            )
        width = max((len(encoding.ids) for encoding in encodings), default=0)
        ids = np.full((len(encodings), width), self.token_to_id(self._pad_token), dtype=np.int64)
        mask = np.zeros(ids.shape, dtype=bool)
        type_ids = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            n = len(encoding.ids)
            ids[row, :n] = encoding.ids
            type_ids[row, :n] = encoding.type_ids
            mask[row, :n] = True
        return PaddedTexts(ids, mask, type_ids, rows)
