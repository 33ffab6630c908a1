"""Dropout from random bytes does what torch's does."""

import pytest
import torch

from tabgraphsyn.models.denoiser.dropout import Dropout


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_share_is_dropped_and_the_mean_stays(share: float) -> None:
    torch.manual_seed(3)
    hidden = torch.ones(400, 251, requires_grad=True)
    dropped = Dropout(share)(hidden)
    assert float((dropped == 0).float().mean()) == pytest.approx(share, abs=0.01)
    assert float(dropped.detach().mean()) == pytest.approx(1.0, abs=0.01)
    assert len(dropped.unique()) == 2
    # No column and no row is hit more than others: all bits of a draw are used.
    assert (dropped == 0).float().mean(dim=0).sub(share).abs().max() < 0.12
    dropped.sum().backward()
    assert torch.equal(hidden.grad, dropped.detach())


def test_two_draws_differ_and_a_seed_repeats_them() -> None:
    layer, hidden = Dropout(0.3), torch.ones(7, 5)
    torch.manual_seed(1)
    first, second = layer(hidden), layer(hidden)
    torch.manual_seed(1)
    assert torch.equal(first, layer(hidden))
    assert not torch.equal(first, second)


def test_nothing_is_dropped_outside_training_or_without_a_share() -> None:
    hidden = torch.randn(9, 4)
    assert Dropout(0.5).eval()(hidden) is hidden
    assert Dropout(0.0)(hidden) is hidden
    assert Dropout(0.5)(torch.zeros(0, 4)).shape == (0, 4)


def test_half_precision_stays_half_precision() -> None:
    assert Dropout(0.5)(torch.ones(8, 8, dtype=torch.bfloat16)).dtype == torch.bfloat16
