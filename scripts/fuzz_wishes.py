"""Target ``wishes`` of ``fuzz.py``: what ``sample`` is asked for, in all combinations, and what came of it.

Of a bundle (``--bundle``, or a small one trained here) one sample is drawn; its rows, changed, are what tries give and
have filled, its values what they ask for. A result is held against what was asked: conditions, shares, given cells,
numbers of children, sizes, keys; of filled tables, that nothing but empty cells changed.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fuzz import Try

sys.path.extend(str(Path(__file__).resolve().parents[1] / "tests" / name) for name in ("sampling", "absorbing"))

from tabgraphsyn.data.given import read_given
from tabgraphsyn.data.options import DEFAULT_NULL_VALUES
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Relation, Schema
from tabgraphsyn.generation.bundles.bundle import Bundle
from tabgraphsyn.generation.fixing.typed import read_tables
from tabgraphsyn.verbs.sample import given_tables, impute, sample

ODD = (
    "x",
    "",
    "-1",
    "0",
    "1e400",
    "nan",
    "inf",
    "1e30",
    "2024-02-30",
    "true",
    "NULL",
    "é",
    "a,b",
    "'",
    "9" * 30,
    "\x00",
)
OPERATORS = ("=", "=", "!=", "<", "<=", ">", ">=", "in")
SCALES = (None, 0.1, 0.3, 1.0, 3.0, 0.0, -1.0, 1e-9, float("nan"))


@dataclass
class Asked:
    """What one try asks for."""

    where: list[tuple[str, str, str, list[str]]] = field(default_factory=list)
    balance: list[tuple[str, str]] = field(default_factory=list)
    given: dict[str, pd.DataFrame] = field(default_factory=dict)
    scale: float | None = None
    rows: dict[str, int] | None = None
    seed: int | None = None


@dataclass
class Known:
    """A bundle, one sample of it as text, and what its schema says."""

    bundle: Path
    tables: dict[str, pd.DataFrame]
    prepared: Prepared

    @property
    def schema(self) -> Schema:
        """Return the bundle's schema."""
        return self.prepared.schema


def prepare(folder: Path, bundle: Path | None = None) -> Callable[[random.Random], Try]:
    """Return the maker of tries; trains a small database first where no bundle is given."""
    if bundle is None:
        from line import trained_absorbing
        from small_database import people_and_visits

        store = trained_absorbing(folder / "store", *people_and_visits(), steps=20, width=16)
        bundle = store.artifacts["sample"] / "bundle"
    sample(bundle, out=folder / "base", formats=["csv"], device="cpu")
    known = Known(bundle, _read(folder / "base"), Bundle.open(bundle).prepared)

    def make(rng: random.Random) -> Try:
        place = folder / "try"
        shutil.rmtree(place, ignore_errors=True)
        (place / "in").mkdir(parents=True)
        return _filling(known, place, rng) if rng.random() < 0.3 else _sampling(known, place, rng)

    return make


def _read(folder: Path) -> dict[str, pd.DataFrame]:
    return {
        path.stem: pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
        for path in sorted(folder.glob("*.csv"))
    }


# A sample.


def _sampling(known: Known, place: Path, rng: random.Random) -> Try:
    asked = Asked(scale=rng.choice(SCALES[:4] * 3 + SCALES), seed=rng.randrange(100))
    names = list(known.tables)
    if rng.random() < 0.2:
        asked.rows = {rng.choice(names): rng.choice((0, 1, 2, 7, 50, 300)) for _ in range(rng.choice((1, 2)))}
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        asked.where.append(_condition(known, rng))
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        table, column = _column(known, rng)
        asked.balance.append((table, column))
    for name in rng.sample(names, min(len(names), rng.choice((0, 0, 1, 1, 2, 3)))):
        asked.given[name] = _given(known, name, rng)
    for name, rows in asked.given.items():
        rows.to_csv(place / "in" / f"{name}.csv", index=False)
    where = [f"{table}.{column} {sign} {', '.join(values)}" for table, column, sign, values in asked.where]
    balance = [f"{table}.{column}" for table, column in asked.balance]
    shown = {name: [len(rows), *rows.columns] for name, rows in asked.given.items()}
    words = f"scale={asked.scale} rows={asked.rows} seed={asked.seed} where={where} balance={balance} given={shown}"

    def run() -> str | None:
        sizes = sample(
            known.bundle,
            scale=asked.scale,
            seed=asked.seed,
            rows=asked.rows,
            out=place / "out",
            formats=["csv"],
            device="cpu",
            where=where,
            balance=balance,
            given=given_tables([str(place / "in")]) if asked.given else (),
        )
        made = _read(place / "out")
        if {name: len(rows) for name, rows in made.items()} != sizes:
            return f"{sizes} rows are said, { ({name: len(rows) for name, rows in made.items()}) } written"
        return next(_wrong(known, asked, made, place / "out"), None)

    return Try(words, run)


