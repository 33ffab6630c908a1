"""Rules as json: every kind by its name, strictly read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.rules.calendar_kind import Calendar
from tabgraphsyn.data.rules.coarse_kind import Coarse
from tabgraphsyn.data.rules.continued_kind import Continued
from tabgraphsyn.data.rules.family_kinds import EqualGap, FamilyTotal, Numbered, ParentTotal, Rising
from tabgraphsyn.data.rules.placed_kind import Placed
from tabgraphsyn.data.rules.row_kinds import Bounds, Multiple, Order, Product, Same, Total
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.running_kind import Running
from tabgraphsyn.data.rules.shift_kind import Shift
from tabgraphsyn.data.rules.value_kinds import Among, Combination, Differ, Fixed, NullBy, NullTogether, OneOf, Unique
from tabgraphsyn.errors import DataError, listing, nearest

VERSION = 1
_CLASSES: tuple[type[Rule], ...] = (
    Same, Order, Total, Product, Bounds, Multiple, Fixed, Combination, OneOf, NullTogether, NullBy, Unique, Differ,
    Calendar, Coarse, Among, Numbered, Placed, Rising, EqualGap, ParentTotal, FamilyTotal, Running, Continued, Shift,
)  # fmt: skip
KINDS: Mapping[str, type[Rule]] = {one.kind: one for one in _CLASSES}


def rule_from_dict(raw: Any, where: str) -> Rule:
    """Return the rule that a json or yaml object spells.

    Raises:
        DataError: no object, no such kind, or keys that the kind does not have.
    """
    if not isinstance(raw, Mapping) or not isinstance(raw.get("kind"), str):
        raise DataError(f"{where}: an object with a 'kind' is expected, found {raw!r}.")
    if raw["kind"] not in KINDS:
        raise DataError(
            f"{where}.kind: one of {', '.join(KINDS)} expected, found {raw['kind']!r}.{nearest(raw['kind'], KINDS)}"
        )
    return KINDS[raw["kind"]].from_dict(raw, where)


def rules_to_dict(rules: Sequence[Rule]) -> dict[str, Any]:
    """Return the content of ``rules.json``."""
    return {"version": VERSION, "rules": [one.to_dict() for one in rules]}


def rules_from_dict(raw: Any, where: str = "rules.json") -> list[Rule]:
    """Read the form that ``rules_to_dict`` returns.

    Raises:
        DataError: another version, or anything that is no rule.
    """
    if not isinstance(raw, Mapping) or set(raw) != {"version", "rules"} or not isinstance(raw["rules"], Sequence):
        found = listing(list(raw)) if isinstance(raw, Mapping) else repr(raw)
        raise DataError(f"{where}: an object of 'version' and 'rules' is expected, found {found}.")
    if raw["version"] != VERSION:
        raise DataError(f"{where}.version: {VERSION} expected, found {raw['version']!r}. Prepare the data again.")
    return [rule_from_dict(one, f"{where}: rule {number}") for number, one in enumerate(raw["rules"], 1)]


def save_rules(path: Path, rules: Sequence[Rule]) -> None:
    """Write ``rules.json``."""
    write_json(path, rules_to_dict(rules))


def load_rules(path: Path) -> list[Rule]:
    """Read ``rules.json``."""
    return rules_from_dict(read_json(path), path.name)
