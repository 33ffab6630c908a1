"""What a process prints goes to a file without secrets: through a pipe, and a process beside it that reads the pipe.

Libraries and users' components print what they like, from C too, so nothing in this process can look at it first. The
reader is a process, not a thread: what a dying process says last (an abort of a library, a fault) is still written.
"""

from __future__ import annotations

import atexit
import os
import re
import signal
import sys
import time
from contextlib import suppress
from multiprocessing import util
from pathlib import Path

from tabgraphsyn.redaction import redacted

_PIECE = 1 << 16
_LONGEST_LINE = 1 << 20
_LEAVE_S = 2.0
_DESCRIPTORS = 1 << 16
_LINE_END = re.compile(rb"[\r\n]")
# Whatever the forking process handles: its handlers would run in the reader too, and print where nothing is open.
_IGNORED = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def redirect_output(path: Path) -> None:
    """Send this process's standard output and error to the end of ``path`` for good, without what looks like a secret.

    A line is written when it ends. What the process's variables hold at this moment is what is known to be secret.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    source, sink = os.pipe()
    # A signal to the whole group between the fork and the reader's first line would end the reader, and with it every
    # line that the stage prints: it waits until the reader ignores it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED)
    try:
        reader = os.fork()
        if reader == 0:
            _read(source, target, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    for descriptor in (source, sink, target):
        os.close(descriptor)
    _CAPTURES.append(_Capture(reader))
    # Processes of multiprocessing leave without atexit; those that this one forks must not wait for its reader.
    atexit.register(_CAPTURES[-1].leave)
    util.Finalize(None, _CAPTURES[-1].leave, exitpriority=0)


def leave_output() -> bool:
    """End what ``redirect_output`` began last, before this process leaves; what it prints from now on goes nowhere.

    Returns:
        Whether the file is whole: no other process holds it open.
    """
    return not _CAPTURES or _CAPTURES[-1].leave()


class _Capture:
    """The reader of what this process prints."""

    def __init__(self, reader: int) -> None:
        self._reader, self._parent = reader, os.getpid()
        self._is_whole: bool | None = None

    def leave(self) -> bool:
        """Let the reader come to its end before this process leaves: who sees it gone reads the whole log."""
        if os.getpid() != self._parent:
            return False
        if self._is_whole is None:
            self._is_whole = self._ended()
        return self._is_whole

    def _ended(self) -> bool:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        os.close(nothing)
        end = time.monotonic() + _LEAVE_S
        with suppress(ChildProcessError):
            while os.waitpid(self._reader, os.WNOHANG)[0] == 0:
                if time.monotonic() > end:
                    return False
                time.sleep(0.005)
        return True


_CAPTURES: list[_Capture] = []


def _read(source: int, target: int, mask: set[signal.Signals | int]) -> None:
    """Copy line by line until every writer is gone, then leave this process.

    It holds no descriptor of the process that it was forked from: others wait for those to be closed.
    """
    code = 1
    try:
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.dup2(source, 0)
        os.dup2(target, 1)
        os.closerange(2, _DESCRIPTORS)
        _copy(0, 1)
        code = 0
    finally:
        os._exit(code)


def _copy(source: int, target: int) -> None:
    rest = b""
    while piece := os.read(source, _PIECE):
        rest += piece
        ends = [found.end() for found in _LINE_END.finditer(rest, max(len(rest) - len(piece), 0))]
        cut = ends[-1] if ends else len(rest) if len(rest) > _LONGEST_LINE else 0
        if cut:
            _write(target, rest[:cut])
            rest = rest[cut:]
    _write(target, rest)


def _write(target: int, piece: bytes) -> None:
    """Write without secrets. A full disk loses lines of a log; the writer must not notice, and die of it."""
    data = redacted(piece.decode("utf-8", errors="surrogateescape")).encode("utf-8", errors="surrogateescape")
    with suppress(OSError):
        while data:
            data = data[os.write(target, data) :]
