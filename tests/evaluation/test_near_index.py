"""The index of near copies finds what comparing every row with every record finds, and says when it does not search."""

import numpy as np
import pyarrow as pa
import pytest
from privacy_cases import chosen, evaluated, people, together, with_noise

from tabgraphsyn.evaluation.metric import near_copies
from tabgraphsyn.evaluation.metric.near_copies import NearCopies
from tabgraphsyn.evaluation.score import Score
from tabgraphsyn.evaluation.statistics.distance import TIE, MixedRows, distances, scaled_rows
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.near_index import NearIndex
from tabgraphsyn.evaluation.statistics.neighbours import k_nearest
from tabgraphsyn.evaluation.statistics.own import OwnRanks

SEEDS = range(6)


def mixed(seed: int, rows: int) -> MixedRows:
    """Ranks, some beyond the real range, some missing, many equal; categories, one of them mostly the same."""
    rng = np.random.default_rng(seed)
    numbers = np.round(rng.uniform(-0.2, 1.2, (rows, 3)), rng.integers(1, 4)).astype(np.float32)
    numbers[rng.random((rows, 3)) < 0.15] = np.nan
    codes = np.stack([rng.integers(-1, 3, rows), (rng.random(rows) < 0.1).astype(np.int64)], 1).astype(np.int32)
    return MixedRows(numbers, codes)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_lies_within_a_distance_is_what_comparing_all_pairs_finds(seed):
    records, rows = mixed(seed, 700), mixed(100 + seed, 300)
    index = NearIndex.of(records, np.arange(700))
    nearest = distances(rows, records).min(1)
    counts = []
    for distance in (0.0, 0.02, 0.05, 0.1, 0.19):
        assert index.reaches(distance)
        near = index.within(rows, distance)
        assert (near == (nearest <= distance + TIE)).all()
        counts.append(int(near.sum()))
    assert 0 < counts[1] < counts[-1] < 300
    assert not index.reaches(0.2)  # five columns: a whole category may differ


@pytest.mark.parametrize("seed", SEEDS)
def test_the_nearest_of_another_entity_is_what_comparing_all_pairs_finds(seed):
    records = mixed(seed, 600)
    entities = np.random.default_rng(seed).integers(0, 12, 600) ** 2 // 9  # families of tens and of hundreds of records
    away = NearIndex.of(records, entities).to_others(records, entities)
    expected = k_nearest(records, records, 1, query_entities=entities, record_entities=entities)[:, 0]
    known = expected < 0.19
    assert known.sum() > 100
    assert away[known] == pytest.approx(expected[known], abs=1e-5)
    assert (away[~known] > 0.18).all()


def births(rng: np.random.Generator) -> list[Feature]:
    """A fresh draw of a population of two columns: days of birth, some of them shared, and three kinds."""
    born = np.floor(25_000 * rng.beta(2, 1.6, 1_200))
    return [
        Feature("born", "numerical", born),
        Feature("kind", "categorical", rng.choice(3, 1_200, p=[0.6, 0.3, 0.1]).astype(np.int32), 3),
    ]


def test_rows_as_if_held_out_lie_as_near_as_new_ones_of_the_population():
    """A rank that counts the row itself keeps its neighbours half a rank further away than any new row's are."""
    number, excess = np.arange(1_200), np.zeros(2)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        reference = births(rng)
        real = scaled_rows(reference, reference)
        fresh = np.concatenate([distances(scaled_rows(reference, births(rng)), real).min(1) for _ in range(2)])
        own = OwnRanks.of(reference, number)
        for place, (ranks, placed, seen) in enumerate([(None, real, real), (own, own.placed, own.seen)]):
            unseen = k_nearest(seen, real, 1, query_entities=number, record_entities=number, own=ranks)[:, 0]
            indexed = NearIndex.of(real, number).to_others(placed, number, 1, ranks, seen)
            known = unseen < 0.4
            assert indexed[known] == pytest.approx(unseen[known], abs=1e-6)
            line = np.percentile(unseen, 5) + TIE
            excess[place] += ((fresh <= line).mean() - (unseen <= line).mean()) / 4
    assert abs(excess[1]) < 0.03 < excess[0]


