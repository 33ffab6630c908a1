"""The blocks of code in the documentation, and how each is to be run."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "slurm" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
_FENCE = re.compile(
    r"(?:^<!-- run: (?P<mark>.+?) -->\n)?^```(?P<language>\w*)(?P<title>[^\n]*)\n(?P<code>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
_ASSIGNED = re.compile(r"^\w+=")


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes:
        mark: what the comment above says: ``slow`` runs in the page's folder, ``slow: WORDS`` with WORDS appended;
            ``no, why`` is only looked at.
    """

    page: Path
    line: int
    language: str
    title: str
    code: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether a slow test runs it."""
        return self.mark.startswith("slow")

    @property
    def extra(self) -> str:
        """What is appended to its last command."""
        return self.mark.partition(":")[2].strip()

    def commands(self) -> Iterator[list[str]]:
        """Yield the words of each simple command of a shell block, without comments and assignments before it."""
        for line in self.code.replace("\\\n", " ").splitlines():
            for part in re.split(r";|&&|\|\|?", line.partition(" #")[0] if not line.startswith("#") else ""):
                words = shlex.split(part, comments=True) if part.count('"') % 2 == 0 == part.count("'") % 2 else []
                while words and (_ASSIGNED.match(words[0]) or words[0] in ("then", "do", "exec", "export")):
                    words = words[1:]
                if words:
                    yield words


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text[: found.start()].count("\n") + 1,
            found["language"],
            found["title"],
            found["code"],
            found["mark"] or "",
        )
        for found in _FENCE.finditer(text)
    ]


ALL = [block for page in PAGES for block in blocks(page)]