def _column(known: Known, rng: random.Random) -> tuple[str, str]:
    """Return a table and a column; mostly one that is no key."""
    table = rng.choice(list(known.tables))
    columns = list(known.tables[table].columns)
    free = [name for name in columns if name in known.prepared.codec(table).columns]
    return table, rng.choice(free if free and rng.random() < 0.9 else columns)


def _condition(known: Known, rng: random.Random) -> tuple[str, str, str, list[str]]:
    table, column = _column(known, rng)
    sign = rng.choice(OPERATORS)
    there = known.tables[table][column].dropna().tolist()
    values = [rng.choice(there) if there and rng.random() < 0.93 else rng.choice(ODD) for _ in range(3)]
    values = values if sign == "in" else values[:1]
    return table, column, sign, [f"'{one}'" if "," in one else one for one in values]


def _given(known: Known, name: str, rng: random.Random) -> pd.DataFrame:
    """Return some rows of the sample, less columns, less cells, some with numbers of children."""
    base = known.tables[name]
    count = min(len(base), rng.choice((1, 2, 5, 20, 10_000)))
    rows = base.sample(count, random_state=rng.randrange(2**31)).reset_index(drop=True)
    keep = [column for column in rows if rng.random() < 0.7] or list(rows)[:1]
    keep = [column for column in keep if rng.random() < 0.3 or not _leads_out(known, name, column)] or list(rows)[:1]
    rows = rows[keep].copy()
    for column in rows:
        rows.loc[[rng.random() < 0.15 for _ in range(count)], column] = None
    if rng.random() < 0.15:
        rows.loc[rng.randrange(count), rng.choice(list(rows))] = rng.choice(ODD)
    for relation in known.schema.relations_of_parent(name):
        if rng.random() < 0.3:
            rows[f"count({relation.child_table}.{relation.child_columns[0]})"] = [
                rng.choice(("", "0", "1", "2", "3", "9", "9", "-1" if rng.random() < 0.02 else "4"))
                for _ in range(count)
            ]
    return rows


def _leads_out(known: Known, name: str, column: str) -> bool:
    return any(column in relation.child_columns for relation in known.schema.relations_of_child(name))


def _wrong(known: Known, asked: Asked, made: dict[str, pd.DataFrame], out: Path) -> Iterator[str]:
    """Yield what of a sample is not what was asked."""
    schema = known.schema
    standing = {name: list(rows) for name, rows in read_given(out, {k: len(v) for k, v in made.items()}).items()}
    yield from keys_wrong(schema, made)
    for name, rows in (asked.rows or {}).items():
        if not asked.given and not schema.relations_of_child(name) and len(made[name]) != rows:
            yield f"{name}: {len(made[name])} rows, {rows} were asked for"
    for table, column, sign, values in asked.where:
        rest = made[table].drop(index=standing.get(table, []))
        pattern = schema.table(table).column(column).datetime_format
        plain = [one[1:-1] if one[:1] == "'" == one[-1:] and len(one) > 1 else one for one in values]
        bad = [one for one in rest[column].tolist() if not _holds(one, sign, plain, pattern)]
        if bad:
            yield f"{table}.{column} {sign} {values}: {len(bad)} of {len(rest)} rows do not, {bad[:3]}"
    for table, column in asked.balance:
        if table not in asked.given:
            counts = made[table][column].value_counts()
            if len(counts) and counts.max() - counts.min() > 1:
                yield f"{table}.{column}: not balanced: {counts.to_dict()}"
    for name, rows in asked.given.items():
        yield from _given_wrong(schema, name, rows, made, standing.get(name, []))


def _given_wrong(
    schema: Schema, name: str, rows: pd.DataFrame, made: dict[str, pd.DataFrame], standing: list[int]
) -> Iterator[str]:
    if len(standing) != len(rows):
        yield f"{name}: {len(rows)} rows given, {len(standing)} stand"
        return
    found = made[name].iloc[standing]
    own = [column for column in rows if column in found]
    kept = [column for column in own if not any(column in one.child_columns for one in schema.relations_of_child(name))]
    free = set(standing)
    for number in sorted(range(len(rows)), key=lambda row: rows[kept].iloc[row].isna().sum()):
        cells = rows[kept].iloc[number].dropna()
        same = [row for row in free if all(_same(found.at[row, key], value) for key, value in cells.items())]
        if not same:
            yield f"{name}: given row {number} is not there: {cells.to_dict()}"
            return
        row = same[0]
        if len(same) == 1:
            yield from _children_wrong(schema, name, rows.iloc[number], made, row)
        free.discard(row)


def _children_wrong(
    schema: Schema, name: str, given: pd.Series, made: dict[str, pd.DataFrame], row: int
) -> Iterator[str]:
    for relation in schema.relations_of_parent(name):
        word = given.get(f"count({relation.child_table}.{relation.child_columns[0]})")
        if isinstance(word, str) and word:
            there = int((_parents(relation, made) == row).sum())
            if there != int(word):
                yield f"{name}: row {row} has {there} {relation.child_table} by {relation.child_columns}, {word} given"


