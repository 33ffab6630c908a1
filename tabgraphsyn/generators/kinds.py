"""What a stage kind declares. Imports nothing heavy: the plan is made from it before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Tables = Literal["one", "own", "all"]


@dataclass(frozen=True)
class StageInput:
    """What a stage reads from another kind.

    Attributes:
        kind: name of the kind that is read.
        tables: ``one`` for a kind that exists once (role ``kind``); for a kind that exists per table, ``own`` reads
            that of the reader's table and ``all`` that of every table (role ``kind/<table>``).
    """

    kind: str
    tables: Tables = "one"


@dataclass(frozen=True)
class StageKind:
    """One kind of stage.

    Attributes:
        name: folder name in the store.
        version: raised when the same config and inputs give another result.
        module: imported where the stage runs; holds ``run(context)``.
        config_keys: dotted keys of the composed config that the stage is a function of.
        inputs: what it reads.
        per_table: one stage a table.
        is_resumable: reads the interrupt flag and saves; the others are stopped at once and start over.
        trains: runs ``training.loop.train``, so that several tasks may train it together.
        publishes: names in ``artifacts/`` that are shown in the folder of a sweep point.
        place_keys: dotted keys that the stage sees but that do not identify its result, because the content does.
    """

    name: str
    version: int
    module: str
    config_keys: tuple[str, ...]
    inputs: tuple[StageInput, ...] = ()
    per_table: bool = False
    is_resumable: bool = False
    trains: bool = False
    publishes: tuple[str, ...] = ()
    place_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """Stage kinds, inputs first, and what to import before forking stages.

    Attributes:
        source: name of the kind that reads the user's data; it runs while launching.
        kinds: by name, in an order where inputs come first.
        preload: modules worth importing once for all stages.
    """

    source: str
    kinds: Mapping[str, StageKind]
    preload: tuple[str, ...] = ()

    def of(self, config: Mapping[str, Any]) -> Catalog:
        """Return the catalog of one sweep point; this one does not depend on the config."""
        del config
        return self


def catalog(source: str, *kinds: StageKind, preload: tuple[str, ...] = ()) -> Catalog:
    """Return a catalog of ``kinds``, which must come inputs first."""
    return Catalog(source=source, kinds={kind.name: kind for kind in kinds}, preload=preload)
