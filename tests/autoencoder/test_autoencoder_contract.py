"""Every autoencoder in conf/ keeps the contract: a new yaml is tested without touching this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tabgraphsyn.data.layout import CategoricalField, NumericalField, TableLayout
from tabgraphsyn.models.autoencoder.base import Autoencoder
from tabgraphsyn.models.batch import EncodedBatch
from tabgraphsyn.stages.build import build

CONFIGS = sorted((Path(__file__).parents[2] / "conf" / "autoencoder").glob("*.yaml"))

LAYOUTS = {
    "mixed": TableLayout(
        (NumericalField("n"), NumericalField("gated", gate=1), NumericalField("late:time")),
        (
            CategoricalField("c", 3),
            CategoricalField("gated:gate", 2),
            CategoricalField("d", 3),
            CategoricalField("e", 70),
        ),
    ),
    "numbers": TableLayout((NumericalField("a"), NumericalField("b")), ()),
    "categories": TableLayout((), (CategoricalField("a", 4), CategoricalField("b", 2))),
    "one": TableLayout((NumericalField("a"),), ()),
    "keys": TableLayout((), ()),
}


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    return yaml.safe_load(request.param.read_text())


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> TableLayout:
    return LAYOUTS[request.param]


@pytest.fixture
def autoencoder(config: dict[str, Any], layout: TableLayout) -> Autoencoder:
    torch.manual_seed(0)
    return build(config, Autoencoder, layout=layout)


def batch_of(layout: TableLayout, rows: int = 20) -> EncodedBatch:
    generator = torch.Generator().manual_seed(3)
    levels = [torch.randint(field.levels, (rows, 1), generator=generator) for field in layout.categorical]
    categorical = torch.cat(levels, dim=1) if levels else torch.zeros(rows, 0, dtype=torch.int64)
    return EncodedBatch(torch.randn(rows, len(layout.numerical), generator=generator), categorical)


def test_latents_have_the_declared_width_and_no_noise(autoencoder: Autoencoder, layout: TableLayout) -> None:
    batch = batch_of(layout)
    latents = autoencoder.eval().encode(batch)
    assert latents.shape == (20, autoencoder.latent_dim)
    assert latents.dtype == torch.float32
    assert torch.isfinite(latents).all()
    assert torch.equal(latents, autoencoder.encode(batch))
    assert (autoencoder.latent_dim == 0) == layout.is_empty


def test_decoded_rows_fit_the_layout(autoencoder: Autoencoder, layout: TableLayout) -> None:
    # Latents that no row has must decode to something legal too: they are what a young diffusion makes.
    latents = 10 * torch.randn(50, autoencoder.latent_dim)
    with torch.no_grad():
        decoded = autoencoder.eval().decode(latents, torch.Generator().manual_seed(0))
    assert decoded.numerical.shape == (50, len(layout.numerical))
    assert decoded.categorical.shape == (50, len(layout.categorical))
    assert torch.isfinite(decoded.numerical).all()
    for column, field in enumerate(layout.categorical):
        assert decoded.categorical[:, column].min() >= 0
        assert decoded.categorical[:, column].max() < field.levels


def test_decoding_depends_on_the_generator_alone(autoencoder: Autoencoder) -> None:
    latents = torch.randn(50, autoencoder.latent_dim)
    with torch.no_grad():
        one, two = (autoencoder.eval().decode(latents, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one.numerical, two.numerical)
    assert torch.equal(one.categorical, two.categorical)


def test_training_loss_reaches_every_weight(autoencoder: Autoencoder, layout: TableLayout) -> None:
    losses = autoencoder.train().training_loss(batch_of(layout), torch.Generator().manual_seed(0))
    if not autoencoder.is_trained:
        assert losses == {}
        return
    assert torch.isfinite(losses["loss"])
    losses["loss"].backward()
    without = [name for name, value in autoencoder.named_parameters() if value.numel() and value.grad is None]
    assert without == []


def test_diffusion_loss_is_a_number_per_row(autoencoder: Autoencoder, layout: TableLayout) -> None:
    batch = batch_of(layout)
    with torch.no_grad():
        clean = autoencoder.eval().encode(batch)
    sigma = torch.logspace(-2, 1.5, 20).unsqueeze(1)
    noisy = clean + sigma * torch.randn_like(clean)
    raw = torch.randn(20, autoencoder.output_dim, requires_grad=True)
    loss = autoencoder.diffusion_loss(raw, noisy, sigma, clean, batch)
    assert loss.shape == (20,)
    assert torch.isfinite(loss).all()
    assert autoencoder.denoised(raw, noisy, sigma).shape == clean.shape
    if autoencoder.output_dim:
        loss.sum().backward()
        assert raw.grad is not None and torch.isfinite(raw.grad).all()


def test_training_on_the_diffusion_loss_denoises(autoencoder: Autoencoder, layout: TableLayout) -> None:
    """With the raw output free per row, its minimum puts the denoised latents on the clean ones."""
    if layout.is_empty:
        pytest.skip("nothing to denoise")
    batch = batch_of(layout)
    with torch.no_grad():
        clean = autoencoder.eval().encode(batch)
    autoencoder.requires_grad_(False)
    sigma = torch.full((20, 1), 2.0)
    noisy = clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    raw = torch.zeros(20, autoencoder.output_dim, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.3)
    for _ in range(150):
        optimizer.zero_grad()
        autoencoder.diffusion_loss(raw, noisy, sigma, clean, batch).sum().backward()
        optimizer.step()
    found = autoencoder.denoised(raw, noisy, sigma).detach()
    # A number behind a closed gate means nothing: what is denoised for it does not matter.
    matters = torch.ones_like(clean, dtype=torch.bool)
    if not autoencoder.is_trained and layout == LAYOUTS["mixed"]:
        matters[:, 1] = batch.categorical[:, 1] == 0
    assert torch.allclose(found[matters], clean[matters], atol=0.15)


def test_state_survives_a_round_trip(config: dict[str, Any], layout: TableLayout, autoencoder: Autoencoder) -> None:
    batch = batch_of(layout)
    with torch.no_grad():
        autoencoder.eval().fit_latent_scale(autoencoder.encode(batch))
        torch.manual_seed(99)
        other: Autoencoder = build(config, Autoencoder, layout=layout)
        other.load_state_dict(autoencoder.state_dict())
        assert torch.equal(other.eval().encode(batch), autoencoder.encode(batch))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cpu_and_gpu_agree(autoencoder: Autoencoder, layout: TableLayout) -> None:
    batch = batch_of(layout)
    on_gpu = EncodedBatch(batch.numerical.cuda(), batch.categorical.cuda())
    with torch.no_grad():
        here = autoencoder.eval().encode(batch)
        there = autoencoder.cuda().encode(on_gpu)
        assert torch.allclose(here, there.cpu(), atol=1e-4)
        decoded = autoencoder.decode(there, torch.Generator().manual_seed(0))
        again = autoencoder.cpu().decode(here, torch.Generator().manual_seed(0))
    assert torch.allclose(decoded.numerical, again.numerical, atol=1e-3)
    assert torch.equal(decoded.categorical, again.categorical)
