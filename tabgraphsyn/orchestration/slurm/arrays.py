"""From pending stages to job arrays whose dependencies are exact: pure, no files, no clock.

An array has one dependency expression for all its elements. ``aftercorr`` makes it element-wise, for an equal index;
everything else in it must hold for every element. So stages are numbered like what they read, and split into arrays
such that each element waits for exactly what it reads: a failed element then stops what depends on it and only that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.orchestration.planning.plan import Plan, Stage

Key = int | str
"""An array: its number in this submission, or the job id of one that is in the queue."""


@dataclass(frozen=True)
class Ref:
    """An element of an array; ``index`` is None for a job that is no array.

    ``is_lane``: an array whose tasks take its stages one after the other; only its end means something.
    """

    key: Key
    index: int | None
    is_lane: bool = False


@dataclass(frozen=True)
class Request:
    """What an element asks of the scheduler: ``cpus`` for each task, ``mem_gb`` and ``gpus`` for each node."""

    cpus: int
    mem_gb: float
    timeout_min: int
    gpus: int = 0
    tasks_per_node: int = 1
    nodes: int = 1

    @property
    def tasks(self) -> int:
        """Number of tasks in all."""
        return self.tasks_per_node * self.nodes

    def can_join(self, other: Request) -> bool:
        """Return True if one job can run both without holding GPUs or tasks for nothing."""
        same = (self.tasks_per_node, self.nodes) == (other.tasks_per_node, other.nodes)
        return same and bool(self.gpus) == bool(other.gpus)

    def joined(self, other: Request) -> Request:
        """Return what runs both, one after the other."""
        return Request(
            max(self.cpus, other.cpus),
            max(self.mem_gb, other.mem_gb),
            self.timeout_min + other.timeout_min,
            max(self.gpus, other.gpus),
            self.tasks_per_node,
            self.nodes,
        )


@dataclass(frozen=True)
class Unit:
    """What one element runs: a stage, or short ones in a row.

    Attributes:
        name: kind, or kinds joined by ``+``.
        table: of a single per-table stage.
        request: of the whole.
        stages: ids in order.
        needs: ids of pending stages outside that it reads.
    """

    name: str
    table: str | None
    request: Request
    stages: tuple[str, ...]
    needs: frozenset[str]


@dataclass
class JobArray:
    """One call of sbatch.

    Attributes:
        number: its key in this submission.
        name: of its units.
        request: of each element.
        elements: index -> unit.
        corresponding: arrays whose element of the same index each element waits for.
        common: elements that every element waits for.
        after_any: arrays that every element waits for whatever becomes of them; what is true is checked at the start.
        running: most elements that run at once; 0: all.
        spares: of a lane, tasks beyond one per element; 0 for an array that is none. A lane's tasks run one after the
            other, and each takes the first element that is not done.
    """

    number: int
    name: str
    request: Request
    elements: dict[int, Unit] = field(default_factory=dict)
    corresponding: frozenset[Key] = frozenset()
    common: frozenset[Ref] = frozenset()
    after_any: frozenset[Key] = frozenset()
    spares: int = 0
    running: int = 0

    @property
    def is_lane(self) -> bool:
        """True if its tasks run one after the other."""
        return self.spares > 0

    @property
    def is_array(self) -> bool:
        """False for one element of index 0: that is submitted as a plain job."""
        return self.is_lane or len(self.elements) > 1 or 0 not in self.elements

    @property
    def tasks(self) -> int:
        """How many tasks it puts into the queue."""
        return len(self.elements) + self.spares

    def index_expression(self) -> str:
        """Return the indices as sbatch takes them: ``0-3,7``."""
        if self.is_lane:
            return f"0-{self.tasks - 1}"
        runs = []
        for _, run in groupby(enumerate(sorted(self.elements)), lambda pair: pair[1] - pair[0]):
            indices = [index for _, index in run]
            runs.append(str(indices[0]) if len(indices) == 1 else f"{indices[0]}-{indices[-1]}")
        return ",".join(runs)

    def dependency(self, job_ids: Mapping[Key, str], sizes: Mapping[Key, int]) -> str | None:
        """Return sbatch's dependency expression, or None.

        Args:
            job_ids: job id of each array of this submission.
            sizes: how many elements each array of this submission has: all of them are named by the array itself.
        """
        corresponding = [_job(key, job_ids) for key in sorted(self.corresponding, key=str)]
        parts = [f"aftercorr:{job}" for job in corresponding] if self.is_array else []
        wanted: dict[Key, list[int | None]] = defaultdict(list)
        for ref in sorted(self.common, key=lambda ref: (str(ref.key), ref.index or 0)):
            wanted[ref.key].append(ref.index)
        ids = [] if self.is_array else [f"{job}_0" for job in corresponding]
        for key, indices in wanted.items():
            job = _job(key, job_ids)
            if len(indices) == sizes.get(key) or indices == [None]:
                ids.append(job)
            else:
                ids += [f"{job}_{index}" for index in indices]
        if ids:
            parts.append("afterok:" + ":".join(ids))
        if self.after_any:
            parts.append("afterany:" + ":".join(_job(key, job_ids) for key in sorted(self.after_any, key=str)))
        return ",".join(parts) or None


def _job(key: Key, job_ids: Mapping[Key, str]) -> str:
    return key if isinstance(key, str) else job_ids[key]


def make_units(
    plan: Plan,
    pending: Iterable[str],
    request_of: Callable[[Stage], Request],
    fused: Sequence[str],
    queued: Iterable[str] = (),
) -> list[Unit]:
    """Return what the elements run, inputs first; neighbouring stages of the kinds in ``fused`` run as one.

    A unit needs what it reads of ``pending`` and ``queued`` stages, less what those wait for themselves.
    """
    wanted = set(pending)
    awaited = wanted.union(queued)
    chains: dict[str, list[str]] = {}  # first stage -> all stages of the unit
    head: dict[str, str] = {}  # stage -> first stage of its unit
    ancestors: dict[str, set[str]] = {}
    requests: dict[str, Request] = {}
    for stage_id in (each for each in plan.stages if each in awaited):
        stage = plan.stages[stage_id]
        inputs = [each for each in stage.inputs.values() if each in awaited]
        ancestors[stage_id] = {up for each in inputs for up in (each, *ancestors[each])}
        if stage_id not in wanted:
            continue
        request = request_of(stage)
        joined = _chain_to_join(stage, inputs, head, chains, ancestors, plan, fused)
        if joined is not None and requests[joined].can_join(request):
            chains[joined].append(stage_id)
            head[stage_id] = joined
            requests[joined] = requests[joined].joined(request)
        else:
            chains[stage_id], head[stage_id], requests[stage_id] = [stage_id], stage_id, request
    return [_unit(plan, stages, requests[first], awaited, ancestors) for first, stages in chains.items()]


def _chain_to_join(
    stage: Stage,
    inputs: Sequence[str],
    head: Mapping[str, str],
    chains: Mapping[str, list[str]],
    ancestors: Mapping[str, set[str]],
    plan: Plan,
    fused: Sequence[str],
) -> str | None:
    """Return the unit at whose end a stage can run because all it waits for is in it or before it."""
    if stage.kind.name not in fused:
        return None
    for needed in reversed([each for each in inputs if each in head]):
        first = head[needed]
        chain = chains[first]
        reached = {up for each in chain for up in (each, *ancestors[each])}
        if plan.stages[first].kind.name in fused and set(inputs) <= reached:
            return first
    return None


def _unit(
    plan: Plan, stages: Sequence[str], request: Request, awaited: set[str], ancestors: Mapping[str, set[str]]
) -> Unit:
    nodes = [plan.stages[stage_id] for stage_id in stages]
    needs = {each for node in nodes for each in node.inputs.values() if each in awaited} - set(stages)
    implied = {up for each in needs for up in ancestors[each]}
    names = list(dict.fromkeys(node.kind.name for node in nodes))
    table = nodes[0].table if len(nodes) == 1 else None
    return Unit("+".join(names), table, request, tuple(stages), frozenset(needs - implied))


def make_arrays(
    units: Sequence[Unit], queued: Mapping[str, Ref], max_elements: int, max_arrays: int = 40
) -> list[JobArray]:
    """Return arrays that run ``units``, inputs first.

    Args:
        units: inputs first.
        queued: stages that jobs in the queue will make.
        max_elements: of one array.
        max_arrays: of one group of equal units; more, and the group waits for all it reads, well or not.
    """
    by_table = _grouped(units, queued, max_elements, max_arrays, lambda unit: (unit.name, unit.table, unit.request))
    by_kind = _grouped(units, queued, max_elements, max_arrays, lambda unit: (unit.name, unit.request))
    return min(by_kind, by_table, key=len)


def _grouped(
    units: Sequence[Unit],
    queued: Mapping[str, Ref],
    max_elements: int,
    max_arrays: int,
    key: Callable[[Unit], tuple[object, ...]],
) -> list[JobArray]:
    groups: dict[tuple[object, ...], list[Unit]] = defaultdict(list)
    for unit in units:
        groups[key(unit)].append(unit)
    where = dict(queued)
    arrays: list[JobArray] = []
    for group in inputs_first(groups):
        refs = [frozenset(where[stage_id] for stage_id in unit.needs) for unit in group]
        options = [_element_wise(group, refs, max_elements), _in_common(group, refs, max_elements)]
        chosen = min(options, key=len)
        if len(chosen) > max_arrays:
            chosen = after_any_end(group, refs, max_elements)
        for array in chosen:
            array.number = len(arrays)
            arrays.append(array)
            for index, unit in array.elements.items():
                ref = Ref(array.number, index if array.is_array else None)
                where.update(dict.fromkeys(unit.stages, ref))
    return arrays


def inputs_first(groups: Mapping[tuple[object, ...], list[Unit]]) -> Iterator[list[Unit]]:
    """Yield groups such that what a group reads was yielded before. Fusing can leave them in another order."""
    made_by = {stage_id: key for key, group in groups.items() for unit in group for stage_id in unit.stages}
    reads = {
        key: {made_by[each] for unit in group for each in unit.needs if each in made_by} - {key}
        for key, group in groups.items()
    }
    done: set[tuple[object, ...]] = set()
    while len(done) < len(groups):
        ready = [key for key in groups if key not in done and reads[key] <= done]
        if not ready:
            raise ConfigError("cluster.fuse: these kinds in one job would wait for each other. Fuse fewer kinds.")
        for key in ready:
            done.add(key)
            yield groups[key]


def _element_wise(group: Sequence[Unit], refs: Sequence[frozenset[Ref]], max_elements: int) -> list[JobArray]:
    """Give each unit the index of most of what it reads; two of one index go to different arrays."""
    found: dict[tuple[frozenset[Key], frozenset[Ref], frozenset[Key], int], JobArray] = {}
    copies: Counter[tuple[frozenset[Key], frozenset[Ref], frozenset[Key], int]] = Counter()
    free: Counter[tuple[frozenset[Key], frozenset[Ref], frozenset[Key]]] = Counter()
    for unit, read in zip(group, refs, strict=True):
        needed, ends = split_lanes(read)
        per_array = Counter(ref.key for ref in needed)
        single = [ref for ref in needed if ref.index is not None and per_array[ref.key] == 1]
        votes = Counter(ref.index for ref in single)
        index = min(votes, key=lambda each: (-votes[each], each or 0)) if votes else None
        corresponding = frozenset(ref.key for ref in single if ref.index == index) if votes else frozenset()
        common = frozenset(ref for ref in needed if ref.key not in corresponding)
        kind = (corresponding, common, ends)
        if index is None:
            copy, index = divmod(free[kind], max_elements)
            free[kind] += 1
        else:
            copy = copies[(*kind, index)]
            copies[(*kind, index)] += 1
        array = found.setdefault((*kind, copy), _array(unit, corresponding, common, ends))
        array.elements[index] = unit
    return list(found.values())


def _in_common(group: Sequence[Unit], refs: Sequence[frozenset[Ref]], max_elements: int) -> list[JobArray]:
    """Put units that read the same into one array."""
    found: dict[tuple[frozenset[Ref], int], JobArray] = {}
    counts: Counter[frozenset[Ref]] = Counter()
    for unit, needed in zip(group, refs, strict=True):
        copy, index = divmod(counts[needed], max_elements)
        counts[needed] += 1
        common, ends = split_lanes(needed)
        found.setdefault((needed, copy), _array(unit, frozenset(), common, ends)).elements[index] = unit
    return list(found.values())


def after_any_end(group: Sequence[Unit], refs: Sequence[frozenset[Ref]], max_elements: int) -> list[JobArray]:
    """Wait for the end of all that the group reads: the check at the start tells true inputs from others."""
    arrays = []
    for start in range(0, len(group), max_elements):
        part = group[start : start + max_elements]
        keys = frozenset(ref.key for needed in refs[start : start + max_elements] for ref in needed)
        array = _array(part[0], frozenset(), frozenset(), keys)
        array.elements = dict(enumerate(part))
        arrays.append(array)
    return arrays


def split_lanes(refs: frozenset[Ref]) -> tuple[frozenset[Ref], frozenset[Key]]:
    """Return the elements whose success can be waited for, and the lanes whose end must be."""
    return frozenset(ref for ref in refs if not ref.is_lane), frozenset(ref.key for ref in refs if ref.is_lane)


def _array(unit: Unit, corresponding: frozenset[Key], common: frozenset[Ref], ends: frozenset[Key]) -> JobArray:
    return JobArray(0, unit.name, unit.request, {}, corresponding, common, ends)
