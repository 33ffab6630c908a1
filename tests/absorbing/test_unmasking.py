"""Training and drawing of whole tables."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from small_table import rows, task

from tabgraphsyn.errors import Interrupted
from tabgraphsyn.generation.unmasking import Remembered, unmasked_rows, whole_families
from tabgraphsyn.models.batch import EncodedBatch
from tabgraphsyn.training.config import LoopConfig
from tabgraphsyn.training.loop import train
from tabgraphsyn.training.parts import Part
from tabgraphsyn.training.unmasking import UnmaskingTask


class NoTracker:
    def log(self, metrics: object, step: int) -> None:
        """Nothing is kept."""

    def rewind(self, step: int, recorded: object = None) -> None:
        """Nothing was kept."""

    def recorded(self) -> tuple[()]:
        return ()


@dataclass
class StopAfter:
    steps: int
    overtaken: bool = False

    @property
    def requested(self) -> bool:
        self.steps -= 1
        return self.steps < 0


def fit(one: UnmaskingTask, folder: Path, steps: int, stop: int = 10**9) -> None:
    loop = LoopConfig(steps=steps, batch_rows=64, learning_rate=1e-2, ema_decay=0.9, validate_every=0, save_every_s=1e9)
    train(
        one, loop, seed=0, checkpoints=folder, tracker=NoTracker(), interrupt=StopAfter(stop), device="cpu",
        log=logging.getLogger("test"),
    )  # fmt: skip


def families_of(count: int) -> np.ndarray:
    return np.sort(np.random.default_rng(4).integers(0, 40, count))


def test_parts_add_up_to_the_step() -> None:
    one = task(rows(300), families_of(300), vectors=3)
    whole = one.loss(3, torch.Generator().manual_seed(1))["loss"]
    parts = [one.part_loss(3, torch.Generator().manual_seed(1), Part(number, 3)) for number in range(3)]
    torch.testing.assert_close(sum(part["loss"] for part in parts if part), whole)


def test_validation_is_whole_entities_that_no_step_sees() -> None:
    parent = families_of(600)
    one = task(rows(600), parent, window=3)
    kept = {int(parent[one.families.order[one.families.window_start[window]]]) for window in one.validation_windows}
    seen = {int(parent[one.families.order[one.families.window_start[window]]]) for window in one.batches.windows}
    assert kept and not kept & seen
    assert one.validation_loss() == one.validation_loss()


def test_interrupted_and_resumed_ends_in_the_same_bits(tmp_path: Path) -> None:
    ends = []
    for name, stop in (("whole", 10**9), ("cut", 4)):
        one = task(rows(200), families_of(200), vectors=3)
        if stop < 100:
            with pytest.raises(Interrupted):
                fit(one, tmp_path / name, 8, stop)
            one = task(rows(200), families_of(200), vectors=3)
        fit(one, tmp_path / name, 8)
        ends.append(one.unmasking.state_dict())
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_a_column_that_follows_from_another_does_so_in_new_rows(tmp_path: Path) -> None:
    one = task(rows(800))
    fit(one, tmp_path, 300)
    new = unmasked_rows(one.unmasking, one.surroundings, whole_families(None, 800), seed=0)
    assert ((new.categorical[:, 0] + 1) % 4 == new.categorical[:, 2]).float().mean() > 0.97
    shares = torch.bincount(new.categorical[:, 0], minlength=4) / 800
    assert (shares - 0.25).abs().max() < 0.08
    assert abs(float((new.categorical[:, 1] == 1).float().mean()) - 0.3) < 0.08


def counting(families: int) -> tuple[EncodedBatch, np.ndarray]:
    """Siblings whose ``kind`` counts up from a start of their own."""
    batch, parent = rows(4 * families), np.repeat(np.arange(families), 4)
    start = np.random.default_rng(0).integers(0, 4, families)
    batch.categorical[:, 0] = torch.from_numpy((start[parent] + np.tile(np.arange(4), families)) % 4)
    batch.categorical[:, 2] = (batch.categorical[:, 0] + 1) % 4
    return batch, parent


def test_rows_follow_their_siblings_on_any_number_of_threads(tmp_path: Path) -> None:
    batch, parent = counting(150)
    one = task(batch, parent)
    fit(one, tmp_path, 200)
    new = unmasked_rows(one.unmasking, one.surroundings, whole_families(parent, 600), seed=0)
    kind = new.categorical[:, 0].view(150, 4)
    assert (((kind[:, 1:] - kind[:, :-1]) % 4) == 1).float().mean() > 0.85
    again = unmasked_rows(one.unmasking, one.surroundings, whole_families(parent, 600), seed=0, threads=3)
    assert torch.equal(new.numerical, again.numerical) and torch.equal(new.categorical, again.categorical)


def test_what_is_remembered_in_drawing_is_what_a_piece_of_a_family_began_with_in_training() -> None:
    count = 41
    one = task(rows(count), np.zeros(count, dtype=np.int64), window=10)  # pieces of 8 and 9
    window = int(one.families.window_rows[0])
    assert one.families.windows == 5
    batch = one.encoded.draw(torch.arange(count), torch.Generator())
    remembered = Remembered(one.unmasking, one.unmasking.history, 1, window, "cpu")  # type: ignore[arg-type]
    for place in range(2 * window):
        found = remembered.before(place, 1)
        windows = np.flatnonzero(one.families.window_start <= place)[-1:]
        assert one.families.window_start[windows[0]] == place // window * window
        rows_of, _ = one.families.batch(windows)
        clean = EncodedBatch(batch.numerical[rows_of], batch.categorical[rows_of])
        lead = one._lead(windows, torch.Generator())
        wanted = one._history(clean, one.families.window_rows[windows], lead, slice(0, 1))
        assert wanted is not None
        inner = place - int(one.families.window_start[windows[0]])
        torch.testing.assert_close(found.history[0], wanted.history[inner])
        torch.testing.assert_close(found.numbers[0], wanted.numbers[inner])
        remembered.add(EncodedBatch(batch.numerical[place : place + 1], batch.categorical[place : place + 1]))
