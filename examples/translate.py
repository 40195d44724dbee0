"""Translate: ``python examples/translate.py [SOURCE TARGET]``, two files with a sentence a line, .xz too.

Without files: dates as people write them in four languages, letter by letter, to ISO 8601. A small Transformer, trained
in less than a minute; prints translations and BLEU of pairs that it has not learned from, and draws where it looked.
"""

import lzma
import random
import sys
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from mlcore import TransformerSeq2Seq

MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
FORMS = {
    "en": ["{month} {d}, {y}", "{d} {month} {y}", "{short} {d}, {y}", "{d} {short} '{yy}"],
    "de": ["{d}. {month} {y}", "{d:02}.{m:02}.{y}", "{d}.{m}.{yy}", "{d}. {short}. {y}"],
    "fr": ["{d} {month} {y}", "le {d} {month} {y}", "{d:02}/{m:02}/{y}"],
    "es": ["{d} de {month} de {y}", "{d}-{m}-{y}", "el {d} de {month} de {y}"],
}


def dates(n):
    """Return n dates as people write them, and as ISO 8601 has them."""
    rng = random.Random(0)
    pairs = []
    for _ in range(n):
        day = date.fromordinal(rng.randrange(date(1970, 1, 1).toordinal(), date(2030, 1, 1).toordinal()))
        language = rng.choice(list(FORMS))
        month = MONTHS[language].split()[day.month - 1]
        values = {"d": day.day, "m": day.month, "y": day.year, "yy": f"{day.year % 100:02}"}
        text = rng.choice(FORMS[language]).format(month=month, short=month[:3], **values)
        pairs.append((text, day.isoformat()))
    return pairs


def lines(path):
    """Return the lines of a file."""
    data = Path(path).read_bytes()
    return (lzma.decompress(data) if path.endswith(".xz") else data).decode().splitlines()


if len(sys.argv) == 3:
    pairs = list(zip(*(lines(path) for path in sys.argv[1:]), strict=True))
    random.Random(0).shuffle(pairs)
    pairs, tokenizer = pairs[:10_000], "word"
elif len(sys.argv) == 1:
    pairs, tokenizer = dates(5000), "char"
else:
    sys.exit(__doc__)

held_out = len(pairs) // 20
(X_test, Y_test), (X, Y) = zip(*pairs[:held_out], strict=True), zip(*pairs[held_out:], strict=True)
model = TransformerSeq2Seq(
    d_model=64,
    n_layers=2,
    dim_feedforward=128,
    tokenizer=tokenizer,
    min_count=2,
    max_epochs=10,
    batch_tokens=1000,
    learning_rate=5e-3,
    warmup_steps=200,
    random_state=0,
    verbose=1,
).fit(X, Y)
print(f"BLEU {model.score(X_test, Y_test):.1f} on {held_out} pairs that were not learned from")
for source, target, written in zip(X_test[:5], Y_test[:5], model.predict(X_test[:5]), strict=True):
    print(f"\n  {source}\n  {written}\n  ({target})")

if find_spec("matplotlib"):
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    from mlcore.plotting import plot_attention

    _, attention = model.generate(X_test[:1], return_attention=True)
    figure, ax = plt.subplots(figsize=(8, 6), layout="constrained")
    plot_attention(attention[0], ax=ax)
    figure.savefig("translate.png", dpi=120)
    print("\nWhere it looked:", Path("translate.png").resolve())
