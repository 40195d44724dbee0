"""Files that take the place of others when they are whole.

What is written has another name until then, and a lock that ends with its process. A process that is killed leaves such
a file behind; the next one that writes to the folder finds it without a lock, and removes it.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

_PREFIX, _SUFFIX = ".mlcore-", ".part"


@contextmanager
def replacing(*paths: Path) -> Iterator[list[IO[bytes]]]:
    """Give files to write to, under other names beside `paths`; move all there at the end, or remove them on an error.

    Links are followed, and a file that is replaced leaves its permissions to the new one.
    """
    places = [Path(os.path.realpath(path)) for path in paths]
    modes = [_mode_of(place) for place in places]
    folders = {place.parent for place in places}
    for folder in folders:
        _remove_abandoned(folder)
    parts: list[Path] = []
    try:
        with ExitStack() as stack:  # the files, and with them the locks, are held until all are in their places
            files: list[IO[bytes]] = []
            for place, mode in zip(places, modes, strict=True):
                part, file = _open_part(place.parent)
                parts.append(part)
                files.append(stack.enter_context(file))
                if mode is not None:
                    part.chmod(mode)  # before anything secret is in it
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
            for part, place in zip(parts, places, strict=True):
                part.replace(place)
    except BaseException:  # KeyboardInterrupt too
        for part in parts:
            with suppress(OSError):
                part.unlink()
        raise
    for folder in folders:
        with suppress(OSError):  # so that new names survive a power cut; not every file system lets one sync a folder
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _open_part(folder: Path) -> tuple[Path, IO[bytes]]:
    """Make a file, locked. Its name is short, as names have a longest length."""
    while True:
        part = folder / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        file = part.open("xb")
        with suppress(OSError):  # a file system without locks: then nobody takes the file for abandoned
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return part, file
        file.close()  # somebody has removed it before it was locked


def _remove_abandoned(folder: Path) -> None:
    """Remove the unfinished files of processes that are gone."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)):
                continue
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    _remove_if_abandoned(entry.path)


def _remove_if_abandoned(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError: somebody is writing it
        Path(path).unlink()
    finally:
        os.close(descriptor)


def _mode_of(place: Path) -> int | None:
    """Permissions of a file that shall be replaced, None if there is none. Raises OSError if it is not a plain file."""
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EEXIST
        raise OSError(code, "only a regular file can be replaced, and this is a folder, device or pipe", str(place))
    return stat.S_IMODE(mode)
