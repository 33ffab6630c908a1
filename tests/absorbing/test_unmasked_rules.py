"""What a rule fixes is known as soon as it follows: what is drawn afterwards goes with what the row ends with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from small_table import surrounded

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.rules.kept import RowRules, learn_row_rules
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.generation.fields import Fields
from tabgraphsyn.generation.fixing.condition import Condition
from tabgraphsyn.generation.fixing.demands import Cells, Demands
from tabgraphsyn.generation.fixing.units import Conditioned, standing
from tabgraphsyn.generation.heeding.heed import UnmaskedRules
from tabgraphsyn.generation.keeping.rule_parents import BesideParents
from tabgraphsyn.generation.unmasking import unmasked_rows, whole_families
from tabgraphsyn.models.absorbing.columns.grids import grids
from tabgraphsyn.models.absorbing.columns.units import Units
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.absorbing.numbers.scales import POINTS, REACH
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors
from tabgraphsyn.models.families import Families
from tabgraphsyn.training.unmasking import UnmaskingTask
from tests.sampling.keeping_rows import rule

ROWS = 600
PLANS, REGIONS, RATES = ("basic", "family", "studio", "campus"), ("north", "south", "isles"), (0.07, 0.19, 0.25)


def bills(seed: int = 0) -> pa.Table:
    """A price list by (plan, region), tax = price x rate, a discount that some have, use that goes with the price."""
    rng = np.random.default_rng(seed)
    plan, region, rate = (rng.integers(0, len(one), ROWS) for one in (PLANS, REGIONS, RATES))
    price = np.array([[12, 80, 31], [55, 19, 90], [27, 64, 8], [99, 41, 73]])[plan, region]
    has = rng.random(ROWS) < 0.5
    off = np.where(has, rng.integers(1, 3, ROWS), 0)
    return pa.table({
        "plan": [PLANS[one] for one in plan],
        "region": [REGIONS[one] for one in region],
        "price": price,
        "rate": [RATES[one] for one in rate],
        "tax": np.round(price * np.array(RATES)[rate], 2),
        "coupon": pa.array(np.where(has, "yes", "no")),
        "off": pa.array(off, mask=~has),
        "due": pa.array(price - off, mask=~has),
        "use": np.round(10 * price + rng.normal(0, 8, ROWS), 1),
    })  # fmt: skip


RULES = (
    rule("fixed", determinant=["plan", "region"], dependent="price"),
    rule("product", result="tax", factors=["price", "rate"], tolerance=0.00501),
    rule("null_by", column="off", by="coupon", null_where=["no"], filled_where=["yes"]),
    rule("null_together", columns=["off", "due"]),
    rule("sum", result="due", terms=["price", {"operand": "off", "factor": -1.0}]),
)


def schema_of(rows: pa.Table) -> TableSchema:
    kinds = {pa.string(): "categorical", pa.bool_(): "boolean", pa.int64(): "numerical", pa.float64(): "numerical"}
    return TableSchema("t", tuple(Column(one.name, kinds.get(one.type, "datetime")) for one in rows.schema), ())


class Drawn:
    """A network for some rows, trained for some steps, and what it draws."""

    def __init__(self, rows: pa.Table, steps: int = 0, width: int = 16) -> None:
        self.schema = schema_of(rows)
        table = Table(self.schema, rows)
        config = CodecConfig(dependencies="ignore", max_discrete=12)
        self.codec = TableCodec.fit(table, np.ones(rows.num_rows, dtype=bool), rows.column_names, config)
        encoded = self.codec.encode(rows)
        gates = [one.gate for one in self.codec.layout.numerical]
        cells = grids(encoded, gates, np.arange(rows.num_rows))
        units = Units(self.codec.layout, tuple(None if one is None else one.digits for one in cells))
        torch.manual_seed(1)
        self.network = AbsorbingNetwork(
            units=units, facts=0, ancestors=[], has_families=False, width=width, layers=2, dropout=0.0, level_dim=8,
            history_dim=8,
        )  # fmt: skip
        self.network.scale.copy_(torch.linspace(-REACH, REACH, POINTS).expand(len(cells), -1))
        for number, one in enumerate(cells):
            if one is not None:
                getattr(self.network, f"edges_{number}").copy_(torch.from_numpy(one.edges))
                getattr(self.network, f"parts_{number}").copy_(torch.from_numpy(one.parts))
        if steps:
            self._train(EncodedTensors.from_encoded(encoded), steps)
        self.network.eval()
        self.fields = Fields(self.codec, units)

    def _train(self, encoded: EncodedTensors, steps: int) -> None:
        self.network.measure(encoded.middle())
        task = UnmaskingTask(
            unmasking=self.network, encoded=encoded, surroundings=surrounded(encoded.rows),
            families=Families.from_pointer(None, encoded.rows, 5), entities=np.arange(encoded.rows), batch_rows=128,
            seed=3, untold=0.0,
        )  # fmt: skip
        optimiser = torch.optim.Adam(self.network.parameters(), lr=1e-2)
        for step in range(steps):
            optimiser.zero_grad()
            task.loss(step, torch.Generator().manual_seed(step))["loss"].backward()
            optimiser.step()

    def heed(self, rules: RowRules, **more: Any) -> UnmaskedRules:
        beside = BesideParents(Schema((self.schema,), ()), rules, lambda one: pa.nulls(0))
        return UnmaskedRules(self.fields, beside, **more)

    def rows(self, heed: UnmaskedRules | None, count: int = ROWS, seed: int = 0, **more: Any) -> pa.Table:
        made = unmasked_rows(
            self.network, surrounded(count), whole_families(None, count), seed, heed=heed, **more
        )  # fmt: skip
        return self.decoded(made)

    def decoded(self, made: EncodedBatch) -> pa.Table:
        return self.codec.decode(made.numerical.numpy(), made.categorical.numpy(), np.random.default_rng(0))


def learnt(rows: pa.Table, *rules: Rule) -> RowRules:
    schema = schema_of(rows)
    training = RuleTables(Database(Schema((schema,), ()), {"t": Table(schema, rows)}), {})
    names = rows.column_names
    return learn_row_rules("t", rules, training, np.arange(rows.num_rows), 5, attributes=names, public=names)


def broken(rows: pa.Table, reference: pa.Table, *rules: Rule) -> list[int]:
    made, real = (
        RuleTables(Database(Schema((schema_of(one),), ()), {"t": Table(schema_of(one), one)}), {})
        for one in (rows, reference)
    )
    return [one.check(made, real).counts[1] for one in rules]


@pytest.fixture(scope="module")
def untrained() -> Drawn:
    return Drawn(bills())


@pytest.mark.parametrize("seed", range(4))
def test_all_that_follows_is_right_before_rows_are_repaired_in_any_order(untrained: Drawn, seed: int) -> None:
    real = bills()
    made = untrained.rows(untrained.heed(learnt(real, *RULES)), seed=seed)
    assert broken(made, real, *RULES) == [0] * len(RULES)
    by_chance = untrained.rows(None, seed=seed)
    assert min(broken(by_chance, real, *RULES)) > 50
    assert 0 < made["off"].null_count < ROWS and len(made["price"].unique()) > 6


def test_what_is_drawn_goes_with_the_value_that_the_row_ends_with() -> None:
    real = bills()
    drawn = Drawn(real, steps=40, width=32)
    made = drawn.rows(drawn.heed(learnt(real, *RULES)))
    assert broken(made, real, *RULES) == [0] * len(RULES)
    off = made["use"].to_numpy() - 10 * made["price"].to_numpy()
    # Kept afterwards, the price is another one than the use was drawn for.
    late = drawn.rows(None)
    listed = learnt(real, RULES[0]).lookups[0]
    keys = zip(late["plan"].to_pylist(), late["region"].to_pylist(), strict=True)
    price = np.array([float(str(listed[one])) for one in keys])
    assert np.quantile(np.abs(off), 0.9) < 0.5 * np.quantile(np.abs(late["use"].to_numpy() - 10 * price), 0.9)


def test_a_chain_is_computed_to_its_end_whichever_link_is_given(untrained: Drawn) -> None:
    rng = np.random.default_rng(2)
    a = rng.integers(0, 9, ROWS)
    real = pa.table({"a": [f"a{one}" for one in a], "b": [f"b{one % 4}" for one in a], "c": (a % 4 % 2) * 3 + 1})
    chain = rule("fixed", determinant=["a"], dependent="b"), rule("fixed", determinant=["b"], dependent="c")
    drawn = Drawn(real)
    heed = drawn.heed(learnt(real, *chain))
    assert broken(drawn.rows(heed), real, *chain) == [0, 0]
    given = Demands(ROWS, {"b": Cells.everywhere(pa.array(["b3"]), ROWS)})
    made = drawn.rows(heed, given=standing(drawn.codec, drawn.fields.units, given))
    assert made["b"].unique().to_pylist() == ["b3"] and made["c"].unique().to_pylist() == [4]


def test_what_is_not_listed_is_drawn(untrained: Drawn) -> None:
    real = bills()
    few = real.filter(pc.not_equal(real["plan"], "studio"))
    rules = learnt(few, RULES[0])
    made = untrained.rows(untrained.heed(rules))
    unlisted = made.filter(pc.equal(made["plan"], "studio"))
    assert len(unlisted["price"].unique()) > 4
    assert broken(made.filter(pc.not_equal(made["plan"], "studio")), few, RULES[0]) == [0]


def test_a_listed_value_is_held_by_enough_entities() -> None:
    """Rows of a combination that one person alone holds are drawn: nothing says that person's value."""
    real = bills()
    rules = learnt(real, RULES[0])
    person = np.where((np.array(real["plan"]) == "campus") & (np.array(real["region"]) == "isles"), 0, np.arange(ROWS))
    schema = schema_of(real)
    training = RuleTables(Database(Schema((schema,), ()), {"t": Table(schema, real)}), {})
    names = real.column_names
    private = learn_row_rules("t", RULES[:1], training, person, 5, attributes=names, public=names)
    assert ("campus", "isles") in rules.lookups[0] and ("campus", "isles") not in private.lookups[0]


