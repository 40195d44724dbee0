"""From the parameters of a vectorizer to the analysis of its documents: what Python does, and what the core does.

The core reads str, lowers it, strips accents, finds tokens of the common patterns, drops stop words and makes n-grams.
Callables and token patterns of the user, and methods that a subclass has overridden, are called by Python:

    what the user has given                            Python makes      the core does
    nothing                                            -                 all, from str
    preprocessor, strip_accents (callable)             texts             tokens, stop words, n-grams
    tokenizer, token_pattern, analyzer (callable)      terms             counts them
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sklearn.utils._param_validation import StrOptions

from mlcore._native import core
from mlcore._warnings import warn
from mlcore.text import _steps
from mlcore.text._documents import Prepare, is_missing, missing, no_text

TOKEN_PATTERN = r"(?u)\b\w\w+\b"
"""The default: words of two letters, digits and underscores or more."""

ANALYSIS_CONSTRAINTS: dict[str, list[Any]] = {
    "input": [StrOptions({"filename", "file", "content"})],
    "encoding": [str],
    "decode_error": [StrOptions({"strict", "ignore", "replace"})],
    "strip_accents": [StrOptions({"ascii", "unicode"}), None, callable],
    "lowercase": ["boolean"],
    "preprocessor": [callable, None],
    "tokenizer": [callable, None],
    "stop_words": [StrOptions({"english"}), list, None],
    "token_pattern": [str, None],
    "ngram_range": [tuple],
    "analyzer": [StrOptions({"word", "char", "char_wb"}), callable],
}
"""What the parameters of :class:`AnalysisMixin` may be."""

_BUILDERS = ("build_analyzer", "build_preprocessor", "build_tokenizer", "get_stop_words", "decode")
"""Methods that subclasses override to put functions of their own in their place."""


@dataclass(frozen=True)
class Pipeline:
    """How documents become terms."""

    prepare: Prepare
    """What Python does to each."""
    is_plain: bool
    """Whether a str needs nothing of it."""
    analysis: "core.text.Analysis | None"
    """What the core does to the texts that come out; None: terms come out."""


class AnalysisMixin:
    """Parameters that say how a document becomes terms, and the functions that they stand for."""

    input: str
    encoding: str
    decode_error: str
    strip_accents: Any
    lowercase: bool
    preprocessor: Callable[[Any], Any] | None
    tokenizer: Callable[[Any], Any] | None
    stop_words: Any
    token_pattern: str | None
    ngram_range: tuple[int, int]
    analyzer: Any

    _documents_name: ClassVar[str]
    """What the argument for documents is called."""

    # ---- the steps as functions --------------------------------------------------------------------------------------

    def decode(self, doc: Any) -> Any:
        """Read and decode a document.

        Parameters
        ----------
        doc : str, bytes, path or file
            As `input` says.

        Returns
        -------
        str
            The text. Values of other types come back as they are, for callables that take them.

        Raises
        ------
        ValueError
            If the document is missing (NaN), or its bytes are not of `encoding`.
        OSError
            If a file cannot be read.
        """
        if self.input == "filename":
            doc = Path(doc).read_bytes()
        elif self.input == "file":
            doc = doc.read()
        if isinstance(doc, bytes):
            doc = doc.decode(self.encoding, self.decode_error)
        if isinstance(doc, float | np.floating) and doc != doc:
            raise ValueError(f"a document of {type(self).__name__} is missing ({doc})")
        return doc

    def build_preprocessor(self) -> Callable[[Any], Any]:
        """Return the function that prepares a text before tokens are found in it.

        Returns
        -------
        callable
            From str to str.
        """
        if self.preprocessor is not None:
            return self.preprocessor
        accents: dict[Any, Callable[[str], str]] = {
            "ascii": _steps.strip_accents_ascii,
            "unicode": _steps.strip_accents_unicode,
        }
        strip = self.strip_accents or None
        if strip is not None and not callable(strip):
            if strip not in accents:
                who = type(self).__name__
                raise ValueError(
                    f"strip_accents of {who} must be 'ascii', 'unicode', a callable or None, got {strip!r}"
                )
            strip = accents[strip]
        return partial(_steps.preprocess, lowercase=self.lowercase, strip_accents=strip)

    def build_tokenizer(self) -> Callable[[Any], Any]:
        """Return the function that finds the tokens of a text.

        Returns
        -------
        callable
            From str to list of str.

        Raises
        ------
        ValueError
            If `token_pattern` is no regular expression or has more than one group.
        """
        if self.tokenizer is not None:
            return self.tokenizer
        who = f"token_pattern of {type(self).__name__}"
        if self.token_pattern is None:
            raise ValueError(f"{who} must be a regular expression where tokenizer is None, got None")
        try:
            pattern = re.compile(self.token_pattern)
        except re.error as error:
            raise ValueError(f"{who} must be a regular expression, got {self.token_pattern!r}: {error}") from error
        if pattern.groups > 1:
            raise ValueError(
                f"{who} must have one capturing group at most, which is the token then; got {self.token_pattern!r} "
                f"with {pattern.groups}: write (?:...) for a group that captures nothing"
            )
        return pattern.findall

    def get_stop_words(self) -> Collection[Any] | None:
        """Return the words that are dropped.

        Returns
        -------
        frozenset of str, or None
            None: none are.
        """
        if self.stop_words is None:
            return None
        if self.stop_words == "english":
            return ENGLISH_STOP_WORDS  # type: ignore[no-any-return]
        if isinstance(self.stop_words, str):
            raise ValueError(
                f"stop_words of {type(self).__name__} must be 'english', a list of words or None, got "
                f"{self.stop_words!r}"
            )
        try:
            return frozenset(self.stop_words)
        except TypeError as error:
            raise TypeError(f"stop_words of {type(self).__name__} must hold words: {error}") from error

    def build_analyzer(self) -> Callable[[Any], Any]:
        """Return the function that makes terms of a document: decoding, preprocessing, tokens and n-grams.

        Returns
        -------
        callable
            From a document to a list of str.

        Warns
        -----
        UserWarning
            If stop words cannot occur among the tokens because preprocessing or tokenizing changes them.
        """
        if callable(self.analyzer):
            return partial(_steps.apply, steps=(self.decode, self.analyzer))
        self._check_ngram_range()
        min_n, max_n = self.ngram_range
        preprocess = self.build_preprocessor()
        if self.analyzer != "word":
            ngrams = {"char": _steps.char_ngrams, "char_wb": _steps.char_wb_ngrams}.get(self.analyzer)
            if ngrams is None:
                raise ValueError(
                    f"analyzer of {type(self).__name__} must be 'word', 'char', 'char_wb' or a callable, got "
                    f"{self.analyzer!r}"
                )
            return partial(_steps.apply, steps=(self.decode, preprocess, partial(ngrams, min_n=min_n, max_n=max_n)))
        tokenize = self.build_tokenizer()
        stop_words = self.get_stop_words()
        self._warn_of_stop_words(stop_words, preprocess, tokenize)
        grams = partial(_steps.word_ngrams, min_n=min_n, max_n=max_n, stop_words=stop_words)
        return partial(_steps.apply, steps=(self.decode, preprocess, tokenize, grams))

    # ---- who does what -----------------------------------------------------------------------------------------------

    def _pipeline(self) -> Pipeline:
        """Divide the analysis between Python and the core. Raises ValueError if the parameters do not go together."""
        self._check_ngram_range()
        own = {name for name in _BUILDERS if self._has_own(name)}
        is_native = not callable(self.analyzer) and "build_analyzer" not in own
        if self.analyzer == "word" and is_native:
            is_native = self.tokenizer is None and "build_tokenizer" not in own and self._pattern() is not None
        if not is_native:
            return Pipeline(partial(self._terms_of, self.build_analyzer()), is_plain=False, analysis=None)
        preprocess = None
        if self.preprocessor is not None or callable(self.strip_accents) or "build_preprocessor" in own:
            preprocess = self.build_preprocessor()
        stop_words = None
        if self.analyzer == "word":
            stop_words = self.get_stop_words()
            if stop_words is not None:
                self._warn_of_stop_words(stop_words, self.build_preprocessor(), self.build_tokenizer())
        min_n, max_n = self.ngram_range
        analysis = core.text.Analysis(
            self.analyzer,
            self._pattern() or TOKEN_PATTERN,
            self.lowercase and preprocess is None,
            self.strip_accents if preprocess is None else None,
            int(min_n),
            int(max_n),
            [word for word in stop_words or () if isinstance(word, str)],
        )
        if preprocess is not None:
            return Pipeline(partial(self._preprocessed, preprocess), is_plain=False, analysis=analysis)
        return Pipeline(self._text_of, is_plain=self.input == "content" and "decode" not in own, analysis=analysis)

    def _pattern(self) -> str | None:
        """Return the token pattern if the core knows it."""
        pattern = self.token_pattern
        return pattern if pattern is not None and core.text.knows_pattern(pattern) else None

    def _has_own(self, name: str) -> bool:
        return name in vars(self) or getattr(type(self), name) is not getattr(AnalysisMixin, name)

    def _text_of(self, document: Any, position: int) -> str:
        """Return a document as str."""
        who = f"{self._documents_name} of {type(self).__name__}"
        if self.input == "content" and not isinstance(document, str | bytes) and not self._has_own("decode"):
            if is_missing(document):
                raise missing(who, position, document)
            raise no_text(who, position, document)
        if self.input == "file" and not hasattr(document, "read"):
            raise no_text(who, position, document, "a file, as input='file' says: one that has read()")
        try:
            text = self.decode(document)
        except UnicodeDecodeError as error:
            error.add_note(f"This is document {position} of {who}; see the parameters encoding and decode_error.")
            raise
        if type(text) is str:
            return text
        if not isinstance(text, str):
            raise no_text(who, position, text)
        return str.__str__(text)

    def _preprocessed(self, preprocess: Callable[[Any], Any], document: Any, position: int) -> str:
        """Return what a preprocessor of the user makes of a document."""
        text = preprocess(self.decode(document))
        if not isinstance(text, str):
            raise TypeError(
                f"preprocessor of {type(self).__name__} must return a str, got a value of type "
                f"{type(text).__name__!r} for document {position}"
            )
        return str.__str__(text)

    def _terms_of(self, analyze: Callable[[Any], Any], document: Any, position: int) -> list[str]:
        """Return the terms that functions of the user make of a document."""
        takes_anything = callable(self.analyzer) or self.preprocessor is not None or self._has_own("decode")
        terms = list(analyze(document if takes_anything else self._content(document, position)))
        if not set(map(type, terms)) <= {str}:
            for i, term in enumerate(terms):
                if not isinstance(term, str):
                    raise TypeError(
                        f"the terms of {type(self).__name__} must be str, got {term!r:.80} of type "
                        f"{type(term).__name__!r} for document {position}"
                    )
                terms[i] = str.__str__(term)
        return terms

    def _content(self, document: Any, position: int) -> Any:
        """Return a document that the analyzer will decode, checked where it is the content itself."""
        return self._text_of(document, position) if self.input == "content" else document

    # ---- checks ------------------------------------------------------------------------------------------------------

    def _check_ngram_range(self) -> None:
        who = f"ngram_range of {type(self).__name__}"
        bounds = self.ngram_range
        if len(bounds) != 2 or not all(isinstance(n, int | np.integer) for n in bounds):
            raise ValueError(f"{who} must be two whole numbers, (min_n, max_n), got {bounds!r}")
        if not callable(self.analyzer) and not 1 <= bounds[0] <= bounds[1] < 2**31:
            raise ValueError(f"{who} must be (min_n, max_n) with 1 <= min_n <= max_n, got {bounds!r}")

    def _warn_of_unused(self) -> None:
        """Warn of parameters that others make void."""

        def void(name: str, why: str) -> None:
            warn(f"The parameter {name!r} of {type(self).__name__} is not used, since {why}")

        if self.tokenizer is not None and self.token_pattern is not None:
            void("token_pattern", "tokenizer is given")
        if callable(self.analyzer):
            if self.preprocessor is not None:
                void("preprocessor", "analyzer is a callable")
            if self.ngram_range != (1, 1):
                void("ngram_range", "analyzer is a callable")
        if self.analyzer != "word":
            why = "analyzer is not 'word'"
            if self.stop_words is not None:
                void("stop_words", why)
            if self.token_pattern not in (None, TOKEN_PATTERN):
                void("token_pattern", why)
            if self.tokenizer is not None:
                void("tokenizer", why)

    def _warn_of_stop_words(
        self, stop_words: Collection[Any] | None, preprocess: Callable[[Any], Any], tokenize: Callable[[Any], Any]
    ) -> None:
        """Warn of stop words whose own tokens are no stop words; once for each list."""
        if stop_words is None or vars(self).get("_checked_stop_words") is self.stop_words:
            return
        self._checked_stop_words = self.stop_words
        if isinstance(stop_words, frozenset) and self.tokenizer is None and isinstance(preprocess, partial):
            strip = preprocess.keywords["strip_accents"]
            others = _other_tokens_of_plain(stop_words, self.lowercase, strip, self.token_pattern)
        else:
            others = _other_tokens(stop_words, preprocess, tokenize)
        if others:
            warn(
                f"The stop_words of {type(self).__name__} do not fit its preprocessing and tokens: they give the "
                f"tokens {list(others)}, which are no stop words"
            )


def _other_tokens(
    stop_words: Collection[Any], preprocess: Callable[[Any], Any], tokenize: Callable[[Any], Any]
) -> tuple[Any, ...]:
    """Return tokens of stop words that are none, in order; () where functions of the user do not take words."""
    try:
        return tuple(
            sorted({token for word in stop_words for token in tokenize(preprocess(word)) if token not in stop_words})
        )
    except Exception:
        return ()


@lru_cache(maxsize=32)
def _other_tokens_of_plain(
    stop_words: frozenset[Any], lowercase: bool, strip_accents: Any, token_pattern: str
) -> tuple[Any, ...]:
    """Return the same for what is no function of the user; remembered, since a list of 300 words takes 300 us."""
    preprocess = partial(_steps.preprocess, lowercase=lowercase, strip_accents=strip_accents)
    return _other_tokens(stop_words, preprocess, re.compile(token_pattern).findall)
