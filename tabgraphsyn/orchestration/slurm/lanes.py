"""Lanes: where a job cannot requeue itself, what goes on after an interruption is in the queue beforehand. Pure.

A lane is a job array of which one task runs at a time (``--array=0-N%1``). It has one task per element and spare ones.
Each task takes the first element of the lane that is neither done nor given up, so a task that is preempted, killed
with its node or ended by its time limit is followed by one that goes on, whatever Slurm says about it. What depends on
a stage waits for the end of its lane (``afterany``), not for its first task; the check of the inputs at the start of
a stage tells a lane that ended well from one that did not.

Per element instead of per array of links, because the dependency of an array on the interrupted element of another
one cannot be written down: ``afternotok`` waits for all elements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tabgraphsyn.orchestration.slurm.arrays import JobArray, Ref, Unit, inputs_first, split_lanes


def make_lanes(
    units: Sequence[Unit], queued: Mapping[str, Ref], *, max_elements: int, lanes: int, spares: int
) -> list[JobArray]:
    """Return lanes that run ``units``, inputs first.

    Args:
        units: inputs first.
        queued: stages that jobs in the queue will make.
        max_elements: tasks of one array.
        lanes: of one group of equal units, as far as ``max_elements`` allows.
        spares: tasks of a lane beyond one per element.
    """
    groups: dict[tuple[object, ...], list[Unit]] = defaultdict(list)
    for unit in units:
        groups[(unit.name, unit.request)].append(unit)
    where = dict(queued)
    found: list[JobArray] = []
    for group in inputs_first(groups):
        spare = max(1, min(spares, max_elements - 1))
        at_least = -(-len(group) // max(1, max_elements - spare))
        count = max(at_least, min(len(group), lanes))
        # Dealt out in turn: where two groups correspond, a lane waits for one lane of the other.
        for part in (group[start::count] for start in range(count)):
            found.append(_lane(len(found), part, where, spare))
            where.update({stage: Ref(found[-1].number, None, is_lane=True) for unit in part for stage in unit.stages})
    return found


def _lane(number: int, units: Sequence[Unit], where: Mapping[str, Ref], spares: int) -> JobArray:
    read = frozenset(where[stage_id] for unit in units for stage_id in unit.needs)
    # One failed element must not cost the others of the lane: it waits for ends, and the check of inputs decides.
    common, ends = split_lanes(read)
    ends |= {ref.key for ref in common} if len(units) > 1 else set()
    common = common if len(units) == 1 else frozenset()
    return JobArray(
        number=number,
        name=units[0].name,
        request=units[0].request,
        elements=dict(enumerate(units)),
        common=common,
        after_any=ends,
        spares=spares,
    )


def fitting_lanes(
    units: Sequence[Unit], queued: Mapping[str, Ref], room: int, *, max_elements: int, lanes: int, successors: int
) -> tuple[list[JobArray], list[Unit]]:
    """Return lanes of at most ``room`` tasks with as many spares as fit, and the units that do not fit at all.

    Spares are given up before elements, down to one a lane: an element that is held back needs a person.
    """
    kept = len(units)
    while kept:
        for spares in sorted({successors, *(each for each in (5, 3, 2, 1) if each < successors)}, reverse=True):
            found = make_lanes(units[:kept], queued, max_elements=max_elements, lanes=lanes, spares=spares)
            if sum(lane.tasks for lane in found) <= room:
                return found, list(units[kept:])
        kept = min(kept - 1, int(kept * 0.8))
    return [], list(units)