def test_given_results_leave_what_is_drawn(untrained: Drawn) -> None:
    real = bills()
    given = Demands(ROWS, {"price": Cells.everywhere(pa.array([80]), ROWS)})
    made = untrained.rows(
        untrained.heed(learnt(real, *RULES)), given=standing(untrained.codec, untrained.fields.units, given)
    )
    assert made["price"].unique().to_pylist() == [80]
    assert broken(made, real, *RULES[1:]) == [0] * (len(RULES) - 1)


def test_conditions_and_rules_go_one_way(untrained: Drawn) -> None:
    real = bills()
    demands = Demands(ROWS, conditions=(Condition("region", "in", pa.array(["north", "isles"])),))
    asked = Conditioned(untrained.codec, untrained.fields.units, demands, 0)
    made = untrained.rows(untrained.heed(learnt(real, *RULES), masks=asked.masks), wanted=asked)
    assert set(made["region"].to_pylist()) == {"north", "isles"}
    assert broken(made, real, *RULES) == [0] * len(RULES)


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("of", ["flags", "amounts", "values"])
def test_one_of_a_group_is_set_by_construction(at_most: bool, of: str) -> None:
    rng, filled = np.random.default_rng(8), of == "values"
    which = rng.integers(0, 4 if at_most else 3, ROWS)
    if of == "amounts":
        columns = {f"way{n}": pa.array(np.where(which == n, rng.random(ROWS) * 50 + 1, 0.0)) for n in range(3)}
    elif filled:
        columns = {f"way{n}": pa.array(rng.random(ROWS).round(3) * 50, mask=which != n) for n in range(3)}
    else:
        columns = {f"way{n}": pa.array(which == n) for n in range(3)}
    real = pa.table(columns)
    one = rule("one_of", columns=list(columns), at_most=at_most, filled=filled)
    drawn = Drawn(real)
    made = drawn.rows(drawn.heed(RowRules("t", (one,))))
    assert broken(made, real, one) == [0] and broken(drawn.rows(None), real, one)[0] > 100
    ways = [pc.is_valid(made[name]) if filled else pc.not_equal(made[name].cast(pa.float64()), 0.0) for name in columns]
    count = [pc.sum(way.cast(pa.int64())).as_py() for way in ways]
    assert min(count) > 60 and (sum(count) < ROWS if at_most else sum(count) == ROWS)


