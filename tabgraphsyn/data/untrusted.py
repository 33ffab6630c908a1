"""Files that a stranger may have written: plain, of a bounded size, inside their folder, of a declared form.

Bundles, campaign records, specs and ledgers are read by this module and by nothing else. A ``Form`` declares a file:
which keys, of which types and ranges; unknown keys are refused. What it cannot say in types it says in
``__post_init__`` (a ValueError there becomes part of the one message).
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from tabgraphsyn.errors import DataError, StageError, TabGraphSynError, listing, place_problem

MOST_JSON_BYTES = 256 << 20
MOST_RECORD_BYTES = 16 << 20
_MOST_LETTERS = 300
_ADVICE = "Do not use it, or get it again from who made it."

_Form = TypeVar("_Form")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
"""Of a table, a column or a relation; the whole file is then held against the schema."""
Text = Annotated[str, msgspec.Meta(max_length=100_000)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Size = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Share = Annotated[float, msgspec.Meta(ge=-1e-6, le=1 + 1e-6)]
"""A share or a rank; sums of shares miss 1 by a rounding."""
Number = Annotated[float, msgspec.Meta(ge=-1e308, le=1e308)]
Spread = Annotated[float, msgspec.Meta(gt=0, le=1e308)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e308)]
Scalar = None | bool | int | float | str


class Form(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A json object whose keys are declared."""


def plain_bytes(path: Path, most: int = MOST_JSON_BYTES) -> bytes:
    """Return the content of a plain file of at most ``most`` bytes; a link is not followed, nothing is waited for.

    Raises:
        DataError: a link, a folder, a pipe, a device, or a larger file.
    """
    with opened(path) as handle:
        size = os.fstat(handle).st_size
        if size > most:
            raise DataError(f"{path}: at most {most:,} bytes expected, found {size:,}. {_ADVICE}")
        return b"".join(iter(lambda: os.read(handle, 1 << 20), b""))


def plain_json(path: Path, most: int = MOST_RECORD_BYTES) -> Any:
    """Return the json in a small plain file that has no form: records that only say how a run went.

    Raises:
        FileNotFoundError: there is none.
        DataError: a link, a pipe, a larger file, or no json.
    """
    if not os.path.lexists(path):
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return json.loads(plain_bytes(path, most))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: json expected, found {short(error)}. {_ADVICE}") from error


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Yield the descriptor of a plain file that is open for reading.

    Raises:
        DataError: a link, or no plain file.
    """
    try:
        # Without O_NONBLOCK a pipe waits for a writer that never comes.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {not_plain(path) or error}. {_ADVICE}") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise DataError(f"{path}: {not_plain(path)}. {_ADVICE}")
        yield handle
    finally:
        os.close(handle)


def not_plain(path: Path) -> str | None:
    """Return what is wrong with a path that should be a plain file, or None."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError) as error:
        return f"a plain file expected, found none ({error})"
    if stat.S_ISREG(mode):
        return None
    kinds = ((stat.S_ISLNK, "a link"), (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"))
    found = next((words for is_kind, words in kinds if is_kind(mode)), "a device or a socket")
    return f"a plain file expected, found {found}"


def read_form(path: Path, form: type[_Form], most: int = MOST_JSON_BYTES) -> _Form:
    """Return what a json file of a declared form holds.

    Raises:
        DataError: no plain file, too large, no json, or not of the form.
    """
    return decoded(plain_bytes(path, most), form, str(path))


def decoded(raw: bytes, form: type[_Form], where: str) -> _Form:
    """Return what the bytes of a json file of a declared form hold; see ``read_form``."""
    try:
        found: _Form = _decoder(form).decode(raw)  # type: ignore[arg-type]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{where}: {short(error)}. {_ADVICE}") from error
    return found


@lru_cache(maxsize=256)
def _decoder(form: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(form)


def builtins(form: Any) -> Any:
    """Return a form as the plain json value that it was read from."""
    return msgspec.to_builtins(form)


def fields_of(form: Form) -> dict[str, Any]:
    """Return a form's fields by name, defaults among them."""
    return msgspec.structs.asdict(form)


def short(error: BaseException) -> str:
    """Return an error's text on one line, cut where it is long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]} ..."


@contextmanager
def blamed(where: str) -> Iterator[None]:
    """Turn whatever a library says of foreign content into one message for the user, the cause kept for the log.

    Forms say what can be said of one file; that several fit together is found by putting them together, and numpy,
    arrow and torch then say in their own words what does not.
    """
    try:
        yield
    except StageError as error:
        raise DataError(str(error)) from error
    except TabGraphSynError:
        raise
    except MemoryError as error:
        raise DataError(f"{where}: more memory is asked for than there is ({short(error)}). Ask for less.") from error
    except Exception as error:
        # A disk that is full is the user's; arrow says of a damaged file that it is an OSError.
        if isinstance(error, OSError) and place_problem(error) is not None:
            raise
        raise DataError(f"{where}: what it holds does not fit together ({_named(error)}). {_ADVICE}") from error


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {short(error)}"


def inside(folder: Path, *parts: str) -> Path:
    """Return ``folder/parts``, which lies in ``folder`` and in which no part is a link.

    Raises:
        DataError: a part that is no plain name, or a link on the way.
    """
    path = folder
    for part in "/".join(parts).split("/"):
        if part in ("", ".", "..") or "\x00" in part or "\\" in part:
            raise DataError(f"{folder}: names in it stay below it, found {'/'.join(parts)!r}. {_ADVICE}")
        path = path / part
        if path.is_symlink():
            raise DataError(f"{path}: a file or folder of its own expected, found a link. {_ADVICE}")
    return path


def files_below(folder: Path, most: int = 100_000) -> list[str]:
    """Return the plain files below a folder, by relative path, sorted.

    Raises:
        DataError: a link, a pipe, a device, or more than ``most`` files.
    """
    found: list[str] = []
    problems: list[str] = []
    waiting = [folder]
    while waiting and len(found) <= most:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif entry.is_file(follow_symlinks=False):
                    found.append(path.relative_to(folder).as_posix())
                else:
                    problems.append(f"{path.relative_to(folder)}: {not_plain(path)}")
    if problems:
        raise DataError(f"{folder}: {'; '.join(sorted(problems)[:5])}. {_ADVICE}")
    if len(found) > most:
        raise DataError(f"{folder}: at most {most:,} files expected, found more: {listing(found, 3)}. {_ADVICE}")
    return sorted(found)
