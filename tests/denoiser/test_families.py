"""Families, their windows and batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tabgraphsyn.models.families import Families, FamilyBatches

pointers = st.lists(st.integers(-1, 6), min_size=1, max_size=60).map(lambda values: np.array(values, dtype=np.int64))


@given(pointers, st.integers(1, 9))
def test_every_row_is_in_one_window_and_windows_never_mix_families(pointer, limit):
    families = Families.from_pointer(pointer, len(pointer), limit)
    rows, groups = families.batch(np.arange(families.windows))
    assert sorted(rows.tolist()) == list(range(len(pointer)))
    assert families.window_rows.max() <= limit
    for group in range(groups.count):
        parents = pointer[rows[groups.group == group].numpy()]
        assert len(set(parents.tolist())) == 1
        assert parents[0] >= 0 or len(parents) == 1


@given(pointers)
def test_siblings_keep_row_order_and_know_their_place(pointer):
    families = Families.from_pointer(pointer, len(pointer), 1000)
    rows, groups = families.batch(np.arange(families.windows))
    for row, rank, size in zip(rows.tolist(), groups.rank.tolist(), groups.size.tolist(), strict=True):
        siblings = [row] if pointer[row] < 0 else np.flatnonzero(pointer == pointer[row]).tolist()
        assert siblings[int(rank)] == row
        assert len(siblings) == size


@given(pointers, st.integers(1, 30), st.integers(0, 3))
def test_an_epoch_sees_every_window_once(pointer, batch_rows, seed):
    families = Families.from_pointer(pointer, len(pointer), 5)
    batches = FamilyBatches(families, np.arange(families.windows), batch_rows, seed)
    if batches.batches_per_epoch == 1:
        seen = batches.windows_at(0)
        assert set(seen.tolist()) == set(range(families.windows))
    else:
        steps = range(batches.batches_per_epoch)
        seen = [window for step in steps for window in set(batches.windows_at(step).tolist())]
        assert set(seen) == set(range(families.windows))
        assert len(seen) - families.windows <= batches.batches_per_epoch  # only to fill an empty batch


def test_a_batch_depends_on_seed_and_step_alone():
    families = Families.from_pointer(None, 1000)
    one = FamilyBatches(families, np.arange(1000), 64, 7)
    other = FamilyBatches(families, np.arange(1000), 64, 7)
    later = other.windows_at(40)
    assert (one.windows_at(3) == other.windows_at(3)).all()
    assert (one.windows_at(40) == later).all()
    assert not np.array_equal(one.windows_at(3)[:10], one.windows_at(4)[:10])


def test_without_driver_nobody_has_siblings():
    _, groups = Families.from_pointer(None, 4).batch(np.array([2, 0]))
    assert not groups.exchange
    assert groups.size.tolist() == [1, 1]
