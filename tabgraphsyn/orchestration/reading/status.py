"""What became of a campaign, read from its files: every point, every stage, why it waits.

A store is asked folder by folder what stands in it: a stage that has none is missing, one with a ``done.json`` is done
(``verify`` and the next launch look inside), and only of the others attempts are read. So a campaign of ten thousand
points is answered in seconds.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.campaign.campaigns import Campaign, PointRecord
from tabgraphsyn.orchestration.campaign.running import read_runner
from tabgraphsyn.orchestration.campaign.showing import names_in
from tabgraphsyn.orchestration.campaign.verdicts import read_verdict
from tabgraphsyn.orchestration.computing.attempt_log import LOGS, log_path
from tabgraphsyn.orchestration.reading.wording import measured
from tabgraphsyn.orchestration.stored.lease import ATTEMPTS, Attempt
from tabgraphsyn.orchestration.stored.packed import last_packed
from tabgraphsyn.orchestration.stored.store import DONE, State, Store

_MANY = 5_000
"""Stages above which nobody looks up how many attempts a done one took."""

STATES: Mapping[str, str] = {
    "done": "its results stand",
    "running": "a process computes it",
    "starting": "its job starts or ends",
    "waiting": "for its inputs, for a worker or for Slurm; the reason says which",
    "held back": "a limit on queued jobs keeps it out of the queue, or its launch stopped before it",
    "elsewhere": "its job is on another cluster",
    "stuck": "what its job depends on failed, so it can never start as it is",
    "cancelled": "its job was cancelled",
    "ended": "its job ended without results, and accounting says how",
    "unknown": "its job left the queue and nothing says how, or Slurm cannot be asked",
    "not started": "nobody runs this campaign",
    "stopped": "it saved and stopped, or died; it can go on",
    "failed": "an error, or it was given up",
    "blocked": "an input failed",
}
"""Every word that ``status`` has for a stage, in the order in which they are counted."""


@dataclass(frozen=True)
class StageStatus:
    """One stage of one sweep point.

    Attributes:
        label: ``kind`` or ``kind/table``.
        id: ``kind/signature``.
        state: a word of ``STATES``.
        attempt: number of the last attempt, 0 before the first, and of done stages of very large campaigns.
        where: host and process or job of the last attempt; None once it is done.
        age_s: seconds since the last attempt began (running) or ended.
        progress: last step, rate and loss in words.
        reason: why it waits, or how it ended, in words.
        log: file of the last attempt.
    """

    label: str
    id: str
    state: str
    attempt: int = 0
    where: str | None = None
    age_s: float | None = None
    progress: str = ""
    reason: str = ""
    log: str | None = None

    @property
    def kind(self) -> str:
        """Kind of the stage."""
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class PointStatus:
    """One sweep point.

    Attributes:
        name: of its folder.
        folder: where its results stand.
        stages: inputs first.
        gate: the privacy gate's verdict and why, empty before the evaluation.
        overrides: what it was composed from.
    """

    name: str
    folder: str
    stages: list[StageStatus]
    gate: str = ""
    overrides: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CampaignStatus:
    """One campaign; ``runner`` is ``alive``, ``slurm``, ``ended``, ``died``, ``unknown`` or ``none``."""

    name: str
    folder: str
    runner: str
    counts: dict[str, int]
    points: list[PointStatus]

    @property
    def is_settled(self) -> bool:
        """True when nothing runs and nobody will start anything."""
        return self.runner not in ("alive", "slurm") and not self.counts.get("running")


@dataclass(frozen=True)
class _Seen:
    """What a stage's folder says; ``ended`` and ``number`` of a done stage come without reading its attempts.

    The log of a done stage whose records are packed is no file.
    """

    state: State
    attempt: Attempt | None = None
    error: str = ""
    number: int = 0
    ended: float | None = None
    is_packed: bool = False


def campaign_status(campaign: Campaign) -> CampaignStatus:
    """Return what the campaign's files say now; shared stages are read once and counted once."""
    runner = _runner(campaign.folder)
    store = campaign.store
    known = _seen(store, campaign.stage_ids())
    stages: dict[str, StageStatus] = {}
    points = []
    now = time.time()
    standing = names_in(str(campaign.folder))
    for name, record in campaign.points.items():
        own = _stages(record, known, stages, store, runner, now)
        folder = f"{campaign.folder}/{name}"
        gate = _gate(Path(folder)) if name in standing else ""
        points.append(PointStatus(name, folder, own, gate, record.overrides))
    counts = Counter(stage.state for stage in stages.values())
    return CampaignStatus(campaign.name, str(campaign.folder), runner, dict(counts), points)


