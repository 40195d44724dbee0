"""The same fine-tuning in transformers: a plain loop of PyTorch over padded batches in random order.

Both sides read the same sequences of tokens with the same targets, as our estimator makes them, so that networks and
trainings are compared, and nothing else. What was trained goes back to the estimator by a folder of Hugging Face, which
predicts with it.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mlcore.seq.bert import BertBatch, BertConfig, BertTokenizer

IGNORED = -100
"""Label of tokens that are not to be predicted."""


def config_of(folder: Path) -> BertConfig:
    return BertConfig.from_dict(json.loads((folder / "config.json").read_text("utf-8")))


def sequences(model: Any, X: Any, y: Any, folder: Path) -> tuple[Any, BertConfig]:
    """Return what an estimator that is not fitted would train on, and the config of its network."""
    model.tokenizer_ = BertTokenizer.from_folder(folder)
    examples, target, _ = model._read(X, y, None, reset=True)
    model._measure(target, None, reset=True)
    return model._rows(examples, target, np.ones(len(examples), np.float32), model.max_length), model._head_config(
        config_of(folder)
    )


def network(folder: Path, head: str, config: BertConfig, seed: int) -> Any:
    """Return a network of transformers with the weights of `folder` and a new head."""
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # it reports each weight of the new head
    torch.manual_seed(seed)
    labels = {"id2label": config.id2label, "label2id": config.label2id}
    return getattr(transformers, head).from_pretrained(folder, **labels)


def padded(values: np.ndarray, offsets: np.ndarray, fill: int = 0) -> torch.Tensor:
    """Return packed values as (B, longest)."""
    parts = torch.from_numpy(values.astype(np.int64)).split(np.diff(offsets).tolist())
    return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True, padding_value=fill)


def batch_of(inputs: BertBatch, targets: tuple[Any, ...]) -> dict[str, torch.Tensor]:
    """Return a batch as transformers takes it; the last target is the weight of the example, which is 1."""
    batch = {
        "input_ids": padded(inputs.ids, inputs.offsets),
        "token_type_ids": padded(inputs.types, inputs.offsets),
        "attention_mask": padded(np.ones_like(inputs.ids), inputs.offsets),
    }
    if len(targets) == 3:
        names = ("start_positions", "end_positions")
        return {**batch, **{name: torch.from_numpy(row) for name, row in zip(names, targets[:2], strict=True)}}
    labels = targets[0]
    if isinstance(labels, tuple):
        return {**batch, "labels": padded(labels.ids, labels.offsets, IGNORED)}
    return {**batch, "labels": torch.from_numpy(labels.astype(np.int64))}


def train(
    model: Any,
    rows: Any,
    *,
    seed: int,
    max_epochs: int,
    learning_rate: float,
    batch_size: int,
    warmup_ratio: float,
    weight_decay: float,
    max_norm: float,
) -> None:
    """Fine-tune: AdamW without decay of biases and norms, a line up and a line down, gradients of a norm at most."""
    rng = np.random.default_rng(seed)
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, fused=True)
    n = len(rows.example)
    total = max_epochs * -(-n // batch_size)
    warmup = max(1, round(warmup_ratio * total))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, max(total - step, 0) / max(total - warmup, 1))
    )
    model.train()
    for _ in range(max_epochs):
        order = rng.permutation(n)
        for i in range(0, n, batch_size):
            part = rows.take(order[i : i + batch_size])
            optimizer.zero_grad()
            model(**batch_of(part.inputs, part.targets)).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            schedule.step()


def fine_tuned(kind: type, head: str, folder: Path, X: Any, y: Any, seed: int, settings: dict[str, Any]) -> Any:
    """Return the estimator `kind` with a network that transformers has fine-tuned."""
    rows, config = sequences(kind(**settings), X, y, folder)
    model = network(folder, head, config, seed)
    train(model, rows, seed=seed, **{name: value for name, value in settings.items() if name != "max_length"})
    with tempfile.TemporaryDirectory() as made:
        model.save_pretrained(made)
        BertTokenizer.from_folder(folder).save_pretrained(made)
        return kind.from_pretrained(made, max_length=settings["max_length"])