def _parents(relation: Relation, made: dict[str, pd.DataFrame]) -> pd.Series:
    parent = made[relation.parent_table]
    place = {key: row for row, key in enumerate(map(tuple, parent[list(relation.parent_columns)].values))}
    child = made[relation.child_table][list(relation.child_columns)]
    return pd.Series([place.get(tuple(key), -2) for key in child.values])


def keys_wrong(schema: Schema, made: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Yield keys that are empty, twice there or lead nowhere."""
    for table in schema.tables:
        rows = made[table.name]
        primary = list(table.primary_key)
        if primary and (rows[primary].isna().any().any() or rows.duplicated(primary).any()):
            yield f"{table.name}: keys {primary} are empty or twice there"
        if list(rows.columns) != [column.name for column in table.columns]:
            yield f"{table.name}: columns {list(rows.columns)}"
    for relation in schema.relations:
        keys = made[relation.child_table][list(relation.child_columns)].notna().all(axis=1)
        lost = int((_parents(relation, made)[keys.to_numpy()] < 0).sum())
        if lost:
            yield f"{relation.name}: {lost} keys lead nowhere"
        if relation.is_self_reference and (rows := _in_rings(_parents(relation, made).to_numpy())):
            yield f"{relation.name}: {rows} rows lead into a ring"


def _in_rings(above: np.ndarray) -> int:
    far = np.where(above == np.arange(len(above)), -1, np.maximum(above, -1))
    for _ in range(len(far).bit_length()):
        far = np.where(far >= 0, far[far], -1)
    return int((far >= 0).sum())


def _same(left: object, right: object) -> bool:
    if left == right:
        return True
    try:
        return float(str(left)) == float(str(right))
    except ValueError:
        pass
    try:
        return bool(pd.Timestamp(str(left)) == pd.Timestamp(str(right)))
    except ValueError:
        return str(left).lower() == str(right).lower()


def _holds(value: object, sign: str, asked: list[str], pattern: str | None) -> bool:
    if not isinstance(value, str):
        return False
    if sign in ("=", "in", "!="):
        return any(_same(value, one) for one in asked) != (sign == "!=")
    left, right = _ordered(value, asked[0], pattern)
    compared = {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}
    return compared[sign]


def _ordered(left: str, right: str, pattern: str | None) -> tuple[Any, Any]:
    """Return two values as numbers, as times, or as they are."""
    try:
        return float(left), float(right)
    except ValueError:
        pass
    try:
        return pd.to_datetime(left, format=pattern), pd.to_datetime(right, format=pattern)
    except ValueError:
        return left, right


# Filled tables.


def _filling(known: Known, place: Path, rng: random.Random) -> Try:
    names = list(known.tables)
    holes = {}
    for name in rng.sample(names, rng.randrange(1, len(names) + 1)):
        rows = known.tables[name].copy()
        if rng.random() < 0.3:
            rows = rows.sample(min(len(rows), rng.choice((1, 3, 40))), random_state=rng.randrange(2**31))
        share, primary = rng.choice((0.0, 0.1, 0.5, 1.0)), known.schema.table(name).primary_key
        for column in rows:
            if column not in primary or rng.random() < 0.02:
                rows[column] = [None if rng.random() < share else one for one in rows[column]]
        if rng.random() < 0.2:
            rows = rows[rng.sample(list(rows), rng.randrange(1, len(rows.columns) + 1))]
        if rng.random() < 0.1:
            rows.iat[rng.randrange(len(rows)), rng.randrange(len(rows.columns))] = rng.choice(ODD)
        holes[name] = rows.reset_index(drop=True)
        holes[name].to_csv(place / "in" / f"{name}.csv", index=False, sep=rng.choice(",,;"))
    words = "impute " + str({name: [len(rows), *rows.columns] for name, rows in holes.items()})

    def run() -> str | None:
        read = read_tables(place / "in", "--impute")
        impute(known.bundle, read, place / "out", rng.randrange(100), device="cpu")
        for name, before in holes.items():
            path = place / "out" / f"{name}.csv"
            sign = ";" if ";" in path.read_text(encoding="utf-8").partition("\n")[0] else ","
            after = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], sep=sign)
            if list(after) != list(before) or len(after) != len(before):
                return f"{name}: {list(after)}, {len(after)} rows of {len(before)}"
            stood = before.notna().to_numpy() & ~before.isin(DEFAULT_NULL_VALUES).to_numpy()
            old, new = before.to_numpy()[stood], after.to_numpy()[stood]
            if (old != new).any():
                changed = np.flatnonzero(old != new)
                return f"{name}: {len(changed)} cells that stood have changed: {old[changed[0]]!r}: {new[changed[0]]!r}"
        return None

    return Try(words, run)
