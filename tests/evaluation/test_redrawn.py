"""Timetables: lessons never share room and hour, so real rows repeat each other less than new ones repeat them."""

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.evaluation.metric.copies import Copies
from tabgraphsyn.evaluation.metric.near_copies import NearCopies
from tabgraphsyn.evaluation.statistics.evidence import Evidence
from tabgraphsyn.evaluation.statistics.redrawn import redrawn_share

ROOMS, DAYS, HOURS, SUBJECTS = 20, 5, 8, 8


def timetable(seed, follows=0.9, rooms=ROOMS):
    """A room's lessons, one an hour at most; most are of the room's own subject."""
    own, rng = np.random.default_rng(1).integers(0, SUBJECTS, rooms), np.random.default_rng(seed)
    slots = np.stack(np.meshgrid(range(rooms), range(DAYS), range(HOURS), indexing="ij"), -1).reshape(-1, 3)
    slots = slots[rng.random(len(slots)) < 0.6]
    subject = np.where(rng.random(len(slots)) < follows, own[slots[:, 0]], rng.integers(0, SUBJECTS, len(slots)))
    return np.column_stack([slots, subject])


def as_table(rows, numbers=()):
    texts = {f"c{at}": ("categorical", pa.array([f"v{n}" for n in column])) for at, column in enumerate(rows.T)}
    return texts | {f"c{at}": ("numerical", pa.array(rows[:, at].astype(float))) for at in numbers}


@pytest.fixture
def low(one_table, evaluation):
    """The lower bound of a metric's excess, a tenth of the rows held out."""

    def found(metric, real, made, numbers=()):
        held = {"t": np.random.default_rng(3).random(len(real)) < 0.1}
        tables = (one_table(as_table(rows, numbers)) for rows in (real, made))
        data = evaluation(*tables, wanted=("synthetic",), is_holdout=held)
        [score] = metric.compare(data, data.comparisons[0])
        return Evidence.from_dict(score.detail["evidence"]).interval(0.95)[0]

    return found


@pytest.mark.parametrize("follows", [0.0, 0.5, 0.9, 1.0])
def test_what_new_rows_repeat_is_told_by_real_rows_with_one_value_drawn_anew(follows):
    real, new = timetable(1, follows), timetable(2, follows)
    training = np.arange(len(real)) % 10 > 0
    met = (new[:, None] == real[training][None]).all(2).any(1).mean()
    told = redrawn_share(list(real.T), np.flatnonzero(training), np.arange(len(real)), np.random.default_rng(0))
    assert told.value == pytest.approx(met, abs=0.05)


def test_rows_of_one_entity_and_values_of_few_say_nothing():
    rows, rng = timetable(1), np.random.default_rng(0)
    everything = np.zeros(len(rows), np.int64)
    assert redrawn_share(list(rows.T), np.arange(len(rows)), everything, rng).value == 0
    number, kind = np.arange(300), np.arange(300) % 3  # drawn anew, a number meets its own row in every third
    assert redrawn_share([number, kind], np.arange(300), np.arange(300), rng).value < 0.01


def test_a_new_timetable_is_no_copy_and_a_copied_third_is_one(low):
    real, new = timetable(1), timetable(2)
    copied = np.where(np.arange(len(new))[:, None] % 3 == 0, real[np.arange(len(new)) % len(real)], new)
    assert low(Copies(), real, new) <= 0.01 < low(Copies(), real, copied)
    hour = [2]  # as a number: the line to hold is the next hour's
    assert low(NearCopies(), real, new, hour) <= 0.01 < low(NearCopies(), real, copied, hour)


def test_near_copies_of_a_coarse_timetable_are_judged_as_exact_ones(low):
    def lessons(seed):
        """Half of the subjects that two teachers each can give in an hour: few in common, many met by a new one."""
        rng, slots = np.random.default_rng(seed), np.arange(DAYS * HOURS)
        given = np.concatenate([rng.permutation(np.repeat(np.arange(SUBJECTS), 2))[:SUBJECTS] for _ in slots])
        slot = np.repeat(slots, SUBJECTS)
        return np.column_stack([slot // HOURS, slot % HOURS, given])

    real, new = lessons(1), lessons(2)
    assert low(NearCopies(), real, new) <= 0.01 < low(NearCopies(), real, real)
