"""What ``codec/<table>.json`` may hold: the forms that the codecs' ``to_dict`` write, one class each.

A codec that writes another key adds a line here; a new codec adds a class and its name to ``ColumnForm``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from msgspec import Meta

from tabgraphsyn.data.codec.datetime import DAY_US
from tabgraphsyn.data.codec.identifier import MAX_WORDS
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.codec.pattern import MAX_POSITIONS, MAX_TEMPLATES
from tabgraphsyn.data.codec.precision import MAX_DECIMALS
from tabgraphsyn.data.formats.forms import MixedFormatForm
from tabgraphsyn.data.personal import PersonalKind
from tabgraphsyn.data.untrusted import Count, Form, Int64, Name, Number, Scalar, Share, Spread

ArrowType = Annotated[
    str,
    Meta(
        pattern=r"^(null|bool|u?int(8|16|32|64)|halffloat|float|double|(large_)?string|date32\[day\]|date64\[ms\]"
        r"|timestamp\[(s|ms|us|ns)\]|time32\[(s|ms)\]|time64\[(us|ns)\]|duration\[(s|ms|us|ns)\])$"
    ),
]
"""Types of columns, as arrow writes them."""
_FLOATS: dict[str, float] = {"halffloat": 65504.0, "float": 3.4028234e38, "double": 1e308}
"""The largest number of each type of floats."""


def hold(is_right: bool, rule: str) -> None:
    """Refuse a form of which a rule does not hold."""
    if not is_right:
        raise ValueError(rule)


def _ascend(values: Sequence[float]) -> bool:
    return all(first <= second for first, second in pairwise(values))


class LevelsForm(Form):
    """``Levels``: values of one arrow type."""

    type: ArrowType
    values: list[Scalar]

    def __post_init__(self) -> None:
        try:
            array = Levels(self.type, tuple(self.values)).array
        except (pa.ArrowException, OverflowError) as error:
            raise ValueError(f"values are not of type {self.type} ({error})") from error
        if self.type in _FLOATS:
            numbers = array.drop_null().to_numpy(zero_copy_only=False)
            hold(bool(np.isfinite(numbers.astype(np.float64)).all()), f"values of type {self.type} are finite")


class CategoricalForm(Form, tag="categorical", tag_field="kind"):
    """``CategoricalCodec``."""

    column: Name
    levels: LevelsForm
    rare: LevelsForm
    rare_counts: list[Count]
    level_counts: list[Count]
    merged_values: Count
    merged_rows: Count

    def __post_init__(self) -> None:
        hold(len(self.rare.values) == len(self.rare_counts), "one count for each rare value")
        hold(not self.level_counts or len(self.level_counts) == len(self.levels.values), "one count for each level")
        filled = [n for n, one in zip(self.level_counts, self.levels.values, strict=False) if one is not None]
        hold(not self.level_counts or sum(filled) > 0, "levels that are drawn from occur")
        hold(not self.rare_counts or sum(self.rare_counts) > 0, "rare values occur")
        hold(len(self.levels.values) + len(self.rare.values) > 0, "at least one level")


class ConstantForm(Form, tag="constant", tag_field="kind"):
    """``ConstantCodec``."""

    column: Name
    value: LevelsForm

    def __post_init__(self) -> None:
        hold(len(self.value.values) == 1, "one value")


class DerivedForm(Form, tag="derived", tag_field="kind"):
    """``DerivedCodec``."""

    column: Name
    given: Name
    determinant: LevelsForm
    dependent: LevelsForm

    def __post_init__(self) -> None:
        hold(len(self.determinant.values) == len(self.dependent.values), "as many dependent as determinant values")


class DigitsForm(Form, tag="digits", tag_field="kind"):
    """``DigitsCodec``."""

    whole: CategoricalForm


class RanksForm(Form):
    """``Ranks``."""

    values: list[Number]
    low: list[Share]
    high: list[Share]

    def __post_init__(self) -> None:
        hold(len(self.values) == len(self.low) == len(self.high) > 0, "as many ranks as values, at least one")
        hold(_ascend(self.values), "values ascend")


class QuantileForm(Form, tag="quantile", tag_field="kind"):
    """``QuantileNormal``."""

    ranks: RanksForm


class CdfForm(Form, tag="cdf", tag_field="kind"):
    """``UniformCdf``."""

    ranks: RanksForm


class StandardForm(Form, tag="standard", tag_field="kind"):
    """``Standard``."""

    mean: Number
    deviation: Spread


class UnchangedForm(Form, tag="none", tag_field="kind"):
    """``Unchanged``."""

    mean: Number
    deviation: Spread


class PrecisionForm(Form):
    """``Precision``."""

    minimum: Number
    maximum: Number
    step: Annotated[float, Meta(ge=0, le=1e308)]
    decimals: Annotated[int, Meta(ge=0, le=MAX_DECIMALS)] | None
    support: list[Number]
    offset: Number

    def __post_init__(self) -> None:
        hold(0 <= self.offset <= self.step, "offset is within a step")
        hold(self.minimum <= self.maximum, "minimum is at most maximum")
        hold(_ascend([self.minimum, *self.support, self.maximum]), "support ascends from minimum to maximum")


class NumericalForm(Form, tag="numerical", tag_field="kind"):
    """``NumericalCodec``."""

    column: Name
    type: ArrowType
    atoms: LevelsForm
    missing: Literal["none", "category", "factor"]
    precision: PrecisionForm
    normalisation: QuantileForm | CdfForm | StandardForm | UnchangedForm

    def __post_init__(self) -> None:
        ends = (self.precision.minimum, self.precision.maximum)
        if self.type in _FLOATS:
            most = _FLOATS[self.type]
            hold(max(map(abs, ends)) <= most, f"numbers of type {self.type} are at most {most:.3g}")
        else:
            hold(self.type.lstrip("u").startswith("int"), "a type of numbers")
            limits = np.iinfo(self.type)
            # The ends are floats: the largest whole number of 64 bits is rounded up to one beyond.
            hold(limits.min <= ends[0] and ends[1] <= float(limits.max), f"numbers of type {self.type}")


PartForm = CategoricalForm | ConstantForm | NumericalForm


class DatetimeForm(Form, tag="datetime", tag_field="kind"):
    """``DatetimeCodec``."""

    column: Name
    type: ArrowType
    given: Name | None
    weekday: bool
    unit_us: Annotated[int, Meta(ge=1, le=DAY_US)]
    minimum_us: Int64
    maximum_us: Int64
    day: PartForm
    time: PartForm

    def __post_init__(self) -> None:
        hold(self.minimum_us <= self.maximum_us, "minimum_us is at most maximum_us")


class ClockForm(Form, tag="clock", tag_field="kind"):
    """``ClockCodec``."""

    column: Name
    type: ArrowType
    hour: CategoricalForm
    minute: CategoricalForm
    maximum: Annotated[int, Meta(ge=0, le=2400)]


class ClockLagForm(Form, tag="clock_lag", tag_field="kind"):
    """``ClockLagCodec``."""

    column: Name
    type: ArrowType
    given: Name
    midnight: Literal[0, 2400]
    lag: CategoricalForm | ConstantForm | NumericalForm | DigitsForm


class PatternForm(Form):
    """``Pattern``."""

    templates: Annotated[
        list[Annotated[list[Annotated[str, Meta(min_length=1, max_length=1_200_000)]], Meta(max_length=MAX_POSITIONS)]],
        Meta(min_length=1, max_length=MAX_TEMPLATES),
    ]
    weights: list[Annotated[float, Meta(ge=0, le=1e308)]]

    def __post_init__(self) -> None:
        hold(len(self.templates) == len(self.weights), "one weight for each template")
        hold(0 < sum(self.weights) < math.inf, "weights above 0")


class IdentifierForm(Form, tag="identifier", tag_field="kind"):
    """``IdentifierCodec``."""

    column: Name
    has_missing: bool
    type: ArrowType
    minimum: Annotated[int, Meta(ge=-(2**63))]
    span: Annotated[int, Meta(ge=1)]
    tail_ids: Count
    tail_rows: Count
    head: list[Count]
    pattern: PatternForm | None

    def __post_init__(self) -> None:
        hold(not self.head or sum(self.head) + self.tail_rows > 0, "ids occur")


class TextForm(Form, tag="text", tag_field="kind"):
    """``TextCodec``."""

    column: Name
    has_missing: bool
    vocabulary: LevelsForm
    counts: list[Count]
    masked_rows: Count
    word_counts: Annotated[list[Count], Meta(max_length=MAX_WORDS + 1)]

    def __post_init__(self) -> None:
        hold(len(self.counts) == len(self.vocabulary.values), "one count for each text")


class PersonalForm(Form, tag="personal", tag_field="kind"):
    """``PersonalCodec``."""

    column: Name
    has_missing: bool
    person: PersonalKind
    type: ArrowType
    title: Annotated[str, Meta(max_length=20)]
    is_reversed: bool
    tail_ids: Count
    tail_rows: Count
    offset: Annotated[int, Meta(ge=0, le=2**60)]
    head: list[Count]
    shape: IdentifierForm | None

    def __post_init__(self) -> None:
        hold(not self.head or sum(self.head) + self.tail_rows > 0, "persons occur")


class MixedForm(Form, tag="mixed", tag_field="kind"):
    """``MixedCodec``."""

    column: Name
    format: MixedFormatForm
    inner: PartForm | DatetimeForm
    word: CategoricalForm | ConstantForm
    bounds: list[tuple[Int64 | float, Int64 | float]]

    def __post_init__(self) -> None:
        hold(len(self.bounds) == len(self.format.forms), "bounds of each form")
        hold(all(low <= high for low, high in self.bounds), "bounds ascend")


LongNumber = Annotated[str, Meta(pattern=r"^-?\d{1,100}$")] | int
"""A whole number of any size; json readers lose digits of what is no text."""


class WideForm(Form, tag="wide", tag_field="kind"):
    """``WideCodec``."""

    column: Name
    type: Literal["int64", "string"]
    scale: Annotated[int, Meta(ge=-100, le=100)]
    base: LongNumber
    step: LongNumber
    most: LongNumber
    bits: Annotated[int, Meta(ge=0, le=400)]
    inner: PartForm

    def __post_init__(self) -> None:
        hold(int(self.step) >= 1 and int(self.most) >= 0, "a step above 0 and numbers of at least 0")


ColumnForm = (
    CategoricalForm
    | ClockForm
    | ClockLagForm
    | ConstantForm
    | DatetimeForm
    | DerivedForm
    | DigitsForm
    | IdentifierForm
    | MixedForm
    | NumericalForm
    | PersonalForm
    | TextForm
    | WideForm
)
