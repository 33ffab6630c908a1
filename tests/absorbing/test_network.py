"""The network of the absorbing model: nothing of what is masked is seen, and drawing sees what training saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from small_table import UNITS, network, rows, surrounded
from torch import Tensor

from tabgraphsyn.models.absorbing import coded_rows
from tabgraphsyn.models.absorbing.columns.units import Unit
from tabgraphsyn.models.absorbing.drafts import Context
from tabgraphsyn.models.absorbing.drawing import Made, Stepper, _Making
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.absorbing.numbers.mixture import (
    COMPONENTS,
    PEAKS,
    Company,
    MixtureHead,
    chosen_level,
    scaled,
    unscaled,
)
from tabgraphsyn.models.absorbing.numbers.partners import Peaks
from tabgraphsyn.models.absorbing.numbers.scales import POINTS, REACH
from tabgraphsyn.models.batch import EncodedBatch


def context_of(made: AbsorbingNetwork, count: int) -> Context:
    numbers = torch.arange(count)
    around = surrounded(count).take(numbers, torch.zeros(count), torch.ones(count), torch.Generator())
    return made.context(around, None)


def shaken(made: AbsorbingNetwork) -> AbsorbingNetwork:
    """Weights that are not the blank ones of the start."""
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return made


def masks(count: int) -> torch.Tensor:
    """Known units in whole orders: a gate before what it gates."""
    torch.manual_seed(1)
    known = torch.zeros(count, len(UNITS.all), dtype=torch.bool)
    place = 0
    for group in UNITS.groups:
        ahead = torch.randint(0, len(group) + 1, (count,))
        for inner in range(len(group)):
            known[:, place + inner] = inner < ahead
        place += len(group)
    return known


def test_what_is_masked_moves_nothing() -> None:
    made, batch, known = shaken(network()), rows(64), masks(64)
    numbers = batch.numerical.clone().requires_grad_(True)
    draft = made.draft(EncodedBatch(numbers, batch.categorical), known)
    hidden = made.hidden(made.stem_of(draft), context_of(made, 64))
    shift = made.shifts(numbers, made.numbers_known(draft), None)
    company = made.company(numbers, made.numbers_known(draft))
    (hidden.sum() + shift.sum() + company.mean.sum()).backward()
    assert numbers.grad is not None
    seen = made.numbers_known(draft)
    assert (numbers.grad[~seen] == 0).all()
    assert (numbers.grad[seen] != 0).all()
    other = rows(64, seed=9)
    masked = draft.codes.where(known[:, made.token_unit], made.codes(other))
    again = made.hidden(made.stem_of(replace(draft, codes=masked)), context_of(made, 64))
    assert torch.equal(again, hidden)


def test_drawing_sees_what_training_sees() -> None:
    made = shaken(network())
    context = context_of(made, 200)
    making = _Making(Stepper(made), context, torch.Generator().manual_seed(2))
    for group in UNITS.groups:
        making.draw(group)
        draft = made.draft(making.rows, making.is_known)
        assert torch.equal(draft.is_present[:, 0], making.is_present[:, 0])
        torch.testing.assert_close(making.stem, made.stem_of(draft), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("partners", [(), ([1, 2], [0, 0], [1])])
def test_levels_and_digits_are_drawn_as_likely_as_they_are_in_training(partners: Sequence[Sequence[int]]) -> None:
    made, context = (
        shaken(network(partners=partners)),
        Context(torch.zeros(300, 32), torch.zeros(300, 0, dtype=torch.int64)),
    )
    making = _Making(Stepper(made), context, torch.Generator().manual_seed(2))
    seen = 0
    for group in [*UNITS.groups[1:], UNITS.groups[0]]:
        if all(unit.levels for unit in group):
            hidden, known = making._hidden(), making.is_known.clone()
            shares = [making._shares(unit, hidden) for unit in group[:1]]
            making.draw(group)
            draft = replace(made.draft(making.rows, known), is_known=known)
            surprise = made.surprises(draft, context)[:, UNITS.all.index(group[0])]
            likely = shares[0].gather(1, draft.codes[:, [UNITS.tokens.index(group[0])]])[:, 0]
            torch.testing.assert_close(surprise, -likely.log(), atol=2e-4, rtol=2e-4)
            seen += 1
        else:
            making.draw(group)
    assert seen == 3


def test_wide_units_are_as_surprising_where_only_masked_rows_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    known, batch, found = masks(100), rows(100), []
    for wide in (1000, 2):
        monkeypatch.setattr(coded_rows, "WIDE", wide)
        torch.manual_seed(5)
        made = shaken(network())
        surprise = made.surprises(made.draft(batch, known), context_of(made, 100)) * ~known
        surprise.sum().backward()
        assert bool(made.wide) == (wide == 2)
        found.append([surprise.detach(), *(one.grad for one in made.parameters() if one.grad is not None)])
    torch.testing.assert_close(found[0], found[1])


def test_given_units_stand_and_the_rest_is_drawn() -> None:
    made, batch = shaken(network()), rows(100)
    known = masks(100)
    new = Stepper(made).rows(context_of(made, 100), torch.Generator().manual_seed(0), given=(batch, known))
    draft = made.draft(batch, known)
    seen = made.numbers_known(draft)
    assert torch.equal(new.numerical[seen], batch.numerical[seen])
    for place, unit in enumerate(UNITS.all):
        if unit.kind == "level":
            assert torch.equal(
                new.categorical[known[:, place], unit.field], batch.categorical[known[:, place], unit.field]
            )
    assert not torch.equal(new.categorical, batch.categorical)


def test_numbers_lie_within_their_cells_and_reach() -> None:
    made = shaken(network())
    new = Stepper(made).rows(context_of(made, 400), torch.Generator().manual_seed(0))
    present = made.draft(new, torch.ones(400, len(UNITS.all), dtype=torch.bool)).is_present
    assert new.numerical.abs().max() <= REACH
    for number in (1, 2):
        edges, parts = made.cells(number)
        cells = torch.cat([one[:part] for one, part in zip(edges, parts, strict=True)])
        drawn = new.numerical[present[:, number], number].unsqueeze(1)
        assert ((drawn >= cells[:, 0] - 1e-6) & (drawn <= cells[:, 1] + 1e-6)).any(1).all()


class OneLevel:
    """The last level of one field is all that it may be, and two rows of another field are known from the start."""

    def order(self, groups: Sequence[int]) -> list[int]:
        return list(groups)

    def follows(self, made: Made, places: Sequence[int] | None) -> Iterator[tuple[Sequence[int], EncodedBatch, Tensor]]:
        if places is None:
            here = torch.arange(made.rows.rows) < 2
            rows = EncodedBatch(torch.zeros_like(made.rows.numerical), torch.full_like(made.rows.categorical, 2))
            yield [UNITS.all.index(Unit("level", 0, 4))], rows, here

    def allowed(self, unit: Unit, made: Made) -> Tensor | None:
        return torch.arange(4).unsqueeze(0) == 3 if unit == Unit("level", 2, 4) else None

    def corrected(self, unit: Unit, code: Tensor, made: Made) -> Tensor:
        return torch.where(code == 3, 1, code) if unit == Unit("level", 0, 4) else code

    def within(self, unit: Unit, made: Made) -> tuple[Tensor, Tensor] | None:
        if unit.kind == "level":
            return None
        return torch.full((made.rows.rows,), 0.2), torch.full((made.rows.rows,), 1.1)


def test_rows_heed_what_follows_and_what_is_allowed() -> None:
    made = shaken(network())
    new = Stepper(made, OneLevel()).rows(context_of(made, 50), torch.Generator().manual_seed(0))
    assert (new.categorical[:, 2] == 3).all() and (new.categorical[:2, 0] == 2).all()
    assert set(new.categorical[:, 0].tolist()) == {0, 1, 2}
    drawn = new.numerical[:, 1]
    assert ((drawn > 0) & (drawn < 1.3)).all() and len(set(drawn.tolist())) > 20  # within a cell whose middle fits
    smooth = new.numerical[new.categorical[:, 1] == 0, 0]
    assert ((smooth >= 0.2) & (smooth <= 1.1)).all() and len(set(smooth.tolist())) > 10


def test_numbers_between_limits_are_the_mixtures_own_there() -> None:
    torch.manual_seed(3)
    scale = torch.linspace(-REACH, REACH, POINTS).exp().mul(0.3)
    raw, shift = 0.5 * torch.randn(1, 3 * COMPONENTS), torch.randn(1, 2)
    company = Company(torch.randn(1, 2), torch.rand(1, 2) + 0.2)
    parts = MixtureHead.parts(raw.expand(30_000, -1), shift.expand(30_000, -1), company)
    plain = MixtureHead.draw(parts, scale, torch.rand(30_000), torch.randn(30_000))
    low, high = torch.full((30_000,), -0.4), torch.full((30_000,), 0.9)
    limited = MixtureHead.draw_within(parts, scale, torch.rand(30_000), torch.randn(30_000), low, high)
    own = plain[(plain > -0.4) & (plain < 0.9)]
    assert limited.min() >= -0.4 and limited.max() <= 0.9 and len(own) > 2000
    shares = torch.linspace(0.1, 0.9, 5)
    assert (limited.quantile(shares) - own.quantile(shares)).abs().max() < 0.05


@pytest.mark.parametrize("seed", [0, 1])
def test_the_mixture_is_a_density_and_is_drawn_from(seed: int) -> None:
    torch.manual_seed(seed)
    scale = torch.linspace(-REACH, REACH, POINTS).exp().mul(0.3)
    raw, shift = 0.5 * torch.randn(1, 3 * COMPONENTS), torch.randn(1, 2)
    grid = torch.linspace(-30, 30, 60_001).unsqueeze(1)
    value, log_slope = scaled(scale.unsqueeze(0), grid)
    company = Company(torch.randn(1, 2), torch.rand(1, 2) + 0.2)
    parts = MixtureHead.parts(raw, shift, company)
    surprise = MixtureHead.surprise(parts, grid[:, 0], value[:, 0], log_slope[:, 0])
    many = MixtureHead.parts(raw.expand(20_000, -1), shift.expand(20_000, -1), company)
    drawn = MixtureHead.draw(many, scale, torch.rand(20_000), torch.randn(20_000))
    inside = grid[:, 0].abs() <= REACH
    for edge in (-1.0, 0.0, 1.0):
        below = surprise.neg().exp()[inside & (grid[:, 0] <= edge)].sum() * 0.001
        at_the_end = (drawn <= -REACH + 1e-6).float().mean()
        assert abs(float(below + at_the_end - (drawn <= edge).float().mean())) < 0.03
    again = unscaled(scale, value[inside, 0])
    torch.testing.assert_close(again, grid[inside, 0], atol=1e-3, rtol=1e-3)


def test_a_compiled_network_is_compiled_in_what_training_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    made, batch, known = shaken(network()), rows(20), masks(20)
    names, context = list(made.state_dict()), context_of(made, 20)
    before = made.surprises(made.draft(batch, known), context)
    asked = []

    def compiled(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *args: asked.append(method.__name__) or method(*args)

    monkeypatch.setattr(torch, "compile", compiled)
    made.compile()
    assert torch.equal(made.surprises(made.draft(batch, known), context), before)
    assert asked == ["surprises"] and list(made.state_dict()) == names


@pytest.mark.parametrize("is_near", [False, True])
def test_one_component_alone_is_drawn_as_of_all(is_near: bool) -> None:
    torch.manual_seed(3)
    components = COMPONENTS + 2 * PEAKS * is_near
    raw, shift = torch.randn(500, 3 * components), torch.randn(500, 2)
    company = Company(torch.randn(500, 2), torch.rand(500, 2) + 0.1)
    near = Peaks(torch.randn(500, 2), torch.rand(500, 2) < 0.7) if is_near else None
    scale, draws = torch.linspace(-REACH, REACH, POINTS).exp(), (torch.rand(500), torch.randn(500))
    wanted = MixtureHead.draw(MixtureHead.parts(raw, shift, company, near), scale, *draws)
    torch.testing.assert_close(MixtureHead.drawn(raw, shift, company, near, scale, draws), wanted, atol=1e-5, rtol=1e-4)


def test_no_level_without_a_share_is_drawn() -> None:
    shares = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]]).expand(4, -1)
    assert chosen_level(shares, torch.tensor([0.0, 0.299, 0.301, 1 - 2**-24])).tolist() == [1, 1, 3, 3]


def test_a_number_without_partners_is_drawn_within_limits_beside_some_that_have_them() -> None:
    made = shaken(network(partners=([], [0], [])))

    class Within(OneLevel):
        def within(self, unit: Unit, made: Made) -> tuple[Tensor, Tensor] | None:
            return torch.full((50,), -0.5), torch.full((50,), 0.5)

    new = Stepper(made, Within()).rows(context_of(made, 50), torch.Generator().manual_seed(0))
    there = made.draft(new, torch.ones(50, len(UNITS.all), dtype=torch.bool)).is_present[:, 0]
    assert there.any() and new.numerical[there, 0].abs().max() <= 0.5
