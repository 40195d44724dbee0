"""Where the time of a build and of the tests goes: seconds of compilation by target and by file, of tests by file.

Reads what the last build and the last test runs have left in the folder ``build``. Seconds of compilation are those of
one job; jobs run side by side.
"""

import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

BUILD = Path("build")


def compilation() -> tuple[Counter[str], Counter[str]]:
    """Return the seconds of each target of the build and of each of its files, the last time that it was compiled."""
    seconds: dict[str, float] = {}
    for line in (BUILD / "python" / ".ninja_log").read_text().splitlines()[1:]:
        start, end, _, output, _ = line.split("\t")
        seconds[output] = (int(end) - int(start)) / 1000
    rules = (BUILD / "python" / "build.ninja").read_text()
    targets, files = Counter[str](), Counter[str]()
    for target, file in re.findall(r"^build CMakeFiles/([^/]+)\.dir/(\S+)\.o:", rules, re.MULTILINE):
        if taken := seconds.get(f"CMakeFiles/{target}.dir/{file}.o"):
            targets["native programs" if re.match("(test|bench)_", target) else target] += taken
            files[f"{target}: {file}"] += taken
    return targets, files


def tests() -> Counter[str]:
    """Return the seconds of each file of Python tests in the last runs."""
    seconds = Counter[str]()
    for report in sorted(BUILD.glob("tests*.xml")):
        for case in ET.parse(report).getroot().iter("testcase"):
            seconds[case.get("classname", "").replace(".", "/") + ".py"] += float(case.get("time", 0))
    return seconds


def table(title: str, seconds: Counter[str], most: int = 20) -> None:
    """Print the largest entries and the sum of all."""
    print(f"\n{title}: {sum(seconds.values()):.0f} s")
    for name, taken in seconds.most_common(most):
        print(f"{taken:8.1f}  {name}")


if __name__ == "__main__":
    if not (BUILD / "python" / ".ninja_log").exists():
        sys.exit("nothing has been built yet: make test")
    targets, files = compilation()
    table("compilation by target", targets)
    table("compilation by file", files)
    table("tests by file", tests())
