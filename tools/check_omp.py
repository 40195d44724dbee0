"""Fail where an OpenMP pragma starts threads without naming their number, or outside core/parallel.

A region without num_threads takes the process-wide default, so that n_jobs would not hold; one outside
core/parallel.cpp would miss its exception capture, its stop flag and its care for forks and missing threads.
"""

import re
import sys
from pathlib import Path

STARTS_THREADS = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+omp[ \t](?:[^\n]*[ \t])?parallel\b[^\n]*", re.MULTILINE)


def problems(path: Path) -> list[str]:
    """Return one line of text for each bad pragma in a C++ file."""
    source = path.read_text().replace("\\\n", "  ")  # join continued lines, keep the count of characters
    found = []
    for match in STARTS_THREADS.finditer(source):
        where = f"{path}: {match.group().strip()}"
        if "num_threads(" not in match.group():
            found.append(f"{where}: names no num_threads")
        if path.parts[0] == "cpp" and path.parts[-2:] != ("core", "parallel.cpp"):
            found.append(f"{where}: belongs into core/parallel.cpp")
    return found


if __name__ == "__main__":
    lines = [line for name in sys.argv[1:] for line in problems(Path(name))]
    print(*lines, sep="\n", end="\n" if lines else "")
    sys.exit(bool(lines))
