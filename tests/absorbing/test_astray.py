"""Series that remember wrong in training what rows of one time share, and rightly what families have for themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tabgraphsyn.models.batch import EncodedBatch
from tabgraphsyn.models.families import Families
from tabgraphsyn.training.astray import MOST, Astray


def hours(stations: int, count: int) -> tuple[EncodedBatch, Families, np.ndarray]:
    """Rows by station and hour: a number and a level of the hour, and a number and a level of the station alone."""
    rng = np.random.default_rng(0)
    times = np.tile(np.arange(count), stations)
    shared, own = rng.normal(size=count)[times], rng.normal(size=len(times))
    numerical = np.stack([shared + 0.1 * rng.normal(size=len(times)), own], axis=1).astype(np.float32)
    categorical = np.stack([rng.integers(0, 5, count)[times], rng.integers(0, 5, len(times))], axis=1)
    families = Families.from_pointer(np.repeat(np.arange(stations), count), len(times), 20)
    return EncodedBatch(torch.from_numpy(numerical), torch.from_numpy(categorical)), families, times


def test_what_rows_of_one_time_share_is_found_field_by_field() -> None:
    batch, families, times = hours(3, 400)
    found = Astray.of(batch, torch.ones(1_200, 2, dtype=torch.bool), families, times)
    assert found.numerical[0] == pytest.approx(MOST) and found.numerical[1] < 0.1
    assert found.categorical[0] == pytest.approx(MOST) and found.categorical[1] < 0.1


def test_one_family_and_few_pairs_say_nothing() -> None:
    for stations, count in ((1, 500), (2, 40)):
        batch, families, times = hours(stations, count)
        found = Astray.of(batch, torch.ones(batch.rows, 2, dtype=torch.bool), families, times)
        assert not found.numerical.any() and not found.categorical.any()


def test_a_field_is_remembered_wrong_in_whole_windows() -> None:
    generator = torch.Generator().manual_seed(0)
    lengths, ahead = np.array([5, 3, 4] * 40), np.array([0, 2, 1] * 40)
    window = torch.from_numpy(np.repeat(np.arange(120), lengths))
    ahead_window = torch.from_numpy(np.repeat(np.arange(120), ahead))
    rows = EncodedBatch(window.float().unsqueeze(1).repeat(1, 2), window.unsqueeze(1))
    lead = EncodedBatch(ahead_window.float().unsqueeze(1).repeat(1, 2), ahead_window.unsqueeze(1))
    astray = Astray(torch.tensor([0.5, 0.0]), torch.tensor([0.8]))
    heard, (before, counts) = astray.misheard(rows, lengths, (lead, ahead), generator)
    assert (counts == ahead).all()
    assert torch.equal(heard.numerical[:, 1], rows.numerical[:, 1])
    for field, kept, share in ((heard.numerical[:, 0], window.float(), 0.5), (heard.categorical[:, 0], window, 0.8)):
        wrong = torch.zeros(120).index_add(0, window, (field != kept).float())
        assert set((wrong / torch.from_numpy(lengths)).tolist()) == {0.0, 1.0}
        assert abs(float((wrong > 0).float().mean()) - share) < 0.15
    first = torch.from_numpy(np.cumsum(lengths) - lengths)
    has_lead = torch.from_numpy(ahead > 0)
    at = torch.from_numpy((np.cumsum(ahead) - ahead)[ahead > 0])
    assert torch.equal(before.categorical[at, 0], heard.categorical[first[has_lead], 0])
