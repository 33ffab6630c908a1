"""What ``codec/<table>.json`` may hold; what each codec and rule may hold is read off its own fields."""

from __future__ import annotations

from typing import Any, get_args

from tabgraphsyn.data.codec.arithmetic import Rule, rules_from_dict
from tabgraphsyn.data.codec.kinds import KINDS
from tabgraphsyn.data.declared import any_of, form_of, hold
from tabgraphsyn.data.layout import TableLayout
from tabgraphsyn.data.untrusted import Form, Name, builtins

ColumnForm: Any = any_of(*KINDS)
RuleForm: Any = any_of(*get_args(Rule))
LayoutForm: Any = form_of(TableLayout)


class NamedColumnForm(Form):
    """One column of a table and its codec."""

    name: Name
    codec: ColumnForm


class TableCodecForm(Form):
    """``TableCodec``."""

    table: Name
    columns: list[NamedColumnForm]
    rules: list[RuleForm]
    layout: LayoutForm

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        hold(len(set(names)) == len(names), "columns of different names")
        rules = rules_from_dict(builtins(self.rules))
        read = {name for rule in rules for name in (rule.column, *rule.inputs)}
        hold(read <= set(names), "rules between columns of the table")