def test_columns_differ_and_equal_one_of_others_by_construction() -> None:
    rng = np.random.default_rng(3)
    home = rng.integers(0, 5, ROWS)
    guest = (home + rng.integers(1, 5, ROWS)) % 5
    winner = np.where(rng.random(ROWS) < 0.5, home, guest)
    names = {"home": [f"n{k}" for k in home], "guest": [f"n{k}" for k in guest]}
    real = pa.table({**names, "winner": pa.array([f"n{k}" for k in winner], mask=rng.random(ROWS) < 0.2)})
    rules = rule("differ", left="home", right="guest"), rule("among", column="winner", others=["home", "guest"])
    drawn = Drawn(real)
    made = drawn.rows(drawn.heed(RowRules("t", rules)))
    assert broken(made, real, *rules) == [0, 0] and min(broken(drawn.rows(None), real, *rules)) > 60
    assert 0 < made["winner"].null_count < 300 and made["home"].null_count == 0


def test_what_fixes_a_known_column_is_drawn_of_those_that_fix_its_value() -> None:
    rng = np.random.default_rng(3)
    way = rng.integers(0, 6, ROWS)
    why = np.where(way < 3, rng.integers(0, 3, ROWS), rng.integers(3, 6, ROWS))
    real = pa.table({
        "way": [f"w{k}" for k in way], "why": pa.array([f"y{k}" for k in why], mask=rng.random(ROWS) < 0.3),
        "sign": [("in", "out")[k // 3] for k in way],
    })  # fmt: skip
    rules = [rule("fixed", determinant=[name], dependent="sign") for name in ("way", "why")]
    drawn = Drawn(real)
    made = drawn.rows(drawn.heed(learnt(real, *rules)))
    assert broken(made, real, *rules) == [0, 0] and broken(drawn.rows(None), real, *rules)[1] > 60


@pytest.mark.parametrize("strict", [False, True])
def test_numbers_in_order_are_drawn_between_those_that_are_known(strict: bool) -> None:
    rng = np.random.default_rng(6)
    low = rng.gamma(2, 20, ROWS).round(1)
    tariff = low + rng.integers(1, 5, ROWS) * 40
    real = pa.table({"low": low, "mid": (low + rng.random(ROWS) * (tariff - low)).round(2), "top": tariff.round(1)})
    rules = rule("order", columns=["low", "mid", "top"], strict=strict), rule("bounds", column="top", low=60, high=190)
    drawn = Drawn(real)
    made, free = drawn.rows(drawn.heed(RowRules("t", rules))), drawn.rows(None)
    found, by_chance = broken(made, real, *rules), broken(free, real, *rules)
    # A first number beyond all that another may be leaves nothing: such rows are put right when all is made.
    assert found[0] < 0.2 * by_chance[0] and found[1] < 0.02 * ROWS < by_chance[1]
    values = made["mid"].to_numpy()
    at_border = np.isin(values, made["low"].to_numpy()) | np.isin(values, made["top"].to_numpy())
    assert at_border.mean() < 0.1 and len(np.unique(values)) > 0.6 * ROWS


def test_a_parents_column_is_a_determinant_like_the_rows_own(untrained: Drawn) -> None:
    rng = np.random.default_rng(4)
    zones, fees = rng.choice(["x", "y", "z"], 40), rng.integers(1, 4, 40) * 1.5
    pointer, size = rng.integers(0, 40, ROWS), rng.integers(0, 3, ROWS)
    zone, fee = (pa.array(one).take(pa.array(pointer)) for one in (zones, fees))
    posts = np.array([[5, 7, 2], [9, 1, 4], [8, 3, 6]])
    post = {(one, number): int(posts["xyz".index(one), number]) for one in "xyz" for number in range(3)}
    real = pa.table({
        "size": [f"s{one}" for one in size],
        "post": [post[one] for one in zip(zone.to_pylist(), size.tolist(), strict=True)],
        "fee": fee,
        "total": np.round(np.array(fee) + [post[one] for one in zip(zone.to_pylist(), size.tolist(), strict=True)], 1),
    })  # fmt: skip
    drawn = Drawn(real)
    own = schema_of(real)
    child = TableSchema("t", (Column("k", "id"), *own.columns), ())
    parent = TableSchema("p", (Column("k", "id"), Column("zone", "categorical"), Column("fee", "numerical")), ("k",))
    schema = Schema((parent, child), (Relation("t", ("k",), "p", ("k",)),))
    through = schema.relations[0].name
    rules = RowRules("t", (
        rule("fixed", determinant=["size", {"column": "zone", "through": through}], dependent="post"),
        rule("same", left="fee", right={"column": "fee", "through": through}),
        rule("sum", result="total", terms=["fee", "post"]),
    ), {0: {(f"s{s}", z): str(v) for (z, s), v in post.items()}})  # fmt: skip
    read = {"zone": zone, "fee": fee}
    beside = BesideParents(schema, rules, lambda one: read[one.column])
    made = drawn.rows(UnmaskedRules(drawn.fields, beside, frozenset({"k"})))
    assert made["fee"].combine_chunks().equals(fee)
    wanted = [post[(z, int(s[1]))] for z, s in zip(zone.to_pylist(), made["size"].to_pylist(), strict=True)]
    assert made["post"].to_pylist() == wanted and len(set(made["size"].to_pylist())) == 3
    assert np.abs(made["total"].to_numpy() - np.array(fee) - wanted).max() < 1e-9


def test_where_a_key_leads_nowhere_is_known_before_anything_is_drawn() -> None:
    rng = np.random.default_rng(4)
    state = rng.choice(["sold", "passed", "no bid"], 300, p=[0.6, 0.2, 0.2])
    real = pa.table({"state": state, "price": pa.array(rng.gamma(2, 50, 300).round(1), mask=state != "sold")})
    drawn = Drawn(real)
    child = TableSchema("t", (Column("k", "id"), *schema_of(real).columns), ())
    parent = TableSchema("p", (Column("k", "id"),), ("k",))
    schema, nowhere = Schema((parent, child), (Relation("t", ("k",), "p", ("k",)),)), np.arange(ROWS) % 3 == 0
    words = {"by": "state", "null_where": ["no bid", "passed"], "filled_where": ["sold"]}
    rules = RowRules("t", (rule("null_together", columns=["k", "price"]), rule("null_by", column="price", **words)))
    for asked in (rules, RowRules("t", (rule("null_by", column="k", **words),))):
        beside = BesideParents(schema, asked, lambda one: pa.nulls(0), keys={"k": nowhere})
        made = drawn.rows(UnmaskedRules(drawn.fields, beside, frozenset({"k"})))
        assert ((np.array(made["state"].to_pylist()) != "sold") == nowhere).all()
        if asked is rules:
            assert (made["price"].is_null().to_numpy() == nowhere).all()


def test_what_keys_fix_stands_before_anything_is_drawn() -> None:
    real = bills()
    drawn = Drawn(real)
    known = real["price"].combine_chunks().take(pa.array(np.arange(ROWS)[::-1] % real.num_rows))
    where = np.arange(ROWS) % 3 > 0
    beside = BesideParents(
        Schema((drawn.schema,), ()), RowRules("t", RULES[1:2]), lambda one: pa.nulls(0), {"price": (known, where)}
    )
    heed = UnmaskedRules(drawn.fields, beside, frozenset({"price"}))
    made = drawn.rows(heed)
    assert made["price"].filter(pa.array(where)).combine_chunks().equals(known.filter(pa.array(where)))
    free = drawn.rows(UnmaskedRules(drawn.fields, beside, frozenset({"price"})), seed=3)
    assert free["price"].filter(pa.array(where)).equals(made["price"].filter(pa.array(where)))
    assert not free["price"].filter(pa.array(~where)).equals(made["price"].filter(pa.array(~where)))
    # What is drawn and computed later is for the very value that keys fix.
    assert broken(made, real, RULES[1]) == [0]
