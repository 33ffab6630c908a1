"""What is printed: control characters in names and values are shown, never sent to the terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabgraphsyn.errors import (
    DISK_FULL,
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_USER,
    ConfigError,
    TabGraphSynError,
    place_problem,
    shortened,
)

if TYPE_CHECKING:
    from rich.console import Console

# C0 but for tab and line feed, delete, C1, the marks that turn the direction of text, and halves of surrogate pairs.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return ``text`` with what a terminal would obey spelled out; tabs and line feeds stay.

    >>> print(printable("a\x1b]0;title\x07b"))
    a\x1b]0;title\x07b
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text.replace("\r\n", "\n"))


def message(error: BaseException) -> str:
    """Return what to print of an error."""
    return shortened(printable(str(error)))


def exit_code_of(command: Callable[[], int], name: str = "", given: Sequence[str] = ()) -> int:
    """Run a command; return its exit code, and say in one message what the user can mend.

    Args:
        command: returns the exit code.
        name: of a verb, said before what a folder did; empty for a launch, whose place is ``output_dir``.
        given: the words of the command line.
    """
    try:
        _can_write_down([_stands_in(), *given])
        return command()
    except TabGraphSynError as error:
        print(message(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if not name:
            print("stopped", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) closed early; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except OSError as error:
        problem = place_problem(error)
        if problem is None:
            raise
        where = name or ("output_dir" if error.errno in DISK_FULL else "")
        print(f"{where}: {problem}" if where else problem, file=sys.stderr)
        return EXIT_USER


def _stands_in() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        raise ConfigError("the current folder was removed. Change to one that exists.") from None


def _can_write_down(places: Sequence[str]) -> None:
    """Refuse places that no record could name: an older system named them, or Python was told not to use UTF-8."""
    for place in places:
        try:
            place.encode()
        except UnicodeEncodeError:
            raise ConfigError(
                f"{place}: names in UTF-8 expected, found other bytes. Rename the folder or file; where Python's UTF-8 "
                f"is turned off (PYTHONUTF8=0), turn it on."
            ) from None


class EscapedStream:
    """A text stream that writes control characters as text."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write ``text``, spelled out."""
        return self.stream.write(printable(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def raw(stream: Any) -> Any:
    """Return the stream under an ``EscapedStream``, for whoever sends codes of its own and escapes the rest."""
    return stream.stream if isinstance(stream, EscapedStream) else stream


@contextmanager
def escaped_output() -> Iterator[None]:
    """Escape everything that is printed while the block runs, on whatever stands for a terminal."""
    _open_streams()
    former = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (EscapedStream(raw(stream)) for stream in former)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = former


def _open_streams() -> None:
    """Give every standard stream a place, and its encoding a way to write any letter.

    A stream that the caller closed is None in Python, and its number would go to the next file that is opened: what is
    printed by a child would land there. Under a locale of few letters names are spelled out, as on standard error.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            setattr(sys, name, Path(os.devnull).open("w" if number else "r", encoding="utf-8"))  # noqa: SIM115
        elif number and getattr(stream, "errors", "") == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def console(*, stderr: bool = False, **options: Any) -> Console:
    """Return a console that styles what it shows and escapes what it is given.

    Not what a live display redraws: those show names of stages and metrics, which have no control characters.
    """
    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
    from rich.segment import Segment

    class Escaped:
        def __init__(self, shown: Any) -> None:
            self.shown = shown

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            for segment in console.render(self.shown, options):
                plain = segment.text if segment.control else printable(segment.text)
                yield segment if plain == segment.text else Segment(plain, segment.style)

    class EscapeAll(RenderHook):
        def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
            return [Escaped(each) for each in renderables]

    made = Console(file=raw(sys.stderr if stderr else sys.stdout), **options)
    made.push_render_hook(EscapeAll())
    return made
