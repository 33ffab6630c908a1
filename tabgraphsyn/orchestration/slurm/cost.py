"""What stages will take, from what such stages took in this store; what was taken once and need not be again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tabgraphsyn.orchestration.planning.plan import Stage
from tabgraphsyn.orchestration.slurm.arrays import Request
from tabgraphsyn.orchestration.stored.store import Store

History = Mapping[tuple[str, str | None], float]
"""(kind, table) -> mean seconds; table None stands for all of a kind."""


@dataclass
class Cost:
    """Hours of running, and of what is held meanwhile; ``unknown`` counts stages per kind without a history."""

    hours: float = 0.0
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0
    unknown: dict[str, int] = field(default_factory=dict)

    def add(self, seconds: float, request: Request) -> None:
        """Add a stage that holds its request for some seconds."""
        self.hours += seconds / 3600
        self.cpu_hours += seconds / 3600 * request.cpus * request.tasks
        self.gpu_hours += seconds / 3600 * request.gpus * request.nodes


def history(store: Store) -> History:
    """Return what done stages of the store took, by kind and table and by kind."""
    took: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for stage_id in store.stage_ids():
        manifest = store.done(stage_id)
        if manifest is not None:
            kind = stage_id.split("/")[0]
            for key in {(kind, manifest.get("table")), (kind, None)}:
                took[key].append(float(manifest.get("elapsed_s", 0.0)))
    return {key: sum(each) / len(each) for key, each in took.items()}


def predicted(stages: Iterable[Stage], took: History, request_of: Callable[[Stage], Request]) -> Cost:
    """Return what stages will cost: the mean of their kind and table, or of their kind."""
    cost = Cost()
    for stage in stages:
        kind = stage.kind.name
        seconds = took.get((kind, stage.table), took.get((kind, None)))
        if seconds is None:
            cost.unknown[kind] = cost.unknown.get(kind, 0) + 1
        else:
            cost.add(seconds, request_of(stage))
    return cost


def saved(store: Store, stages: Iterable[Stage], request_of: Callable[[Stage], Request]) -> Cost:
    """Return what done stages took themselves: what they would cost once more."""
    cost = Cost()
    for stage in stages:
        manifest = store.done(stage.id)
        if manifest is not None:
            cost.add(float(manifest.get("elapsed_s", 0.0)), request_of(stage))
    return cost
