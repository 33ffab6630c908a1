"""What known numbers say of the others: the conditional means and deviations of jointly normal numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_table import network, rows

from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.absorbing.numbers import companions
from tabgraphsyn.models.absorbing.numbers.companions import RIDGE, Companions
from tabgraphsyn.models.absorbing.numbers.growing import Growing, Weighing
from tabgraphsyn.models.absorbing.numbers.mixture import NEAR, Company, nearness, scaled
from tabgraphsyn.models.absorbing.numbers.scales import POINTS, REACH, _logarithms
from tabgraphsyn.models.batch import EncodedBatch


def correlated(count: int = 4_000) -> torch.Tensor:
    """Three numbers that lean on each other, and one by itself; (count, 2, 4), a second space beside the first."""
    rng = np.random.default_rng(0)
    first, noise = rng.normal(size=(2, count))
    second = 0.8 * first + 0.6 * noise
    values = np.stack([first, second, first + second + 0.3 * rng.normal(size=count), rng.normal(size=count)], axis=1)
    return torch.from_numpy(np.stack([values, 5 + 2 * values], axis=1)).float()


def test_means_and_deviations_are_those_of_the_conditional_normal() -> None:
    values = correlated()
    made = Companions(numbers=4)
    made.measure(values, torch.ones(len(values), 4, dtype=torch.bool))
    known = torch.tensor(
        [[True, True, False, False], [False, True, False, True], [False] * 4, [True, False, False, False]]
    )
    mean, deviation = made(values[:4], known, slice(0, 4))
    for space in range(2):
        true_mean, covariance = values[:, space].mean(0), torch.cov(values[:, space].T)
        for row in range(4):
            here = known[row].nonzero()[:, 0]
            weights = covariance[:, here] @ torch.linalg.inv(covariance[here][:, here])
            expected = true_mean + weights @ (values[row, space, here] - true_mean[here])
            left = (covariance - weights @ covariance[here]).diagonal().clamp(min=0).sqrt()
            asked = ~known[row]
            torch.testing.assert_close(mean[row, asked, space], expected[asked], atol=0.05, rtol=0.02)
            torch.testing.assert_close(deviation[row, asked, space], left[asked], atol=0.02 * (1 + space), rtol=0.05)


def test_what_is_asked_alone_and_whoever_stands_beside_change_nothing() -> None:
    values, made = correlated(300), Companions(numbers=4)
    made.measure(values, torch.ones(300, 4, dtype=torch.bool))
    known = torch.rand(300, 4, generator=torch.Generator().manual_seed(0)) < 0.5
    whole = made(values, known, slice(0, 4))
    for one, part in zip(whole, made(values[40:60], known[40:60], slice(2, 3)), strict=True):
        torch.testing.assert_close(one[40:60, 2:3], part)
    unknown = values.masked_fill(~known.unsqueeze(1), 77.0)
    assert all(torch.equal(a, b) for a, b in zip(whole, made(unknown, known, slice(0, 4)), strict=True))


def test_what_is_told_better_in_one_space_is_told_so_in_the_other() -> None:
    # A number that grows by tens among its last quantiles and by tenths among the others.
    points = torch.linspace(-REACH, REACH, POINTS)
    scale = (0.1 * points + torch.nn.functional.softplus(8 * (points - 1)) * 1.2).unsqueeze(0)
    long = scaled(scale, torch.tensor([[3.0]]))[0]
    told = Company(torch.tensor([[[1.5, 0.0]]]), torch.tensor([[[0.8, 0.5]]]))
    told.mean[..., 1] = long
    found = told.agreed(scale)
    assert found.mean[0, 0, 0].item() == pytest.approx(3.0, abs=1e-3) and found.deviation[0, 0, 0] < 0.1
    assert torch.equal(found.mean[..., 1], long) and found.deviation[0, 0, 1] == 0.5
    # Among the others the quantiles say more.
    small = Company(torch.tensor([[[-1.0, -0.05]]]), torch.tensor([[[0.8, 0.5]]])).agreed(scale)
    assert small.deviation[0, 0, 0] == pytest.approx(0.8) and small.deviation[0, 0, 1] < 0.1
    assert small.mean[0, 0, 1] == pytest.approx(scaled(scale, torch.tensor([[-1.0]]))[0].item())
    # Told alike in both, both stay.
    straight = points.unsqueeze(0) * 1.1
    same = Company(torch.tensor([[[0.5, 0.6]]]), torch.tensor([[[0.8, 0.7]]]))
    stays = same.agreed(straight)
    assert torch.equal(stays.mean, same.mean) and torch.equal(stays.deviation, same.deviation)


def test_a_number_that_grows_by_shares_is_taken_as_its_logarithm() -> None:
    rng = np.random.default_rng(0)
    warm, dew, alone = rng.normal(20, 5, size=(3, 2_000))
    humid = np.exp(0.06 * (dew - warm)) * rng.lognormal(0, 0.02, 2_000)
    numbers, there = [warm, dew, humid, alone], [np.ones(2_000, dtype=bool) for _ in range(4)]
    found = _logarithms(numbers, there, [np.positive] * 4)
    assert [one is np.positive for one in found] == [True, True, False, True]
    assert found[2] is not None and np.allclose(found[2](humid), np.log(humid))
    # Columns without values on a scale, differences and few whole rows leave all as they are.
    assert _logarithms(numbers, there, [None, np.positive, None, None])[1] is np.positive
    assert _logarithms([warm, dew, dew - warm, alone], there, [np.positive] * 4) == [np.positive] * 4
    assert _logarithms(numbers, [*there[:3], np.arange(2_000) < 50], [np.positive] * 4) == [np.positive] * 4


def test_what_whole_rows_share_exactly_is_not_loosened_by_others() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 2_000))
    values = np.stack([first, second, first - second], axis=1)
    known = torch.ones(2_000, 3, dtype=torch.bool)
    known[values[:, 0] > 0.5, 2] = False
    made = Companions(numbers=3)
    made.measure(torch.from_numpy(np.stack([values, values], axis=1)).float(), known)
    asked = torch.tensor([[True, True, False]]).expand(20, 3)
    mean, deviation = made(torch.from_numpy(np.stack([values, values], 1)).float()[:20], asked, slice(2, 3))
    assert np.abs(mean[:, 0, 0].numpy() - values[:20, 2]).max() < 0.1 and deviation.max() < 0.1


def test_few_rows_and_constants_say_nothing() -> None:
    for count, values in ((50, correlated(50)), (400, torch.full((400, 2, 4), 3.0))):
        made = Companions(numbers=4)
        made.measure(values, torch.ones(count, 4, dtype=torch.bool))
        none = torch.zeros(count, 4, dtype=torch.bool)
        others = none | torch.tensor([False, True, True, True])
        mean, deviation = made(values, others, slice(0, 1))
        torch.testing.assert_close(mean, made(values, none, slice(0, 1))[0])
        assert deviation.min() > 0 and deviation.isfinite().all()


def test_more_numbers_than_factors_keep_what_many_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companions, "FACTORS", 3)
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(2_000, 1, 1, generator=generator)
    values = (shared + 0.5 * torch.randn(2_000, 1, 12, generator=generator)).repeat(1, 2, 1)
    made = Companions(numbers=12)
    made.measure(values, torch.ones(2_000, 12, dtype=torch.bool))
    assert made.factors.shape == (2, 12, 3)
    known = torch.ones(2_000, 12, dtype=torch.bool)
    known[:, 0] = False
    mean, deviation = made(values, known, slice(0, 1))
    error = (values[:, 0, 0] - mean[:, 0, 0]).std()
    assert error < 0.6 and abs(float(deviation[0, 0, 0] - error)) < 0.15


@pytest.mark.parametrize("damage", [0.0, -1.0, 1e4])
def test_no_weights_of_a_file_end_in_an_error(damage: float) -> None:
    made = Companions(numbers=4)
    for buffer in (made.factors, made.own, made.mean):
        buffer.fill_(damage)
    known = torch.rand(20, 4, generator=torch.Generator().manual_seed(0)) < 0.5
    told = Company(*made(correlated(20), known, slice(0, 4)))
    for scale in (torch.full((4, POINTS), damage), torch.linspace(-5, 5, POINTS).repeat(4, 1)):
        assert told.agreed(scale).mean.shape == (20, 4, 2)
    told.mean[0], told.mean[1] = torch.nan, torch.inf
    told.agreed(scale)


def test_a_network_begins_with_what_its_row_says() -> None:
    made, batch = network(), rows(500)
    batch.categorical[:, 1] = 0
    batch.numerical[:, 1] = 0.9 * batch.numerical[:, 0] + 0.1 * batch.numerical[:, 1]
    made.measure(batch)
    known = torch.tensor([True, False, False]).expand(500, -1)
    told, untold = made.company(batch.numerical, known, 1), made.company(batch.numerical, known & False, 1)
    off = [float((one.mean[:, 0, 0] - batch.numerical[:, 1]).std()) for one in (told, untold)]
    assert off[0] < 0.2 and off[1] > 0.6
    assert told.deviation[0, 0, 0] < 0.3 < untold.deviation[0, 0, 0]


def test_a_network_with_few_rows_or_without_numbers_measures_nothing_amiss() -> None:
    made, batch = network(), rows(30)
    made.measure(batch)
    shared = made.companions.factors @ made.companions.factors.transpose(1, 2)
    torch.testing.assert_close(shared, (1 - RIDGE) * torch.eye(3).repeat(2, 1, 1))
    nothing = EncodedBatch(torch.zeros(30, 0), batch.categorical)
    made.measure(nothing)
    assert made.company(nothing.numerical, torch.zeros(30, 0, dtype=torch.bool)).mean.shape == (30, 0, 2)


def test_cells_near_what_is_said_are_likelier() -> None:
    company = Company(torch.full((1, 2), 1.0), torch.full((1, 2), 0.1))
    at = torch.linspace(-2, 2, 9).unsqueeze(0)
    found = nearness(torch.zeros(1, NEAR), company, at)[0]
    assert found.argmax() == 6 and (found[:6].diff() > 0).all() and (found[6:].diff() < 0).all()
    assert found.max() - found.min() < 20


def test_rows_in_the_making_are_told_what_rows_of_a_table_are() -> None:
    made = shaken_numbers()
    numbers, known = torch.randn(60, 3).clamp(-3, 3), torch.zeros(60, 3, dtype=torch.bool)
    growing = Growing(Weighing(made.companions, made.scale), 60, None)
    for number, asked in ((1, 0), (0, 2), (1, 2)):  # the second one in half of the rows first
        here = torch.arange(60) % 2 == 0 if not known[:, 1].any() else torch.ones(60, dtype=torch.bool)
        known[:, number] |= here
        growing.add(number, numbers[:, number], None if known[:, number].all() else known[:, number])
        value = scaled(made.scale, numbers)[0]
        wanted, found = made.company(numbers, known, asked, value).of(0), growing.company(asked)
        torch.testing.assert_close(found.mean, wanted.mean, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found.deviation, wanted.deviation, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(growing.seen, torch.cat([numbers * known, value * known], 1), atol=1e-5, rtol=1e-5)


def shaken_numbers() -> AbsorbingNetwork:
    """A network whose three numbers share much."""
    made = network()
    first = torch.randn(4000, 1)
    both = torch.cat([first, first + 0.3 * torch.randn(4000, 1), 0.5 * first + torch.randn(4000, 1)], 1).clamp(-4, 4)
    made.measure(EncodedBatch(both, torch.zeros(4000, 3, dtype=torch.int64)))
    return made
