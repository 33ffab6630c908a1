"""The contract of what makes rows from an opened bundle: the sampling side of a generator."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa

from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.generation.bundles.bundle import Bundle
from tabgraphsyn.generation.fixing.demands import Demands
from tabgraphsyn.generation.parents import Parents
from tabgraphsyn.generation.sampling_config import SamplingConfig
from tabgraphsyn.generation.structure.base import Skeleton


@dataclass(frozen=True)
class Making:
    """One synthetic database in the making: what is known before its first row.

    Attributes:
        bundle: the models; ``bundle.folder`` holds the files that the generator declares.
        config: size and form.
        seed: seed of everything that is drawn; derive one for each use (``data.seeding``).
        skeleton: keys of all tables: number of rows, and the parent of each row.
        parents: values of tables made so far that later ones inherit.
        device: ``cpu`` or ``cuda``.
        threads: pieces of work that may run side by side on a CPU; they must change no bit.
        allow_targets: packages besides tabgraphsyn whose components may be built.
        log: where progress goes.
        demands: table -> what a user fixed in its rows.
        say: what a user should know of them is said here.
    """

    bundle: Bundle
    config: SamplingConfig
    seed: int
    skeleton: Skeleton
    parents: Parents
    device: str
    threads: int
    allow_targets: tuple[str, ...]
    log: logging.Logger
    demands: Mapping[str, Demands] = field(default_factory=dict)
    say: Callable[[str], None] = lambda _: None

    @property
    def prepared(self) -> Prepared:
        """Schema, plan, codecs and what keys say."""
        return self.bundle.prepared

    @property
    def settings(self) -> Mapping[str, Any]:
        """What stood below ``generator`` in the config of the launch."""
        found: Mapping[str, Any] = self.bundle.manifest["generator"]
        return found


class RowMaker(ABC):
    """Makes the rows of one synthetic database, table by table, in the order of ``bundle.tables`` (parents first).

    Attributes:
        meets_demands: ``rows`` heeds ``making.demands``; what a user fixes is refused otherwise, see ``unable``.
        holds_cells: it conditions on single values; otherwise it draws rows until some meet the demands.
    """

    meets_demands: ClassVar[bool] = False
    holds_cells: ClassVar[bool] = False

    @classmethod
    def unable(cls, settings: Mapping[str, Any]) -> str:
        """Return why nothing can be fixed in its rows and what to do, empty where something can be.

        Args:
            settings: what stood below ``generator`` in the config of the launch.
        """
        del settings
        return "" if cls.meets_demands else "it makes whole rows only. Train with model=absorbing"

    def __init__(self, making: Making) -> None:
        """Open the models; nothing is drawn yet."""
        self.making = making

    @abstractmethod
    def rows(self, table: str) -> Iterator[pa.Table]:
        """Return all rows of a table in batches, in row order: every column that is no key.

        Keys, columns that are looked up, dependencies and files are not its business. What takes long happens before
        the first batch is asked for; at most ``config.batch_rows`` rows a batch.
        """

    def settled(self, table: str, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Yield a table's rows as they are written, (rows,) in all; rules may have changed what ``rows`` returned.

        A generator that conditions later tables on this one may remember them.
        """
        del table
        yield from batches

    def kept(self, table: str, rows: pa.Table) -> Iterator[pa.Table]:
        """Return what ``rows`` does, for a table whose rows were made without a model (published, or too few to learn).

        Columns of ``rows`` replace those that are returned here, so that the others (ids, text) are all that must be
        made. A generator that conditions later tables on this one remembers the rows.

        Args:
            table: the table.
            rows: (rows,) with those of its columns that are known.
        """
        step = self.making.config.batch_rows
        rng = numpy_generator(self.making.seed, "sample", table, "decode")
        codec = self.making.prepared.codec(table)
        for first in range(0, max(rows.num_rows, 1), step):
            count = max(min(step, rows.num_rows - first), 0)
            yield codec.decode(*codec.first_levels(count), rng, first_row=first)
