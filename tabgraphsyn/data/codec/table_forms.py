"""What ``codec/<table>.json`` holds around its columns: rules between them, and how the table looks to a model."""

from __future__ import annotations

from typing import Literal

from tabgraphsyn.data.codec.forms import ColumnForm, hold
from tabgraphsyn.data.formats.forms import MixedFormatForm
from tabgraphsyn.data.untrusted import Count, Form, Name, Number, Size, Text


class NamedColumnForm(Form):
    """One column of a table and its codec."""

    name: Name
    codec: ColumnForm


class HourRuleForm(Form, tag="hour", tag_field="rule"):
    """``HourRule``."""

    column: Name
    clock: Name

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it names."""
        return self.column, self.clock


class SumRuleForm(Form, tag="sum", tag_field="rule"):
    """``SumRule``."""

    column: Name
    start: Name
    change: Name
    clock: bool
    midnight: Literal[0, 2400]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it names."""
        return self.column, self.start, self.change


class BandRuleForm(Form, tag="band", tag_field="rule"):
    """``BandRule``."""

    column: Name
    start: Name
    lows: list[Number | None]
    ends: list[Number | None]
    labels: list[Text]
    format: MixedFormatForm | None

    def __post_init__(self) -> None:
        lows = [low for low in self.lows[1:] if low is not None]
        hold(len(self.lows) == len(self.ends) == len(self.labels) >= 1, "a low, an end and a label for each band")
        hold(len(lows) == len(self.lows) - 1 and lows == sorted(lows), "bands in ascending order")

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it names."""
        return self.column, self.start


class NumericalFieldForm(Form):
    """``NumericalField``."""

    name: Name
    gate: Count | None


class CategoricalFieldForm(Form):
    """``CategoricalField``."""

    name: Name
    levels: Size


class LayoutForm(Form):
    """``TableLayout``."""

    numerical: list[NumericalFieldForm]
    categorical: list[CategoricalFieldForm]

    def __post_init__(self) -> None:
        gates = [field.gate for field in self.numerical if field.gate is not None]
        hold(all(gate < len(self.categorical) for gate in gates), "gates are categorical fields")


class TableCodecForm(Form):
    """``TableCodec``."""

    table: Name
    columns: list[NamedColumnForm]
    rules: list[HourRuleForm | SumRuleForm | BandRuleForm]
    layout: LayoutForm

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        hold(len(set(names)) == len(names), "columns of different names")
        read = {name for rule in self.rules for name in rule.columns}
        hold(read <= set(names), "rules between columns of the table")
