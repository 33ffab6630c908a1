"""Errors a user reads, with the exit code each one ends a command with.

A message says where (key, table.column, folder), the rule, what was found, and what to do.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import shlex
import shutil
from collections.abc import Iterable

EXIT_DONE = 0
EXIT_USER = 2
EXIT_STAGE = 3
EXIT_INTERRUPTED = 75
EXIT_RANK_LOST = 76

MOST_LETTERS = 5_000
"""No message is longer."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NUMBER = re.compile(r"\[Errno (\d+)\]")
_LONGEST_PROBLEM = 1_500
_LONGEST_NAME = 200


class TabGraphSynError(Exception):
    """An error whose message is meant for the user; the traceback goes to the log.

    Attributes:
        exit_code: what a command that it ends exits with.
        problems: the single mistakes where several were collected, else empty.
    """

    exit_code = EXIT_STAGE
    problems: tuple[str, ...] = ()

    def __init__(self, message: str = "", *rest: object) -> None:
        super().__init__(shortened(message), *rest)


class ConfigError(TabGraphSynError):
    """A setting that cannot be used. The user mends the command or the yaml."""

    exit_code = EXIT_USER


class DataError(TabGraphSynError):
    """Tables or metadata that break a rule. The user mends the data or a policy."""

    exit_code = EXIT_USER


class StageError(TabGraphSynError):
    """A stage that failed, or inputs of a stage that are not true to their manifest."""

    exit_code = EXIT_STAGE


class SubmissionError(TabGraphSynError):
    """A scheduler that refused, or a launch that could not be recorded."""

    exit_code = EXIT_STAGE


class Interrupted(TabGraphSynError):
    """A stage that stopped at a step boundary on request, saved, and can be resumed."""

    exit_code = EXIT_INTERRUPTED


class RankLost(TabGraphSynError):
    """A stage on several ranks of which one died or was silent for too long; it can be resumed."""

    exit_code = EXIT_RANK_LOST


def command_line(*words: object) -> str:
    """Return a command as it can be pasted into a shell.

    >>> command_line("tabgraphsyn", "status", "--output-dir", "/a b/out")
    "tabgraphsyn status --output-dir '/a b/out'"
    """
    return shlex.join(str(word) for word in words)


def shortened(text: str, most: int = MOST_LETTERS) -> str:
    """Return ``text`` with its middle left out where it is longer: what quotes a file of somebody has no end.

    >>> shortened("a" * 30 + "b" * 30, 40)
    'aa ... (56 letters more) ... bb'
    """
    if len(text) <= most:
        return text
    end = max(most - 36, 2) // 2
    return f"{text[:end]} ... ({len(text) - 2 * end} letters more) ... {text[-end:]}"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the closest of ``names``, or an empty string.

    >>> nearest("gni", ["gin", "gat"])
    " Did you mean 'gin'?"
    >>> nearest("zzz", ["gin", "gat"])
    ''
    """
    if len(name) > _LONGEST_NAME:  # nobody means one; comparing takes the square of it
        return ""
    found = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


def listing(items: Iterable[object], limit: int = 10) -> str:
    """Return up to ``limit`` items quoted with ``repr``, then how many more there are.

    >>> listing(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    """
    shown = list(items)
    text = ", ".join(shortened(repr(item), _LONGEST_NAME) for item in shown[:limit])
    rest = len(shown) - limit
    return f"{text} and {rest} more" if rest > 0 else text


def place_problem(error: OSError) -> str | None:
    """Return what the user can do about a folder that cannot be read or written, or None for any other error.

    >>> place_problem(PermissionError(errno.EACCES, "Permission denied", "out/a.csv"))
    "'out/a.csv': Permission denied. Choose another folder, or change its permissions."
    >>> place_problem(OSError(errno.ENOSPC, "No space left on device"))
    'No space left on device. Free space or choose another folder.'
    >>> place_problem(shutil.Error([("a", "out/a", "[Errno 28] No space left on device: 'a' -> 'out/a'")]))
    "'out/a': No space left on device. Free space or choose another folder."
    """
    if isinstance(error, shutil.Error):
        error = _first(error)
    where = f"{error.filename!r}: " if error.filename else ""
    if error.errno in DISK_FULL:
        return f"{where}{os.strerror(error.errno)}. Free space or choose another folder."
    if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        return f"{listing([error.filename])}: {os.strerror(error.errno)}. Choose another path."
    if error.errno in (errno.EACCES, errno.EROFS, errno.ENOTDIR):
        return f"{where}{os.strerror(error.errno)}. Choose another folder, or change its permissions."
    return None


def _first(error: shutil.Error) -> OSError:
    """Return the first fault of a folder that was copied: of each file only its words are kept."""
    faults = error.args[0] if error.args else ()
    _, target, words = faults[0] if isinstance(faults, list) and faults else (None, None, str(faults))
    number = _NUMBER.search(words)
    return OSError(int(number[1]), words, str(target)) if number else error


def raise_collected(error: type[TabGraphSynError], problems: list[str]) -> None:
    """Raise one ``error`` that lists every problem, or return when there are none."""
    if not problems:
        return
    lines = [f"  {number}. {shortened(text, _LONGEST_PROBLEM)}" for number, text in enumerate(problems, 1)]
    while len(lines) > 1 and sum(map(len, lines)) + len(lines) > MOST_LETTERS - 100:
        lines.pop()
    if len(lines) < len(problems):
        lines.append(f"  ... and {len(problems) - len(lines)} more")
    text = "\n".join(lines)
    raised = error(problems[0] if len(problems) == 1 else f"{len(problems)} problems:\n{text}")
    raised.problems = tuple(problems)
    raise raised
