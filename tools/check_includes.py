"""Fail where a file includes or imports something that lies above it.

C++:     core <- linalg, optim, text <- boosting, svm, linear_model, embedding, nn ... <- bindings
         linalg <- neighbors <- the families
Python:  the files of mlcore/ <- metrics <- boosting, svm, linear_model, embedding, nn, text ...
         <- seq <- plotting
In nn:   nn/_*.py <- tensor <- functional <- init, layers <- optim <- training <- estimators

What stands left of an arrow knows nothing of what stands right of it (__init__ stands right of all); pieces of one
floor know nothing of each other, but for layers, which use init, and seq, which stands on nn and text. In C++ metrics
is a family, which stands on text. A folder that is not named here is a family. Only the bindings know Python, and where
there is a core/eigen.hpp, Eigen is included after it, because it switches off the warnings that Eigen causes. Headers
that depend on the ISA level include core/simd.hpp: it refuses to be a part of the bindings, compiled for all levels.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]", re.MULTILINE)
LEVEL_MACRO = re.compile(r"\b__(AVX|SSE|FMA|BMI)")
PYTHON_HEADER = re.compile(r"pybind11/|Python\.h|numpy/")

CORE = {"core"}
BELOW_FAMILIES = {"linalg", "neighbors", "optim", "text"}
SHARED = {"_core", "_cpu"}  # the compiled modules, as low as a file of mlcore/ itself
PACKAGES_BELOW = {"metrics"}  # they score the models of the others
FLOOR_STANDS_ON = {"neighbors": {"linalg"}}  # the one floor between others
STANDS_ON = {"seq": {"nn", "text"}}  # families that are made of others
ABOVE_FAMILIES = {"plotting"}
ROOMS_OF_NN = ["_*", "tensor", "functional", "init", "layers", "optim", "training", "estimators"]


def allowed_folders(folder: str, folders: set[str]) -> set[str]:
    """Folders of cpp/ that a file in `folder` may include."""
    if folder == "bindings":
        return folders
    if folder in CORE | BELOW_FAMILIES:
        return CORE | FLOOR_STANDS_ON.get(folder, set()) | {folder}
    return CORE | BELOW_FAMILIES | {folder}


def cpp_problems(root: Path) -> Iterator[str]:
    """One line of text for each include in cpp/ that the rule forbids."""
    cpp = root / "cpp"
    folders = {path.name for path in cpp.iterdir() if path.is_dir()}
    has_eigen = (cpp / "core/eigen.hpp").exists()
    for path in sorted(cpp.rglob("*.[ch]pp")):
        name = path.relative_to(cpp)
        folder = name.parts[0]
        includes_eigen = not has_eigen or str(name) == "core/eigen.hpp"
        text = path.read_text()
        headers = [header for _, header in INCLUDE.findall(text)]
        for bracket, header in INCLUDE.findall(text):
            target = header.split("/")[0]
            where = f"cpp/{name} includes {header}"
            if bracket == '"' and target in folders and target not in allowed_folders(folder, folders):
                yield f"{where}: {folder} stands below {target} or beside it"
            if PYTHON_HEADER.match(header) and folder != "bindings":
                yield f"{where}: only the bindings know Python"
            includes_eigen |= header == "core/eigen.hpp"
            if header.startswith("Eigen/") and not includes_eigen:
                yield f"{where}: core/eigen.hpp comes before it"
        if path.suffix == ".hpp" and LEVEL_MACRO.search(text) and "core/simd.hpp" not in [str(name), *headers]:
            yield f"cpp/{name} depends on the ISA level without core/simd.hpp, which keeps it out of the bindings"


def allowed_packages(folder: str, packages: set[str]) -> set[str]:
    """Packages of mlcore that a Python file in `folder` may import."""
    if folder in ABOVE_FAMILIES:
        return packages - ABOVE_FAMILIES | {folder}
    if folder in packages - PACKAGES_BELOW:
        return PACKAGES_BELOW | STANDS_ON.get(folder, set()) | {folder}
    return {folder}


def imported_modules(path: Path, package: list[str]) -> Iterator[list[str]]:
    """Each module that a Python file imports, as the parts of its name; a name from a module counts as a part too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            start = start + (node.module.split(".") if node.module else [])
            yield from ([*start, alias.name] for alias in node.names)


def python_problems(root: Path) -> Iterator[str]:
    """One line of text for each import in python/mlcore that the rule forbids."""
    mlcore = root / "python/mlcore"
    files = SHARED | {path.stem for path in mlcore.glob("*.py")} - {"__init__"}
    packages = {path.name for path in mlcore.iterdir() if (path / "__init__.py").exists()} - SHARED
    for path in sorted(mlcore.rglob("*.py")):
        name = path.relative_to(mlcore).with_suffix("")
        folder = name.parts[0]
        for module in imported_modules(path, ["mlcore", *name.parts[:-1]]):
            if module[0] != "mlcore" or folder == "__init__":
                continue
            target = module[1] if len(module) > 1 else "__init__"
            where = f"python/mlcore/{name}.py imports {'.'.join(module)}"
            if target not in files | packages | {"__version__"}:
                yield f"{where}: what lists all others stands above them"
            elif target in packages - allowed_packages(folder, packages):
                yield f"{where}: {folder} stands below {target} or beside it"
            elif target == folder == "nn" and name.parts[1] != "__init__":
                yield from room_problems(where, name.parts[1], module[2] if len(module) > 2 else "__init__")


def room_problems(where: str, room: str, target: str) -> Iterator[str]:
    """The same within nn, whose rooms stand in one row; a name that is no room comes from nn's own list of names."""
    room, target = ("_*" if part[0] == "_" and part != "__init__" else part for part in (room, target))
    if room not in ROOMS_OF_NN:
        yield f"{where}: {room} is none of the rooms {', '.join(ROOMS_OF_NN)}"
    elif target not in ROOMS_OF_NN[: ROOMS_OF_NN.index(room) + 1]:
        yield f"{where}: {room} stands below {target}"


def problems(root: Path) -> list[str]:
    """One line of text for each include and import below `root` that the rule forbids."""
    return [*cpp_problems(root), *python_problems(root)]


if __name__ == "__main__":
    lines = problems(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print(*lines, sep="\n", end="\n" if lines else "")
    sys.exit(bool(lines))
