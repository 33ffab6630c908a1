"""Rules between keys hold in new keys of any size, under both structure models."""

import numpy as np
import pytest

from tabgraphsyn.data.order import Plan
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Order
from tabgraphsyn.data.rules.rule import Support
from tabgraphsyn.data.rules.value_kinds import Among, Differ
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.structure.base import KeyPlan, StructureModel, Topology
from tabgraphsyn.generation.structure.degrees import DegreesStructure
from tabgraphsyn.generation.structure.rules import learn_rules
from tabgraphsyn.generation.structure.skeleton import SkeletonStructure

FOUND = Support(rows=100, broken=0, by_chance=50, source="found")


def league(seed: int = 5) -> Topology:
    """Twelve clubs; duels (red differs from blue, the winner is red two times in three), rope teams (low < high, each
    pair once), and messages that answer earlier ones of the same file."""
    rng = np.random.default_rng(seed)
    columns = {"club": (), "duel": ("red", "blue", "winner"), "rope": ("low", "high"), "message": ("answers",)}
    keys = {one: "message" if one == "answers" else "club" for table in columns.values() for one in table}
    links = [Relation(table, (one,), keys[one], ("id",)) for table, ones in columns.items() for one in ones]
    tables = tuple(
        TableSchema(name, tuple(Column(one, "id") for one in ("id", *ones)), ("id",)) for name, ones in columns.items()
    )
    schema, name = Schema(tables, tuple(links)), {one.child_columns[0]: one.name for one in links}
    red, shift = rng.integers(0, 12, 300), rng.integers(1, 12, 300)
    blue = (red + shift) % 12
    pairs = np.array([(a, b) for a in range(12) for b in range(a + 1, 12)])[rng.permutation(66)[:50]]
    answers = np.array([rng.integers(0, k) if k > 5 and rng.random() < 0.6 else -1 for k in range(200)])
    pointers = {
        name["red"]: red,
        name["blue"]: blue,
        name["winner"]: np.where(rng.random(300) < 2 / 3, red, blue),
        name["low"]: pairs[:, 0],
        name["high"]: pairs[:, 1],
        name["answers"]: answers,
    }
    rows = {"club": 12, "duel": 300, "rope": 50, "message": 200}
    plan = {
        "order": list(rows),
        "driver": {"club": None, "duel": None, "rope": None, "message": None},
        "reference_tables": [],
        "real_rows": rows,
        "training_rows": rows,
    }
    rules = [
        Differ(table="duel", left=Operand("red"), right=Operand("blue"), support=FOUND),
        Among(table="duel", column=Operand("winner"), others=(Operand("red"), Operand("blue")), support=FOUND),
        Order(table="rope", columns=(Operand("low"), Operand("high")), strict=True, support=FOUND),
    ]
    return Topology(learn_rules(schema, Plan.from_dict(plan), pointers, rules), rows, pointers)


@pytest.mark.parametrize("model", [SkeletonStructure, DegreesStructure])
@pytest.mark.parametrize("scale", [0.7, 1.0, 3.0])
def test_keys_of_a_row_keep_their_rules(model: type[StructureModel], scale: float):
    fitted = model()
    fitted.fit(league())
    arrays, state = fitted.to_arrays()
    read = model()
    read.from_arrays(arrays, state)
    assert {one.rule for one in KeyPlan.from_dict(state["plan"]).between} == {"among", "differ", "rising", "back"}
    grown = read.grow(scale=scale, rows=None, seed=3)
    keys = {name.split(".")[1].split("--")[0]: pointer for name, pointer in grown.pointers.items()}
    red, blue, winner = keys["red"], keys["blue"], keys["winner"]
    assert len(red) > 190 and (red != blue).all() and ((winner == red) | (winner == blue)).all()
    assert abs((winner == red).mean() - 2 / 3) < 0.12
    low, high = keys["low"], keys["high"]
    assert len(low) > 20 and (low < high).all() and len({*zip(low.tolist(), high.tolist(), strict=True)}) == len(low)
    answers = keys["answers"]
    assert (answers < np.arange(len(answers))).all() and abs((answers >= 0).mean() - 0.6) < 0.1


def test_a_plan_with_rules_of_other_keys_is_refused():
    plan = league().plan.to_dict()
    for place, wrong in ((1, "club"), (2, ["duel.red--club", "duel.red--club"]), (3, [0.5])):
        broken = [list(one) for one in plan["between"]]
        at = next(number for number, one in enumerate(broken) if one[0] == "differ")
        broken[at][place] = wrong
        with pytest.raises(DataError, match="of its own lists expected"):
            KeyPlan.from_dict({**plan, "between": broken})


def test_two_keys_of_several_columns_differ_though_no_column_says_so():
    rng = np.random.default_rng(8)
    own, other = ("from_zone", "from_nr"), ("to_zone", "to_nr")
    links = (Relation("lift", own, "stop", ("zone", "nr")), Relation("lift", other, "stop", ("zone", "nr")))
    tables = (
        TableSchema("stop", (Column("zone", "id"), Column("nr", "id")), ("zone", "nr")),
        TableSchema("lift", tuple(Column(one, "id") for one in (*own, *other)), ()),
    )
    start = rng.integers(0, 9, 400)
    pointers = {links[0].name: start, links[1].name: (start + rng.integers(1, 9, 400)) % 9}
    rows = {"stop": 9, "lift": 400}
    plan = {"order": list(rows), "driver": dict.fromkeys(rows), "reference_tables": [], "real_rows": rows}
    keys = learn_rules(Schema(tables, links), Plan.from_dict({**plan, "training_rows": rows}), pointers)
    assert [one.rule for one in keys.between] == ["differ"]
    model = DegreesStructure()
    model.fit(Topology(keys, rows, pointers))
    new = model.grow(scale=2, rows=None, seed=1).pointers
    assert len(new[links[0].name]) == 800 and (new[links[0].name] != new[links[1].name]).all()
