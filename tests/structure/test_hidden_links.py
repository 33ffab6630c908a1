"""Numbers of children once links that a holdout hides are handed back: as they were, neither all alike nor a comb."""

from __future__ import annotations

import numpy as np
import pytest

from tabgraphsyn.generation.structure.links import with_missing_links

PARENTS, SHOWN = 3_000, 0.9


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Return the total variation between two samples of whole numbers."""
    most = int(max(one.max(), other.max())) + 1
    shares = (np.bincount(each, minlength=most) / len(each) for each in (one, other))
    return float(np.abs(next(shares) - next(shares)).sum() / 2)


def restored(real: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    visible = rng.binomial(real, SHOWN)
    found = with_missing_links(visible, int((real - visible).sum()), rng)
    assert found.sum() == real.sum() and (found >= visible).all()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_large_families_differ_as_they_did_and_no_number_is_left_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for real in (rng.poisson(40, PARENTS), rng.geometric(1 / 40, PARENTS)):
        again = rng.permutation(real)[: PARENTS // 2]  # what half of the real ones are from all of them
        assert apart(restored(real, seed), real) < 1.2 * apart(again, real) + 0.05
        inner = np.arange(*np.quantile(real, [0.2, 0.8]).astype(int))
        assert set(inner) <= set(restored(real, seed).tolist())


@pytest.mark.parametrize("fixed", [1, 5, 20])
def test_a_fixed_number_of_children_stays_fixed(fixed: int) -> None:
    found = restored(np.full(PARENTS, fixed), seed=fixed)
    assert (np.abs(found - fixed) <= 1).mean() > 0.99 and (found == fixed).mean() > 0.8


def test_childless_parents_and_no_parents_at_all() -> None:
    rng = np.random.default_rng(0)
    assert with_missing_links(np.zeros(50, dtype=np.int64), 100, rng).sum() == 100
    assert with_missing_links(np.zeros(0, dtype=np.int64), 3, rng).tolist() == []
