"""What was found of each piece of a result: it matches, it differs, or it was not checked, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["matches", "differs", "not checked"]
MATCHES: Verdict = "matches"
DIFFERS: Verdict = "differs"
NOT_CHECKED: Verdict = "not checked"

_MOST_NAMED = 20


@dataclass(frozen=True)
class Finding:
    """One piece.

    Attributes:
        piece: file, stage or step that was looked at.
        verdict: what was found.
        text: what exactly, or why it was not checked.
    """

    piece: str
    verdict: Verdict
    text: str = ""

    def line(self) -> str:
        """Return the finding for a person."""
        because = ", because " if self.verdict == NOT_CHECKED else ": "
        return f"{self.verdict:11} {self.piece}{because + self.text if self.text else ''}"


def gathered(piece: str, problems: Sequence[str], fine: str) -> list[Finding]:
    """Return a finding for each problem of a piece, or one that it matches."""
    if not problems:
        return [Finding(piece, MATCHES, fine)]
    shown = [Finding(piece, DIFFERS, text) for text in problems[:_MOST_NAMED]]
    more = len(problems) - len(shown)
    return [*shown, *([Finding(piece, DIFFERS, f"and {more} more")] if more else [])]


def is_true(findings: Iterable[Finding]) -> bool:
    """Return whether nothing differs."""
    return all(finding.verdict != DIFFERS for finding in findings)


def counted(findings: Sequence[Finding]) -> str:
    """Return how many of each verdict there are."""
    verdicts = (MATCHES, DIFFERS, NOT_CHECKED)
    return ", ".join(f"{sum(each.verdict == verdict for each in findings)} {verdict}" for verdict in verdicts)
