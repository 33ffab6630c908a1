"""Synthetic tables in memory: a mapping from names to pandas frames, arrow underneath."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tabgraphsyn.errors import ConfigError, listing, nearest

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Maker(Protocol):
    """The model that made tables, as far as judging them goes."""

    @property
    def bundle(self) -> Path:
        """Its bundle."""

    @property
    def output_dir(self) -> Path | None:
        """The store's folder."""

    @property
    def stages(self) -> Mapping[str, str]:
        """Label -> ``kind/signature``."""


@dataclass(frozen=True, eq=False)
class Tables(Mapping[str, Any]):
    """Tables by name: ``tables["orders"]`` is a pandas frame, ``tables.arrow("orders")`` an arrow table.

    Attributes:
        rows: arrow tables by name.
        model: what made them; its held-out rows judge copying. None for tables of somebody else's.
        given: per table the rows that were given to ``sample``, (n,) int64: ``evaluate`` leaves them out.
    """

    rows: Mapping[str, pa.Table]
    model: Maker | None = None
    given: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    _frames: dict[str, Any] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> Any:
        if name not in self._frames:
            from tabgraphsyn.python.frames import pandas_frame

            self._frames[name] = pandas_frame(self.rows[name])
        return self._frames[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}: {table.num_rows:,} rows" for name, table in self.rows.items())
        return f"Tables({counts})"

    def arrow(self, name: str) -> pa.Table:
        """Return one table as arrow."""
        if name not in self.rows:
            raise ConfigError(f"{name!r}: no such table.{nearest(name, self.rows)} There are {listing(self.rows)}.")
        return self.rows[name]

    def write(self, folder: Path | str) -> Path:
        """Write ``<table>.parquet`` to a folder and return it."""
        from tabgraphsyn.data.given import GIVEN_FILE, write_given
        from tabgraphsyn.python.frames import write_parquet

        place = Path(folder).expanduser()
        place.mkdir(parents=True, exist_ok=True)
        write_parquet(self.rows, place)
        (place / GIVEN_FILE).unlink(missing_ok=True)
        write_given(place, self.given)
        return place
