"""Learn to write, letter by letter, with a small causal Transformer: ``python examples/char_transformer.py [FILE]``.

Without a file: from the documentation inside NumPy. Prints how well it guesses the next letter, and a text of its own.
"""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mlcore import nn
from mlcore.nn import functional as F

STEPS, SIZE, HEADS, LAYERS, EPOCHS = 64, 96, 4, 2, 5


def text_from(argv):
    """Read the file given, or the longer docstrings of NumPy, in ASCII."""
    if len(argv) > 1:
        return Path(argv[1]).read_text("utf-8")
    files = sorted(Path(find_spec("numpy").origin).parent.rglob("*.py"))
    sources = [path.read_text("utf-8") for path in files if "tests" not in path.parts]
    texts = [text for source in sources for text in re.findall(r'"""(.*?)"""', source, re.DOTALL)]
    return "\n".join(sorted({text for text in texts if len(text) > 400 and text.isascii()}))[:400_000]


class CharTransformer(nn.Module):
    """Each letter sees those before it."""

    def __init__(self, n_letters):
        super().__init__()
        self.letter, self.position = nn.Embedding(n_letters, SIZE), nn.Embedding(STEPS, SIZE)
        layer = (SIZE, HEADS, 4 * SIZE, 0.1, "gelu")
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(*layer, batch_first=True, norm_first=True) for _ in range(LAYERS)
        )
        self.norm, self.output = nn.LayerNorm(SIZE), nn.Linear(SIZE, n_letters)

    def forward(self, ids):
        """Return scores (batch, time, letters) of the letter that comes next."""
        x = self.letter(ids) + self.position(np.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x, is_causal=True)
        return self.output(self.norm(x))


def loss(scores, target):
    """Return the mean cross-entropy over all letters."""
    return F.cross_entropy(scores.reshape(-1, scores.shape[-1]), target.reshape(-1))


def write(model, ids, n, rng, temperature=0.6):
    """Return n letters that follow `ids`, each drawn from the softmax of its scores."""
    ids = list(ids)
    with nn.no_grad():
        for _ in range(n):
            p = F.softmax(model(np.array([ids[-STEPS:]]))[0, -1] / temperature, -1).data.astype(float)
            ids.append(rng.choice(len(p), p=p / p.sum()))
    return ids


text = text_from(sys.argv)
letters = sorted(set(text))
ids = np.array([letters.index(letter) for letter in text])
rows = ids[: (len(ids) - 1) // STEPS * STEPS].reshape(-1, STEPS)
nexts = ids[1 : rows.size + 1].reshape(-1, STEPS)
held_out = np.arange(len(rows)) % 20 == 0

nn.manual_seed(0)
model = CharTransformer(len(letters))
print(nn.summary(model, rows[:2]))
trainer = nn.Trainer(model, loss, optimizer=lambda p: nn.optim.AdamW(p, lr=2e-3), max_epochs=EPOCHS, verbose=1)
trainer.fit(rows[~held_out], nexts[~held_out], X_val=rows[held_out], y_val=nexts[held_out])
last = trainer.history.epochs[-1]
print(f"{last['validation_loss'] / np.log(2):.2f} bits a letter on text it has not seen; {len(letters)} letters")
print("".join(letters[i] for i in write(model, ids[:16], 400, np.random.default_rng(0))))
