"""Learn to write, letter by letter, with a small Transformer: ``python examples/language_model.py [FILE]``.

Without a file: from the documentation inside NumPy. Prints how well it guesses the next letter, and a text of its own.
"""

import math
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from mlcore import TransformerLM


def texts_from(argv):
    """Return the paragraphs of the file given, or of the longer docstrings of NumPy, in ASCII."""
    if len(argv) > 1:
        text = Path(argv[1]).read_text("utf-8")
    else:
        files = sorted(Path(find_spec("numpy").origin).parent.rglob("*.py"))
        sources = [path.read_text("utf-8") for path in files if "tests" not in path.parts]
        found = {text for source in sources for text in re.findall(r'"""(.*?)"""', source, re.DOTALL)}
        text = "\n\n".join(sorted(text for text in found if len(text) > 400 and text.isascii()))[:400_000]
    return [paragraph.strip() for paragraph in text.split("\n\n") if len(paragraph.strip()) > 40]


texts = texts_from(sys.argv)
held_out, training = texts[::20], [text for i, text in enumerate(texts) if i % 20]
model = TransformerLM(
    d_model=96,
    n_layers=2,
    dim_feedforward=384,
    learning_rate=3e-3,
    max_epochs=5,
    batch_tokens=2048,
    tokenizer="char",
    max_length=400,
    random_state=0,
    verbose=1,
)
model.fit(training, X_val=held_out)
print(f"{-model.score(held_out) / math.log(2):.2f} bits a letter on text it has not seen")
for text in model.generate(["Return the", "Parameters", ""], temperature=0.6, random_state=0):
    print(f"\n{text}")
