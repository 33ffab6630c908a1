"""Rows are denoised in pieces that a cache holds: the same latents, whatever the size of a piece."""

import numpy as np
import pytest
import torch

from tabgraphsyn.data.layout import CategoricalField, NumericalField, TableLayout
from tabgraphsyn.diffusion.edm import Edm
from tabgraphsyn.diffusion.sampler.multistep import Multistep
from tabgraphsyn.generation import rows as generation_rows
from tabgraphsyn.generation.rows import TableModel, generate_latents
from tabgraphsyn.models.autoencoder.data_space import OUTPUT_MULTIPLE, DataSpace
from tabgraphsyn.models.denoiser.mlp import Mlp
from tabgraphsyn.models.families import Families
from tabgraphsyn.models.row_conditions import RowConditions

ROWS = 90


@pytest.fixture
def model() -> TableModel:
    torch.manual_seed(5)
    autoencoder = DataSpace(
        layout=TableLayout((NumericalField("a"),), (CategoricalField("b", 3), CategoricalField("c", 60)))
    )
    sizes = {"latent_dim": autoencoder.latent_dim, "output_dim": autoencoder.output_dim, "condition_dim": 4}
    denoiser = Mlp(**sizes, width=16)
    for parameter in denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return TableModel(autoencoder, denoiser, Edm())


def latents(model: TableModel, families: Families) -> torch.Tensor:
    condition = RowConditions.alone(torch.linspace(-1, 1, ROWS * 4).view(ROWS, 4))
    sampler = Multistep(steps=4, rho=7.0)
    return generate_latents(model=model, sampler=sampler, condition=condition, siblings=families, seed=2, batch_rows=60)


@pytest.mark.parametrize("parents", [None, 7, 40])
def test_a_piece_changes_nothing(model: TableModel, monkeypatch: pytest.MonkeyPatch, parents: int | None) -> None:
    pointer = None if parents is None else np.random.default_rng(0).integers(0, parents, ROWS)
    families = Families.from_pointer(pointer, ROWS)
    whole = latents(model, families)
    monkeypatch.setitem(generation_rows.PIECE_ROWS, "float32", 11)
    assert torch.allclose(latents(model, families), whole, atol=1e-4)
    assert whole.std() > 0.1


def test_columns_that_widen_the_output_are_read_by_nobody(model: TableModel) -> None:
    autoencoder = model.autoencoder
    used = 1 + 3 + 60
    assert autoencoder.output_dim % OUTPUT_MULTIPLE == 0
    assert used <= autoencoder.output_dim < used + OUTPUT_MULTIPLE
    raw, noisy, sigma = torch.randn(5, autoencoder.output_dim), torch.randn(5, autoencoder.latent_dim), torch.ones(5, 1)
    other = raw.clone()
    other[:, used:] = 7.0
    assert torch.equal(autoencoder.denoised(raw, noisy, sigma), autoencoder.denoised(other, noisy, sigma))
    other[:, used - 1] = 7.0
    assert not torch.equal(autoencoder.denoised(raw, noisy, sigma), autoencoder.denoised(other, noisy, sigma))
