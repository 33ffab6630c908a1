"""Keys that fix another key of their row do so in new keys of any size, under both structure models."""

import numpy as np
import pytest

from tabgraphsyn.data.order import Plan
from tabgraphsyn.data.pointers import CENSORED, follow
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Support
from tabgraphsyn.data.rules.value_kinds import Fixed
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.fixing.regrow import Keys
from tabgraphsyn.generation.structure.base import KeyPlan, StructureModel, Topology
from tabgraphsyn.generation.structure.degrees import DegreesStructure
from tabgraphsyn.generation.structure.fixes import broken_fixes
from tabgraphsyn.generation.structure.rules import learn_rules
from tabgraphsyn.generation.structure.skeleton import SkeletonStructure

MODELS = [SkeletonStructure, DegreesStructure]


def database(
    keys: dict[str, np.ndarray], rows: dict[str, int], driver: str | None, reference: tuple[str, ...] = (), rules=()
) -> Topology:
    """Return a topology of ``"table.column>parent"`` keys; every table has an id."""
    named = {Relation(one.split(".")[0], (one.split(".")[1].split(">")[0],), one.split(">")[1], ("id",)): values
             for one, values in keys.items()}  # fmt: skip
    columns = {table: ["id", *(one.child_columns[0] for one in named if one.child_table == table)] for table in rows}
    tables = tuple(TableSchema(name, tuple(Column(one, "id") for one in own), ("id",)) for name, own in columns.items())
    schema, pointers = Schema(tables, tuple(named)), {one.name: np.asarray(values) for one, values in named.items()}
    drivers = {one.child_table: one.name for one in named if f"{one.child_table}.{one.child_columns[0]}" == driver}
    plan = {
        "order": list(rows),
        "driver": {table: drivers.get(table) for table in rows},
        "reference_tables": list(reference),
        "real_rows": rows,
        "training_rows": rows,
    }
    return Topology(learn_rules(schema, Plan.from_dict(plan), pointers, rules), rows, pointers)


def shifts(driver: str | None) -> Topology:
    """35 employees of very different diligence have one department, and departments one site; a tenth of the employees
    is held out, and one of eight shifts has no employee."""
    rng = np.random.default_rng(1)
    department = rng.integers(0, 9, 35)
    site = np.arange(9) % 4
    employee = np.sort((35 * rng.random(700) ** 2.5).astype(int))
    keys = np.where(rng.random(700) < 0.12, -1, np.where(employee % 10 == 3, CENSORED, employee))
    own = department[employee]
    return database(
        {"shift.employee>employee": keys, "shift.department>department": own, "shift.site>site": site[own]},
        {"site": 4, "department": 9, "employee": 35, "shift": 700},
        driver,
    )


def bookings(driver: str | None) -> Topology:
    """A room is in one of six hotels (published); rooms are many, and guests come again."""
    rng = np.random.default_rng(2)
    hotel, guest = rng.integers(0, 6, 120), np.sort((200 * rng.random(1500) ** 2).astype(int))
    room = rng.integers(0, 120, 1500)
    keys = {"booking.guest>guest": guest, "booking.room>room": room, "booking.hotel>hotel": hotel[room]}
    return database(keys, {"hotel": 6, "room": 120, "guest": 200, "booking": 1500}, driver, ("hotel",))


def lessons(driver: str | None) -> Topology:
    """A teacher has one room a term; pupils have many lessons."""
    rng = np.random.default_rng(3)
    rooms = rng.integers(0, 30, (40, 5))
    pupil, teacher, term = np.sort(rng.integers(0, 90, 2000)), rng.integers(0, 40, 2000), rng.integers(0, 5, 2000)
    keys = {
        "lesson.pupil>pupil": pupil,
        "lesson.teacher>teacher": teacher,
        "lesson.term>term": term,
        "lesson.room>room": rooms[teacher, term],
    }
    return database(keys, {"term": 5, "room": 30, "teacher": 40, "pupil": 90, "lesson": 2000}, driver)


def orders(driver: str | None) -> Topology:
    """The region of a customer, of whom the order knows only the customer, fixes the warehouse, or there is none."""
    rng = np.random.default_rng(4)
    region, warehouse = rng.integers(0, 12, 150), np.array([0, 0, 1, 2, 2, 3, 3, 3, 4, 4, -1, -1])
    customer = np.sort(rng.integers(0, 150, 900))
    keys = {
        "customer.region>region": region,
        "order.customer>customer": customer,
        "order.warehouse>warehouse": warehouse[region[customer]],
    }
    return database(keys, {"region": 12, "warehouse": 5, "customer": 150, "order": 900}, driver)


