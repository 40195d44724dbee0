"""BertEncoder: texts as vectors, by the weights of a folder."""

import os
from collections.abc import Collection, Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, effective_n_jobs, fitting
from mlcore._progress import Progress
from mlcore._state import Flag, Int, Sizes, Spec, Text
from mlcore.nn.training._trained import Shapes
from mlcore.seq._attention import Attention
from mlcore.seq.bert._state import BertState
from mlcore.seq.bert.encoder._read import network_of, network_shapes, read_start
from mlcore.seq.bert.encoder._sentences import POOLINGS, SentenceOptions, write_options
from mlcore.seq.bert.encoder._words import FilledMask, fill_mask
from mlcore.seq.bert.network._attention import attention_of
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.tokens._batch import BertBatch
from mlcore.seq.bert.tokens._cutting import KEPT
from mlcore.seq.bert.tokens._order import batches_by_length
from mlcore.seq.bert.tokens._pieces import BertEncoding
from mlcore.seq.bert.tokens._texts import columns_of, read_examples
from mlcore.text._subwords import check_text

_SHORTEST = 4
"""Tokens of a pair of texts of which a piece is left."""


class TokenVectors(NamedTuple):
    """Vectors of the tokens of a text, or of a pair of texts; the markers are among them."""

    vectors: NDArray[np.float32]
    """Shape (n_tokens, d)."""
    tokens: list[str]
    """How each is written in the vocabulary."""
    spans: NDArray[np.int64]
    """First character of each in its text, and the one after the last, (0, 0) for markers; shape (n_tokens, 2)."""
    words: NDArray[np.int64]
    """Word of its text that each is of, -1 for markers; shape (n_tokens,)."""
    types: NDArray[np.int64]
    """0 for those of the first text, 1 for those of the second; shape (n_tokens,)."""


