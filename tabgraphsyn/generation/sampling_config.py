"""What a user chooses when sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from annotated_types import Interval

from tabgraphsyn.config.checked import refuse_wrong
from tabgraphsyn.errors import listing
from tabgraphsyn.ranges import CountOrNone

Format = Literal["parquet", "csv"]
Precision = Literal["float32", "bf16"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """Size and form of a synthetic database.

    Attributes:
        scale: rows relative to the real database, training and holdout together.
        rows: rows of some tables in place of ``scale``; only tables whose rows do not follow from a parent table.
        formats: files that are written, ``parquet`` and ``csv``.
        csv_formulas: what csv files do with text that a spreadsheet would compute (it begins with = + - @ or a tab):
            ``keep`` it as it is in the other formats, or ``escape`` it with an apostrophe before it.
        batch_rows: rows denoised and decoded at a time; bounds the memory, changes no distribution.
        keep_rules: make rows keep the rules about single rows that ``prepare`` found or the data set declares.
        reference_tables: ``keep`` the rows of lookup tables (airlines, airports) under new keys, or ``generate`` them.
        precision: ``bf16`` multiplies the denoiser's matrices in it where the device can, about twice as fast; the same
            seed then gives other rows than ``float32``.
    """

    scale: Annotated[float, Interval(gt=0, le=1e9)] = 1.0
    rows: Mapping[str, CountOrNone] = field(default_factory=dict)
    formats: Sequence[Format] = FORMATS
    csv_formulas: Literal["keep", "escape"] = "keep"
    batch_rows: Annotated[int, Interval(ge=1, le=16_777_216)] = 8192
    keep_rules: bool = True
    reference_tables: Literal["keep", "generate"] = "keep"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        empty = [] if self.formats else [f"sampling.formats: one or more of {listing(FORMATS)} expected, found none."]
        refuse_wrong(self, "sampling", empty)
