"""How columns are encoded: the keys of ``conf/codec/*.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval

from tabgraphsyn.config.checked import refuse_wrong
from tabgraphsyn.ranges import Count, CountOrNone, PositiveShare


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """Settings of all column codecs.

    Attributes:
        normalisation: ``quantile`` (ranks through the normal distribution), ``cdf`` (ranks), ``standard``
            (mean and deviation) or ``none``.
        outliers: ``clip`` holds numbers within ``outlier_quantile`` and its mirror; ``none`` leaves them.
        outlier_quantile: in ``(0, 0.5)``, read where ``outliers`` is ``clip``.
        atom_share: a number that this share of the rows repeats, and that stands out of the numbers beside it,
            becomes a level of a category.
        max_discrete: a column with at most this many distinct values is a category altogether.
        missing: ``category``: missing is one more level of a number's category; ``factor``: a category of its own.
        min_count: categories that occur less often share one level.
        min_entities: a value that fewer entities hold stands neither in the bundle nor, as a category or text, in the
            output; a table is published unasked only where every row is shared by that many. An entity is a row that
            hangs on no other (a person), with all that hangs on it.
        personal: ``make``: columns that are recognised as names, e-mails, phones, addresses and the like are made anew;
            ``ignore``: they are columns like any other, for data that is made up already.
        text: ``vocabulary`` reproduces texts that occur at least ``text_min_count`` times, by frequency, and masks
            the others; ``mask`` masks all.
        text_min_count: see ``text``.
        dependencies: ``keep``: a column that follows exactly from another takes no field and is derived when
            decoding; ``ignore``: every column is modelled.
    """

    normalisation: Literal["quantile", "cdf", "standard", "none"] = "quantile"
    outliers: Literal["none", "clip"] = "none"
    outlier_quantile: Annotated[float, Interval(gt=0, lt=0.5)] = 0.001
    atom_share: PositiveShare = 0.02
    max_discrete: CountOrNone = 50
    missing: Literal["category", "factor"] = "category"
    min_count: CountOrNone = 1
    min_entities: Count = 5
    personal: Literal["make", "ignore"] = "make"
    text: Literal["vocabulary", "mask"] = "vocabulary"
    text_min_count: CountOrNone = 10
    dependencies: Literal["keep", "ignore"] = "keep"

    def __post_init__(self) -> None:
        refuse_wrong(self, "codec")
