"""A campaign's status as lines that fit a screen: stages by kind, filters, and what tells rows apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from tabgraphsyn.errors import ConfigError, listing, nearest
from tabgraphsyn.orchestration.reading.status import STATES, CampaignStatus, PointStatus, StageStatus
from tabgraphsyn.orchestration.reading.wording import duration

FEW = 40
"""Stages that are shown one by one without being asked for."""

_NOTEWORTHY = ("failed", "stuck", "unknown", "ended", "cancelled", "stopped", "held back", "running")
_ALIKE_SHOWN = 12
_WIDTHS = 60
_ERROR_LINES = 20


@dataclass(frozen=True)
class Filter:
    """Which stages are asked for; an empty part lets all through.

    Attributes:
        states: words of ``STATES``.
        stages: kinds, labels or the beginning of a signature.
        points: names of points, patterns of them (``*seed=1*``), or overrides (``seed=1``).
    """

    states: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    points: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.states or self.stages or self.points)

    def check(self, found: Sequence[CampaignStatus]) -> None:
        """Refuse what no campaign has.

        Raises:
            ConfigError: such a state, stage or point does not exist.
        """
        for state in self.states:
            if state not in STATES:
                raise _no_such("state", state, list(STATES))
        stages = {stage.id: stage for each in found for point in each.points for stage in point.stages}
        for wanted in self.stages:
            if stages and not any(_is_stage(stage, wanted) for stage in stages.values()):
                known = sorted({name for stage in stages.values() for name in (stage.kind, stage.label)})
                raise _no_such("stage", wanted, known)
        points = [point for each in found for point in each.points]
        for wanted in self.points:
            if points and not any(_is_point(point, wanted) for point in points):
                raise _no_such("point", wanted, [point.name for point in points])

    def applied(self, found: CampaignStatus) -> CampaignStatus:
        """Return the status with the stages that are asked for, counted anew; points without any are left out."""
        if not self:
            return found
        points = [
            replace(point, stages=kept)
            for point in found.points
            if not self.points or any(_is_point(point, wanted) for wanted in self.points)
            for kept in [[stage for stage in point.stages if self._wants(stage)]]
            if kept
        ]
        states = {stage.id: stage.state for point in points for stage in point.stages}
        return replace(found, points=points, counts=dict(Counter(states.values())))

    def _wants(self, stage: StageStatus) -> bool:
        return (not self.states or stage.state in self.states) and (
            not self.stages or any(_is_stage(stage, wanted) for wanted in self.stages)
        )


def _no_such(what: str, wanted: str, known: Sequence[str]) -> ConfigError:
    return ConfigError(
        f"--{what}: there is no {what} {wanted!r}.{nearest(wanted, known)} There are {listing(known, 20)}."
    )


def _is_stage(stage: StageStatus, wanted: str) -> bool:
    return wanted in (stage.kind, stage.label, stage.id) or stage.id.partition("/")[2].startswith(wanted)


def _is_point(point: PointStatus, wanted: str) -> bool:
    return wanted == point.name or wanted in point.overrides or fnmatchcase(point.name, wanted)


def lines(found: CampaignStatus, *, one_by_one: bool, most: int) -> Iterator[str]:
    """Yield the stages of a campaign: all of them, or counts by kind and what needs a look.

    Args:
        found: the status, filtered.
        one_by_one: show stages, however many there are.
        most: rows that are shown at most.
    """
    rows = _Rows(found)
    if one_by_one or len(rows.stages) <= FEW:
        yield from rows.table(list(rows.stages), most)
        return
    yield from by_kind(rows.stages.values())
    noteworthy = [stage_id for word in _NOTEWORTHY for stage_id, stage in rows.stages.items() if stage.state == word]
    if noteworthy:
        yield ""
        yield from rows.table(noteworthy, _ALIKE_SHOWN)


def by_kind(stages: Iterable[StageStatus]) -> Iterator[str]:
    """Yield a line for each kind of stage: how many there are in each state."""
    counts: dict[str, Counter[str]] = {}
    for stage in stages:
        counts.setdefault(stage.kind, Counter())[stage.state] += 1
    words = [word for word in STATES if any(word in each for each in counts.values())]
    heads = ["stage", "all", *words]
    body = [[kind, str(each.total()), *(str(each[word] or "") for word in words)] for kind, each in counts.items()]
    widths = [max(len(row[number]) for row in [heads, *body]) for number in range(len(heads))]
    for row in [heads, *body]:
        yield (
            "  "
            + "  ".join(
                text.ljust(width) if number == 0 else text.rjust(width)
                for number, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
        )


class _Rows:
    """Stages of a campaign, each once, with the points that share it."""

    def __init__(self, found: CampaignStatus) -> None:
        self.stages: dict[str, StageStatus] = {}
        self._points: dict[str, list[PointStatus]] = {}
        for point in found.points:
            for stage in point.stages:
                self.stages.setdefault(stage.id, stage)
                self._points.setdefault(stage.id, []).append(point)
        self._count = len(found.points)
        self._common = _shared(found.points)

    def table(self, stage_ids: Sequence[str], most: int) -> Iterator[str]:
        """Yield aligned rows, and how many more there would be."""
        heads = ["point", "stage", "state", "attempt", "since", "progress and reason"]
        shown = stage_ids[:most]
        body = [self._row(stage_id) for stage_id in shown]
        widths = [min(_WIDTHS, max(len(row[number]) for row in [heads, *body])) for number in range(len(heads) - 1)]
        for row, stage_id in zip([heads, *body], ["", *shown], strict=True):
            fixed = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=False))
            yield f"  {fixed}  {row[-1]}".rstrip()
            yield from self._more(stage_id)
        rest = len(stage_ids) - most
        if rest > 0:
            yield f"  ... and {rest} more; --state, --stage and --point choose, --all shows every one"

    def _row(self, stage_id: str) -> list[str]:
        stage = self.stages[stage_id]
        age = "" if stage.age_s is None else duration(stage.age_s)
        words = " ".join(text for text in (stage.progress, stage.reason.partition("\n")[0]) if text)
        return [
            printable(self._where(stage_id)),
            stage.label,
            stage.state,
            str(stage.attempt or ""),
            age,
            printable(words),
        ]

    def _more(self, stage_id: str) -> Iterator[str]:
        """Yield the further lines of an error: a list of mistakes reads as on the terminal of a launch."""
        rest = self.stages[stage_id].reason.splitlines()[1:] if stage_id else []
        for line in rest[:_ERROR_LINES]:
            yield f"      {printable(line)}"
        if len(rest) > _ERROR_LINES:
            yield f"      ... and {len(rest) - _ERROR_LINES} more lines; tabgraphsyn logs {self.stages[stage_id].label}"

    def _where(self, stage_id: str) -> str:
        """Return the point of a stage; of one that several share, what they have in common and others do not."""
        points = self._points[stage_id]
        if len(points) == 1:
            return points[0].name
        if len(points) == self._count:
            return f"all {len(points)} points"
        own = [text for text in _shared(points) if text not in self._common]
        return f"{len(points)} points" + (f": {','.join(own)}" if own else "")


def _shared(points: Sequence[PointStatus]) -> list[str]:
    """Return the overrides that all of some points have, in the order of the first."""
    if not points:
        return []
    rest = set(points[0].overrides).intersection(*(point.overrides for point in points[1:]))
    return [text for text in points[0].overrides if text in rest]


_CONTROLS: Mapping[int, str] = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def printable(text: str) -> str:
    """Return text whose control characters are written out: a terminal must not obey the error of a stage.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return " ".join(text.split()).translate(dict(_CONTROLS))
