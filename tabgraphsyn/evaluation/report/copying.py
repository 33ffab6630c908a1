"""Whether copying was found, table by table, in words: the gate's block of ``metrics.json`` as the report says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["good", "warn", "bad"]

_SEVERITY: Mapping[str, Severity] = {
    "pass": "good",
    "published by choice": "warn",
    "not judged": "warn",
    "warn": "warn",
    "fail": "bad",
}
_WORD: Mapping[str, str] = {
    "pass": "no copies found",
    "warn": "look closer",
    "fail": "copies found",
    "not judged": "not judged",
    "published by choice": "published by choice",
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
        judged: tables that were judged.
        published: table whose real rows are kept on purpose -> who says so.
        skipped: table that could not be judged -> why.
        unjudged: place (a key among them) -> why it could not be judged.
        tables: number of tables, judged or not.
        weak: table -> how much copying could have gone unnoticed.
        note: why nothing was judged, or how the gate judges.
    """

    severity: Severity
    word: str
    signs: tuple[Sign, ...]
    judged: tuple[str, ...]
    published: Mapping[str, str]
    skipped: Mapping[str, str]
    unjudged: Mapping[str, str]
    tables: int
    weak: Mapping[str, str]
    note: str


def copying(metrics: Mapping[str, Any]) -> Copying:
    """Return what the gate found; scores from before there was one are not judged."""
    gate: Mapping[str, Any] = metrics.get("gate") or _OLD
    checks = gate.get("checks", ())
    tables: Mapping[str, Mapping[str, str]] = gate.get("tables") or {
        check["table"]: {"verdict": check["verdict"], "why": ""} for check in checks
    }
    why = {
        word: {name: one["why"] for name, one in tables.items() if one["verdict"] == word}
        for word in ("published by choice", "not judged")
    }
    judged = tuple(name for name in tables if not any(name in found for found in why.values()))
    return Copying(
        severity=_SEVERITY[gate["verdict"]],
        word=_WORD[gate["verdict"]],
        signs=tuple(
            Sign(check["where"], _SEVERITY[check["verdict"]], check["text"])
            for check in checks
            if check["verdict"] != "pass"
        ),
        judged=judged,
        published=why["published by choice"],
        skipped=why["not judged"],
        unjudged={place: text for place, text in gate.get("not_judged", {}).items() if place not in tables},
        tables=max(len(metrics.get("rows", ())), len(tables)),
        weak={name: text for name, text in gate.get("weak", {}).items() if why["not judged"].get(name) != text},
        note=_note(gate, len(checks) if judged else 0),
    )


def _note(gate: Mapping[str, Any], checks: int) -> str:
    if not checks:
        return str(gate["text"])
    single, all_together = f"{100 * gate['warn_confidence']:g} %", f"{100 * gate['confidence']:g} %"
    return (
        f"{checks} checks. A failure is no chance with {all_together} confidence over all of them together, a warning "
        f"with {single} each; both ask for more than a limit, so that what is certain but slight does not count."
    )
