"""Which stages of a plan may start now: a pure account of what is done, running and out of reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from tabgraphsyn.orchestration.planning.plan import Plan, Stage


class Progress(StrEnum):
    """How far a stage is in this run."""

    WAITING = "waiting"
    RUNNING = "running"
    ELSEWHERE = "joined"
    CACHED = "cached"
    DONE = "done"
    FAILED = "failed"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"


FINISHED = frozenset({Progress.CACHED, Progress.DONE})
SETTLED = FINISHED | {Progress.FAILED, Progress.BLOCKED, Progress.INTERRUPTED}


class Frontier:
    """Progress of every stage of a plan."""

    def __init__(self, plan: Plan, cached: Iterable[str] = ()) -> None:
        self.plan = plan
        self.progress = dict.fromkeys(plan.stages, Progress.WAITING)
        self._readers: dict[str, list[str]] = {stage_id: [] for stage_id in plan.stages}
        self._open_inputs = {stage.id: set(stage.inputs.values()) for stage in plan.stages.values()}
        for stage in plan.stages.values():
            for needed in set(stage.inputs.values()):
                self._readers[needed].append(stage.id)
        for stage_id in cached:
            self.finish(stage_id, Progress.CACHED)

    def ready(self) -> Iterator[Stage]:
        """Yield the waiting stages whose inputs are all done, in the order of the plan."""
        for stage_id, progress in self.progress.items():
            if progress is Progress.WAITING and not self._open_inputs[stage_id]:
                yield self.plan.stages[stage_id]

    def finish(self, stage_id: str, how: Progress = Progress.DONE) -> None:
        """Record that a stage's results stand."""
        self.progress[stage_id] = how
        for reader in self._readers[stage_id]:
            self._open_inputs[reader].discard(stage_id)

    def fail(self, stage_id: str, how: Progress = Progress.FAILED) -> list[str]:
        """Record that a stage's results will not come; return what is out of reach because of that."""
        self.progress[stage_id] = how
        blocked = []
        pending = list(self._readers[stage_id])
        while pending:
            reader = pending.pop()
            if self.progress[reader] is Progress.WAITING:
                self.progress[reader] = Progress.BLOCKED
                blocked.append(reader)
                pending += self._readers[reader]
        return blocked

    def is_settled(self) -> bool:
        """Return True when nothing can change any more."""
        return all(progress in SETTLED for progress in self.progress.values())

    def count(self, *kinds: Progress) -> int:
        """Return how many stages are at one of ``kinds``."""
        return sum(progress in kinds for progress in self.progress.values())

    def ids(self, *kinds: Progress) -> list[str]:
        """Return the stages at one of ``kinds``."""
        return [stage_id for stage_id, progress in self.progress.items() if progress in kinds]
