"""Numbers that lie near another number of their row have peaks there: found, a density, drawn as they are trained."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from small_table import UNITS

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.models.absorbing.numbers.mixture import COMPONENTS, PEAKS, Company, MixtureHead, scaled
from tabgraphsyn.models.absorbing.numbers.partners import Partners, Peaks, _multiples, partners, peak
from tabgraphsyn.models.absorbing.numbers.scales import POINTS, REACH, values_of


def meters(rows: int = 3000) -> pa.Table:
    """A meter's reading, one a little later in another spread (most hardly moved), and one that is its own."""
    rng = np.random.default_rng(0)
    first = rng.lognormal(8, 1, rows)
    moved = np.where(rng.random(rows) < 0.6, rng.normal(1, 0.01, rows), rng.lognormal(0, 1, rows))
    return pa.table({"first": first, "second": first * moved, "other": rng.lognormal(8, 1, rows)})


def test_partners_are_found_by_their_values_and_stand_in_the_scale_of_the_other() -> None:
    table = meters()
    names = tuple(table.column_names)
    schema = TableSchema("t", tuple(Column(name, "numerical") for name in names), ())
    codec = TableCodec.fit(Table(schema, table), np.ones(table.num_rows, bool), names, CodecConfig())
    encoded = codec.encode(table)
    found, across = partners(codec, encoded)
    assert found == [[1], [0], []] and across.shape[:2] == (3, 1)
    made = Partners(partners=found)
    made.across.copy_(torch.from_numpy(across))
    numbers = torch.from_numpy(encoded.numerical.mean(-1))
    known = torch.tensor([True, False, True]).expand(len(numbers), 3)
    found_peaks = made(numbers, known)
    assert found_peaks is not None
    near, is_known = found_peaks.at, found_peaks.is_known
    assert is_known[:, 1].all() and not is_known[:, 0].any() and not is_known[:, 2].any()
    said = values_of(codec)["second"](near[:, 1, 0].numpy().astype(np.float64))
    inside = numbers[:, 0].abs() < 2
    assert np.median(np.abs(said / table.column("first").to_numpy() - 1)[inside]) < 0.01
    one = made(numbers, known, only=1)
    assert one is not None and torch.equal(one.at[:, 0], near[:, 1]) and one.is_known[:, 0].all()


@pytest.mark.parametrize("multiple", [0.037, 1.0, 27.0])
def test_a_multiple_that_many_rows_share_is_found_and_no_other(multiple: float) -> None:
    rng = np.random.default_rng(1)
    bill, few = rng.lognormal(9, 1.2, 4000), rng.lognormal(5, 1, 4000)
    paid = np.where(rng.random(4000) < 0.15, bill * multiple * rng.normal(1, 0.01, 4000), rng.lognormal(8, 1, 4000))
    near, middle = peak(np.log(paid), np.log(bill))
    assert 400 < near < 800 and abs(middle - np.log(multiple)) < 0.02
    unlike = [
        (bill, few),
        (np.rint(bill / 1000) * 100 + 1, np.rint(few / 10) * 10 + 1),  # numbers that repeat
        (bill, bill * rng.lognormal(1, 0.3, 4000)),  # together, but at no ratio more than at the next
        (bill[:9], bill[:9]),
    ]
    assert all(peak(np.log(one), np.log(other)) == (0.0, 0.0) for one, other in unlike)


def test_who_tells_of_other_rows_comes_before_who_tells_of_the_same() -> None:
    rng = np.random.default_rng(2)
    bill, limit = rng.lognormal(9, 1.2, 4000), rng.lognormal(9, 1.2, 4000)
    turn = rng.random(4000)
    own = np.where(turn < 0.4, bill * 0.04, np.where(turn < 0.55, limit * 0.98, rng.lognormal(6, 1, 4000)))
    later = bill * rng.normal(1, 0.002, 4000)
    found = _multiples(np.log(own), {1: np.log(bill), 2: np.log(later), 3: np.log(limit)})
    assert [other for other, _ in found] in ([1, 3, 2], [2, 3, 1])
    assert [round(multiple, 2) for _, multiple in found] == [0.04, 0.98, 0.04]


def test_peaks_stand_at_known_partners_and_make_a_density_that_is_drawn_from() -> None:
    torch.manual_seed(0)
    scale = torch.linspace(-REACH, REACH, POINTS).exp().mul(0.3)
    raw = 0.3 * torch.randn(1, 3, COMPONENTS + 2 * PEAKS)
    raw[:, 0, COMPONENTS:] += 3
    near = Peaks(torch.tensor([[0.5, -2.0]]), torch.tensor([[True, False]]))
    company, shift = Company(torch.zeros(1, 2), torch.ones(1, 2)), torch.zeros(1, 2)
    parts = MixtureHead.parts(raw.flatten(1), shift, company, near)
    grid = torch.linspace(-30, 30, 60_001).unsqueeze(1)
    value, log_slope = scaled(scale.unsqueeze(0), grid)
    density = MixtureHead.surprise(parts, grid[:, 0], value[:, 0], log_slope[:, 0]).neg().exp()
    weights, means, widths = (one.expand(20_000, -1) for one in parts)
    drawn = MixtureHead.draw((weights, means, widths), scale, torch.rand(20_000), torch.randn(20_000))
    at_known, at_unknown = (float(((drawn - one).abs() < 0.2).float().mean()) for one in (0.5, -2.0))
    here = (grid[:, 0] - 0.5).abs() < 0.2
    assert at_known > 0.6 and at_unknown < 0.1 and abs(float(density[here].sum()) * 0.001 - at_known) < 0.02


def test_without_partners_nothing_is_added() -> None:
    assert Partners(partners=[() for _ in UNITS.smooth]).most == 0
