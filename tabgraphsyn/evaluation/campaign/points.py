"""The results of the sweep points of a campaign, as they lie in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tabgraphsyn.data.files import read_json
from tabgraphsyn.errors import StageError
from tabgraphsyn.evaluation.report.scores import ScoreBook

METRICS = "metrics.json"
CONFIG = "config.yaml"
REPORT = "report.html"
SCHEMA = Path("bundle") / "schema.json"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LEVELS = ("database", "table", "relation")


@dataclass(frozen=True)
class GateVerdict:
    """What the privacy gate says.

    Attributes:
        verdict: ``pass``, ``published by choice``, ``not judged``, ``warn`` or ``fail``.
        text: the finding in words.
    """

    verdict: str
    text: str


@dataclass(frozen=True)
class PointResult:
    """One sweep point that was scored.

    Attributes:
        name: its folder's.
        overrides: what it was composed from.
        config: its whole composed config.
        gate: of its privacy scores.
        book: its scores of databases, tables and relations.
        rows: per table the rows of each part.
        versions: of the packages that values depend on.
        schema: json form of its database's schema, or None where it published no bundle.
        has_report: its own report stands beside its scores.
    """

    name: str
    overrides: tuple[str, ...]
    config: Mapping[str, Any]
    gate: GateVerdict
    book: ScoreBook
    rows: Mapping[str, Mapping[str, int]]
    versions: Mapping[str, str]
    schema: Mapping[str, Any] | None
    has_report: bool

    @property
    def seed(self) -> str:
        """The seed as text; points of one model are told apart by it."""
        return str(self.config.get("seed", ""))


def read_points(folder: Path, overrides: Mapping[str, Sequence[str]]) -> tuple[list[PointResult], list[str]]:
    """Return the points that were scored, and the names of those that were not (yet).

    Args:
        folder: of the campaign.
        overrides: of every point, by name.

    Raises:
        StageError: a file that cannot be read.
    """
    found, missing = [], []
    for name, given in overrides.items():
        if (folder / name / METRICS).is_file():
            found.append(_point(folder / name, name, given))
        else:
            missing.append(name)
    return found, missing


def _point(folder: Path, name: str, overrides: Sequence[str]) -> PointResult:
    try:
        metrics = read_json(folder / METRICS)
        config = yaml.load((folder / CONFIG).read_text(encoding="utf-8"), Loader=_LOADER)  # a safe loader, in C  # nosec B506
        scores = [score for score in metrics["scores"] if score["level"] in _LEVELS]
        book = ScoreBook.from_metrics({**metrics, "scores": scores})
        schema = read_json(folder / SCHEMA) if (folder / SCHEMA).is_file() else None
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise StageError(
            f"{folder}: the results of a sweep point cannot be read ({type(error).__name__}: {error}). "
            "Launch again to have them written anew."
        ) from error
    return PointResult(
        name=name,
        overrides=tuple(overrides),
        config=config,
        gate=_gate(metrics.get("gate")),
        book=book,
        rows=metrics.get("rows", {}),
        versions=metrics.get("versions", {}),
        schema=schema,
        has_report=(folder / REPORT).is_file(),
    )


def _gate(block: Mapping[str, Any] | None) -> GateVerdict:
    """Return the verdict that the evaluation wrote."""
    if block is None:
        return GateVerdict("not judged", "these scores were made without a privacy gate")
    return GateVerdict(str(block["verdict"]), str(block["text"]))
