"""The same fine-tuning in transformers: a plain loop of PyTorch over padded batches of texts of like length.

Both sides start from the same weights, those of the new head included, and read the same sequences with the same
targets, in batches drawn in the same way, as our estimator makes them, so that trainings are compared and nothing else.
What was trained goes back to the estimator by a folder of Hugging Face, and the estimator predicts with it.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mlcore.seq.bert import BertBatch, BertTokenizer
from mlcore.seq.bert.finetuning._batches import TextBatches

IGNORED = -100
"""Label of tokens that are not to be predicted."""


class Prepared(Exception):  # noqa: N818  (nothing went wrong)
    """Ends a fit of ours where training would begin."""

    def __init__(self, network: Any, rows: Any) -> None:
        super().__init__()
        self.network, self.rows = network, rows


def prepared(kind: type, folder: Path, X: Any, y: Any, seed: int, settings: dict[str, Any]) -> Prepared:
    """Return the network that our estimator would train, its head included, and the sequences it would train on."""

    def stop(_: Any, network: Any, rows: Any, *__: Any, **___: Any) -> None:
        raise Prepared(network, rows)

    reader = type(kind.__name__, (kind,), {"_train": stop})
    try:
        reader(model=folder, **settings, early_stopping=False, random_state=seed).fit(X, y)
    except Prepared as found:
        return found
    raise AssertionError("fit has trained")


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
    batches = TextBatches(rows, batch_size=batch_size)
    total = max_epochs * len(batches)
    warmup = max(1, round(warmup_ratio * total))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, max(total - step, 0) / max(total - warmup, 1))
    )
    model.train()
    for epoch in range(max_epochs):
        for inputs, *targets in batches.epoch(epoch, int(rng.integers(1 << 62))):
            optimizer.zero_grad()
            model(**batch_of(inputs, tuple(targets))).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            schedule.step()


def fine_tuned(kind: type, head: str, folder: Path, X: Any, y: Any, seed: int, settings: dict[str, Any]) -> Any:
    """Return the estimator `kind` with a network that transformers has fine-tuned from the same weights."""
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(seed)
    start = prepared(kind, folder, X, y, seed, settings)
    with tempfile.TemporaryDirectory() as made:
        start.network.save_pretrained(made)
        model = getattr(transformers, head).from_pretrained(made)
        train(model, start.rows, seed=seed, **{name: settings[name] for name in settings if name != "max_length"})
        model.save_pretrained(made)
        BertTokenizer.from_pretrained(folder).save_pretrained(made)
        return kind.from_pretrained(made, max_length=settings["max_length"])
