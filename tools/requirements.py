"""Print requirements of pyproject.toml, one a line: 'core' for those to build and to run, or those of one extra.

The Makefile installs them apart from the package, so that a changed source file costs a compilation and nothing else.
"""

import sys
import tomllib
from pathlib import Path

PYPROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]


def extra(name: str) -> list[str]:
    """Requirements of one extra; those that it takes over from other extras are written out."""
    lines = []
    for line in PROJECT["optional-dependencies"][name]:
        own_prefix, _, rest = line.partition("[")
        if own_prefix == PROJECT["name"]:
            lines += [item for other in rest.rstrip("]").split(",") for item in extra(other)]
        else:
            lines.append(line)
    return lines


if sys.argv[1] == "core":
    lines = [*PYPROJECT["build-system"]["requires"], "cmake>=3.25", "ninja>=1.11", *PROJECT["dependencies"]]
else:
    lines = extra(sys.argv[1])
print(*lines, sep="\n")
