"""Writes that are never half done: aside, flushed, then renamed; or a line at the end of a file.

Whatever library wrote a file, it gets the rights that this process gives to new files: some libraries choose their own
(safetensors 0600), and then a store that several users share holds files that only one of them can read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def written_aside(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; rename it to ``path`` when the block ends well.

    The file is flushed to disk before the rename; ``flush=False`` spares that (milliseconds a file) for what can be
    written again. When the block raises, what was written is removed and ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield aside
        _give_usual_rights(aside)
        if flush:
            with aside.open("rb") as handle:
                os.fsync(handle.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def creation_mask() -> int:
    """Return this process's umask, without changing it even for a moment where the system tells it."""
    try:
        found = re.search(r"^Umask:\s*([0-7]+)", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _give_usual_rights(path: Path) -> None:
    """Give a new file the rights of new files; one that is linked from elsewhere keeps what it has there."""
    found, usual = path.stat(), 0o666 & ~creation_mask()
    if found.st_nlink == 1 and found.st_mode & 0o777 != usual:
        path.chmod(usual)


@contextmanager
def folder_written_aside(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path``; rename it to ``path`` when the block ends well.

    A folder that already stands at ``path`` is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    aside.mkdir()
    try:
        yield aside
        if path.exists():
            shutil.rmtree(path)
        aside.replace(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def vanishing_folder(prefix: str = "tabgraphsyn-") -> Iterator[Path]:
    """Yield an empty private folder that goes when the block ends, and when this process is killed in it.

    A small shell outside this process group waits for the end of a pipe that only this process holds.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        waiting = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _; rm -rf -- "$1"', "sh", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        try:
            yield Path(name)
        finally:
            shutil.rmtree(name, ignore_errors=True)
            waiting.communicate()


def write_text(path: Path, text: str, *, flush: bool = True) -> None:
    """Write ``text`` to ``path`` as UTF-8, aside then renamed."""
    with written_aside(path, flush=flush) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, *, flush: bool = True) -> None:
    """Write ``value`` as json, aside then renamed; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    if not is_unicode(text):  # names of files may be any bytes
        text = json.dumps(value, indent=2, allow_nan=False)
    write_text(path, text + "\n", flush=flush)


def is_unicode(text: str) -> bool:
    """Return whether text can be written as UTF-8; half of a surrogate pair, which json can spell, cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def append_line(path: Path, text: str, *, flush: bool = True) -> None:
    """Append a line. What a kill or a full disk left without its end becomes a line of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as handle:
        is_open = handle.seek(0, os.SEEK_END) > 0 and _last_byte(handle) != b"\n"
        handle.write((b"\n" if is_open else b"") + text.encode() + b"\n")
        handle.flush()
        if flush:
            os.fsync(handle.fileno())


def _last_byte(handle: BinaryIO) -> bytes:
    handle.seek(-1, os.SEEK_END)
    return handle.read(1)


def read_json(path: Path) -> Any:
    """Return the json value that ``path`` holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def json_lines(text: str) -> list[dict[str, Any]]:
    """Return the objects that lines of text hold; a line that a kill cut off, or that is none, is left out."""
    found = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of lines, first to last; nothing where there is no file."""
    return json_lines(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else []


def file_sha256(path: Path) -> str:
    """Return the hash of a file's content, 64 hexadecimal digits; the file is read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk: without it a power cut can undo a rename that everything after it relies on."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
