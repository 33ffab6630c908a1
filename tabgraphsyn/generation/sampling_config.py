"""What a user chooses when sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tabgraphsyn.errors import ConfigError, listing, raise_collected

FORMATS = ("parquet", "csv")
REFERENCE_TABLES = ("keep", "generate")
PRECISIONS = ("float32", "bf16")
MOST_SCALE = 1e9
MOST_BATCH_ROWS = 2**24
MOST_REFINEMENTS = 100


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """Size and form of a synthetic database.

    Attributes:
        scale: rows relative to the real database, training and holdout together.
        rows: rows of some tables in place of ``scale``; only tables whose rows do not follow from a parent table.
        formats: files that are written, ``parquet`` and ``csv``.
        batch_rows: rows denoised and decoded at a time; bounds the memory, changes no distribution.
        enforce_dependencies: give rows that share their keys one value where the real data always has one.
        dependency_min_strength: share of real rows from which on a dependency is enforced.
        reference_tables: ``keep`` the rows of lookup tables (airlines, airports) under new keys, or ``generate`` them.
        refinements: times a table without relations is generated again, conditioned on the rows similar to each row.
        precision: ``bf16`` multiplies the denoiser's matrices in it where the device can, about twice as fast; the same
            seed then gives other rows than ``float32``.
    """

    scale: float = 1.0
    rows: Mapping[str, int] = field(default_factory=dict)
    formats: Sequence[str] = FORMATS
    batch_rows: int = 8192
    enforce_dependencies: bool = False
    dependency_min_strength: float = 1.0
    reference_tables: str = "keep"
    refinements: int = 1
    precision: str = "float32"

    def __post_init__(self) -> None:
        problems = []
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown or not self.formats:
            problems.append(f"sampling.formats: one or more of {listing(FORMATS)} expected, found {listing(unknown)}.")
        if self.reference_tables not in REFERENCE_TABLES:
            found = self.reference_tables
            problems.append(f"sampling.reference_tables: {listing(REFERENCE_TABLES)} expected, found {found!r}.")
        if self.precision not in PRECISIONS:
            problems.append(f"sampling.precision: {listing(PRECISIONS)} expected, found {self.precision!r}.")
        if not 0 < self.scale <= MOST_SCALE:
            problems.append(f"sampling.scale: above 0 and up to {MOST_SCALE:g} expected, found {self.scale!r}.")
        if not 1 <= self.batch_rows <= MOST_BATCH_ROWS:
            problems.append(f"sampling.batch_rows: from 1 to {MOST_BATCH_ROWS} expected, found {self.batch_rows!r}.")
        if not 0 <= self.refinements <= MOST_REFINEMENTS:
            problems.append(f"sampling.refinements: from 0 to {MOST_REFINEMENTS} expected, found {self.refinements!r}.")
        strength = self.dependency_min_strength
        if not 0 < strength <= 1:
            problems.append(f"sampling.dependency_min_strength: above 0 and up to 1 expected, found {strength!r}.")
        raise_collected(ConfigError, problems)
