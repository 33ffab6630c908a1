"""A crate as one zip: the same bytes for the same files; and back again, from whoever wrote it."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tabgraphsyn.data.files import vanishing_folder, written_aside
from tabgraphsyn.data.untrusted import files_below, inside, not_plain, short
from tabgraphsyn.errors import DataError

SUFFIX = ".zip"
MOST_FILES = 100_000
MOST_BYTES = 64 << 30
MOST_TIMES = 200
"""Times that a file may be larger than it is packed: text packs to a tenth, a bomb to a thousandth."""

_SMALL = 1 << 20
_DATE = (1980, 1, 1, 0, 0, 0)
_RIGHTS = (stat.S_IFREG | 0o644) << 16
_BLOCK = 1 << 20


def is_archive(path: Path) -> bool:
    """Return whether a path is named like an archive."""
    return path.suffix.lower() == SUFFIX


def pack(folder: Path, target: Path) -> None:
    """Write every file below a folder into a zip, in order, without times, rights or owners."""
    with written_aside(target) as aside, zipfile.ZipFile(aside, "w") as packed:
        for name in files_below(folder):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _RIGHTS
            entry.create_system = 3  # whatever system packs it
            with (folder / name).open("rb") as source, packed.open(entry, "w") as inner:
                shutil.copyfileobj(source, inner, _BLOCK)


@contextmanager
def opened_crate(path: Path) -> Iterator[Path]:
    """Yield the folder of a crate: its own, or one into which its archive is unpacked and that goes with the block.

    Raises:
        DataError: no zip, or one with links, names that lead elsewhere, too many files or too large ones.
    """
    if not is_archive(path):
        yield path
        return
    with vanishing_folder() as folder:
        unpack(path, folder)
        yield folder


def unpack(path: Path, folder: Path) -> None:
    """Write the files of a zip, which may be a stranger's, below an empty folder; see ``opened_crate``."""
    if problem := not_plain(path.resolve() if path.is_symlink() else path):
        raise DataError(f"{path}: {problem}. Give the folder or the zip that `tabgraphsyn export` wrote.")
    try:
        with zipfile.ZipFile(path) as packed:
            entries = [entry for entry in packed.infolist() if not entry.is_dir()]
            _check(path, entries)
            for entry in entries:
                target = inside(folder, entry.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(entry) as source, target.open("xb") as out:
                    _copied(source, out, entry.file_size, f"{path}: {entry.filename!r}")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, FileExistsError) as error:
        raise DataError(f"{path}: it cannot be unpacked ({short(error)}). Get it again from who made it.") from error


def _check(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_FILES or total > MOST_BYTES:
        raise DataError(
            f"{path}: at most {MOST_FILES:,} files of {MOST_BYTES >> 30} GB in all expected, found {len(entries):,} of "
            f"{total:,} bytes. Do not unpack it."
        )
    for entry in entries:
        mode = entry.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise DataError(f"{path}: {entry.filename!r}: plain files expected, found a link or a special file.")
        if entry.file_size > max(_SMALL, MOST_TIMES * entry.compress_size):
            raise DataError(
                f"{path}: {entry.filename!r} would be {entry.file_size:,} bytes of {entry.compress_size:,} packed. "
                "Do not unpack it."
            )


def _copied(source: object, out: object, most: int, where: str) -> None:
    """Copy what an entry holds, and no more than it says."""
    left = most
    while block := source.read(min(_BLOCK, left + 1)):  # type: ignore[attr-defined]
        left -= len(block)
        if left < 0:
            raise DataError(f"{where}: it holds more than it says. Do not unpack it.")
        out.write(block)  # type: ignore[attr-defined]
