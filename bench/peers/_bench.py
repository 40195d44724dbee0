"""What all benchmarks beside other libraries share: data sets, timing, memory, tables."""

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mlcore

DATA = Path(os.environ.get("MLCORE_DATA", Path(__file__).parents[3] / "shared" / "data"))
"""Folder of the larger data sets; workloads that need it are left out where it does not exist."""


def parser(description: str, parts: Sequence[str]) -> argparse.ArgumentParser:
    """Return the options that every benchmark takes."""
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("parts", nargs="*", metavar="part", help=f"tables to print, of {', '.join(parts)}; none: all")
    p.add_argument(
        "--threads", type=int, default=mlcore.show_config("dict")["available_cpus"], help="threads for every library"
    )
    p.add_argument("--repeats", type=int, default=3, help="runs of which the median counts")
    return p


def machine(threads: int, packages: Sequence[str]) -> str:
    """Describe what the numbers were taken on."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    found = []
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    info = mlcore.show_config("dict")
    return f"{cpu}, {threads} threads, mlcore {info['mlcore']} ({info['isa_level']}), {', '.join(found)}"


def timed(f: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that a call takes, and its result."""
    gc.collect()
    start = time.perf_counter()
    result = f()
    return time.perf_counter() - start, result


def medians(runs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, tuple[float, Any]]:
    """Run all in turn, `repeats` times, so that a drift of the machine meets all; median seconds and last result."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    results: dict[str, Any] = {}
    for _ in range(repeats):
        for name, run in runs.items():
            took, results[name] = timed(run)
            seconds[name].append(took)
    return {name: (statistics.median(s), results[name]) for name, s in seconds.items()}


def memory_mb(field: str) -> float:
    """Return a size of this process in MB (Linux): "VmRSS", resident now, or "VmHWM", the most since `reset_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def reset_peak() -> None:
    """Start to count the peak of memory anew."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")


def in_child(script: str, *arguments: str) -> Any:
    """Run this script in a process of its own with `arguments`; what it prints last, as JSON, is returned."""
    done = subprocess.run([sys.executable, script, *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a Markdown table."""

    def text(cell: Any) -> str:
        return f"{cell:.4g}" if isinstance(cell, float) else str(cell)

    cells = [[str(c) for c in columns], *([text(c) for c in row] for row in rows)]
    widths = [max(len(row[j]) for row in cells) for j in range(len(columns))]
    print(f"\n{title}\n")
    for i, row in enumerate(cells):
        print("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |")
        if i == 0:
            print("|" + "|".join("-" * (w + 2) for w in widths) + "|")
    sys.stdout.flush()
