"""Which elements in the queue will do their work, which wait for what never comes, and what those should wait for.

Slurm never looks again at a dependency that failed: ``DependencyNeverSatisfied`` stays, also when the parent is
requeued or submitted anew and succeeds. Telling the child what to wait for instead keeps its place in the queue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tabgraphsyn.orchestration.planning.plan import Plan
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Key, Ref, Request, split_lanes
from tabgraphsyn.orchestration.slurm.identity import user_name
from tabgraphsyn.orchestration.slurm.lookup import BEHIND_OTHERS, PENDING
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob

MOST_UPDATES = 50
"""More changes of dependencies than that are more calls than cancelling and submitting anew."""


@dataclass(frozen=True)
class QueuedStage:
    """A stage that an element in the queue is to make."""

    ref: Ref
    job: QueuedJob


@dataclass
class Standing:
    """What the queue is good for.

    Attributes:
        alive: stages that the queue will make, those of ``rearmed`` elements among them.
        rearmed: elements that must be told what to wait for, with their stages.
        stuck: elements that can only be cancelled.
    """

    alive: dict[str, QueuedStage] = field(default_factory=dict)
    rearmed: dict[str, list[str]] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)


def standing_of(
    plan: Plan,
    done: set[str],
    queued: Mapping[str, QueuedStage],
    *,
    can_update: bool,
    replaced: Collection[str] = (),
) -> Standing:
    """Return which queued stages will be made as they are, which after a change, and which never.

    Args:
        plan: stages, inputs first; a repair plans what is missing only.
        done: ids of done stages.
        queued: what the queue is to make, inputs first.
        can_update: dependencies can be changed from here.
        replaced: elements that wait for what their partition never gives, and for which something else is asked now.
    """
    together: dict[str, list[str]] = defaultdict(list)
    for stage_id, found in queued.items():
        together[found.job.id].append(stage_id)
    standing = Standing()
    lost: dict[str, bool] = {}  # element -> whether it is ours to cancel
    for stage_id, found in queued.items():
        job = found.job
        inputs = set(plan.stages[stage_id].inputs.values()).intersection(plan.stages) - set(together[job.id])
        is_waiting = job.state == PENDING and job.reason != BEHIND_OTHERS
        comes = all(each in done or each in standing.alive for each in inputs)
        if job.id in replaced:
            lost[job.id] = is_ours(job)
        elif job.is_stuck or (is_waiting and not comes):
            if can_update and is_ours(job):
                standing.rearmed[job.id] = together[job.id]
            else:
                lost[job.id] = is_ours(job)
        if job.id not in lost:
            standing.alive[stage_id] = found
    standing.alive = {stage_id: found for stage_id, found in standing.alive.items() if found.job.id not in lost}
    standing.rearmed = {job: stages for job, stages in standing.rearmed.items() if job not in lost}
    # Another user's element cannot be cancelled from here; it stays where it is and never starts.
    standing.stuck = [job for job, ours in lost.items() if ours]
    return standing


def is_ours(job: QueuedJob) -> bool:
    """Return True if this user may change or cancel a job."""
    return user_name() in (job.user, "root")


@dataclass(frozen=True)
class Update:
    """What a pending element, or all elements of an array, are told to wait for.

    Attributes:
        job: id that scontrol takes.
        waits: the dependency, as of an array that would be submitted.
        sizes: elements of each array of this submission.
    """

    job: str
    waits: JobArray
    sizes: Mapping[Key, int]

    def dependency(self, job_ids: Mapping[Key, str]) -> str | None:
        """Return the expression; None where all that it reads is done."""
        return self.waits.dependency(job_ids, self.sizes)


def updates_of(plan: Plan, done: set[str], standing: Standing, arrays: Sequence[JobArray]) -> list[Update]:
    """Return the changes of dependencies, one for a whole array where all of its elements change alike."""
    where = {stage_id: each.ref for stage_id, each in standing.alive.items()}
    for array in arrays:
        for index, unit in array.elements.items():
            ref = Ref(array.number, index if array.is_array and not array.is_lane else None, array.is_lane)
            where.update(dict.fromkeys(unit.stages, ref))
    sizes: dict[Key, int] = {array.number: len(array.elements) for array in arrays}
    needs = {job: _needs(plan, done, stages, where) for job, stages in standing.rearmed.items()}
    elements: dict[Key, dict[str, int | None]] = defaultdict(dict)
    for found in standing.alive.values():
        elements[found.ref.key][found.job.id] = found.ref.index
    updates: list[Update] = []
    for key, members in elements.items():
        changed = {job: index for job, index in members.items() if job in needs}
        alike = {_shape(needs[job], index) for job, index in changed.items()}
        if len(changed) > 1 and len(changed) == len(members) and len(alike) == 1:
            corresponding, common, ends = alike.pop()
            waits = _waits(len(members), corresponding, common, ends)
            updates.append(Update(str(key), waits, sizes))
        else:
            for job in changed:
                common, ends = split_lanes(needs[job])
                updates.append(Update(job, _waits(1, frozenset(), common, ends), sizes))
    return updates


def _needs(plan: Plan, done: set[str], stages: Sequence[str], where: Mapping[str, Ref]) -> frozenset[Ref]:
    """Return the elements that make what some stages read, as far as it is not done."""
    inputs = {each for stage_id in stages for each in plan.stages[stage_id].inputs.values()} - set(stages) - done
    return frozenset(where[each] for each in inputs if each in where)


def _shape(needs: frozenset[Ref], index: int | None) -> tuple[frozenset[Key], frozenset[Ref], frozenset[Key]]:
    """Return the needs of an element told apart: same index, other elements, ends of lanes."""
    refs, ends = split_lanes(needs)
    corresponding = frozenset(ref.key for ref in refs if ref.index is not None and ref.index == index)
    return corresponding, frozenset(ref for ref in refs if ref.index is None or ref.index != index), ends


def _waits(count: int, corresponding: frozenset[Key], common: frozenset[Ref], ends: frozenset[Key]) -> JobArray:
    elements: dict[int, object] = dict.fromkeys(range(count))
    return JobArray(-1, "", Request(1, 1.0, 1), elements, corresponding, common, ends)  # type: ignore[arg-type]
