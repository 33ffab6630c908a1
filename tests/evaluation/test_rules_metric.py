"""The metric ``rules``: counts of broken rows beside those of held-out real rows; what does not count is shown."""

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Order, Product
from tabgraphsyn.data.rules.rule import Support
from tabgraphsyn.data.rules.value_kinds import Combination, Fixed
from tabgraphsyn.evaluation.metric.rules import Rules

ROWS = 400


def rows(seed, wrong=0):
    rng = np.random.default_rng(seed)
    price, count = rng.integers(1, 50, ROWS), rng.integers(1, 9, ROWS)
    amount = price * count
    amount[:wrong] += 1
    city = rng.integers(0, 8, ROWS)
    return {
        "price": ("numerical", pa.array(price)),
        "count": ("numerical", pa.array(count)),
        "amount": ("numerical", pa.array(amount)),
        "city": ("categorical", pa.array([f"c{k}" for k in city])),
        "land": ("categorical", pa.array([f"l{k % 3}" for k in city])),
    }


PRODUCT = Product(table="t", result=Operand("amount"), factors=(Operand("price"), Operand("count")))
FIXED = Fixed(table="t", determinant=(Operand("city"),), dependent=Operand("land"))


def scored(evaluation, one_table, rules, synthetic, real=None, **settings):
    data = evaluation(one_table(real or rows(0)), one_table(synthetic), rules=rules, **settings)
    results = {result.where: result for result in Rules().compute(data) if result.comparison == "synthetic"}
    return results["database"], results


def test_rows_that_break_a_rule_are_counted(evaluation, one_table):
    whole, each = scored(evaluation, one_table, [PRODUCT, FIXED], rows(1, wrong=100))
    one = each["t: amount = price x count"]
    assert one.value == 0.75 and (one.detail["rows"], one.detail["broken"]) == (400, 100)
    assert (one.detail["real_rows"], one.detail["real_broken"]) == (80, 0) and one.detail["counts"]
    low, high = one.detail["interval"]
    assert low < 0.75 < high
    assert whole.value == pytest.approx((0.75 + 1) / 2)
    assert whole.detail["rules"] == 2 and whole.detail["rules_broken"] == 1
    assert whole.detail["worst"] == "t: amount = price x count" and whole.detail["worst_value"] == 0.75


def test_values_that_go_together_are_held_against_real_rows(evaluation, one_table):
    made = rows(1)
    lands = [
        "l1" if city == "c0" else land
        for city, land in zip(made["city"][1].to_pylist(), made["land"][1].to_pylist(), strict=True)
    ]
    made["land"] = ("categorical", pa.array(lands))  # consistent in itself, and wrong
    _, each = scored(evaluation, one_table, [FIXED], made)
    assert each["t: city fixes land"].detail["broken"] == made["city"][1].to_pylist().count("c0") > 0
    together = Combination(table="t", columns=(Operand("city"), Operand("land")))
    _, each = scored(evaluation, one_table, [together], made)
    assert each["t: city, land stand together only as in real rows"].detail["broken"] > 0


def test_what_real_rows_break_and_strong_habits_do_not_count(evaluation, one_table):
    real = rows(0)
    amount = real["amount"][1].to_numpy().copy()
    amount[5] += 1  # every fifth row is held out
    real["amount"] = ("numerical", pa.array(amount))
    habit = Fixed(table="t", determinant=(Operand("city"),), dependent=Operand("price"), strength=0.99)
    whole, each = scored(evaluation, one_table, [PRODUCT, habit, FIXED], rows(1, wrong=100), real)
    assert each["t: amount = price x count"].detail["real_broken"] == 1
    assert not each["t: amount = price x count"].detail["counts"]
    assert whole.value == 1.0 and whole.detail["rules"] == 1
    declared = PRODUCT.supported(Support(rows=320, source="declared"))
    whole, each = scored(evaluation, one_table, [declared], rows(1, wrong=100), real)
    assert whole.value == 0.75 and each["t: amount = price x count"].detail["counts"]
    broken = PRODUCT.supported(Support(rows=320, broken=3, source="declared"))
    whole, _ = scored(evaluation, one_table, [broken], rows(1, wrong=100), real)
    assert whole.reason.startswith("no rule counts")


def test_columns_that_are_gone_or_became_words_break_every_row(evaluation, one_table):
    without = {name: each for name, each in rows(1).items() if name != "count"}
    _, each = scored(evaluation, one_table, [PRODUCT], without)
    one = each["t: amount = price x count"]
    assert one.value == 0.0 and "t.count" in one.detail["reason"] and one.detail["broken"] == ROWS
    words = rows(1) | {"amount": ("categorical", pa.array(["x"] * ROWS))}
    _, each = scored(evaluation, one_table, [PRODUCT], words)
    assert each["t: amount = price x count"].value == 0.0


def test_nothing_to_say_is_said(evaluation, one_table):
    whole, _ = scored(evaluation, one_table, [], rows(1))
    assert whole.reason == "no rule was found in the training rows"
    nothing = rows(1) | {"amount": ("numerical", pa.nulls(ROWS, pa.int64()))}
    order = Order(table="t", columns=(Operand("count"), Operand("amount")))
    _, each = scored(evaluation, one_table, [order], nothing)
    assert each["t: count <= amount"].reason == "no row that the rule is about"
