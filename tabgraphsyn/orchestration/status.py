"""What became of a campaign, read from its files: every point, every stage, why it waits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.attempt_log import log_path
from tabgraphsyn.orchestration.campaign.campaigns import Campaign, PointRecord
from tabgraphsyn.orchestration.campaign.verdicts import read_verdict
from tabgraphsyn.orchestration.lease import Attempt
from tabgraphsyn.orchestration.local.view import measured
from tabgraphsyn.orchestration.running import read_runner
from tabgraphsyn.orchestration.store import State, Store


@dataclass(frozen=True)
class StageStatus:
    """One stage of one sweep point.

    Attributes:
        label: ``kind`` or ``kind/table``.
        id: ``kind/signature``.
        state: ``done``, ``running``, ``failed``, ``stopped``, ``waiting``, ``blocked`` or ``not started``.
        attempt: number of the last attempt, 0 before the first.
        where: host and process or job of the last attempt.
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


@dataclass(frozen=True)
class PointStatus:
    """One sweep point; ``gate`` is the privacy gate's verdict and why, empty before the evaluation."""

    name: str
    folder: str
    stages: list[StageStatus]
    gate: str = ""


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


def campaign_status(campaign: Campaign) -> CampaignStatus:
    """Return what the campaign's files say now; shared stages are read once and counted once."""
    runner = _runner(campaign.folder)
    known: dict[str, tuple[State, Attempt | None, str]] = {
        stage_id: _read(campaign.store, stage_id) for stage_id in campaign.stage_ids()
    }
    points = [
        PointStatus(
            name,
            str(campaign.folder / name),
            _stages(record, known, campaign.store, runner),
            _gate(campaign.folder / name),
        )
        for name, record in campaign.points.items()
    ]
    states = {stage.id: stage.state for point in points for stage in point.stages}
    return CampaignStatus(campaign.name, str(campaign.folder), runner, dict(Counter(states.values())), points)


def _read(store: Store, stage_id: str) -> tuple[State, Attempt | None, str]:
    try:
        state, attempt = store.state_and_attempt(stage_id)
    except StageError as error:
        return State.FAILED, None, str(error)
    return state, attempt, (attempt.error or "") if attempt else ""


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
    record: PointRecord, known: Mapping[str, tuple[State, Attempt | None, str]], store: Store, runner: str
) -> list[StageStatus]:
    found: dict[str, StageStatus] = {}
    for label, stage_id in record.stages.items():
        state, attempt, error = known[stage_id]
        word, reason = _words(state, attempt, error, [found[role] for role in record.inputs.get(label, ())], runner)
        folder = store.folder(stage_id)
        found[label] = StageStatus(
            label=label,
            id=stage_id,
            state=word,
            attempt=attempt.number if attempt else 0,
            where=_where(attempt),
            age_s=_age_s(attempt),
            progress=measured(folder) if word in ("running", "stopped") else "",
            reason=reason,
            log=str(log_path(folder, attempt.number)) if attempt else None,
        )
    return list(found.values())


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


def _age_s(attempt: Attempt | None) -> float | None:
    if attempt is None:
        return None
    return round(time.time() - (attempt.ended or attempt.started), 1)