CASES = [
    (shifts, "shift.employee"), (shifts, "shift.site"), (shifts, "shift.department"), (shifts, None),
    (bookings, "booking.guest"), (bookings, "booking.room"), (bookings, "booking.hotel"),
    (lessons, "lesson.pupil"), (lessons, "lesson.room"), (lessons, "lesson.teacher"), (lessons, None),
    (orders, "order.customer"), (orders, "order.warehouse"),
]  # fmt: skip


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("made", "driver"), CASES)
def test_what_is_fixed_stays_fixed_at_every_size(made, driver, model: type[StructureModel], scale: float):
    item = made(driver)
    expected = {"shifts": 2, "bookings": 1, "lessons": 1, "orders": 1}[made.__name__]
    assert len(item.plan.fixes) == expected, item.plan.fixes
    fitted = model()
    fitted.fit(item)
    arrays, state = fitted.to_arrays()
    read = model()
    read.from_arrays(arrays, state)
    new = read.grow(scale=scale, rows=None, seed=7)
    table = item.plan.fixes[0].table
    lost = sum(new.dropped.values())
    assert lost <= 0.02 * scale * item.rows[table] + 1, new.dropped
    for one in item.plan.fixes:
        assert not broken_fixes(one, new.pointers).any(), one
    for link in item.plan.links_of_child(table):
        real, made_now = item.pointers[link.name], new.pointers[link.name]
        assert scale < 1 or abs((real == -1).mean() - (made_now == -1).mean()) < 0.06, link.name
        if link.name != item.plan.driver[table] and scale >= 1:
            assert len(np.unique(made_now[made_now >= 0])) > 0.6 * len(np.unique(real[real >= 0]))


def sales(driver: str | None) -> Topology:
    """A sale's region is its customer's; shops are elsewhere."""
    rng = np.random.default_rng(5)
    region, customer = rng.integers(0, 8, 120), rng.integers(0, 120, 1000)
    keys = {
        "customer.region>region": region,
        "sale.shop>shop": np.sort(rng.integers(0, 25, 1000)),
        "sale.customer>customer": customer,
        "sale.region>region": region[customer],
    }
    return database(keys, {"region": 8, "shop": 25, "customer": 120, "sale": 1000}, driver)


def tickets(driver: str | None) -> Topology:
    """Who answers a ticket is of the team of the account that wrote it."""
    rng = np.random.default_rng(6)
    team_of_agent, team_of_account = rng.integers(0, 5, 30), rng.integers(0, 5, 90)
    account = np.sort(rng.integers(0, 90, 900))
    agent = np.array([rng.choice(np.flatnonzero(team_of_agent == one)) for one in team_of_account[account]])
    keys = {
        "agent.team>team": team_of_agent,
        "account.team>team": team_of_account,
        "ticket.account>account": account,
        "ticket.agent>agent": agent,
    }
    return database(keys, {"team": 5, "agent": 30, "account": 90, "ticket": 900}, driver)


@pytest.mark.parametrize("scale", [0.3, 10.0])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("made", "driver"), [(sales, "sale.shop"), (sales, "sale.region"), (tickets, "ticket.agent")])
def test_two_ways_to_one_row_end_in_one_row_at_every_size(made, driver, model: type[StructureModel], scale: float):
    item = made(driver)
    fitted = model()
    fitted.fit(item)
    new = fitted.grow(scale=scale, rows=None, seed=3)
    (one,) = item.plan.equalities
    left, right = (follow(way, new.pointers) for way in (one.left, one.right))
    assert (left >= 0).all() and np.array_equal(left, right) and not new.dropped


def test_a_declared_rule_between_keys_is_kept_though_few_rows_show_it():
    rule = Fixed(
        table="stay",
        determinant=(Operand("guest"),),
        dependent=Operand("home"),
        support=Support(rows=12, broken=0, by_chance=4, source="declared"),
        by_key=True,
    )
    keys = {
        "stay.inn>inn": np.arange(12) % 3,
        "stay.guest>guest": np.arange(12) % 4,
        "stay.home>home": np.arange(12) % 2,
    }
    rows = {"inn": 3, "guest": 4, "home": 2, "stay": 12}
    assert not database(keys, rows, "stay.inn").plan.fixes
    assert [one.link for one in database(keys, rows, "stay.inn", rules=[rule]).plan.fixes] == ["stay.home--home"]


def test_a_plan_that_lets_other_keys_fix_is_refused():
    plan = lessons(None).plan.to_dict()
    table, by, link, with_null = plan["fixes"][0]
    unknown = [table, [["no.such--way"]], link, with_null]
    for wrong in (unknown, [table, [], link, with_null], [table, [[link]], link, 0], ["pupil", by, link, with_null]):
        with pytest.raises(DataError, match="of its own lists expected"):
            KeyPlan.from_dict({**plan, "fixes": [wrong]})


@pytest.mark.parametrize("driver", ["booking.guest", "booking.room", None])
def test_keys_that_are_given_stand_and_the_rest_follows(driver: str | None):
    item = bookings(driver)
    model = SkeletonStructure()
    model.fit(item)
    keys = Keys(item.plan, model.grow(scale=0.5, rows=None, seed=1), np.random.default_rng(2))
    link = next(one for one in item.plan.links if one.columns == ("room",))
    # Twenty bookings of a guest are given other rooms than they had.
    given = np.arange(40, 60)
    keys.pointers[link.name][given] = np.arange(20) % keys.rows["room"]
    assert broken_fixes(item.plan.fixes[0], keys.pointers).any()
    if driver is not None:
        keys.resize(item.plan.link[item.plan.driver["booking"]], np.arange(keys.rows[driver.split(".")[1]]) % 7)
        assert broken_fixes(item.plan.fixes[0], keys.pointers).any() or driver == "booking.guest"
    before = keys.pointers[link.name].copy()
    assert keys.settle({link.name: given}) == []
    assert not broken_fixes(item.plan.fixes[0], keys.pointers).any()
    assert np.array_equal(keys.pointers[link.name][given], before[given])
