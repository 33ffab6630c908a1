"""The lines of a text file that belong to its table: comments, lines before it and after it left out."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator


class KeptLines(io.RawIOBase):
    """A stream of UTF-8 bytes: the lines of ``text`` but for those that are no part of the table.

    Args:
        text: the decoded file, line ends as they are.
        skip_rows: lines left out at the beginning.
        comment: lines that start with it are left out; None for none.
        skip_footer: lines left out at the end; empty ones do not count and go too.
    """

    def __init__(self, text: io.TextIOWrapper, skip_rows: int, comment: str | None, skip_footer: int) -> None:
        super().__init__()
        self._text = text
        self._lines = kept_lines(text, skip_rows, comment, skip_footer)
        self._rest = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return about ``size`` bytes, and nothing at the end."""
        parts, length = [self._rest], len(self._rest)
        while size < 0 or length < size:
            line = next(self._lines, None)
            if line is None:
                break
            parts.append(line.encode("utf-8"))
            length += len(parts[-1])
        found = b"".join(parts)
        cut = len(found) if size < 0 else size
        self._rest = found[cut:]
        return found[:cut]

    def close(self) -> None:
        """Close the file too."""
        self._text.close()
        super().close()


def kept_lines(text: io.TextIOBase, skip_rows: int, comment: str | None, skip_footer: int) -> Iterator[str]:
    r"""Yield the lines that belong to the table.

    >>> list(kept_lines(io.StringIO("title\na,b\n# no\n1,2\nTotal,2\n\n"), 1, "#", 1))
    ['a,b\n', '1,2\n']
    """
    held: deque[str] = deque()
    filled = 0
    for number, line in enumerate(text):
        if number < skip_rows or (comment is not None and line.startswith(comment)):
            continue
        if not skip_footer:
            yield line
            continue
        held.append(line)
        filled += bool(line.strip())
        while filled > skip_footer:
            first = held.popleft()
            filled -= bool(first.strip())
            yield first
