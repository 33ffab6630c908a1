"""What the children of a row are like: found where families differ beyond chance, known as well as a draw knows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tabgraphsyn.data.arrays import save_array
from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.known.kinds import Tally, kinds
from tabgraphsyn.data.known.traits import LEAST_FAMILIES, Trait, find_trait, published, traits_layout
from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.data.prepared import Prepared

VISITORS, VISITS = 300, 8


def visits(tells: float, seed: int = 0) -> tuple[np.ndarray, TableCodec, EncodedTable]:
    """Visits of persons whose kind of visit is the person's own in a share of them: pointer, codec, rows."""
    rng = np.random.default_rng(seed)
    pointer = np.repeat(np.arange(VISITORS), VISITS)
    own = rng.integers(0, 4, VISITORS)
    kind = np.where(rng.random(len(pointer)) < tells, own[pointer], rng.integers(0, 4, len(pointer)))
    levels = Levels("string", ("a", "b", "c", "d"))
    codec = TableCodec("visits", {"kind": CategoricalCodec("kind", levels, Levels("string", ()))})
    return pointer, codec, EncodedTable(np.zeros((len(kind), 0, 2), np.float32), kind[:, None].astype(np.int32))


def test_families_that_differ_by_chance_have_no_trait() -> None:
    found = [find_trait("visits.person--people", *with_parents(visits(0.0, seed)), set()) for seed in range(8)]
    assert sum(one is not None for one in found) <= 1


def with_parents(of: tuple[np.ndarray, TableCodec, EncodedTable]) -> tuple[np.ndarray, int, TableCodec, EncodedTable]:
    return of[0], VISITORS, of[1], of[2]


def test_families_that_differ_have_kinds_of_five_families_or_more() -> None:
    pointer, codec, rows = visits(0.7)
    found = find_trait("visits.person--people", *with_parents((pointer, codec, rows)), set())
    assert found is not None
    trait, hidden = found
    size = np.bincount(hidden.categorical[:, 0], minlength=trait.levels)
    assert size[0] == 0 and size[1:].min() >= LEAST_FAMILIES
    # Families of one kind are alike: the kind of visit is foretold far better than by its frequency.
    kind = hidden.categorical[pointer, 0]
    best = [np.bincount(rows.categorical[kind == one, 0]).max() for one in range(1, trait.levels)]
    assert sum(best) / len(pointer) > 0.6


def test_what_keys_say_is_no_trait_and_parents_without_children_are_a_level_of_their_own() -> None:
    pointer, codec, rows = visits(0.7)
    assert find_trait("visits.person--people", *with_parents((pointer, codec, rows)), {"kind"}) is None
    found = find_trait("visits.person--people", np.where(pointer < 20, -1, pointer), VISITORS, codec, rows, set())
    assert found is not None
    level = found[1].categorical[:, 0]
    assert not level[:20].any() and level[20:].all()


def test_of_published_rows_with_few_children_nothing_is_told() -> None:
    trait = Trait("a.b--c", 3, ("x",), (0.5,))
    rows = EncodedTable(np.array([[[0.1, 0.2]], [[1.0, 1.1]]], np.float32), np.array([[1], [2]], np.int32))
    kept = trait.published(rows, np.array([4, 5]))
    assert kept.own_levels == (0, 2) and kept.own_numbers[1] == ((1.0, pytest.approx(1.1, abs=1e-3)),)
    again = published([Trait.from_dict(kept.to_dict())], np.array([1, 1, 0]))
    assert again.categorical[:, 0].tolist() == [2, 2, 0]
    assert again.numerical[2, 0] == pytest.approx([-np.sqrt(3), np.sqrt(3)], abs=1e-3)
    assert all(holds for holds, _ in kept.together())
    assert not all(holds for holds, _ in replace(kept, levels=2).together())


def test_hidden_fields_stand_after_those_of_the_columns(tmp_path: Path) -> None:
    pointer, codec, rows = visits(0.7)
    made = Prepared(tmp_path)
    made.keep_codec("visits", codec)
    for kind in ("numerical", "categorical"):
        save_array(made.encoded_file("visits", kind), getattr(rows, kind))
    hidden = EncodedTable(np.ones((len(pointer), 1, 2), np.float32), np.ones((len(pointer), 1), np.int32))
    made.keep_traits("visits", [Trait("a.b--visits", 2, ("x",), (0.5,))], hidden)
    wide = made.wide_encoded("visits")
    assert wide.categorical[:, 0].tolist() == rows.categorical[:, 0].tolist() and (wide.categorical[:, 1] == 1).all()
    assert made.wide_layout("visits").categorical[1:] == traits_layout(made.traits("visits")).categorical
    assert [one.name for one in made.wide_layout("visits").numerical] == ["a.b--visits:x"]
    assert made.layout("visits") == codec.layout
    assert not [path for path in made.shipped() if "encoded" in path.parts]


@pytest.mark.parametrize("size", [2, 30])
def test_rows_that_follow_their_kind_one_by_one_are_as_alike_as_the_real_ones(size: int) -> None:
    rng = np.random.default_rng(5)
    families = 2_000
    likes = rng.integers(0, 3, families)
    level = np.where(rng.random((families, size)) < 0.5, likes[:, None], rng.integers(0, 3, (families, size)))
    counts = np.stack([(level == one).sum(axis=1) for one in range(3)], axis=1).astype(np.float64)
    kind = kinds([Tally(counts, is_number=False)], counts / size, 20, 5, rng)
    assert np.bincount(kind).min() >= 5
    made = np.empty_like(level)
    for one in range(kind.max() + 1):
        own = np.flatnonzero(kind == one)
        made[own] = rng.permutation(level[own].reshape(-1)).reshape(len(own), size)
    real, new = ((one[:, 0] == one[:, 1]).mean() for one in (level, made))
    # By chance a third; a family that knew its two rows by their kind would end far from it.
    assert new == pytest.approx(real, abs=0.06) and real > 0.45


def test_numbers_of_a_kind_are_near_its_mean_and_as_wide() -> None:
    rng = np.random.default_rng(6)
    wide = rng.random(400) < 0.5
    value = rng.normal(size=(400, 25)) * np.where(wide, 3, 0.3)[:, None]
    sums = np.stack([np.full(400, 25.0), value.sum(1), (value**2).sum(1)], axis=1)
    kind = kinds([Tally(sums, is_number=True)], value.std(axis=1)[:, None], 2, 5, rng)
    assert ((kind == kind[wide][0]) == wide).mean() > 0.98
