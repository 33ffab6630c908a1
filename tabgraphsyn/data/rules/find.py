"""Finding the rules that hold in every training row of a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from tabgraphsyn.data.dependencies import Dependency
from tabgraphsyn.data.rules.calendar_kind import find_calendar
from tabgraphsyn.data.rules.coarse_kind import Coarse, find_coarse
from tabgraphsyn.data.rules.continued_kind import find_continued
from tabgraphsyn.data.rules.declared import held_against
from tabgraphsyn.data.rules.family_kinds import EqualGap, Numbered, ParentTotal, Rising
from tabgraphsyn.data.rules.find_families import find_families, find_parent_totals
from tabgraphsyn.data.rules.find_groups import as_group, find_flag_groups, find_null_causes, find_null_groups
from tabgraphsyn.data.rules.find_pairs import chained, find_across, find_orders, find_products, find_same
from tabgraphsyn.data.rules.find_products import find_longer_products
from tabgraphsyn.data.rules.find_sums import find_sums, is_worthwhile
from tabgraphsyn.data.rules.find_values import find_equalities, find_fixed, find_unique, find_unique_alone
from tabgraphsyn.data.rules.nearer import is_told_nearer
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.placed_kind import Placed, find_placed
from tabgraphsyn.data.rules.row_kinds import Order, Product, Same, Total
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.running_kind import find_running, is_told
from tabgraphsyn.data.rules.search import Search
from tabgraphsyn.data.rules.shift_kind import find_shifts
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.rules.value_kinds import Differ, Fixed, OneOf, Unique
from tabgraphsyn.data.schema import Database, Schema


def find_rules(
    database: Database,
    pointers: Mapping[str, np.ndarray],
    is_training: Mapping[str, np.ndarray],
    dependencies: Sequence[Dependency] = (),
    declared: Sequence[Rule] = (),
) -> list[Rule]:
    """Return the declared rules, measured on the training rows, and the rules found there.

    Args:
        database: all real rows.
        pointers: relation name -> (child rows,) row of the parent, negative for none.
        is_training: table -> (rows,) bool.
        dependencies: functional dependencies of the training rows.
        declared: what the data set's yaml or metadata says; these win over found ones about the same columns.
    """
    tables = RuleTables(database, pointers, {name: mask for name, mask in is_training.items() if not mask.all()})
    found: list[Rule] = []
    for table in database.schema.table_names:
        found += _found_in(tables, table, dependencies)
    found = [rule for rule in found if not _is_implied(rule, found, database.schema)]
    found = [rule for rule in found if not is_told_nearer(rule, found, database.schema)]
    stated = {_subject(rule) for rule in declared}
    return [*held_against(declared, tables)[0], *(rule for rule in found if _subject(rule) not in stated)]


def _found_in(tables: RuleTables, table: str, dependencies: Iterable[Dependency]) -> list[Rule]:
    search = Search(tables, table)
    found: list[Rule] = list(search.accepted(find_same(search)))
    found += find_coarse(search, found)
    columns = search.numeric(search.attributes)
    sums = [rule for rule in find_sums(search) if is_worthwhile(rule, columns)]
    for rule in search.accepted(sums):
        if not _is_told(rule, found):
            found.append(as_group(search, rule))
    for product in search.accepted(find_products(search, list(found))):
        if not _is_told(product, found):
            found.append(product)
    for longer in search.accepted(find_longer_products(search, list(found))):
        told = {one.result for one in found if isinstance(one, Product)}
        if isinstance(longer, Product) and longer.result not in told:
            found.append(longer)
    found += search.accepted(find_across(search, found))
    found += search.accepted(find_shifts(search, found))
    found += chained(list(find_orders(search, found)))
    found += search.accepted(find_flag_groups(search, found))
    found += search.accepted(find_null_groups(search))
    found += search.accepted(find_null_causes(search, found))
    found += find_unique_alone(search)
    found += search.accepted(find_unique(search))
    fixed = list(find_fixed(search, dependencies, found))
    found += fixed
    found += search.accepted(find_calendar(search, found))
    equalities = list(find_equalities(search))
    found += [rule for rule in search.accepted(equalities, len(equalities)) if not _is_other_way(rule, fixed)]
    for relation in tables.schema.relations_of_child(table):
        whole = Search(tables, table, relation.name)
        found += [one for one in whole.accepted(find_running(whole, relation)) if not is_told(one, found)]
        found += find_families(whole, relation, found)
        found += whole.accepted(find_continued(whole, relation, found))
        found += find_placed(whole, found)
    found += find_placed(search, found)
    found += search.accepted(find_parent_totals(search))
    return found


def _is_told(rule: Rule, told: Iterable[Rule]) -> bool:
    """Return whether the same columns stand in a rule already."""
    return any(set(one.operands) == set(rule.operands) for one in told)


def _is_other_way(rule: Rule, fixed: Iterable[Fixed]) -> bool:
    """Return whether two columns that differ fix each other, which says more: yes and no, male and female."""
    return isinstance(rule, Differ) and any({*one.determinant, one.dependent} == set(rule.operands) for one in fixed)


def _is_implied(rule: Rule, found: Sequence[Rule], schema: Schema) -> bool:
    """Return whether another rule across a key says more.

    The order of a part and its total (not one that goes on: hired <= from <= left, the first from being hired), a
    parent's value as the mean of the copies that its rows hold, numbers 1 to n that are unique: each says nothing new.
    """
    if isinstance(rule, Order):
        totals = [one for one in found if isinstance(one, ParentTotal) and one.of is not None]
        parts = [{Operand(one.of or ""), Operand(one.column.column, one.relation)} for one in totals]
        return all({*link} in parts for link in pairwise(rule.columns))
    if isinstance(rule, ParentTotal) and rule.of is not None:
        pair = {Operand(rule.of), Operand(rule.column.column, rule.relation)}
        return any(isinstance(one, Same) and set(one.operands) == pair for one in found)
    if isinstance(rule, Rising):  # what is rounded never falls where the finer one does not
        both: set[Operand | None] = {rule.column, rule.by}
        return any(isinstance(one, Coarse) and one.table == rule.table and set(one.operands) == both for one in found)
    if isinstance(rule, Unique):
        numbered = [one for one in found if isinstance(one, Numbered | EqualGap) and one.table == rule.table]
        if any(one.relation == rule.relation and one.operands == rule.operands for one in numbered):
            return True
        keys = () if rule.relation is None else schema.relation(rule.relation).child_columns
        own = {*map(Operand, keys), *rule.columns}
        placed = [one for one in found if isinstance(one, Placed) and one.table == rule.table]
        return any({one.column, *one.within} == own for one in placed)
    return False


def _subject(rule: Rule) -> tuple[str, frozenset, str]:
    """Return what a rule is about: two rules of one family about the same columns say the same or contradict."""
    family = "sum" if isinstance(rule, Total | OneOf) else rule.kind
    return rule.table, frozenset(rule.operands), family
