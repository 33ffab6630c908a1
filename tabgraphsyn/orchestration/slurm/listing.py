"""The list file of an array: a line of policy, then a line per element with the specs of its stages.

One file for a thousand elements: a stage's own ``spec.json`` is written where and when it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import written_aside
from tabgraphsyn.errors import StageError


@dataclass(frozen=True)
class Policy:
    """What an element does when it is interrupted or dies.

    Attributes:
        on_interrupt: a name of ``strategy``.
        max_preemptions: times that an element may be preempted or time out.
        max_failures: times in a row that it may die without a word (killed, out of memory) before it fails.
        signal_s: seconds between the warning and the time limit.
        memory_growth: factor on the memory after a death that may have been for want of it.
    """

    on_interrupt: str = "requeue"
    max_preemptions: int = 100
    max_failures: int = 3
    signal_s: int = 90
    memory_growth: float = 1.5


@dataclass(frozen=True)
class ListedStage:
    """One stage of an element: ``kind/signature``, its spec, and what it asks of the scheduler by itself."""

    id: str
    spec: Mapping[str, Any]
    request: Mapping[str, Any]


@dataclass(frozen=True)
class Element:
    """What one task of an array does."""

    store: Path
    policy: Policy
    stages: tuple[ListedStage, ...]

    def folder(self, stage: ListedStage) -> Path:
        """Return the folder of one of its stages."""
        return self.store / stage.id


def write_list(path: Path, store: Path, policy: Policy, elements: Mapping[int, Iterable[ListedStage]]) -> None:
    """Write the stages of each index."""
    with written_aside(path) as aside, aside.open("w", encoding="utf-8") as handle:
        handle.write(json.dumps({"store": str(store), "policy": asdict(policy)}) + "\n")
        for index, stages in elements.items():
            listed = [vars(stage) for stage in stages]
            handle.write(f"{index} {json.dumps(listed, separators=(',', ':'), allow_nan=False)}\n")


def read_element(path: Path, index: int) -> Element:
    """Return one element of a list.

    Raises:
        StageError: the list cannot be read, or has no such element.
    """
    try:
        with path.open(encoding="utf-8") as handle:
            header = json.loads(next(handle))
            for line in handle:
                number, _, text = line.partition(" ")
                if int(number) == index:
                    stages = tuple(ListedStage(**raw) for raw in json.loads(text))
                    return Element(Path(header["store"]), Policy(**header["policy"]), stages)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise StageError(f"{path}: not the list of an array ({error}). Run tabgraphsyn repair.") from error
    raise StageError(f"{path}: no element {index}. Run tabgraphsyn repair.")


def read_elements(path: Path) -> list[Element]:
    """Return all elements of a list, in the order of their indices.

    Raises:
        StageError: the list cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as handle:
            header = json.loads(next(handle))
            lines = sorted((int(line.partition(" ")[0]), line.partition(" ")[2]) for line in handle)
        store, policy = Path(header["store"]), Policy(**header["policy"])
        stages = [tuple(ListedStage(**raw) for raw in json.loads(text)) for _, text in lines]
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise StageError(f"{path}: not the list of an array ({error}). Run tabgraphsyn repair.") from error
    return [Element(store, policy, each) for each in stages]


def read_stages(path: Path) -> dict[str, ListedStage]:
    """Return all stages of a list by id.

    Raises:
        StageError: the list cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as handle:
            next(handle)
            lines = [json.loads(line.partition(" ")[2]) for line in handle]
        return {raw["id"]: ListedStage(**raw) for line in lines for raw in line}
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise StageError(f"{path}: not the list of an array ({error}). Launch again.") from error
