"""Run loaders on forged files: ``python -m fuzz [--files 100000] [--minutes 10] [--only model-SVC] [--from 0]``.

Each loader runs in a process of its own with a limit on memory; one that dies, hangs, or raises anything but ValueError
is a finding, named by loader and number of the file. ``python -m fuzz --show model-SVC 1234`` runs that file alone.
"""

import argparse
import sys

from .runner import run_all, show

parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
parser.add_argument("--files", type=int, default=20_000, help="files a loader")
parser.add_argument("--minutes", type=float, default=None, help="most minutes a loader")
parser.add_argument("--only", default="", help="loaders whose name contains this")
parser.add_argument("--from", type=int, default=0, dest="first", help="number of the first file")
parser.add_argument("--show", nargs=2, metavar=("LOADER", "NUMBER"), help="run one file and show what happens")
given = parser.parse_args()
if given.show:
    show(given.show[0], int(given.show[1]))
else:
    sys.exit(1 if run_all(given.files, given.minutes, given.only, given.first) else 0)
