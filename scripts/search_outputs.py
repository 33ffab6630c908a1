"""Search what a run gives away for real rows and for values of a few: bundle, synthetic tables, report, every file.

python scripts/search_outputs.py REAL POINT [--entities 5] [--published TABLE ...]

REAL is the folder of the real tables (CSV or parquet), POINT a sweep point's folder, or any folder of outputs. Rows are
compared in all columns that are no key; a value is *rare* where fewer than --entities rows hold it, and is sought in
every file if it is text of four letters or more. Numbers and dates are sought in the bundle's codecs. Exit code 1 if
anything is found.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

LETTERS_MIN = 4
COLUMNS_MIN = 3


def main(arguments: list[str] | None = None) -> int:
    """Print what was found; return 1 if there is anything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    parser.add_argument("point", type=Path)
    parser.add_argument("--entities", type=int, default=5)
    parser.add_argument("--published", nargs="*", default=[], help="tables that are published on purpose")
    given = parser.parse_args(arguments)
    real = {name: rows for name, rows in tables(given.real).items() if name not in given.published}
    found = [*real_rows(real, given.point), *rare_texts(real, given.point, given.entities)]
    found += list(rare_numbers(real, given.point, given.entities))
    for line in found:
        print(line)
    files = sum(path.is_file() for path in given.point.rglob("*"))
    print(f"{len(real)} real tables, {files} files searched: {len(found)} findings")
    return 1 if found else 0


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a folder, every value as text as it is written."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".csv":
            found[path.stem] = pd.read_csv(path, dtype=str, keep_default_na=False)
        elif path.suffix == ".parquet":
            found.setdefault(path.stem, pd.read_parquet(path).astype(str))
    return found


def _attributes(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows if not name.lower().endswith("id")]


def real_rows(real: dict[str, pd.DataFrame], point: Path) -> Iterator[str]:
    """Yield tables of a run that hold real rows, in all columns that are no key."""
    for path in sorted([*point.rglob("*.csv"), *point.rglob("*.parquet")]):
        rows = real.get(path.stem)
        if rows is None:
            continue
        other = tables(path.parent)[path.stem]
        columns = [name for name in _attributes(rows) if name in other]
        if len(columns) < COLUMNS_MIN:
            continue
        known = set(map(tuple, rows[columns].values.tolist()))
        copied = sum(tuple(one) in known for one in other[columns].values.tolist())
        # Few, coarse columns repeat by chance; that is judged by the gate. What must not be is a table of real rows.
        if copied > max(3, 0.01 * len(other)):
            yield f"{path.relative_to(point)}: {copied} of {len(other)} rows are real"


def _rare(values: pd.Series, entities: int) -> set[str]:
    counts = values[values != ""].value_counts()
    return set(counts[counts < entities].index)


def rare_texts(real: dict[str, pd.DataFrame], point: Path, entities: int) -> Iterator[str]:
    """Yield files that hold a text of a few."""
    rare: dict[bytes, str] = {}
    for table, rows in real.items():
        for column in _attributes(rows):
            if pd.to_numeric(rows[column], errors="coerce").notna().mean() > 0.5:
                continue
            for one in _rare(rows[column], entities):
                if sum(letter.isalpha() for letter in one) >= LETTERS_MIN and not _is_time(one):
                    rare[one.encode()] = f"{table}.{column}"
    for path in sorted(one for one in point.rglob("*") if one.is_file()):
        content = path.read_bytes()
        hits = [text for text in rare if text in content]
        for text in hits[:3]:
            yield f"{path.relative_to(point)}: holds {text.decode()!r} of {rare[text]}"
        if len(hits) > 3:
            yield f"{path.relative_to(point)}: and {len(hits) - 3} more"


def _is_time(text: str) -> bool:
    return not pd.isna(pd.to_datetime(text, errors="coerce"))


def rare_numbers(real: dict[str, pd.DataFrame], point: Path, entities: int) -> Iterator[str]:
    """Yield columns whose codec lists a number or a time of a few."""
    from tabgraphsyn.data.codec.listed import listed_days, listed_times, listed_values

    for path in sorted(point.rglob("codec/*.json")):
        rows = real.get(path.stem)
        for one in json.loads(path.read_text(encoding="utf-8"))["columns"] if rows is not None else ():
            column = rows[one["name"]]
            rare = pd.Series(sorted(_rare(column, entities)), dtype=str)
            numbers = pd.to_numeric(rare, errors="coerce")
            if numbers.notna().mean() > 0.5:
                listed = {float(value) for value in listed_values(one["codec"]) if isinstance(value, int | float)}
                hits = numbers[numbers.isin(listed)]
            else:
                hits = _told_times(column, rare, entities, listed_times(one["codec"]), listed_days(one["codec"]))
            if len(hits):
                yield f"{path.relative_to(point)}: {one['name']}: lists {len(hits)} values of a few, {hits.iloc[0]}"


def _told_times(
    column: pd.Series, rare: pd.Series, entities: int, told: set[int], told_days: set[int]
) -> pd.Series:  # fmt: skip
    """Return the times of a few that a codec names, as such or by a day that only a few rows have."""
    day = 86_400_000_000
    everyone, few = (
        pd.to_datetime(one, errors="coerce", format="ISO8601").dropna().astype("datetime64[us]").astype("int64")
        for one in (column, rare)
    )
    counts = (everyone // day).value_counts()
    rare_days = told_days & set(counts[counts < entities].index)
    return few[few.isin(told) | (few // day).isin(rare_days)]


if __name__ == "__main__":
    sys.exit(main())
