"""Finding what is unique, what differs, what is one of others, and what is fixed by other columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codes import mixed_in, tuple_codes
from tabgraphsyn.data.dependencies import Dependency
from tabgraphsyn.data.rules.coarse_kind import Coarse
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Product, Same, Total
from tabgraphsyn.data.rules.rule import Rule, Support
from tabgraphsyn.data.rules.search import BY_CHANCE_MIN, COLUMNS_MAX, Search, by_chance
from tabgraphsyn.data.rules.shift_kind import Shift
from tabgraphsyn.data.rules.value_kinds import Among, Differ, Fixed, OneOf, Unique

LEVELS_MAX = 1_000
ROWS_PER_LEVEL = 10
SCREEN_ROWS = 2_000
OTHERS_MAX = 3
EQUAL_MIN = 0.05
PAIR_COLUMNS_MAX = 60
SHARED_ROWS = 20_000
"""Rows, about, that share some values: a pair of columns is held against these before all rows."""


def find_unique_alone(search: Search) -> Iterator[Unique]:
    """Yield columns whose values never repeat although values drawn anew would: codes, addresses, dense numbers.

    The primary key is the schema's business. That shuffling repeats nothing says nothing here.
    """
    primary = search.tables.schema.table(search.table).primary_key
    for name in _alone(search):
        repeats = _expected_repeats(search, name)
        if (name,) != primary and repeats >= BY_CHANCE_MIN:
            rows = int(search.tables.filled(search.table, Operand(name)).sum())
            support = Support(rows=rows, by_chance=round(min(repeats, rows)))
            yield Unique(table=search.table, columns=(Operand(name),), support=support)


def find_unique(search: Search) -> Iterator[Unique]:
    """Yield candidates for columns that are unique in pairs, or within the rows of a parent."""
    schema = search.tables.schema
    primary = set(schema.table(search.table).primary_key)
    keys = list(schema.relations_of_child(search.table))
    key_columns = {column for one in keys for column in one.child_columns}
    alone = set(_alone(search))
    rest = [name for name in _names(search) if name not in alone]
    found: list[frozenset[str]] = [frozenset(primary)] if primary else []
    for relation in keys:
        columns = [name for name in rest if name not in relation.child_columns]
        for one in _unique_within(search, relation.name, columns, found, set(relation.child_columns)):
            found.append(frozenset({*relation.child_columns, *one}))
            yield Unique(table=search.table, columns=tuple(map(Operand, one)), relation=relation.name)
    plain = [name for name in rest if name not in key_columns]
    pairs = search.rows**2 / 2
    alike = {name: _alike_share(search.judged.codes(search.table, Operand(name))) for name in plain}
    for pair in combinations(plain, 2):
        if pairs * alike[pair[0]] * alike[pair[1]] < BY_CHANCE_MIN or any(each <= set(pair) for each in found):
            continue
        if _is_unique(search, pair):
            found.append(frozenset(pair))
            yield Unique(table=search.table, columns=tuple(map(Operand, pair)))


def _names(search: Search) -> list[str]:
    return [one.name for one in search.tables.schema.table(search.table).columns][:PAIR_COLUMNS_MAX]


def _alone(search: Search) -> list[str]:
    """Return the columns that never repeat a value."""
    found = []
    for name in _names(search):
        codes = search.sample.codes(search.table, Operand(name))
        known = codes[codes >= 0]
        is_alone = len(known) >= BY_CHANCE_MIN and int(known.max()) + 1 == len(known)
        if is_alone and (search.sample is search.tables or not search.tables.repeats(search.table, name)):
            found.append(name)
    return found


def _expected_repeats(search: Search, name: str) -> float:
    """Return how many values would repeat others if they were drawn anew; 0 for sentences and fine-grained numbers."""
    operand = Operand(name)
    kind = search.tables.type_of(search.table, operand)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        some = search.sample.values(search.table, operand).drop_null().slice(0, SCREEN_ROWS)
        is_prose = pc.mean(pc.cast(pc.match_substring(some, " "), pa.int8())).as_py() > 0.1
        return 0.0 if is_prose else float(search.tables.filled(search.table, operand).sum()) / np.e
    if search.tables.schema.table(search.table).column(name).sdtype in ("id", "categorical"):
        return float(search.tables.filled(search.table, operand).sum()) / np.e
    numbers = np.sort(search.tables.numbers(search.table, operand))
    numbers = numbers[~np.isnan(numbers)]
    gaps = np.diff(numbers)
    least = float(gaps.min()) if len(gaps) else 0.0
    places = (numbers[-1] - numbers[0]) / least + 1 if least > 0 else np.inf
    return len(numbers) ** 2 / (2 * places)


def _unique_within(
    search: Search, relation: str, columns: Sequence[str], found: Sequence[frozenset[str]], keys: set[str]
) -> Iterator[tuple[str, ...]]:
    """Yield one column, or two, that never repeat within a family of a sample of whole families."""
    inside = Search(search.tables, search.table, relation)
    family = np.maximum(inside.sample.family(relation), -1)
    if len(np.unique(family)) > 0.9 * len(family):
        return
    codes = {name: inside.sample.codes(search.table, Operand(name)) for name in columns}
    alike = {name: _alike_share(search.judged.codes(search.table, Operand(name))) for name in columns}
    sizes = np.bincount(np.maximum(search.tables.family(relation), -1) + 1)[1:].astype(np.float64)
    pairs = float((sizes * (sizes - 1)).sum() / 2)
    columns = [name for name in columns if pairs * alike[name] >= BY_CHANCE_MIN]
    alone = [name for name in columns if _repeats([family, codes[name]]) == 0]
    for name in alone:
        if not any(each <= {*keys, name} for each in found):
            yield (name,)
    rest = [name for name in columns if name not in alone]
    for pair in combinations(rest, 2):
        if pairs * alike[pair[0]] * alike[pair[1]] < BY_CHANCE_MIN or any(each <= {*keys, *pair} for each in found):
            continue
        if _repeats([family, codes[pair[0]], codes[pair[1]]]) == 0:
            yield pair


def _alike_share(codes: np.ndarray) -> float:
    """Return the share of pairs of rows that have the same value: what chance would repeat is a product of these."""
    counts, rows = np.bincount(codes + 1)[1:].astype(np.float64), max(len(codes), 2)
    return float((counts * (counts - 1)).sum() / (rows * (rows - 1.0)))


def _is_unique(search: Search, pair: tuple[str, str]) -> bool:
    """Return whether a pair never repeats among the rows that share some values of its first column."""
    one_in = np.uint64(max(1, -(-search.rows // SHARED_ROWS)))
    found, some = [], None
    for (filled, first), (other, second) in search.tables.hashed_pieces(search.table, pair):
        has = filled & other
        own = first[has]
        if not len(own):
            continue
        some = own[0] if some is None else some  # a value that is there, however few there are
        mixed = np.zeros(len(own), dtype=np.uint64)
        mixed_in(mixed, own)
        is_kept = (own == some) | (mixed % one_in == 0)
        mixed = mixed[is_kept]
        mixed_in(mixed, second[has][is_kept])
        found.append(mixed)
    hashes = np.concatenate(found) if found else np.zeros(0, dtype=np.uint64)
    return len(hashes) >= BY_CHANCE_MIN and len(np.unique(hashes)) == len(hashes)


def _repeats(parts: Sequence[np.ndarray]) -> int:
    mixed = np.zeros(len(parts[0]), dtype=np.uint64)
    has = np.ones(len(parts[0]), dtype=bool)
    for part in parts:  # a hash will do: a repetition that it invents costs one look at all rows at most
        has &= part >= 0
        mixed_in(mixed, part)
    kept = mixed[has]
    return len(kept) - len(np.unique(kept)) if len(kept) >= BY_CHANCE_MIN else -1


def find_equalities(search: Search) -> Iterator[Rule]:
    """Yield pairs of columns that always differ, and columns that always equal one of two or three others.

    Keys, ids, words and categories are compared where they share values; numbers are the orders' business.
    """
    schema = search.tables.schema
    primary = schema.table(search.table).primary_key
    columns = [
        Operand(one.name)
        for one in schema.table(search.table).columns
        if (one.sdtype in ("id", "categorical", "text") or one.name in schema.key_columns(search.table))
        and (one.name,) != primary
    ][:COLUMNS_MAX]
    by_type: dict[str, list[Operand]] = {}
    for one in columns:
        by_type.setdefault(str(search.sample.type_of(search.table, one)), []).append(one)
    for group in by_type.values():
        if 2 <= len(group) <= PAIR_COLUMNS_MAX:
            yield from _equalities(search, group)


def _equalities(search: Search, group: Sequence[Operand]) -> Iterator[Rule]:
    codes = search.sample.joint(search.table, group)
    equal = {(i, j): (codes[i] == codes[j]) & (codes[i] >= 0) for i, j in combinations(range(len(group)), 2)}
    held = np.zeros((len(codes), max((int(one.max(initial=-1)) for one in codes), default=-1) + 1), dtype=bool)
    for place, one in enumerate(codes):
        held[place, one[one >= 0]] = True
    for (i, j), same in equal.items():
        if not same.any() and (held[i] & held[j]).any():
            yield Differ(table=search.table, left=group[i], right=group[j])
    for k in range(len(group)):
        has = codes[k] >= 0
        likely = []
        for i in range(len(group)):
            if i != k and has.any():
                same = equal[(min(i, k), max(i, k))][has]
                if EQUAL_MIN <= same.mean() < 1:
                    likely.append((i, same))
        for size in range(2, OTHERS_MAX + 1):
            matches = [each for each in combinations(likely, size) if np.any([one[1] for one in each], axis=0).all()]
            if matches:
                yield Among(table=search.table, column=group[k], others=tuple(group[i] for i, _ in matches[0]))
                break


def find_fixed(search: Search, dependencies: Iterable[Dependency], told: Iterable[Rule]) -> Iterator[Fixed]:
    """Yield what the functional dependencies of the table say, exact ones and strong habits, and pairs of columns."""
    told = list(told)
    keys = set(search.tables.schema.key_columns(search.table))
    found: list[Fixed] = []
    for one in dependencies:
        if one.table == search.table:
            rule = Fixed(
                table=search.table,
                determinant=tuple(map(Operand, one.determinant)),
                dependent=Operand(one.dependent),
                by_key=bool(keys & set(one.determinant)),
            )
            if not _is_said(search, rule, told):
                found.append(_measured(search, rule))
    alone = (rule for rule in _fixed_where_filled(search, found) if not _is_said(search, rule, told))
    found += [_measured(search, rule) for rule in alone]
    by_pairs = (rule for rule in _fixed_by_pairs(search, found) if not _is_said(search, rule, told))
    found += [_measured(search, rule) for rule in by_pairs]
    yield from _reduced([rule for rule in found if rule.support.by_chance >= BY_CHANCE_MIN])


def _measured(search: Search, rule: Fixed) -> Fixed:
    rows, broken = rule.check(search.tables).counts
    strength = round(1 - broken / max(rows, 1), 6)
    asked = rows if search.judged is search.tables else rule.check(search.judged).counts[0]
    chance = round(by_chance(rule, search.judged) * rows / max(asked, 1))
    support = Support(rows=rows, broken=broken, by_chance=chance)
    return Fixed(
        table=rule.table,
        determinant=rule.determinant,
        dependent=rule.dependent,
        strength=min(strength, 1 - 1e-6) if broken else 1.0,
        by_key=rule.by_key,
        support=support,
    )


def _is_said(search: Search, rule: Fixed, told: Sequence[Rule]) -> bool:
    """Return whether another rule says more: the columns are equal, or add up, or are a group of two."""
    pair = {*rule.determinant, rule.dependent}
    for one in told:
        is_more = isinstance(one, Same | Total | Product | Coarse | Shift) and rule.dependent in one.operands
        if is_more and set(one.operands) <= pair:
            return True
        if isinstance(one, OneOf) and pair <= set(one.columns):
            return True
        above = {each for each in one.operands if not each.is_own}
        own = set(one.operands) - above
        if isinstance(one, Same | Total) and above and own <= pair:
            ways = (search.tables.schema.way(str(each.through))[0].child_columns for each in above)
            if pair - own <= {Operand(name) for columns in ways for name in columns}:
                return True
    return False


def _fixed_where_filled(search: Search, found: Sequence[Fixed]) -> Iterator[Fixed]:
    """Yield columns that another one fixes in the rows that have it: a purpose says the kind, where there is one.

    Dependencies hold a missing value against others as a value like any.
    """
    rows = search.sample.num_rows(search.table)
    codes = {one: search.sample.codes(search.table, one) for one in search.attributes[:PAIR_COLUMNS_MAX]}
    known = {(rule.determinant, rule.dependent) for rule in found}
    for one, own in codes.items():
        has = np.flatnonzero(own >= 0)
        levels = len(np.unique(own[has]))
        if len(has) == rows or not 2 <= levels <= min(LEVELS_MAX, len(has) // ROWS_PER_LEVEL):
            continue
        order = has[np.argsort(own[has], kind="stable")]
        same = own[order][1:] == own[order][:-1]
        for dependent, other in codes.items():
            told = other[order]
            if dependent == one or ((one,), dependent) in known or (told[1:] != told[:-1])[same].any():
                continue
            rule = Fixed(table=search.table, determinant=(one,), dependent=dependent)
            if np.unique(told).size > 1 and not rule.check(search.sample).broken.any() and search.accept(rule):
                yield rule


def _fixed_by_pairs(search: Search, found: Sequence[Fixed]) -> Iterator[Fixed]:
    """Yield columns that two others fix together, of which neither does alone."""
    rows = search.sample.num_rows(search.table)
    codes = {one: search.sample.codes(search.table, one) for one in search.attributes[:PAIR_COLUMNS_MAX]}
    levels = {one: len(np.unique(each)) for one, each in codes.items()}
    usable = [one for one, count in levels.items() if 2 <= count <= min(LEVELS_MAX, rows // ROWS_PER_LEVEL)]
    dependents = [one for one, count in levels.items() if count >= 2]
    if not usable or rows < BY_CHANCE_MIN:
        return
    known = {(rule.determinant, rule.dependent) for rule in found}
    few = np.arange(rows)[:: max(1, -(-rows // SCREEN_ROWS))]
    table = np.stack([codes[one][few] for one in dependents], axis=1)
    for one, other in combinations(usable, 2):
        if ((one,), other) in known or ((other,), one) in known:
            continue
        mixed = (codes[one][few] + 1) * (levels[other] + 2) + codes[other][few] + 1
        order = np.argsort(mixed, kind="stable")
        # Of a row without one of the two nothing is said: several routes may have no destination.
        both = ((codes[one][few] >= 0) & (codes[other][few] >= 0))[order]
        same = (mixed[order][1:] == mixed[order][:-1]) & both[1:]
        if same.sum() < BY_CHANCE_MIN:
            continue
        differ = ((table[order][1:] != table[order][:-1]) & same[:, None]).any(axis=0)
        for place in np.flatnonzero(~differ):
            dependent = dependents[place]
            if dependent in (one, other) or any(((each,), dependent) in known for each in (one, other)):
                continue
            rule = Fixed(table=search.table, determinant=(one, other), dependent=dependent)
            if _has_room(search, rule) and not rule.check(search.sample).broken.any() and search.accept(rule):
                yield rule


def _has_room(search: Search, rule: Fixed) -> bool:
    codes = tuple_codes([search.sample.codes(search.table, one) for one in rule.determinant])
    return int(codes.max(initial=-1)) + 1 <= search.sample.num_rows(search.table) // ROWS_PER_LEVEL


def _reduced(found: Sequence[Fixed]) -> list[Fixed]:
    """Return the rules without those that others imply: a fixes b and b fixes c say that a fixes c."""
    kept = list(found)
    for rule in sorted(found, key=lambda one: (len(one.determinant), one.support.by_chance)):
        if rule.strength < 1:
            continue
        others = [one for one in kept if one is not rule and one.strength == 1]
        known = set(rule.determinant)
        grew = True
        while grew:
            grew = False
            for one in others:
                if set(one.determinant) <= known and one.dependent not in known:
                    known.add(one.dependent)
                    grew = True
        if rule.dependent in known:
            kept.remove(rule)
    return kept
