"""The privacy gate's verdict of every sweep point, from the small ``gate.json`` that an evaluation publishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabgraphsyn.data.untrusted import plain_json
from tabgraphsyn.errors import EXIT_DONE, EXIT_STAGE

GATE = "gate.json"
SHOWN = 10


@dataclass(frozen=True)
class PointVerdict:
    """What the gate says of one sweep point.

    Attributes:
        point: its name.
        verdict: ``pass``, ``published by choice``, ``not judged``, ``warn`` or ``fail``.
        text: why, in words.
        weak: tables in which much copying could go unnoticed, because they are tiny or nothing was held out.
        action: what its config wants to be done about it: ``warn``, ``fail`` or ``off``.
    """

    point: str
    verdict: str
    text: str
    weak: tuple[str, ...] = ()
    action: str = "warn"


def read_verdict(folder: Path, action: str = "warn") -> PointVerdict | None:
    """Return the verdict that stands in a point's folder, or None where nothing was evaluated."""
    path = folder / GATE
    if not path.is_file():
        return None
    block = plain_json(path)
    return PointVerdict(folder.name, str(block["verdict"]), str(block["text"]), tuple(block["weak"]), action)


def read_verdicts(campaign: Path, configs: Mapping[str, Mapping[str, Any]]) -> list[PointVerdict]:
    """Return the verdicts of the points of a launch whose gate is not ``off``; ``configs`` are theirs, by name."""
    found = [read_verdict(campaign / point, _action(config)) for point, config in configs.items()]
    return [verdict for verdict in found if verdict is not None and verdict.action != "off"]


def _action(config: Mapping[str, Any]) -> str:
    gate = (config.get("evaluation") or {}).get("gate") or {}
    return str(gate.get("action", "off"))


def closing_lines(verdicts: Sequence[PointVerdict]) -> Iterator[str]:
    """Yield what a launch says of the gate: every point alone, or in a sweep a count and the worst of them."""
    if not verdicts:
        return
    order = ("fail", "warn", "not judged", "published by choice", "pass")
    ranked = sorted(verdicts, key=lambda each: order.index(each.verdict) if each.verdict in order else 0)
    if len(verdicts) > 1:
        counts = Counter(each.verdict for each in ranked)
        yield f"privacy gate: {', '.join(f'{counts[word]} {word}' for word in order if counts[word])}"
    loud = [each for each in ranked if each.verdict != "pass"] if len(verdicts) > 1 else ranked
    for each in loud[:SHOWN]:
        where = f" of {each.point}" if len(verdicts) > 1 else ""
        weak = f"; much could go unnoticed in {', '.join(each.weak[:5])}" if each.weak else ""
        word = "FAIL" if each.verdict == "fail" else each.verdict
        yield f"privacy gate{where}: {word}: {each.text}{weak}"
    if len(loud) > SHOWN:
        yield f"privacy gate: {len(loud) - SHOWN} more points; each has its gate.json"


def exit_code(verdicts: Sequence[PointVerdict], code: int) -> int:
    """Return 3 instead of 0 where a point failed whose config says ``evaluation.gate.action=fail``."""
    failed = any(each.verdict == "fail" and each.action == "fail" for each in verdicts)
    return EXIT_STAGE if failed and code == EXIT_DONE else code