class BertEncoder(BertState, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Vectors of texts by a trained BERT: sentence vectors, vectors of tokens, and words for masked places.

    A vector has the same bits in whichever batch a text comes, in any order and for any `n_jobs`: sequences of tokens
    are packed, never padded. It needs the package `tokenizers`: ``pip install 'mlcore-cpp[nlp]'``.

    Parameters
    ----------
    model : path-like, fitted estimator or None, default=None
        Where the weights come from: a folder with ``config.json``, ``model.safetensors`` and ``tokenizer.json`` or
        ``vocab.txt``, as Hugging Face has it (nothing is downloaded), or an estimator of :mod:`mlcore.seq.bert`, such
        as a :class:`BertPretrainer`. `fit` needs one; what is loaded from a file of :func:`mlcore.save` has its
        weights in it, and None here.
    pooling : {"mean", "cls", "max"} or None, default=None
        How vectors of tokens become one of their text: their mean, the first (of ``[CLS]``), or the largest value of
        each feature. None: what the folder says, if it is one of sentence-transformers, else "mean".
    normalize : bool or None, default=None
        Whether vectors of texts have length 1. None: what the folder says, else False.
    max_length : int or None, default=None
        Tokens of a text at most, markers included; what is longer is cut, with a warning. None: what the folder says,
        else as many as the network has positions.
    dtype : {"float32", "bfloat16", "int8"}, default="float32"
        What the products of the network are done in; see `quantize`. Vectors are always float32.
    exclude : list or tuple of str, default=()
        Parts of the network that stay in float32, such as "encoder.layer.0" or "encoder.layer.5.output.dense".
    batch_tokens : int, default=8192
        Tokens that pass the network at once. Results do not depend on it.
    n_jobs : int or None, default=None
        Threads, in fit and transform. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar with texts per second; 2: a line a batch through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    module_ : mlcore.seq.bert.BertModel, mlcore.seq.bert.BertForMaskedLM or mlcore.seq.bert.BertForPreTraining
        The network, with the heads of pre-training that `model` has.
    tokenizer_ : mlcore.seq.bert.BertTokenizer
    pooling_ : str
    normalize_ : bool
    max_length_ : int
        What these parameters stand for.

    References
    ----------
    Devlin, Chang, Lee, Toutanova: BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding.
    NAACL 2019. Reimers, Gurevych: Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks. EMNLP 2019.

    Examples
    --------
    >>> import tempfile
    >>> from mlcore.seq.bert import BertConfig, BertEncoder, BertModel, BertTokenizer
    >>> folder = tempfile.mkdtemp()  # here of a new network: vectors of a trained one mean something
    >>> tokenizer = BertTokenizer.train(["the cat sleeps", "a dog barks"], vocab_size=60, min_frequency=1)
    >>> tokenizer.save_pretrained(folder)
    >>> sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    >>> BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    >>> encoder = BertEncoder.from_pretrained(folder, normalize=True)
    >>> encoder.transform(["the cat barks", "a dog"]).shape
    (2, 32)
    >>> encoder.token_vectors(["the dog"])[0].tokens
    ['[CLS]', 'the', 'dog', '[SEP]']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "model": [str, os.PathLike, HasMethods(["fit", "get_params"]), None],
        "pooling": [StrOptions(set(POOLINGS)), None],
        "normalize": ["boolean", None],
        "max_length": [Interval(Integral, _SHORTEST, 2**31 - 2, closed="both"), None],
        "dtype": [StrOptions({"float32", "bfloat16", "int8"})],
        "exclude": [list, tuple],
        "batch_tokens": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }
    _state_spec: ClassVar[Spec] = {
        **{name: BertState._state_spec[name] for name in ("tokenizer_", "module_")},
        "pooling_": Text(POOLINGS),
        "normalize_": Flag(),
        "max_length_": Int(_SHORTEST),
    }
    pooling_: str
    normalize_: bool
    max_length_: int

    def __init__(
        self,
        model: Any = None,
        *,
        pooling: str | None = None,
        normalize: bool | None = None,
        max_length: int | None = None,
        dtype: str = "float32",
        exclude: Sequence[str] = (),
        batch_tokens: int = 8192,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.normalize = normalize
        self.max_length = max_length
        self.dtype = dtype
        self.exclude = exclude
        self.batch_tokens = batch_tokens
        self.n_jobs = n_jobs
        self.verbose = verbose

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], **params: Any) -> Self:
        """Read the weights of a folder: ``BertEncoder(folder, **params).fit()``.

        Parameters
        ----------
        folder : str or path-like
            The parameter `model`.
        params
            Other parameters, by their names.

        Returns
        -------
        BertEncoder

        Raises
        ------
        FileNotFoundError, ValueError
            As for `fit`.
        """
        return cls(folder, **params).fit()

    def fit(self, X: Any = None, y: Any = None) -> Self:  # noqa: ARG002
        """Read the weights. Nothing is trained.

        Parameters
        ----------
        X : iterable of str, default=None
            Not read.
        y : None, default=None
            Not read.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ImportError
            If the package `tokenizers` is not installed.
        FileNotFoundError
            If the folder, or a file in it, is missing.
        ValueError
            If `model` is None, a file is damaged, its weights do not fit its config, there are more tokens than vectors
            of them, or the folder makes vectors of texts in another way than `pooling` can say.
        sklearn.exceptions.NotFittedError
            If `model` is an estimator that is not fitted.
        """
        self._validate_params()
        with fitting(self):
            module, self.tokenizer_, options = read_start(self.model, type(self).__name__)
            if self.pooling is None and (options.others or options.pooling not in POOLINGS):
                steps = " and ".join([f"pooling {options.pooling!r}", *options.others])
                raise ValueError(
                    f"vectors of texts by {options.folder} need {steps}, which {type(self).__name__} does not have: "
                    "pooling='mean' gives those without"
                )
            longest = module.config.max_position_embeddings
            if self.max_length is not None and self.max_length > longest:
                raise ValueError(
                    f"max_length of {type(self).__name__} must be at most {longest}, the positions of the network, got "
                    f"{self.max_length}"
                )
            self.module_ = module
            self.pooling_ = self.pooling or options.pooling
            self.normalize_ = bool(options.normalize if self.normalize is None else self.normalize)
            self.max_length_ = int(self.max_length or min(options.max_length or longest, longest))
            if self.max_length_ < _SHORTEST:
                raise ValueError(f"{self.max_length_} tokens of a text, by its folder, are too few for the markers")
            self._encoder()  # which refuses what is no part in `exclude`
        return self

    def transform(self, X: Iterable[Any]) -> NDArray[np.float32]:
        """Return a vector of each text, or pair of texts.

        Parameters
        ----------
        X : iterable of str, or of pairs (str, str)
            A list, generator, or column of NumPy, pandas, polars or Arrow; pairs also as an array (n, 2) or a frame of
            two columns. Markers such as ``[SEP]`` in them are text.

        Returns
        -------
        array of float32, shape (n_texts, d)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        TypeError
            If a text is no str.
        ValueError
            If `X` is one text, or a text is missing or holds half of a surrogate pair.
        KeyboardInterrupt
            On Ctrl-C.

        Warns
        -----
        UserWarning
            Once, if texts are longer than `max_length_` tokens.
        """
        check_is_fitted(self)
        return self._vectors(self._read(X))

    def token_vectors(self, X: Iterable[Any]) -> list[TokenVectors]:
        """Return the vectors of the tokens of each text, or pair of texts, before pooling.

        Parameters
        ----------
        X : iterable of str, or of pairs (str, str)
            As for `transform`.

        Returns
        -------
        list of TokenVectors

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As for `transform`.

        Warns
        -----
        UserWarning
            As for `transform`.
        """
        check_is_fitted(self)
        batch, words, spans, _ = self._encoding(self._read(X), keep=KEPT)
        assert words is not None
        assert spans is not None
        found: list[Any] = [None] * len(batch.lengths)
        for rows, vectors in self._batches(batch, pooling=None):
            ends = np.cumsum(batch.lengths[rows])[:-1]
            for row, part in zip(rows.tolist(), np.split(vectors, ends), strict=True):
                places = slice(*batch.offsets[row : row + 2].tolist())
                tokens = self.tokenizer_.tokens(batch.ids[places])
                found[row] = TokenVectors(part, tokens, spans[places], words[places], batch.types[places])
        return found

    def fill_mask(self, text: str, top_k: int = 5) -> list[list[FilledMask]]:
        """Return the most probable tokens for each ``[MASK]`` of a text.

        Parameters
        ----------
        text : str
            With one ``[MASK]`` or more. Other markers in it are text.
        top_k : int, default=5
            Tokens of each.

        Returns
        -------
        list of lists of FilledMask
            For each mask, in their order, tokens from the most probable: the token, its probability, and the text with
            it in that place (other masks stay).

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        TypeError
            If `text` is no str.
        ValueError
            If `model` had no head of the masked language model, there is no mask in the text, or it lies beyond
            `max_length_` tokens; or `top_k` is out of range.
        """
        check_is_fitted(self)

        def vectors_of(batch: BertBatch) -> NDArray[np.float32]:
            ((_, vectors),) = self._batches(batch, pooling=None)
            return np.asarray(vectors)

        return fill_mask(self.module_, self.tokenizer_, vectors_of, text, top_k, self.max_length_)

    def quantize(
        self, X: Iterable[Any] | None = None, *, dtype: str = "int8", exclude: Collection[str] = ()
    ) -> dict[str, float]:
        """Use products in int8, or bfloat16, from now on: faster, with nearly the same vectors.

        It sets the parameters `dtype` and `exclude`. The weights that are kept, and files, stay in float32:
        ``set_params(dtype="float32")`` goes back.

        Parameters
        ----------
        X : iterable of str, or of pairs (str, str), default=None
            Texts to compare on.
        dtype : {"int8", "bfloat16", "float32"}, default="int8"
            int8: a scale for each output channel and each token, sums in exact integers, the same on every CPU.
        exclude : collection of str, default=()
            Parts of the network that stay in float32; see the parameter.

        Returns
        -------
        dict of str to float
            With `X`: "cosine" and "least_cosine", the mean and the least cosine of a text's vector with that of
            float32.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError
            If `dtype` or `exclude` is none of these, or `X` holds no text.
        """
        check_is_fitted(self)
        examples = None if X is None else self._read(X)
        if examples is not None and not examples:
            raise ValueError(f"X of {type(self).__name__} must hold a text or more, got none")
        before = self.dtype, self.exclude
        try:
            report = {}
            self.dtype, self.exclude = "float32", ()
            exact = None if examples is None else self._vectors(examples).astype(np.float64)
            self.dtype, self.exclude = dtype, [exclude] if isinstance(exclude, str) else list(exclude)
            self._validate_params()
            self._encoder()
            if examples is not None and exact is not None:
                found = self._vectors(examples).astype(np.float64)
                norms = np.linalg.norm(exact, axis=1) * np.linalg.norm(found, axis=1)
                cosine = np.einsum("bd,bd->b", exact, found) / np.where(norms > 0, norms, 1)
                report = {"cosine": float(cosine.mean()), "least_cosine": float(cosine.min())}
        except BaseException:
            self.dtype, self.exclude = before
            raise
        return report

    def attention(self, text: str, pair: str | None = None, *, layer: int = -1, head: int | None = None) -> Attention:
        """Return where the tokens of a text, or of a pair of texts, look in a layer.

        Parameters
        ----------
        text : str
        pair : str or None, default=None
            The second text.
        layer : int, default=-1
            From 0, or from the end: -1 is the last.
        head : int or None, default=None
            One head; None: the mean of all.

        Returns
        -------
        Attention
            `weights` (n_tokens, n_tokens), in float32 whatever `dtype` is, and the tokens as both `queries` and `keys`.
            :func:`mlcore.plotting.plot_attention` draws it.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        TypeError, ValueError
            If a text is no text, or there is no such layer or head.

        Warns
        -----
        UserWarning
            If the text is longer than `max_length_` tokens.
        """
        check_is_fitted(self)
        texts = [check_text(text, "text of attention")]
        pairs = None if pair is None else [check_text(pair, "pair of attention")]
        batch = self.tokenizer_.encode(texts, pairs, max_length=self.max_length_).batch
        bert: Any = getattr(self.module_, "bert", self.module_)
        tokens = self.tokenizer_.tokens(batch.ids)
        return Attention(attention_of(bert, batch, layer, head), tokens, tokens)

    # ---- folders ----

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write network, tokenizer, and how vectors are made, as `transformers` and sentence-transformers read them.

        Weights are written in float32, whatever `dtype` is.

        Parameters
        ----------
        folder : str or path-like
            Made if it is not there. Beside config.json, model.safetensors, tokenizer.json and tokenizer_config.json it
            gets modules.json, sentence_bert_config.json and 1_Pooling/config.json, by which :meth:`from_pretrained`
            finds pooling, normalize and max_length again.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        OSError
            If the folder or a file cannot be written.
        """
        check_is_fitted(self)
        config = self.module_.config
        self.module_.save_pretrained(folder)
        self.tokenizer_.save_pretrained(folder, max_length=config.max_position_embeddings)
        write_options(
            SentenceOptions(Path(folder), self.pooling_, self.normalize_, self.max_length_), config.hidden_size
        )

    # ---- texts to vectors --------------------------------------------------------------------------------------------

    def _read(self, X: Any) -> list[Any]:
        return read_examples(X, f"X of {type(self).__name__}")

    def _encoding(self, examples: list[Any], keep: Collection[str] = ()) -> BertEncoding:
        first, second = columns_of(examples)
        options: dict[str, Any] = {"max_length": self.max_length_, "n_jobs": self.n_jobs, "keep": keep}
        return self.tokenizer_.encode(first, second, **options)

    def _vectors(self, examples: list[Any]) -> NDArray[np.float32]:
        batch = self._encoding(examples).batch
        found = np.empty((len(batch.lengths), self._n_features_out), np.float32)
        for rows, vectors in self._batches(batch, pooling=self.pooling_):
            found[rows] = vectors
        return found

    def _batches(self, batch: BertBatch, *, pooling: str | None) -> Iterable[tuple[NDArray[np.intp], Any]]:
        """Yield which sequences made a batch, and their vectors or those of their tokens."""
        encoder, n_threads = self._encoder(), effective_n_jobs(self.n_jobs)
        normalize = pooling is not None and self.normalize_
        with Progress(len(batch.lengths), self.verbose, type(self).__name__, unit=" texts") as progress:
            for rows in batches_by_length(batch.lengths, int(self.batch_tokens)):
                yield rows, encoder(*batch.take(rows), pooling=pooling, normalize=normalize, n_threads=n_threads)
                progress.update(len(rows))

    @property
    def _n_features_out(self) -> int:
        return int(self.module_.config.hidden_size)

    # ---- the state ---------------------------------------------------------------------------------------------------

    def _make_module(self, config: BertConfig, names: Collection[str] = ()) -> PretrainedModule:
        return network_of(config, names)

    def _module_shapes(self, config: BertConfig, names: Collection[str] = ()) -> Shapes:
        return network_shapes(config, names)

    def _check_config(self, config: BertConfig, state: dict[str, Any], sizes: Sizes) -> None:  # noqa: ARG002
        if state["max_length_"] > config.max_position_embeddings:
            raise ValueError(
                f"max_length_ must be at most {config.max_position_embeddings}, got {state['max_length_']}"
            )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags
