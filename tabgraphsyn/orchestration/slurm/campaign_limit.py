"""``cluster.max_running`` holds over a campaign: one limit, shared out between its arrays. Pure.

Slurm limits what runs of one array (``--array=...%N``), and a campaign has about one for each stage kind. Arrays that
follow each other element by element run side by side like a production line, so shares in proportion to their work
let all of them end together and keep the whole limit in use. What surely has ended before others start takes no share.
Where there are more arrays than may run, they run one after the other, each with the whole limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tabgraphsyn.orchestration.slurm.arrays import JobArray, Key


@dataclass(frozen=True)
class InQueue:
    """An array of the campaign that an earlier launch or repair submitted.

    Attributes:
        left: its elements that are still to run.
        running: how many of them may run at once; 0: all.
    """

    left: int
    running: int

    @property
    def most(self) -> int:
        """Most of its elements that run at once from now on."""
        return min(self.left, self.running or self.left)


def share_out(arrays: Sequence[JobArray], limit: int, queued: Sequence[InQueue] = ()) -> str | None:
    """Set how many elements of each array may run at once, so that no more than ``limit`` of all do.

    Args:
        arrays: of one submission, inputs first; ``running`` is set, and ``after_any`` where they run in a row.
        limit: elements of the campaign that may run at once; 0 for none of ours.
        queued: what else of the campaign is in the queue.

    Returns:
        A line where the limit cannot be held for a while, because too many arrays stand in the queue already.
    """
    if not limit or not arrays:
        return None
    used = sum(each.most for each in queued)
    if used + sum(len(array.elements) for array in arrays) <= limit:
        return None
    if queued:
        # What waits in the queue may wait for these: none of them may be told to wait for another one's end.
        _set(arrays, shares(arrays, max(limit - used, len(arrays))))
        most = used + sum(array.running for array in arrays)
        return (
            None
            if most <= limit
            else (
                f"cluster.max_running={limit}: up to {most} may run at once until what was submitted before has ended, "
                "because every array needs one at least"
            )
        )
    for phase in phases(arrays):
        _share_phase(phase, limit)
    return None


def _share_phase(arrays: Sequence[JobArray], limit: int) -> None:
    if len(arrays) <= limit:
        _set(arrays, shares(arrays, limit))
        return
    for before, array in zip((None, *arrays), arrays, strict=False):
        array.running = min(limit, len(array.elements))
        array.after_any |= frozenset() if before is None else {before.number}


def phases(arrays: Sequence[JobArray]) -> list[list[JobArray]]:
    """Return arrays in groups of which none runs beside another: each waits for the end of all before it anyway."""
    sizes: dict[Key, set[int]] = {array.number: set(array.elements) for array in arrays}
    ended: dict[Key, set[Key]] = {}  # array -> arrays that are over when any element of it starts
    with_it: dict[Key, set[Key]] = {}  # array -> arrays that are over when all of its elements are
    for array in arrays:
        counts = Counter(ref.key for ref in array.common)
        whole = {key for key, count in counts.items() if count == len(sizes.get(key, ()))} | set(array.after_any)
        whole |= {key for key in array.corresponding if len(sizes.get(key, ())) == 1}
        read = whole.union(counts, array.corresponding).intersection(ended)
        ended[array.number] = whole.union(*(ended[key] for key in read), *(with_it.get(key, ()) for key in whole))
        covered = {key for key in array.corresponding if key in sizes and sizes[key] <= set(array.elements)}
        with_it[array.number] = covered.union(ended[array.number], *(with_it.get(key, ()) for key in covered))
    found: list[list[JobArray]] = []
    for at, array in enumerate(arrays):
        before = {each.number for each in arrays[:at]}
        if all(before <= ended[later.number] for later in arrays[at:]):
            found.append([])
        found[-1].append(array)
    return found


def shares(arrays: Sequence[JobArray], limit: int) -> dict[int, int]:
    """Return how many elements of each array run at once: in proportion to its work, one at least, all at most.

    ``limit`` is not less than the number of arrays; what an array has no use for goes to the others.
    """
    work = {array.number: len(array.elements) * array.request.timeout_min for array in arrays}
    sizes = {array.number: len(array.elements) for array in arrays}
    found = dict.fromkeys(work, 1)
    for _ in range(min(limit, sum(sizes.values())) - len(arrays)):
        open_ones = [number for number in found if found[number] < sizes[number]]
        if not open_ones:
            break
        found[min(open_ones, key=lambda number: (found[number] / work[number], number))] += 1
    return found


def _set(arrays: Sequence[JobArray], running: Mapping[int, int]) -> None:
    for array in arrays:
        array.running = running[array.number]