def _seen(store: Store, stage_ids: Sequence[str]) -> dict[str, _Seen]:
    """Return what the store's folders say of some stages."""
    standing: dict[str, frozenset[str]] = {}
    root = str(store.root)
    found: dict[str, _Seen] = {}
    nothing = _Seen(State.MISSING)
    with_numbers = len(stage_ids) <= _MANY
    for stage_id in stage_ids:
        kind, _, signature = stage_id.partition("/")
        if kind not in standing:
            standing[kind] = store.standing(kind)
        is_there = signature in standing[kind]
        folder = f"{root}/{stage_id}"
        found[stage_id] = _read(store, stage_id, folder, with_number=with_numbers) if is_there else nothing
    return found


def _read(store: Store, stage_id: str, folder: str, *, with_number: bool) -> _Seen:
    try:
        ended = os.stat(f"{folder}/{DONE}").st_mtime  # noqa: PTH116 - a path object costs twice the call itself
    except OSError:
        return _unfinished(store, stage_id)
    if not with_number:
        return _Seen(State.DONE, ended=ended)
    numbers = [int(name[:-5]) for name in names_in(f"{folder}/{ATTEMPTS}") if name[:-5].isdigit()]
    if not numbers:
        return _Seen(State.DONE, number=last_packed(folder), ended=ended, is_packed=True)
    return _Seen(State.DONE, number=max(numbers), ended=ended)


def _unfinished(store: Store, stage_id: str) -> _Seen:
    try:
        state, attempt = store.state_and_attempt(stage_id)
    except StageError as error:
        return _Seen(State.FAILED, error=str(error))
    if attempt is None:
        return _Seen(state)
    return _Seen(state, attempt, attempt.error or "", attempt.number, attempt.ended or attempt.started)


def _gate(folder: Path) -> str:
    found = read_verdict(folder)
    return f"{found.verdict}: {found.text}" if found is not None else ""


def _runner(folder: Path) -> str:
    try:
        record = read_runner(folder)
    except StageError:
        return "unknown"
    if record is None:
        return "none"
    if record.ended is not None:
        return "ended"
    return {True: "alive", False: "died", None: "unknown"}[record.is_alive()]


def _stages(
    record: PointRecord,
    known: Mapping[str, _Seen],
    stages: dict[str, StageStatus],
    store: Store,
    runner: str,
    now: float,
) -> list[StageStatus]:
    """Return the stages of a point; those that an earlier point shares are in ``stages``, where new ones go too."""
    found: dict[str, StageStatus] = {}
    for label, stage_id in record.stages.items():
        if stage_id not in stages:
            inputs = [found[role] for role in record.inputs.get(label, ())]
            stages[stage_id] = _stage(label, stage_id, known[stage_id], inputs, store, runner, now)
        found[label] = stages[stage_id]
    return list(found.values())


def _stage(
    label: str, stage_id: str, seen: _Seen, inputs: list[StageStatus], store: Store, runner: str, now: float
) -> StageStatus:
    word, reason = _words(seen.state, seen.attempt, seen.error, inputs, runner)
    if seen.number == 0:
        age_s = round(now - seen.ended, 1) if seen.ended is not None else None
        return StageStatus(label, stage_id, word, age_s=age_s, reason=reason)
    folder = store.root / stage_id if word in ("running", "stopped") else None
    return StageStatus(
        label=label,
        id=stage_id,
        state=word,
        attempt=seen.number,
        where=_where(seen.attempt),
        age_s=round(now - seen.ended, 1) if seen.ended is not None else None,
        progress=measured(folder) if folder is not None else "",
        reason=reason,
        log="" if seen.is_packed else f"{store.root}/{stage_id}/{LOGS}/{log_path(Path(), seen.number).name}",
    )


def _words(
    state: State, attempt: Attempt | None, error: str, inputs: list[StageStatus], runner: str
) -> tuple[str, str]:
    """Return state and reason as a person would say them."""
    if state in (State.DONE, State.RUNNING):
        return state.value, ""
    if state is State.FAILED:
        return "failed", error
    if state is State.RESUMABLE:
        died = attempt is not None and attempt.outcome is None
        how = "its process died without a word" if died else error or "asked to stop"
        return "stopped", f"{how}; the same launch resumes it"
    broken = [stage.label for stage in inputs if stage.state in ("failed", "blocked")]
    if broken:
        return "blocked", f"input {', '.join(broken[:5])} failed"
    pending = [stage.label for stage in inputs if stage.state != "done"]
    if runner not in ("alive", "unknown"):
        return "not started", "nobody runs this campaign; launch it again"
    if pending:
        return "waiting", f"for {', '.join(pending[:5])}" + (" ..." if len(pending) > 5 else "")
    return "waiting", "for a free worker"


def _where(attempt: Attempt | None) -> str | None:
    if attempt is None:
        return None
    owner = attempt.owner
    return f"{owner.host} job {owner.job}" if owner.job else f"{owner.host} process {owner.pid}"