def test_a_row_among_its_own_family_alone_has_no_other():
    rows = MixedRows(np.zeros((50, 1), np.float32), np.zeros((50, 1), np.int32))
    assert np.isinf(NearIndex.of(rows, np.zeros(50, np.int64)).to_others(rows, np.zeros(50, np.int64))).all()


def test_visits_grow_with_the_distance_and_end_at_all_leaves():
    rows = MixedRows(np.random.default_rng(0).random((5_000, 3), np.float32), np.zeros((5_000, 0), np.int32))
    index = NearIndex.of(rows, np.arange(5_000))
    few, more, everything = (index.visits(rows.take(np.arange(50)), distance) for distance in (0.0, 0.05, 1.0))
    assert 1 <= few < more < everything
    assert everything > 5_000 / 32  # leaves of at most 32 records


def scored(metric, data, where="person"):
    return next(r for r in metric.compute(data) if isinstance(r, Score) and r.where == where)


def test_by_index_or_one_by_one_the_score_is_the_same():
    real, synthetic = people(0, 800), with_noise(chosen(people(0, 800), np.arange(300)), 0.05, 2)
    data = evaluated(real, synthetic)
    for where in ("person", "visit"):
        exact = scored(NearCopies(cap_queries=10_000, cap_records=10_000), data, where)
        by_index = scored(NearCopies(cap_queries=10_000, cap_records=100), data, where)  # too few records: the index
        assert by_index.value == pytest.approx(exact.value, abs=1e-9) and exact.value > 0.05
        assert by_index.detail["threshold"] == pytest.approx(exact.detail["threshold"], abs=1e-6)
        assert by_index.detail["searched"] == exact.detail["searched"] == 1.0
        assert by_index.detail["rows"] == by_index.detail["rows_of"] == exact.detail["rows"]


def test_copies_of_few_rows_are_found_among_all_where_a_sample_would_miss_most(monkeypatch):
    """Eight copies among 400: a search of a tenth of the records sees about one."""
    real = people(0, 2_000)
    training = np.flatnonzero(np.arange(2_000) % 10 != 0)
    copies = chosen(real, training[:8])
    synthetic = together(people(1, 392), copies)
    honest = scored(NearCopies(cap_queries=2_000, cap_records=180), evaluated(real, people(1, 392)))
    metric = NearCopies(cap_queries=2_000, cap_records=180)
    found = scored(metric, evaluated(real, synthetic))
    assert found.value * 400 == pytest.approx(honest.value * 392 + 8, abs=1e-6)
    monkeypatch.setattr(near_copies, "MOST_VISITS", 0)
    sample = scored(metric, evaluated(real, synthetic))
    assert sample.detail["searched"] == pytest.approx(0.09, abs=0.01)
    assert sample.detail["training_records"] < sample.detail["training_records_of"] == 1_800


@pytest.mark.parametrize("limit", ["MOST_CELLS", "MOST_OWN", "MOST_VISITS"])
def test_what_an_index_cannot_do_is_searched_in_part_and_said(limit, monkeypatch):
    monkeypatch.setattr(near_copies, limit, 0)
    found = scored(NearCopies(cap_queries=50, cap_records=100), evaluated(people(0), people(1)))
    assert found.detail["rows"] == 50 and found.detail["rows_of"] == 500
    assert found.detail["training_records"] == 90 and found.detail["training_records_of"] == 450
    assert found.detail["searched"] == pytest.approx(0.2)


def test_a_line_beyond_a_whole_column_is_searched_in_part(one_table, evaluation):
    """Twelve even categories: the nearest unseen rows differ in several of them."""

    def rows(seed):
        codes = np.random.default_rng(seed).integers(0, 5, (12, 400))
        return one_table(
            {f"c{n}": ("categorical", pa.array([f"v{v}" for v in column])) for n, column in enumerate(codes)}
        )

    found = scored(
        NearCopies(cap_queries=100, cap_records=200), evaluation(rows(0), rows(1), wanted=("synthetic",)), "t"
    )
    assert found.detail["threshold"] > 1 / 12
    assert (found.detail["rows"], found.detail["rows_of"]) == (100, 400)
    assert found.detail["searched"] == pytest.approx(0.5)
