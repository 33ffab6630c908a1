"""Whether copying was found, table by table, in words: the gate's block of ``metrics.json`` as the report says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["good", "warn", "bad"]

_SEVERITY: Mapping[str, Severity] = {"pass": "good", "warn": "warn", "fail": "bad", "not judged": "warn"}
_WORD: Mapping[str, str] = {
    "pass": "no copies found",
    "warn": "look closer",
    "fail": "copies found",
    "not judged": "not judged",
}
_OLD: Mapping[str, Any] = {"verdict": "not judged", "text": "these scores are older than the gate; evaluate again"}


@dataclass(frozen=True)
class Sign:
    """One sign of copying in one place."""

    table: str
    severity: Severity
    text: str


@dataclass(frozen=True)
class Copying:
    """What the gate says.

    Attributes:
        severity: ``bad`` where the gate fails, ``warn`` where it warns, or none could be judged.
        word: the severity in a word or two.
        signs: every check that does not pass, worst first.
        judged: tables that could be judged.
        unjudged: place -> why it could not.
        tables: number of tables, judged or not.
        weak: table -> how much copying could have gone unnoticed.
        note: why nothing was judged, or how the gate judges.
    """

    severity: Severity
    word: str
    signs: tuple[Sign, ...]
    judged: tuple[str, ...]
    unjudged: Mapping[str, str]
    tables: int
    weak: Mapping[str, str]
    note: str


def copying(metrics: Mapping[str, Any]) -> Copying:
    """Return what the gate found; scores from before there was one are not judged."""
    gate: Mapping[str, Any] = metrics.get("gate") or _OLD
    checks = gate.get("checks", ())
    judged = tuple(dict.fromkeys(check["table"] for check in checks))
    return Copying(
        severity=_SEVERITY[gate["verdict"]],
        word=_WORD[gate["verdict"]],
        signs=tuple(
            Sign(check["where"], _SEVERITY[check["verdict"]], check["text"])
            for check in checks
            if check["verdict"] != "pass"
        ),
        judged=judged,
        unjudged=gate.get("not_judged", {}),
        tables=max(len(metrics.get("rows", ())), len(judged)),
        weak=gate.get("weak", {}),
        note=_note(gate, len(checks)),
    )


def _note(gate: Mapping[str, Any], checks: int) -> str:
    if not checks:
        return str(gate["text"])
    single, all_together = f"{gate['warn_confidence']:.1%}", f"{gate['confidence']:.1%}"
    return (
        f"{checks} checks. A failure is no chance with {all_together} confidence over all of them together, a warning "
        f"with {single} each; both ask for more than a limit, so that what is certain but slight does not count."
    )
