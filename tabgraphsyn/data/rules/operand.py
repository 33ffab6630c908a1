"""What a rule speaks of: a column of the row itself, or of a row that its keys lead to, one after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tabgraphsyn.data.schema import THEN


@dataclass(frozen=True, order=True)
class Operand:
    """A column, the row's own or that of a row above it.

    Attributes:
        column: its name.
        through: name of the relation that leads to the row above, or of several (``Schema.way``); None for own columns.

    >>> str(Operand("signup_date", "purchase.customer_id--customer"))
    'customer.signup_date (through customer_id)'
    >>> str(Operand("opened", "card.disp_id--disp > disp.account_id--account"))
    'account.opened (through disp_id, account_id)'
    """

    column: str
    through: str | None = None

    def __str__(self) -> str:
        if self.through is None:
            return self.column
        ends = [one.rsplit("--", 1) for one in self.through.split(THEN)]
        keys = ", ".join(unquote(keys.split(".", 1)[-1]) for keys, *_ in ends)
        return f"{ends[-1][-1]}.{self.column} (through {keys})"

    @property
    def is_own(self) -> bool:
        """True for a column of the row itself."""
        return self.through is None

    def to_json(self) -> Any:
        """Return the json form: the name alone for an own column."""
        return self.column if self.through is None else {"column": self.column, "through": self.through}

    @staticmethod
    def from_json(raw: Any) -> Operand:
        """Read the form that ``to_json`` writes.

        Raises:
            ValueError: anything else.
        """
        if isinstance(raw, str):
            return Operand(raw)
        if isinstance(raw, Mapping) and {key: type(value) for key, value in raw.items()} == {
            "column": str,
            "through": str,
        }:
            return Operand(raw["column"], raw["through"])
        raise ValueError(f"a column name, or {{column: ..., through: <relation>}}, found {raw!r}")


@dataclass(frozen=True, order=True)
class Term:
    """One summand: ``factor`` times an operand."""

    operand: Operand
    factor: float = 1.0

    def __str__(self) -> str:
        return str(self.operand) if self.factor == 1 else f"{self.factor:.10g} x {self.operand}"

    def to_json(self) -> Any:
        """Return the json form: the operand alone where the factor is 1."""
        if self.factor == 1:
            return self.operand.to_json()
        return {"operand": self.operand.to_json(), "factor": self.factor}

    @staticmethod
    def from_json(raw: Any) -> Term:
        """Read the form that ``to_json`` writes.

        Raises:
            ValueError: anything else.
        """
        if isinstance(raw, Mapping) and set(raw) == {"operand", "factor"}:
            if isinstance(raw["factor"], int | float) and not isinstance(raw["factor"], bool):
                return Term(Operand.from_json(raw["operand"]), float(raw["factor"]))
            raise ValueError(f"factor: a number, found {raw['factor']!r}")
        return Term(Operand.from_json(raw))


def span(seconds: float) -> str:
    """Return a length of time in its largest whole unit.

    >>> span(1209600.0), span(90.0)
    ('14 days', '90 s')
    """
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.10g} {unit}"
    return f"{seconds:.10g} s"
