"""The records of a done stage in one file: what its attempts left is moved into ``done.json``, under ``record``.

A stage that runs has files of its own for its spec, each attempt and each log, because several processes write them.
A done stage is only read, and a quota counts files: the attempt that published it packs them as the last thing that it
does (``cluster.pack_records``), and ``tabgraphsyn gc --rule records --yes`` what was left. Readers look for the files
first, then here: a pack that is cut off between its two steps loses nothing, and a file that goes meanwhile is found.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import write_json, write_text
from tabgraphsyn.data.untrusted import decoded, plain_bytes, plain_json, read_form
from tabgraphsyn.errors import DataError
from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES, SpecForm

RECORD = "record"
_DONE, _SPEC, _ATTEMPTS, _LOGS = "done.json", "spec.json", "attempts", "logs"
_FURTHER = ("requeues.jsonl", "start_error.json")
_METRICS = "metrics.jsonl"
_MOST_BYTES = 1 << 20
_MOST_ALL_BYTES = 4 << 20
_HEAD_BYTES = 1 << 14
_LAST = re.compile(rb'^  "attempt": (\d{1,9}),?$', re.MULTILINE)


def record_of(folder: Path) -> dict[str, Any]:
    """Return what was packed of a stage: ``spec``, ``attempts`` and ``logs`` by number, ``files``; or nothing.

    Raises:
        DataError: ``done.json`` is not a plain file of json.
    """
    path = folder / _DONE
    if not path.is_file():
        return {}
    record = plain_json(path, MOST_RECORD_BYTES).get(RECORD)
    return record if isinstance(record, dict) else {}


def read_spec(folder: Path) -> SpecForm:
    """Return the spec of a stage, packed or not.

    Raises:
        DataError: there is none, or it is none.
    """
    try:
        return read_form(folder / _SPEC, SpecForm, MOST_RECORD_BYTES)
    except DataError:
        spec = None if os.path.lexists(folder / _SPEC) else record_of(folder).get("spec")
        if spec is None:
            raise
    return decoded(json.dumps(spec).encode(), SpecForm, str(folder / _DONE))


def packable(folder: Path) -> list[Path]:
    """Return the files of a stage that would go into ``done.json``, if it is done and all of them are this user's."""
    if not (folder / _DONE).is_file() or (folder / _ATTEMPTS).is_symlink() or (folder / _LOGS).is_symlink():
        return []
    found = [folder / _SPEC, *(folder / name for name in _FURTHER)]
    found += [*sorted((folder / _ATTEMPTS).glob("*.json"), key=_number), *sorted((folder / _LOGS).glob("attempt-*"))]
    found += [] if _is_trained(folder) else [folder / _METRICS]
    found = [path for path in found if path.is_file() and not path.is_symlink()]
    sizes = [path.stat() for path in (folder / _DONE, *found)]
    is_small = all(size.st_size <= _MOST_BYTES for size in sizes) and sum(s.st_size for s in sizes) <= _MOST_ALL_BYTES
    return found if is_small and {size.st_uid for size in sizes} == {os.geteuid()} else []


def _is_trained(folder: Path) -> bool:
    """Return whether what a stage logged is more than its progress: those lines stay a file of their own."""
    try:
        return not (folder / _METRICS).is_file() or read_spec(folder).runtime.is_resumable
    except DataError:
        return True


def _number(path: Path) -> tuple[int, str]:
    """Return what sorts attempts as they were made: the last one goes last, for it says who holds the stage."""
    return (int(path.stem) if path.stem.isdigit() else 0, path.name)


def pack(folder: Path, *, leaves_folders: bool = False) -> int:
    """Move the records of a done stage into its ``done.json``, whose time stays, and return how many files are gone.

    Args:
        folder: of the stage.
        leaves_folders: leave those that are empty then: an attempt that begins at this moment writes to them.

    Raises:
        DataError, OSError: a record cannot be read or written; then all stay.
    """
    files = packable(folder)
    if not files:
        return 0
    done = plain_json(folder / _DONE, MOST_RECORD_BYTES)
    record = done.get(RECORD) or {"attempts": {}, "logs": {}, "files": {}}
    for path in files:
        _take_in(record, path)
    former = (folder / _DONE).stat()
    write_json(folder / _DONE, {**done, RECORD: record})
    (folder / _DONE).chmod(former.st_mode)
    os.utime(folder / _DONE, ns=(former.st_atime_ns, former.st_mtime_ns))
    for path in files:
        path.unlink(missing_ok=True)
    for name in () if leaves_folders else (_ATTEMPTS, _LOGS):
        with suppress(OSError):  # something is in it, or it is gone
            (folder / name).rmdir()
    return len(files)


def _take_in(record: dict[str, Any], path: Path) -> None:
    if path.name == _SPEC:
        record["spec"] = plain_json(path)
    elif path.parent.name == _ATTEMPTS:
        record["attempts"][path.stem] = {**plain_json(path), "heartbeat": path.stat().st_mtime}
    else:
        text = plain_bytes(path, _MOST_BYTES).decode("utf-8", errors="replace")
        is_log = path.parent.name == _LOGS and path.suffix == ".log"  # the lines of json stand under their name
        record["logs" if is_log else "files"][path.stem.removeprefix("attempt-") if is_log else path.name] = text


def unpack(folder: Path) -> None:
    """Write the attempts and logs of a stage that will not be done any more as files again, as a run continues them.

    Raises:
        DataError, OSError: ``done.json`` cannot be read, or the files not be written.
    """
    record = record_of(folder)
    for number, attempt in packed_attempts(folder).items():
        path = folder / _ATTEMPTS / f"{number}.json"
        if not path.exists():
            write_json(path, {key: value for key, value in attempt.items() if key != "heartbeat"})
            os.utime(path, (attempt["heartbeat"], attempt["heartbeat"]))
        if (text := packed_log(folder, number)) and not (folder / _LOGS / f"attempt-{number}.log").exists():
            write_text(folder / _LOGS / f"attempt-{number}.log", text)
    requeues = (record.get("files") or {}).get(_FURTHER[0])
    if isinstance(requeues, str) and not (folder / _FURTHER[0]).exists():
        write_text(folder / _FURTHER[0], requeues)


def packed_attempts(folder: Path) -> dict[int, dict[str, Any]]:
    """Return the packed records of a stage's attempts, by number; none where ``done.json`` cannot be read."""
    try:
        attempts = record_of(folder).get("attempts")
    except DataError:
        return {}
    found = attempts if isinstance(attempts, dict) else {}
    return {int(number): each for number, each in found.items() if number.isdigit() and isinstance(each, dict)}


def last_packed(folder: str) -> int:
    """Return the number of the attempt that published a stage, from the head of its ``done.json``; 0 if it has none.

    For thousands of stages at once: neither what was packed nor the list of files is read.
    """
    try:
        with open(f"{folder}/{_DONE}", "rb") as handle:  # noqa: PTH123 - a path object costs as much as the call
            found = _LAST.search(handle.read(_HEAD_BYTES))
    except OSError:
        return 0
    return int(found[1]) if found else 0


def packed_log(folder: Path, attempt: int) -> str | None:
    """Return the packed log of an attempt, or None."""
    try:
        logs = record_of(folder).get("logs")
    except DataError:
        return None
    text = logs.get(str(attempt)) if isinstance(logs, dict) else None
    return text if isinstance(text, str) else None
