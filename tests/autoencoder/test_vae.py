"""The VAE: what it learns, what it ignores, and its own bookkeeping."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tabgraphsyn.data.layout import CategoricalField, EncodedTable, NumericalField, TableLayout
from tabgraphsyn.models.autoencoder.vae import VAE
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors
from tabgraphsyn.training.reconstruction import ReconstructionTask, ShuffledRows

LAYOUT = TableLayout(
    (NumericalField("x"), NumericalField("y", gate=0)),
    (CategoricalField("y:gate", 2), CategoricalField("sign", 2), CategoricalField("bin", 6)),
)


def table(rows: int) -> EncodedTable:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, rows))
    gate = (rng.random(rows) < 0.3).astype(np.int32)
    bins = np.clip((x * 1.5 + 3).astype(np.int32), 0, 5)
    numbers = np.stack([x, np.where(gate == 0, y, 100.0)], axis=1).astype(np.float32)
    return EncodedTable(np.stack([numbers, numbers], axis=2), np.stack([gate, (y > 0).astype(np.int32), bins], axis=1))


@pytest.fixture(scope="module")
def trained() -> VAE:
    torch.manual_seed(0)
    vae = VAE(layout=LAYOUT, width=16, feedforward=32, layers=1)
    encoded = EncodedTensors.from_encoded(table(2000))
    optimizer = torch.optim.Adam(vae.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        rows = torch.randint(encoded.rows, (128,), generator=generator)
        optimizer.zero_grad()
        losses = vae.training_loss(encoded.draw(rows, generator), generator)
        losses["loss"].backward()
        optimizer.step()
        vae.after_step(losses)
    vae.eval()
    with torch.no_grad():
        vae.fit_latent_scale(vae.encode(encoded.middle()))
    return vae


def test_rows_come_back(trained: VAE) -> None:
    batch = EncodedTensors.from_encoded(table(500)).middle()
    with torch.no_grad():
        found = trained.decode(trained.encode(batch), torch.Generator().manual_seed(0))
    assert (found.categorical == batch.categorical).float().mean(dim=0).min() > 0.97
    present = batch.categorical[:, 0] == 0
    assert (found.numerical[:, 0] - batch.numerical[:, 0]).square().mean() < 0.05
    assert (found.numerical[present, 1] - batch.numerical[present, 1]).square().mean() < 0.05


def test_latents_have_unit_scale(trained: VAE) -> None:
    with torch.no_grad():
        latents = trained.encode(EncodedTensors.from_encoded(table(2000)).middle())
    assert latents.mean(dim=0).abs().max() < 1e-4
    spread = latents.std(dim=0)
    assert spread.max() < 1.01
    assert (spread > 0.99).any()


def test_scaling_twice_is_scaling_once(trained: VAE) -> None:
    encoded = EncodedTensors.from_encoded(table(2000))
    before = trained.latent_mean.clone(), trained.latent_scale.clone()
    with torch.no_grad():
        trained.fit_latent_scale(trained.encode(encoded.middle()))
    assert torch.allclose(trained.latent_mean, before[0], atol=1e-4)
    assert torch.allclose(trained.latent_scale, before[1], rtol=1e-3)


def test_a_number_behind_a_closed_gate_changes_nothing() -> None:
    torch.manual_seed(0)
    vae = VAE(layout=LAYOUT)
    categorical = torch.tensor([[1, 0, 2], [0, 1, 3]])
    one = EncodedBatch(torch.tensor([[0.5, 7.0], [0.1, 0.2]]), categorical)
    two = EncodedBatch(torch.tensor([[0.5, -3.0], [0.1, 0.2]]), categorical)
    assert torch.equal(vae.encode(one), vae.encode(two))
    losses = [vae.training_loss(batch, torch.Generator().manual_seed(0))["loss"] for batch in (one, two)]
    assert torch.equal(*losses)


def test_all_gates_closed_is_finite() -> None:
    vae = VAE(layout=TableLayout((NumericalField("y", gate=0),), (CategoricalField("y:gate", 2),)))
    batch = EncodedBatch(torch.zeros(4, 1), torch.ones(4, 1, dtype=torch.int64))
    assert torch.isfinite(vae.training_loss(batch, torch.Generator().manual_seed(0))["loss"])


def test_beta_falls_on_plateaus_only_and_stops_at_its_floor() -> None:
    vae = VAE(layout=LAYOUT, beta_start=1e-2, beta_decay=0.5, beta_least=2e-3, plateau_steps=2)
    seen = []
    for loss in (4.0, 4.0, 3.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.5, 2.5, 9.0, 9.0):
        vae._adapt_beta(torch.tensor(loss))
        seen.append(round(float(vae.beta), 6))
    assert seen == [0.01] * 5 + [0.005] * 4 + [0.0025] * 2 + [0.002]


def test_evaluation_leaves_beta_alone() -> None:
    vae = VAE(layout=LAYOUT, plateau_steps=1).eval()
    batch = EncodedTensors.from_encoded(table(10)).middle()
    for _ in range(3):
        vae.training_loss(batch, torch.Generator().manual_seed(0))
    assert float(vae.beta) == pytest.approx(1e-2)
    assert int(vae.window_steps) == 0


def test_drawn_categories_follow_their_probabilities() -> None:
    torch.manual_seed(0)
    layout = TableLayout((), (CategoricalField("c", 3),))
    vae = VAE(layout=layout, draw_categories=True).eval()
    latents = torch.zeros(20_000, vae.latent_dim)
    with torch.no_grad():
        _, (logits,) = vae._columns(latents[:1].unflatten(1, (1, -1)))
        drawn = vae.decode(latents, torch.Generator().manual_seed(1)).categorical
    shares = torch.bincount(drawn[:, 0], minlength=3) / len(drawn)
    assert torch.allclose(shares, logits[0, 0].softmax(dim=0), atol=0.015)


@pytest.mark.parametrize(("rows", "batch_rows"), [(10, 3), (7, 7), (5, 256), (1, 4)])
def test_an_epoch_shows_every_row_at_most_once(rows: int, batch_rows: int) -> None:
    numbers = torch.arange(100, 100 + rows)
    shuffled = ShuffledRows(numbers, batch_rows, seed=1)
    per_epoch = rows // shuffled.batch_rows
    epochs = [torch.cat([shuffled.at(epoch * per_epoch + step) for step in range(per_epoch)]) for epoch in range(3)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == per_epoch * shuffled.batch_rows
        assert set(epoch.tolist()) <= set(numbers.tolist())
    # Steps may be asked for in any order: a resumed run starts in the middle.
    assert torch.equal(ShuffledRows(numbers, batch_rows, seed=1).at(per_epoch), shuffled.at(per_epoch))


def test_validation_rows_are_never_trained_on() -> None:
    encoded = EncodedTensors.from_encoded(table(3000))
    task = ReconstructionTask(VAE(layout=LAYOUT), encoded, 256, seed=0)
    seen = set(torch.cat([task.batches.at(step) for step in range(200)]).tolist())
    assert len(task.validation_rows) == 150
    assert not seen & set(task.validation_rows.tolist())
    task.autoencoder.eval()
    with torch.no_grad():
        assert task.validation_loss() == task.validation_loss()


def test_a_small_table_keeps_all_rows_for_training() -> None:
    task = ReconstructionTask(VAE(layout=LAYOUT), EncodedTensors.from_encoded(table(40)), 256, seed=0)
    assert task.validation_loss() is None
    assert task.rows_in_step(0) == 40
